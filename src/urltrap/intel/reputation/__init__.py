"""Reputation providers, one file each. Three results and no others: listed, not listed, error."""
