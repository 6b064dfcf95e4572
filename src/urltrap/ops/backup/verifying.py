"""A backup that was never restored is none: verifying one by its hashes, or by restoring it whole and comparing."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from urltrap.journal import JournalCorruptError, JournalReader, JournalUndecodableError
from urltrap.ops.backup import database
from urltrap.ops.backup.errors import DamagedError
from urltrap.ops.backup.manifest import Manifest
from urltrap.ops.backup.restoring import extract
from urltrap.ops.backup.sealing import hash_file, object_name
from urltrap.ops.backup.target import Target

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found right: files compared, rows of the restored database, events read from its journal."""

    name: str
    whole: bool
    files: int
    rows: int = 0
    events: int = 0


def verify_hashes(target: Target, manifest: Manifest, step: Step = lambda what: None) -> Verified:
    """Read every object of a backup and compare its hash; needs no key. DamagedError names what is wrong."""
    wrong: list[str] = []
    paths = {entry.object: entry.path for entry in manifest.files}
    with tempfile.TemporaryDirectory(prefix="urltrap-verify-") as name:
        fetched = Path(name) / "object"
        for number, (stored, path) in enumerate(paths.items()):
            if number % 500 == 0:
                step(f"{number} of {len(paths)} objects")
            try:
                target.get(object_name(stored), fetched)
            except FileNotFoundError:
                wrong.append(f"{path} (missing)")
                continue
            if hash_file(fetched) != stored:
                wrong.append(f"{path} (damaged)")
    if wrong:
        raise DamagedError(
            f"{manifest.name}: {len(wrong)} of {len(paths)} objects are not what they were: {', '.join(wrong[:5])}. "
            "What urltrap runs on is not affected, and the next backup keeps those anew: urltrap backup now"
        )
    return Verified(manifest.name, False, len(manifest.files))


def verify_whole(
    target: Target,
    manifest: Manifest,
    scratch: Path,
    identities: Sequence[Any],
    server: str = "",
    step: Step = lambda what: None,
) -> Verified:
    """Restore a backup into a folder below `scratch` and compare: every file's hash, the database's rows and checksums.

    `server`: URL of the database server for a scratch database, where the backup is of one. The journal is read to its
    end, and every artifact must have its name as its hash. Raises BackupError kinds or StoreError.
    """
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="urltrap-verify-", dir=scratch) as name:
        folder = Path(name) / "data"
        extract(target, manifest, folder, identities, step)
        step("database")
        entry = manifest.database
        with database.scratch(entry, Path(name), server) as url:
            database.load(entry, folder, url)
            database.compare(entry, url)
        step("journal")
        events = _read_journal(folder / "journal")
        for path in (folder / "quarantine").rglob("*"):
            if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
                raise DamagedError(
                    f"the artifact {path.name} is not what its name says, in the backup as on the machine"
                )
    return Verified(manifest.name, True, len(manifest.files), sum(entry.counts.values()), events)


def _read_journal(folder: Path) -> int:
    """Events that can be read; damage that the journal itself has is stepped over, as the pipeline does."""
    count = 0
    with JournalReader(folder) as reader:
        for writer in reader.writers():
            after = None
            while True:
                try:
                    found = reader.read(writer, after)
                except JournalUndecodableError as error:
                    after = error.behind
                    continue
                except JournalCorruptError as error:
                    after = reader.skip(writer, error.position)
                    continue
                if not found:
                    break
                count += len(found)
                after = found[-1][0]
    return count
