"""The operator's site: pages rendered on the server from the store's answers, the feeds, and live updates."""
