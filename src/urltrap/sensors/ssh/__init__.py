"""The SSH sensor: asyncssh made to answer as the recorded server build of a profile."""
