"""SSH as values: what a named server build says, in which order, and how it answers what it does not like."""
