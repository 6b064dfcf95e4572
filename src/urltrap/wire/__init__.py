"""Network protocols as values: bytes go in, replies come out, nobody opens a socket here."""
