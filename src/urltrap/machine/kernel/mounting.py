"""mount(2) and umount(2): memory file systems, bind mounts and what the kernel generates."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from urltrap.machine.api import S_IFDIR
from urltrap.machine.errors import SysError
from urltrap.machine.fs.node import Node
from urltrap.machine.fs.tree import Volume
from urltrap.machine.mounted import CHANGES_MAX, covers, mounted
from urltrap.machine.persona import MountPoint

if TYPE_CHECKING:
    from urltrap.machine.kernel.kernel import Kernel
    from urltrap.machine.kernel.state import ProcessState

MEMORY = frozenset(("tmpfs", "ramfs"))
_FIRST_DEVICE = 0x40
_NEVER_OFF = frozenset(("/", "/proc", "/sys", "/dev", "/dev/pts", "/run", "/rom", "/overlay"))


def mount(
    process: ProcessState, source: str, path: str, fstype: str, options: str, size_kb: int, mode: int
) -> None:
    """Mount a memory file system, or (fstype "bind") another place; SysError as mount(2): EPERM, ENOENT, ENOTDIR,
    ENODEV for a type that is not there, ENOSPC where too much was changed."""
    kernel = process.kernel
    if process.uid:
        raise SysError(errno.EPERM)
    spot = kernel.tree.find(process, path)
    rows = _rows(kernel)
    if fstype == "bind":
        found = kernel.tree.find(process, source)
        if found.node is None or spot.node is None:
            raise SysError(errno.EINVAL)
        if found.is_dir != spot.is_dir:
            raise SysError(errno.ENOTDIR)
        below = max(
            (each for each in mounted(kernel.persona, rows) if _is_below(found.path, each.point)),
            key=lambda each: len(each.point),
        )
        shown = below.options if "ro" not in options.split(",") else _changed(below.options, "ro")
        node, row = found.node, ["on", below.source, spot.path, below.fstype, f"bind,{shown}"]
        size_kb = below.size_kb
    else:
        if fstype not in MEMORY:
            raise SysError(errno.ENODEV)
        if spot.node is None or not spot.is_dir:
            raise SysError(errno.ENOTDIR)
        node = _empty(kernel, mode)
        row = ["on", source, spot.path, fstype, options]
    rows.append([*row, str(node.number), str(size_kb)])
    remount(kernel)


def unmount(process: ProcessState, point: str, *, lazily: bool) -> None:
    """Take the last one off that was mounted at `point` (a path without links); SysError EPERM, EINVAL, EBUSY."""
    kernel = process.kernel
    rows = _rows(kernel)
    if process.uid:
        raise SysError(errno.EPERM)
    table = mounted(kernel.persona, rows)
    found = next((each for each in reversed(table) if each.point == point), None)
    if found is None:
        raise SysError(errno.EINVAL)
    used = any(
        _is_below(place, point)
        for each in kernel.processes.values()
        for place in (each.cwd, *(file.path for file in each.fds.values()))
    )
    others = any(each is not found and each.point != point and _is_below(each.point, point) for each in table)
    if point in _NEVER_OFF or ((used or others) and not lazily):
        raise SysError(errno.EBUSY)
    before = covers(rows)
    if point in before:
        rows.append(["off", point, ""])
        gone = kernel.tree.overlay.nodes.get(before[point])
        remount(kernel)
        if gone is not None and found.fstype in MEMORY and gone.number not in covers(rows).values():
            kernel.tree.overlay.revert(gone.number)
        _forget_pairs(rows)
    else:
        rows.append(["off", point, str(_empty(kernel, 0o755).number)])
        remount(kernel)


def change_options(process: ProcessState, point: str, options: str) -> None:
    """``mount -o remount,…``: SysError EPERM, EINVAL where nothing is mounted there."""
    kernel = process.kernel
    rows = _rows(kernel)
    found = next((each for each in reversed(mounted(kernel.persona, rows)) if each.point == point), None)
    if process.uid:
        raise SysError(errno.EPERM)
    if found is None:
        raise SysError(errno.EINVAL)
    shown = found.options
    for word in options.split(","):
        if word and word not in ("remount", "defaults", "bind"):
            shown = _changed(shown, word)
    rows.append(["options", point, shown])
    remount(kernel)


def remount(kernel: Kernel) -> None:
    """Let paths lead where they lead now."""
    rows = kernel.tree.overlay.runtime.get("mounts", [])
    volumes = dict(kernel.volumes)
    for number, each in enumerate(mounted(kernel.persona, rows)):
        options = f",{each.options},"
        known = kernel.volumes.get(each.point)
        device = known.device if known is not None else _FIRST_DEVICE + number
        if known is None and each.fstype not in (*MEMORY, "ext4"):
            continue
        volumes[each.point] = Volume(device, ",ro," in options, ",noexec," in options)
    base = {} if kernel.persona.is_server else {"/rom": 0}  # the flash's own tree, which the overlay lies on
    kernel.tree.cover(base | covers(rows), volumes)


def _rows(kernel: Kernel) -> list[list[str]]:
    rows = kernel.tree.overlay.runtime.setdefault("mounts", [])
    if len(rows) >= CHANGES_MAX:
        raise SysError(errno.ENOSPC)
    return rows


def _forget_pairs(rows: list[list[str]]) -> None:
    """What was mounted and taken off again, nothing in between, need not be remembered."""
    while len(rows) > 1 and rows[-1][0] == "off" and rows[-2][0] == "on" and rows[-1][1] == rows[-2][2]:
        del rows[-2:]


def _empty(kernel: Kernel, mode: int) -> Node:
    overlay = kernel.tree.overlay
    node = Node(overlay.new_number(), S_IFDIR | mode, 0, 0, kernel.clock)
    overlay.adopt(node)
    return node


def _changed(options: str, word: str) -> str:
    opposite = {"ro": "rw", "rw": "ro", "exec": "noexec", "noexec": "exec", "suid": "nosuid", "nosuid": "suid",
                "dev": "nodev", "nodev": "dev"}.get(word, "")  # fmt: skip
    words = options.split(",")
    if word in ("ro", "rw"):
        return ",".join([word, *words[1:]])
    if word in ("exec", "suid", "dev"):
        return ",".join(each for each in words if each != opposite)
    name = word.partition("=")[0]
    kept = [each for each in words if each.partition("=")[0] != name]
    return ",".join([*kept, word])


def _is_below(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def table(kernel: Kernel) -> list[MountPoint]:
    """The mount table."""
    rows = kernel.tree.overlay.runtime.get("mounts")
    return mounted(kernel.persona, rows) if rows else list(kernel.persona.mounts)
