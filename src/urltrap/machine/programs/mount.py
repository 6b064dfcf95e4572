"""mount, umount, findmnt: memory file systems and bind mounts come and go; all else is refused as by the kernel."""

from __future__ import annotations

import errno
import re

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import gnu_usage, is_device, option_problem, text_of
from urltrap.machine.programs.registry import program

_MOUNT_OPTIONS = {
    "all": "", "no-canonicalize": "", "fake": "", "fork": "", "fstab": ":", "help": "", "internal-only": "",
    "show-labels": "",
    "no-mtab": "", "options": ":", "read-only": "", "rw": "", "read-write": "", "source": ":", "target": ":",
    "types": ":",
    "verbose": "", "version": "", "bind": "", "move": "", "rbind": "", "make-private": "", "make-shared": "",
    "label": ":",
    "uuid": ":", "make-rprivate": "",
}  # fmt: skip


def table(p: Process) -> list[list[str]]:
    """Fields of /proc/mounts: source, point, type, options."""
    return [line.split(" ") for line in text_of(p, "/proc/mounts").splitlines()]


@program("mount")
def mount(p: Process) -> Run:
    """Show the mounts, or make one."""
    try:
        options, operands = getopt(p.argv[1:], "aBcfFhilL:Mno:rRst:T:U:vVwO:", _MOUNT_OPTIONS)
    except OptionError as error:
        return (yield from gnu_usage(p, error))
    given = dict(options)
    if {"V", "--version"} & given.keys():
        yield from p.out(
            "mount from util-linux 2.38.1 (libmount 2.38.1: selinux, smack, btrfs, verity, namespaces, assert, debug)\n"
        )
        return 0
    kinds = (given.get("t") or given.get("--types") or "").split(",")
    if not operands and not {"a", "--all"} & given.keys():
        for source, point, kind, flags, *_ in table(p):
            if kinds == [""] or kind in kinds:
                yield from p.out(f"{source} on {point} type {kind} ({flags})\n")
        return 0
    if {"a", "--all"} & given.keys():
        return 0
    if p.uid:
        yield from p.err(f"mount: {operands[-1]}: must be superuser to use mount.\n")
        return 1
    words = [word for name, value in options if name in ("-o", "--options") for word in value.split(",")]
    words = words or [
        word for name, value in options if name in ("o", "options") for word in value.split(",")
    ]
    words += ["ro"] * bool({"r", "--read-only"} & given.keys())
    words += ["bind"] * bool({"B", "--bind", "R", "--rbind"} & given.keys())
    return (yield from _try(p, operands, words, kinds[0]))


_NOTHING = 2
_SIZE = re.compile(r"(\d+)([kKmMgG%]?)")


def _try(p: Process, operands: list[str], words: list[str], fstype: str) -> Run:
    target = operands[-1]
    if "remount" in words:
        try:
            p.remount(p.fs.realpath(target), ",".join(words))
        except SysError:
            yield from p.err(f"mount: {target}: mount point not mounted or bad option.\n")
            return 32
        return 0
    if len(operands) == 1:
        known = {
            line.split()[1]
            for line in text_of(p, "/etc/fstab").splitlines()
            if line[:1] not in ("#", "") and len(line.split()) > 1
        }
        if target in known and target in {each.point for each in p.mounts}:
            yield from p.err(f"mount: {target}: {target} already mounted on {target}.\n")
            return 32
        yield from p.err(f"mount: {target}: can't find in /etc/fstab.\n")
        return 1
    source = operands[0]
    binds = "bind" in words or "rbind" in words
    more = "       dmesg(1) may have more information after failed mount system call.\n"
    try:
        there = p.fs.stat(target)
    except SysError:
        yield from p.err(f"mount: {target}: mount point does not exist.\n{more}")
        return 32
    if not there.is_dir and not binds:
        yield from p.err(f"mount: {target}: mount point is not a directory.\n{more}")
        return 32
    if binds or fstype in ("tmpfs", "ramfs"):
        return (yield from _really(p, source, target, "bind" if binds else fstype, words))
    if fstype in ("proc", "sysfs", "devpts", "devtmpfs", "cgroup2", "debugfs"):
        kept = next((each.point for each in p.mounts if each.fstype == fstype), target)
        yield from p.err(f"mount: {target}: {source} already mounted on {kept}.\n{more}")
        return 32
    try:
        p.fs.stat(source)
    except SysError:
        if source.startswith("/"):
            yield from p.err(f"mount: {target}: special device {source} does not exist.\n{more}")
            return 32
    before = next((each.point for each in p.mounts if each.source == source), "")
    if before:
        yield from p.err(f"mount: {target}: {source} already mounted on {before}.\n{more}")
    elif fstype in ("nfs", "nfs4", "cifs", "smb3"):
        yield from p.err(
            f"mount: {target}: bad option; for several filesystems (e.g. nfs, cifs) you might need a "
            f"/sbin/mount.<type> helper program.\n{more}"
        )
    elif fstype and fstype != "auto" and fstype not in ("ext4", "ext3", "ext2", "vfat", "xfs", "iso9660"):
        yield from p.err(f"mount: {target}: unknown filesystem type '{fstype}'.\n{more}")
    else:
        device = source if source.startswith("/dev/") else "/dev/loop0"
        yield from p.err(
            f"mount: {target}: wrong fs type, bad option, bad superblock on {device}, missing codepage or helper "
            f"program, or other error.\n{more}"
        )
    return 32


