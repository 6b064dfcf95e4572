"""The durable, append-only record of events; everything else can be rebuilt from it."""
