"""Errors of the quarantine: typed, and saying what can be done next."""

from __future__ import annotations

import errno


class QuarantineError(Exception):
    """The quarantine could not do what was asked; the message says why and what to do."""


class InvalidDigestError(QuarantineError, ValueError):
    """What was given as a SHA-256 is not 64 lower-case hexadecimal digits, so it names no artifact."""

    def __init__(self, digest: object) -> None:
        super().__init__(
            f"not a SHA-256 in lower-case hexadecimal (64 digits): {str(digest)[:80]!r}; "
            "take it from an event or from the list of artifacts"
        )


class ArtifactMissingError(QuarantineError, LookupError):
    """No artifact has this SHA-256."""

    def __init__(self, sha256: str) -> None:
        super().__init__(f"no artifact {sha256} in the quarantine; it was never captured here or was removed")
        self.sha256 = sha256


class ArtifactTooLargeError(QuarantineError):
    """More than `limit` bytes were written; the beginning is kept and can be committed as incomplete."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the payload is larger than {limit} bytes; its beginning is kept: commit it as incomplete or abort"
        )
        self.limit = limit


class QuarantineFullError(QuarantineError):
    """The disk, a quota or a file size limit does not take more; nothing of this artifact was kept."""


def disk_error(error: OSError, doing: str) -> QuarantineError:
    """The typed error for what the operating system said while `doing` something."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return QuarantineFullError(
            f"no room while {doing}: {error.strerror}; free space on the quarantine's disk or raise its quota"
        )
    return QuarantineError(f"failed while {doing}: {error.strerror}; check the disk and the folder's owner")
