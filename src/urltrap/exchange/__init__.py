"""Records of other systems: other honeypots' logs in, ours out in the forms that other tools read."""
