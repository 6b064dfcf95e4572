"""The only door to hosts that attackers name: safe fetching and DNS within limits."""
