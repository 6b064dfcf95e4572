"""How an operator runs it: settings, command line, supervisor, doctor."""
