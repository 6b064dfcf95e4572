"""From words to fields: braces, tilde, parameters, substitutions, splitting, pathnames."""
