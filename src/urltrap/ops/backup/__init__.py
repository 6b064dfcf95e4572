"""Backups: taking, keeping, verifying and restoring them; the journal's continuous copy."""
