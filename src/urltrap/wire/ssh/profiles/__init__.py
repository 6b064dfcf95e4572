"""Recorded servers, one JSON file each; whoever builds a server reads the file and hands it to `load_profile`."""
