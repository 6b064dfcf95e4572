"""The commands that the shell itself runs, one module per family (`registry` finds them)."""
