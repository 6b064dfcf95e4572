"""What a backup says of itself: files and their hashes, the database's rows, how far the journal goes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field, ValidationError, field_validator

from urltrap.model.base import Model, Utc
from urltrap.ops.backup.errors import ManifestError
from urltrap.ops.backup.target import Target

FORMAT = 1
_FOLDER = "snapshots"
_SHA256 = r"^[0-9a-f]{64}$"
_NAME = re.compile(r"[^/\0]+(/[^/\0]+)*")

Kind = Literal["hourly", "daily", "manual"]


class FileEntry(Model):
    """One file: its path below the data folder, and the object that holds it."""

    path: str
    size: int = Field(ge=0)
    sha256: str = Field(pattern=_SHA256)
    mode: int = Field(ge=0, le=0o777)
    mtime_ns: int
    object: str = Field(pattern=_SHA256)
    stored_size: int = Field(ge=0)

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        if not _NAME.fullmatch(path) or any(step in (".", "..") for step in path.split("/")):
            raise ValueError("a path that could leave the data folder")
        return path


class DatabaseEntry(Model):
    """The database: what made the dump, its schema, rows per table, and checksums where they were computed."""

    dialect: Literal["sqlite", "mariadb", "mysql", "postgresql"]
    dump: Literal["sqlite", "mariadb-dump", "pg_dump"]
    path: str
    revision: str
    counts: dict[str, int]
    checksums: dict[str, str] = {}


class Manifest(Model):
    """One backup."""

    format: int
    made: Utc
    kind: Kind
    version: str
    encrypted_to: str = ""
    database: DatabaseEntry
    journal: dict[str, tuple[int, int]]
    files: tuple[FileEntry, ...]

    @property
    def name(self) -> str:
        """Its name at a target."""
        return f"{_FOLDER}/{self.made:%Y%m%dT%H%M%S.%fZ}-{self.kind}.json"

    @property
    def objects(self) -> dict[str, int]:
        """The objects it needs, with their sizes."""
        return {entry.object: entry.stored_size for entry in self.files}

    @property
    def size(self) -> int:
        """Bytes of everything, unpacked."""
        return sum(entry.size for entry in self.files)


def encode(manifest: Manifest) -> bytes:
    """The manifest with its own SHA-256 on the first line, so that a changed or cut one is noticed."""
    body = json.dumps(manifest.model_dump(mode="json"), separators=(",", ":"), sort_keys=True).encode()
    return f"urltrap-backup sha256={hashlib.sha256(body).hexdigest()}\n".encode() + body + b"\n"


def decode(data: bytes, name: str) -> Manifest:
    """The manifest in `data`. ManifestError where it is damaged or of another version."""
    safe = "What urltrap runs on and other backups are not affected"
    head, _, body = data.partition(b"\n")
    body = body.removesuffix(b"\n")
    expected = f"urltrap-backup sha256={hashlib.sha256(body).hexdigest()}".encode()
    if head != expected:
        raise ManifestError(f"{name} does not match its own checksum: it was cut short or changed. {safe}")
    try:
        found = json.loads(body)
        if found.get("format", 0) > FORMAT:
            raise ManifestError(
                f"{name} was made by a newer urltrap (format {found['format']}); restore with that one"
            )
        return Manifest.model_validate_json(body)
    except (ValueError, ValidationError, AttributeError) as error:
        raise ManifestError(f"{name} is no manifest of a backup ({str(error)[:200]}). {safe}") from error


def list_manifests(target: Target) -> tuple[list[Manifest], list[str]]:
    """All backups of a target, oldest first, and what is wrong with those that cannot be read."""
    found: list[Manifest] = []
    damaged: list[str] = []
    for name in sorted(target.names(_FOLDER)):
        try:
            found.append(decode(target.read(name), name))
        except ManifestError as error:
            damaged.append(str(error))
        except FileNotFoundError:
            continue  # pruned since it was listed
    return sorted(found, key=lambda manifest: manifest.made), damaged


def why_none(target: Target, moment: datetime | None) -> str:
    """Why `target` has no backup (of that time), what is safe and what to do."""
    manifests, damaged = list_manifests(target)
    elsewhere = "try another place that backups are copied to (restore --from FOLDER_OR_URL)"
    if manifests and moment is not None:
        return (
            f"{target.label} has no backup of {moment:%Y-%m-%d %H:%M:%S} UTC or before: the oldest is of "
            f"{manifests[0].made:%Y-%m-%d %H:%M:%S} UTC. Nothing was changed"
        )
    if damaged:
        return f"{'; '.join(damaged)}. {target.label} has no other one: {elsewhere}. Nothing was changed"
    if target.names("objects"):
        return (
            f"{target.label} holds parts of a backup that was never finished, and no whole one. What urltrap runs on "
            f"is not affected (a new one: urltrap backup now); to restore, {elsewhere}. Nothing was changed"
        )
    return f"there is no backup in {target.label}; {elsewhere}. Nothing was changed"


def at(manifests: Sequence[Manifest], moment: datetime | None) -> Manifest | None:
    """The newest backup, or the newest made at `moment` or before."""
    fitting = [manifest for manifest in manifests if moment is None or manifest.made <= moment]
    return fitting[-1] if fitting else None
