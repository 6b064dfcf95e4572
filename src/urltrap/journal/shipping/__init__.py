"""A sensor's journal as the spool of a collector elsewhere: read, sent, kept until the collector's store has it."""
