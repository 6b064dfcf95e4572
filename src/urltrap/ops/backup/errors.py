"""What can go wrong with backups; every message says what is safe and what to do."""

from __future__ import annotations


class BackupError(Exception):
    """A backup could not be made, read or restored."""


class TargetError(BackupError):
    """The place that keeps the backups cannot be used now."""


class ManifestError(BackupError):
    """What a backup says of itself cannot be trusted."""


class DamagedError(BackupError):
    """Content of a backup is not what its manifest says."""


class KeyNeededError(BackupError):
    """The backup is encrypted, and the key that was given (or none) does not open it."""


class VerificationError(BackupError):
    """A restored backup differs from what was backed up."""


class RestoreRefusedError(BackupError):
    """Restoring would have overwritten something; nothing was changed."""
