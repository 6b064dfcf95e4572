"""Published lists, one module per format."""
