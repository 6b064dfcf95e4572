"""SFTP version 3 and the old scp protocol as values: requests in, replies out, files behind a small protocol."""
