"""Captured payloads on disk: named by their hash, readable only, never executable."""

from urltrap.quarantine.errors import (
    ArtifactMissingError,
    ArtifactTooLargeError,
    InvalidDigestError,
    QuarantineError,
    QuarantineFullError,
)
from urltrap.quarantine.quarantine import Quarantine, StoredArtifact, StoredContent
from urltrap.quarantine.writer import ArtifactWriter

__all__ = [
    "ArtifactMissingError",
    "ArtifactTooLargeError",
    "ArtifactWriter",
    "InvalidDigestError",
    "Quarantine",
    "QuarantineError",
    "QuarantineFullError",
    "StoredArtifact",
    "StoredContent",
]
