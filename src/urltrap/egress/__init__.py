"""The only door out: the safe fetcher, its policy and its client. Nobody else opens an outbound connection."""
