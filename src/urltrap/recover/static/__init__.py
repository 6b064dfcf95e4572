"""Reading what is not shell: other languages, by their literals."""
