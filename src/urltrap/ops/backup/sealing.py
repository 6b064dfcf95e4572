"""How a file becomes an object of a backup: Zstandard, then age where a key is set; named by its own SHA-256."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pyrage
import zstandard

from urltrap.ops.backup.errors import DamagedError, KeyNeededError

_LEVEL = 6
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Sealed:
    """An object: its name (SHA-256 of its own bytes) and size, SHA-256 and size of what is in it."""

    object: str
    stored_size: int
    sha256: str
    size: int


class Recipient:
    """A public key that backups are encrypted with. KeyNeededError where the text is none."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self.key = pyrage.x25519.Recipient.from_str(text)
        except pyrage.RecipientError as error:
            raise KeyNeededError(
                "backup.age_recipient is not a public key of age (age1…); make a pair with: urltrap backup key"
            ) from error


def read_identities(path: Path) -> list[Any]:
    """The secret keys in a file as age-keygen writes it. KeyNeededError where there is none."""
    try:
        lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise KeyNeededError(
            f"the key file {path} cannot be read: {error.strerror}. Nothing was changed"
        ) from error
    try:
        found = [
            pyrage.x25519.Identity.from_str(line.strip())
            for line in lines
            if line.startswith("AGE-SECRET-KEY-")
        ]
    except pyrage.IdentityError as error:
        raise KeyNeededError(
            f"the key file {path} holds a damaged key: take a copy of it. Nothing was changed"
        ) from error
    if not found:
        raise KeyNeededError(
            f"the key file {path} holds no line AGE-SECRET-KEY-…, which `urltrap backup key` or age-keygen writes. "
            "Nothing was changed"
        )
    return found


class Readable(Protocol):
    """What can be read in pieces."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; empty at the end."""
        ...


def seal(source: Readable, into: Path, recipient: Recipient | None) -> Sealed:
    """Pack everything of `source` into the new file `into`."""
    digest, size = hashlib.sha256(), 0
    packed = into if recipient is None else into.with_name(into.name + ".plain")
    with (
        open(packed, "wb") as raw,
        zstandard.ZstdCompressor(_LEVEL, write_checksum=True).stream_writer(raw, closefd=False) as writer,
    ):
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            writer.write(chunk)
    if recipient is not None:
        try:
            with open(packed, "rb") as plain, open(into, "wb") as hidden:
                pyrage.encrypt_io(plain, hidden, [recipient.key])
        finally:
            packed.unlink()
    stored = hash_file(into)
    return Sealed(stored, into.stat().st_size, digest.hexdigest(), size)


def unseal(source: Path, into: BinaryIO, encrypted: bool, identities: Sequence[Any]) -> tuple[str, int]:
    """Unpack an object into `into`; SHA-256 and size of what came out. KeyNeededError, DamagedError."""
    plain = source
    if encrypted:
        if not identities:
            raise KeyNeededError(
                "this backup is encrypted; give the file with its secret key: --identity FILE. Nothing was changed"
            )
        plain = source.with_name(source.name + ".plain")
        try:
            with open(source, "rb") as hidden, open(plain, "wb") as packed:
                pyrage.decrypt_io(hidden, packed, list(identities))
        except pyrage.DecryptError as error:
            plain.unlink(missing_ok=True)
            if "no matching keys" in str(error).lower():
                raise KeyNeededError(
                    "the secret key given does not open this backup: it was made for another key. The backup is "
                    "unharmed; find the key file that belongs to its public key (urltrap backup list shows it)"
                ) from error
            raise DamagedError(f"an encrypted object is damaged ({error})") from error
    digest, size = hashlib.sha256(), 0
    try:
        with (
            open(plain, "rb") as raw,
            zstandard.ZstdDecompressor().stream_reader(raw, closefd=False) as reader,
        ):
            while chunk := reader.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                into.write(chunk)
    except zstandard.ZstdError as error:
        raise DamagedError(f"an object is damaged ({error})") from error
    finally:
        if plain != source:
            plain.unlink(missing_ok=True)
    return digest.hexdigest(), size


def hash_file(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def object_name(stored: str) -> str:
    """Where an object is kept at a target."""
    return f"objects/{stored[:2]}/{stored}"


def free_bytes(path: Path) -> int:
    """Room for ordinary users on the disk of `path`."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize
