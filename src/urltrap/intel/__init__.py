"""What others know: places of addresses, lists of hosts, reputation of URLs. Nothing here asks attackers' hosts."""
