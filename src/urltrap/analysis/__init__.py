"""Says what a payload is from its bytes, without ever running it."""
