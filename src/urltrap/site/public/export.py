"""The pages for everyone as a folder of files, for any web host.

A whole new folder is made beside the old one; what has not changed is linked from there, so that its date stays and a
copying tool passes it over. Then the two are swapped in one step: a reader never meets half an export.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from urltrap.site.public.pages import Pages
from urltrap.site.public.snapshot import Snapshot

_AT_FDCWD = -100
_EXCHANGE = 2
"""``RENAME_EXCHANGE``. Source: renameat2(2)."""


class ExportError(Exception):
    """The export cannot be written; the message says what to do. The folder is as it was."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did: files in all, of these written anew, and how many of the folder before are gone."""

    urls: int
    files: int
    written: int
    removed: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of the export before: the digest of its snapshot, since when it was so, and each file's hash."""

    digest: str = ""
    made: datetime | None = None
    files: dict[str, str] | None = None


def read_before(target: Path) -> Before:
    """What was written into this folder the last time; nothing where that is not known."""
    try:
        found = json.loads(_note(target).read_text("utf-8"))
        return Before(found["digest"], datetime.fromisoformat(found["made"]), found["files"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return Before()


def export(
    pages: Pages, snapshot: Snapshot, target: Path, tell: Callable[[int, int], None] = lambda done, of: None
) -> Exported:
    """Write all files of a snapshot into a new folder, and put that in the place of `target`.

    `tell` is called with files done, and of how many. Raises ExportError; where it does, `target` is as it was.
    """
    target = target.absolute()
    before = read_before(target)
    _check(target, before)
    fresh = target.with_name(f".{target.name}.new")
    _remove(fresh)
    try:
        done = _write(pages, snapshot, target, before, fresh, tell)
        _swap(fresh, target)
    except OSError as error:
        raise ExportError(
            f"{error.filename or target}: {error.strerror or error}; the folder is as it was"
        ) from error
    finally:
        _remove(fresh)
    return done


def _write(
    pages: Pages,
    snapshot: Snapshot,
    target: Path,
    before: Before,
    fresh: Path,
    tell: Callable[[int, int], None],
) -> Exported:
    fresh.mkdir(mode=0o755)
    static = dict(pages.static_files())
    names = [*static, *pages.names(snapshot)]
    hashes: dict[str, str] = {}
    written = size = 0
    known = before.files or {}
    for number, name in enumerate(names, 1):
        body = pages.static_file(name) if name in static else _body(pages, name, snapshot)
        hashes[name] = hashlib.sha256(body).hexdigest()
        size += len(body)
        place = fresh / name
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if known.get(name) != hashes[name] or not _link(target / name, place, len(body)):
            place.write_bytes(body)
            place.chmod(0o644)
            written += 1
        if number % 50 == 0 or number == len(names):
            tell(number, len(names))
    note = {"digest": snapshot.digest, "made": snapshot.made.isoformat(), "files": hashes}
    new_note = _note(target).with_suffix(".new")
    new_note.write_text(json.dumps(note), "utf-8")
    # Before the swap: a note that knows more than the folder only makes the next export write a file once more.
    os.replace(new_note, _note(target))
    return Exported(len(snapshot.urls), len(names), written, len(known.keys() - hashes.keys()), size)


def _body(pages: Pages, name: str, snapshot: Snapshot) -> bytes:
    page = pages.page(name, snapshot)
    assert page is not None, name
    return page.body


def _link(old: Path, new: Path, size: int) -> bool:
    """Take a file of the export before along; False where it is not there as it was, or cannot be linked."""
    try:
        if old.is_symlink() or old.stat().st_size != size:
            return False
        os.link(old, new)
    except OSError:  # no links on this file system, or somebody took the file away: it is written anew
        return False
    return True


def _check(target: Path, before: Before) -> None:
    if not target.parent.is_dir():
        raise ExportError(f"there is no folder {target.parent}; make it, or name another place")
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ExportError(f"{target} is no folder; name one that is ours alone")
    if target.is_dir() and before.files is None and any(target.iterdir()):
        raise ExportError(
            f"{target} holds files that no export wrote, and would be replaced; name an empty or a new folder"
        )


def _swap(fresh: Path, target: Path) -> None:
    """Put `fresh` in the place of `target` in one step; what was there is under the other name afterwards."""
    if not target.exists():
        os.rename(fresh, target)
        return
    if _exchange(fresh, target):
        return
    aside = target.with_name(f".{target.name}.old")
    _remove(aside)
    os.rename(target, aside)
    try:
        os.rename(fresh, target)
    except OSError:
        os.rename(aside, target)
        raise
    _remove(aside)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders at once; False where this system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(other))


def _note(target: Path) -> Path:
    """What we remember of an export lies beside its folder: nobody's business but ours."""
    return target.with_name(f".{target.name}.urltrap.json")


def _remove(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
