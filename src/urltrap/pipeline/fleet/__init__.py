"""A collector: takes in the journals of sensors elsewhere."""
