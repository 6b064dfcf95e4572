"""Running the tree: one module per kind of command."""
