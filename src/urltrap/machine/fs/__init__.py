"""The file tree: one immutable image shared by all machines, an overlay per attacker, and generated trees."""
