"""Taking one backup: the database first, then journal and artifacts, so that those never lack what it names."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from urltrap.journal.folder import list_segments, list_writers, writer_folder
from urltrap.ops.backup import database
from urltrap.ops.backup.errors import BackupError
from urltrap.ops.backup.manifest import FORMAT, FileEntry, Kind, Manifest, encode
from urltrap.ops.backup.sealing import Recipient, free_bytes, object_name, seal
from urltrap.ops.backup.target import Target
from urltrap.ops.data_folder import DataFolder
from urltrap.quarantine import Quarantine
from urltrap.store import Store

_KEEP_FREE = 100_000_000


def take(
    folder: DataFolder,
    store: Store,
    target: Target,
    known: list[Manifest],
    made: datetime,
    kind: Kind,
    recipient: Recipient | None = None,
    step: Callable[[str], None] = lambda what: None,
) -> Manifest:
    """Make a backup of a data folder and its store at `target`; what `known` backups hold already is not kept twice.

    The manifest is written last: a backup that was interrupted is none, and what it left is swept later. Raises
    BackupError or StoreError, with earlier backups untouched.
    """
    held = {
        entry.sha256: entry
        for manifest in known
        if manifest.encrypted_to == (recipient.text if recipient else "")
        for entry in manifest.files
    }
    unchanged = {
        (entry.path, entry.size, entry.mtime_ns): entry for entry in (known[-1].files if known else ())
    }
    if target.local:
        Path(target.url).mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="urltrap-backup-", dir=_spool(target, folder)) as name:
        taking = _Taking(folder, target, Path(name), recipient, held, unchanged)
        step("database")
        dumped = Path(name) / "database"
        dumped.mkdir()
        entry = database.dump(store, dumped, whole=kind != "hourly")
        taking.add(dumped / entry.path, f"database/{entry.path}")
        (dumped / entry.path).unlink()
        step("journal")
        positions = taking.journal()
        step("artifacts")
        taking.quarantine()
        step("settings and keys")
        for path in _others(folder):
            taking.add(path, str(path.relative_to(folder.root)))
        manifest = Manifest(
            format=FORMAT, made=made, kind=kind, version=importlib.metadata.version("urltrap"),
            encrypted_to=recipient.text if recipient else "",
            database=entry.model_copy(update={"path": f"database/{entry.path}"}), journal=positions,
            files=tuple(taking.files),
        )  # fmt: skip
        # Everything that the manifest names is on the disk before it is.
        if target.local:
            os.sync()
        written = Path(name) / "manifest"
        written.write_bytes(encode(manifest))
        target.put(written, manifest.name)
    return manifest


def _spool(target: Target, folder: DataFolder) -> Path:
    place = Path(target.url) if target.local else folder.backups
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if free_bytes(place) < _KEEP_FREE:
        raise BackupError(
            f"less than {_KEEP_FREE // 1_000_000} MB are free for {place}; no backup was begun. Free some space, lower "
            "backup.keep_*, or name another disk in backup.folder. Existing backups are unharmed"
        )
    return place


def _others(folder: DataFolder) -> Iterator[Path]:
    for path in (folder.settings, folder.persona):
        if path.is_file():
            yield path
    for below in (folder.keys, folder.root / "dashboards"):
        if below.is_dir():
            yield from sorted(path for path in below.rglob("*") if path.is_file() and not path.is_symlink())


class _Taking:
    """The files of one backup while it is made."""

    def __init__(
        self,
        folder: DataFolder,
        target: Target,
        spool: Path,
        recipient: Recipient | None,
        held: dict[str, FileEntry],
        unchanged: dict[tuple[str, int, int], FileEntry],
    ) -> None:
        self._folder, self._target, self._spool, self._recipient = folder, target, spool, recipient
        self._held, self._unchanged = held, unchanged
        self.files: list[FileEntry] = []

    def add(self, path: Path, name: str) -> None:
        """Add a file; FileNotFoundError where it is gone."""
        status = path.stat()
        with open(path, "rb") as source:
            self._add(source, name, status.st_mode, status.st_mtime_ns, status.st_size)

    def _add(self, source: BinaryIO, name: str, mode: int, mtime_ns: int, length: int) -> None:
        packed = self._spool / "object"
        sealed = seal(_Limited(source, length), packed, self._recipient)
        same = self._held.get(sealed.sha256)
        if same is None:
            self._target.put(packed, object_name(sealed.object))
            stored, stored_size = sealed.object, sealed.stored_size
        else:
            stored, stored_size = same.object, same.stored_size
        packed.unlink()
        entry = FileEntry(
            path=name, size=sealed.size, sha256=sealed.sha256, mode=mode & 0o777, mtime_ns=mtime_ns, object=stored,
            stored_size=stored_size,
        )  # fmt: skip
        self._held[sealed.sha256] = entry
        self.files.append(entry)

    def journal(self) -> dict[str, tuple[int, int]]:
        """All segments as they are now; per writer, how far they go (segment, offset)."""
        positions = {}
        for writer in list_writers(self._folder.journal):
            place = writer_folder(self._folder.journal, writer)
            for _ in range(5):  # again where a segment is archived or expired in between
                before = len(self.files)
                try:
                    end = (0, 0)
                    for segment in list_segments(place):
                        end = self._segment(segment.path, writer, segment.number)
                    positions[writer] = end
                    break
                except FileNotFoundError:
                    del self.files[before:]
            else:
                raise BackupError(f"the journal of {writer} changes faster than it can be read; try again")
        return positions

    def _segment(self, path: Path, writer: str, number: int) -> tuple[int, int]:
        status = path.stat()
        name = f"journal/{writer}/{path.name}"
        same = self._unchanged.get((name, status.st_size, status.st_mtime_ns))
        if same is not None and same.sha256 in self._held:
            self.files.append(same)
        else:
            with open(path, "rb") as source:
                self._add(source, name, status.st_mode, status.st_mtime_ns, status.st_size)
        return number, 0 if path.suffix == ".zst" else status.st_size

    def quarantine(self) -> None:
        """All artifacts; one that another backup has is not even read."""
        if not self._folder.quarantine.is_dir():
            return
        for artifact in Quarantine(self._folder.quarantine).iter():
            name = f"quarantine/{artifact.sha256[:2]}/{artifact.sha256[2:4]}/{artifact.sha256}"
            same = self._held.get(artifact.sha256)
            if same is not None:
                self.files.append(same.model_copy(update={"path": name, "mode": 0o400}))
                continue
            try:
                self.add(self._folder.root / name, name)
            except FileNotFoundError:
                continue  # removed since it was listed


class _Limited:
    """The first bytes of a file that may be growing: exactly as many as it had when it was looked at."""

    def __init__(self, source: BinaryIO, length: int) -> None:
        self._source, self._left = source, length

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes of them."""
        part = self._source.read(min(size, self._left))
        self._left -= len(part)
        return part


def sweep_spool(place: Path) -> None:
    """Remove what killed runs left in the spool."""
    for left in place.glob("urltrap-backup-*"):
        shutil.rmtree(left, ignore_errors=True)
