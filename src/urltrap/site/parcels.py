"""Payloads for vetted researchers: packed into an encrypted zip, never as they are.

The form is the one that analysts exchange malware in: AES (WinZip's AE-2, 256 bits), the password `infected`. It keeps
mail gateways, indexers and careless double clicks away from the payload; it is no secret.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Iterator
from typing import IO, Any

import pyzipper

from urltrap.quarantine import Quarantine, QuarantineError

PASSWORD = b"infected"
LARGEST = 64_000_000
"""Bytes of a payload that is packed at all."""
_CHUNK = 1 << 20
_IN_MEMORY = 4_000_000
_NEVER = (1980, 1, 1, 0, 0, 0)
_ONE = threading.Semaphore(1)
"""Packing takes a core: one at a time."""


class NoParcel(Exception):
    """A payload cannot be packed; `status` is that of HTTP, the message says why and what to do."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def parcel(quarantine: Quarantine, sha256: str) -> IO[bytes]:
    """The zip with the payload in it, named by its hash, at its beginning; the caller closes it. Raises NoParcel.

    What comes out of the quarantine is compared with its name: nobody gets another payload than he asked for.
    """
    try:
        size = quarantine.stat(sha256).size
    except QuarantineError as error:
        raise NoParcel(410, "The payload is not in the quarantine (any more).") from error
    if size > LARGEST:
        raise NoParcel(
            413, f"It has {size:,} bytes; no more than {LARGEST:,} are packed. Fetch it on the machine."
        )
    if not _ONE.acquire(blocking=False):
        raise NoParcel(503, "Another payload is being packed. Ask again in a moment.")
    try:
        return _pack(quarantine, sha256)
    finally:
        _ONE.release()


def chunks(packed: IO[bytes]) -> Iterator[bytes]:
    """The zip piece by piece; closed at the end."""
    with packed:
        while piece := packed.read(_CHUNK):
            yield piece


def _pack(quarantine: Quarantine, sha256: str) -> IO[bytes]:
    # Spooled to the disk encrypted: what is written outside of the quarantine is never the payload.
    packed: Any = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    digest = hashlib.sha256()
    try:
        with pyzipper.AESZipFile(
            packed, "w", compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES
        ) as archive:
            archive.setpassword(PASSWORD)
            entry = archive.zipinfo_cls(sha256, _NEVER)
            entry.compress_type = pyzipper.ZIP_DEFLATED
            entry.external_attr = 0o400 << 16  # readable, never executable
            with quarantine.open(sha256) as payload, archive.open(entry, "w") as inside:
                while piece := payload.read(_CHUNK):
                    digest.update(piece)
                    inside.write(piece)
        if digest.hexdigest() != sha256:
            raise NoParcel(500, "The payload on the disk is not the one of that name: look at the disk.")
    except QuarantineError as error:
        packed.close()
        raise NoParcel(410, "The payload is not in the quarantine (any more).") from error
    except BaseException:
        packed.close()
        raise
    packed.seek(0)
    result: IO[bytes] = packed
    return result
