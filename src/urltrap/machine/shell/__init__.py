"""The shell language: bash, dash and BusyBox ash, from text to running programs of the machine."""
