"""A believable Linux machine: values in, effects out. No clock, randomness, network or disk of its own."""
