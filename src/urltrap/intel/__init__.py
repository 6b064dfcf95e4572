"""What the world knows of an address, host, URL or hash: enrichment, lists, reputation providers."""
