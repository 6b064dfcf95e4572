"""What gives a server away: questions that detectors ask, asked of a running one, and its answers compared."""