def _really(p: Process, source: str, target: str, fstype: str, words: list[str]) -> Run:
    shown, size, mode = ["ro" if "ro" in words else "rw"], 0, 0o1777
    shown += [word for word in ("nosuid", "nodev", "noexec") if word in words] + ["relatime"]
    for word in words:
        name, _, value = word.partition("=")
        if name == "size" and (found := _SIZE.fullmatch(value)):
            factor = {"": 1 / 1024, "k": 1, "m": 1024, "g": 1 << 20, "%": p.persona.memory.total_kb / 100}
            size = int(int(found[1]) * factor[found[2].lower()])
            shown.append(f"size={size}k")
        elif name == "mode" and value.isdecimal():
            mode = int(value, 8)
            shown.append(f"mode={value}")
    try:
        p.mount(source, target, fstype, ",".join(shown), size or p.persona.memory.total_kb // 2, mode)
    except SysError as problem:
        words_ = {2: f"special device {source} does not exist"}.get(
            problem.errno, "mount(2) system call failed: "
        )
        tail = "" if problem.errno == _NOTHING else problem.words
        yield from p.err(f"mount: {target}: {words_}{tail}.\n"
                         "       dmesg(1) may have more information after failed mount system call.\n")  # fmt: skip
        return 32
    return 0


@program("umount")
def umount(p: Process) -> Run:
    """Take off what nothing uses."""
    try:
        options, operands = getopt(
            p.argv[1:], "aAdfhilnO:qrRt:vV",
            {"all": "", "force": "", "lazy": "", "recursive": "", "verbose": "", "help": "", "version": "", "quiet": "",
             "read-only": "", "types": ":", "no-mtab": ""},
        )  # fmt: skip
    except OptionError as error:
        return (yield from gnu_usage(p, error))
    given = {name for name, _ in options}
    if not operands and not given & {"a", "--all"}:
        return (yield from gnu_usage(p, "bad usage"))
    status = 0
    for operand in operands:
        if p.uid:
            yield from p.err(f"umount: {operand}: must be superuser to unmount.\n")
            status = 32
            continue
        source = next((each.point for each in reversed(p.mounts) if each.source == operand), "")
        try:
            real = source or p.fs.realpath(operand)
            p.fs.stat(real)
        except SysError:
            yield from p.err(f"umount: {operand}: no mount point specified.\n")
            status = 32
            continue
        try:
            p.unmount(real, lazily=bool(given & {"l", "--lazy"}))
        except SysError as problem:
            device, is_busy = is_device(p), problem.errno == errno.EBUSY
            if device:
                words = "Resource busy" if is_busy else "Invalid argument"
                yield from p.err(f"umount: can't unmount {operand}: {words}\n")
            else:
                yield from p.err(f"umount: {operand}: {'target is busy' if is_busy else 'not mounted'}.\n")
            status = 1 if device else 32
            continue
        if given & {"v", "--verbose"}:
            yield from p.out(f"umount: {operand} unmounted\n")
    return status


@program("findmnt")
def findmnt(p: Process) -> Run:
    """Show the mounts as a table."""
    if problem := option_problem(
        p,
        "ACDd:eF:fghiJklmN:no:O:Ppr:sS:T:t:uUvV",
        "fstab mtab kernel json list noheadings output: types: all raw real",
    ):
        yield from p.err(f"{problem}Try 'findmnt --help' for more information.\n")
        return 1
    operands = [word for word in p.argv[1:] if not word.startswith("-")]
    heads = not any(re.fullmatch(r"-\w*n\w*|--noheadings", word) for word in p.argv[1:])
    rows = [row for row in table(p) if not operands or operands[0] in (row[0], row[1])]
    if not rows:
        return 1
    marks = {row[1]: "" for row in rows} if operands else _branches([row[1] for row in rows])
    order = list(marks)
    rows.sort(key=lambda row: order.index(row[1]))
    cells = [("TARGET", "SOURCE", "FSTYPE", "OPTIONS")] * heads
    cells += [(marks[row[1]] + row[1], row[0], row[2], row[3]) for row in rows]
    widths = [max(len(row[n]) for row in cells) for n in range(3)]
    for row in cells:
        yield from p.out(" ".join(f"{row[n]:<{widths[n]}}" for n in range(3)) + f" {row[3]}\n")
    return 0


def _branches(points: list[str]) -> dict[str, str]:
    """The lines of the tree before each mount point, in the tree's order."""
    parents = {
        point: max(
            (each for each in points if each != point and point.startswith(each.rstrip("/") + "/")),
            key=len,
            default="",
        )
        for point in points
    }
    marks: dict[str, str] = {}

    def below(parent: str, indent: str) -> None:
        children = [point for point in dict.fromkeys(points) if parents[point] == parent]
        for child in children:
            last = child == children[-1]
            marks[child] = indent + ("└─" if last else "├─")
            below(child, indent + ("  " if last else "│ "))

    for root in [point for point in dict.fromkeys(points) if not parents[point]]:
        marks[root] = ""
        below(root, "")
    return marks
