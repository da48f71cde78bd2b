"""The durable part: the broadcast, each delivery within it, and the loop that looks at the clock. Only here is the engine known."""
