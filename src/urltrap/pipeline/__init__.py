"""The way from journal to published verdict: ordered stages and background jobs."""
