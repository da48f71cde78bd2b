"""The wiring: reading what is configured, building adapters, opening the house. Only here is the registry reached."""
