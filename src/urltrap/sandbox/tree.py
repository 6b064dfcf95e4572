"""Trees on disk as boxes take them: owners shifted into a box's range, and the persona's files as a layer over it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from urltrap.machine.api import encode
from urltrap.machine.image import Entry, load_record, persona_tree
from urltrap.machine.persona import Persona
from urltrap.sandbox.bundle import FIRST_UID

_LEFT_TO_THE_KERNEL = ("/proc", "/sys", "/dev", "/run")
"""What a box gets from its kernel, and not from a layer."""


def shift(root: Path) -> None:
    """Move the owners of all files below `root` into a box's range; what is there already is left alone."""
    for folder, folders, files in os.walk(root):
        for name in (".", *folders, *files):
            path = os.path.join(folder, name)
            info = os.lstat(path)
            if info.st_uid >= FIRST_UID:
                continue
            os.lchown(path, info.st_uid + FIRST_UID, info.st_gid + FIRST_UID)
            if not stat.S_ISLNK(info.st_mode):
                os.chmod(path, stat.S_IMODE(info.st_mode))  # changing the owner has taken set-user-id away


def write_layer(folder: Path, blob: bytes, persona: Persona, host_keys: Mapping[str, bytes]) -> int:
    """Write what the persona adds to the recorded tree `blob` into `folder`, which is empty; how many entries.

    The same persona's emulated machine shows the same files: users, names, keys' public parts, homes, logs.
    """
    before = {entry.path: entry for entry in load_record(blob)}
    entries = persona_tree(blob, persona, host_keys).entries
    base = os.fsencode(folder)
    _own(base, Entry("/", "d", 0o755))
    changed = [
        entry
        for path, entry in sorted(entries.items())
        if entry != before.get(path) and not path.startswith(_LEFT_TO_THE_KERNEL) and _can_be_written(entry)
    ]
    for entry in changed:
        _make_parents(base, entry.path, entries)
        place = base + encode(entry.path)
        if entry.kind == "d":
            if not os.path.isdir(place):
                os.mkdir(place)
        elif entry.kind == "l":
            os.symlink(encode(entry.target), place)
        else:
            with open(place, "wb") as file:
                file.write(entry.data or b"")
        _own(place, entry)
    return len(changed)


def _can_be_written(entry: Entry) -> bool:
    """Programs are the image's own, and devices the kernel's."""
    return entry.kind in ("d", "l") or (entry.kind == "f" and entry.data is not None and not entry.program)


def _make_parents(base: bytes, path: str, entries: Mapping[str, Entry]) -> None:
    """The folders above `path`: the upper one of two folders in an overlay says whose both are, so it says the same."""
    parent = path.rpartition("/")[0]
    if not parent or os.path.isdir(base + encode(parent)):
        return
    _make_parents(base, parent, entries)
    os.mkdir(base + encode(parent))
    _own(base + encode(parent), entries.get(parent) or Entry(parent, "d", 0o755))


def _own(place: bytes, entry: Entry) -> None:
    os.lchown(place, FIRST_UID + entry.uid, FIRST_UID + entry.gid)
    if entry.kind != "l":
        os.chmod(place, entry.mode & 0o7777)
    if entry.mtime:
        os.utime(place, (entry.mtime, entry.mtime), follow_symlinks=False)
