"""Command lines of the programs that download."""
