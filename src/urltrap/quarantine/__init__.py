"""Captured payloads on disk: named by their hash, readable only, never executable."""
