"""The Internet as a box sees it: what servers of other people would say, as values, without a socket."""
