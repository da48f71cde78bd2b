"""Stand-ins that speak the platforms' real wire protocols on loopback, with faults to order, and a page of their timelines.

Nothing here is loaded when Tocsin runs for real, and nothing here imports an adapter: both sides are written from the
platforms' own descriptions, so that a mistake in one does not hide in the other.
"""
