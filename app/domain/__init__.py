"""The pure rules of Tocsin: bytes and values in, values out; no input or output, no clock, no framework."""
