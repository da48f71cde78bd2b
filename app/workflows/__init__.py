"""The durable part: the worker that holds broadcasts, the broadcast as a story, who leads it, and each delivery within it."""
