"""mount, umount, findmnt: what is mounted; nothing else can be."""

from __future__ import annotations

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
    """Show the mounts, or refuse a new one as the kernel would."""
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
    return (yield from _try(p, operands, given.get("o", given.get("--options", ""))))


def _try(p: Process, operands: list[str], flags: str) -> Run:
    target = operands[-1]
    points = {row[1] for row in table(p)}
    words = flags.split(",")
    if "remount" in words:
        if target in points:
            return 0
        yield from p.err(f"mount: {target}: mount point not mounted or bad option.\n")
        return 32
    if len(operands) == 1:
        known = {
            line.split()[1]
            for line in text_of(p, "/etc/fstab").splitlines()
            if line[:1] not in ("#", "") and len(line.split()) > 1
        }
        if target in known and target in points:
            yield from p.err(f"mount: {target}: {target} already mounted on {target}.\n")
            return 32
        yield from p.err(f"mount: {target}: can't find in /etc/fstab.\n")
        return 1
    source = operands[0]
    try:
        if not p.fs.stat(target).is_dir:
            yield from p.err(f"mount: {target}: mount point is not a directory.\n")
            return 32
    except SysError:
        yield from p.err(f"mount: {target}: mount point does not exist.\n"
                         "       dmesg(1) may have more information after failed mount system call.\n")  # fmt: skip
        return 32
    try:
        p.fs.stat(source)
    except SysError:
        if source.startswith("/"):
            yield from p.err(f"mount: {target}: special device {source} does not exist.\n"
                             "       dmesg(1) may have more information after failed mount system call.\n")  # fmt: skip
            return 32
    yield from p.err(f"mount: {target}: permission denied.\n"
                     "       dmesg(1) may have more information after failed mount system call.\n")  # fmt: skip
    return 32


@program("umount")
def umount(p: Process) -> Run:
    """Refuse to unmount: what is mounted is in use."""
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
    rows = table(p)
    for operand in operands:
        if p.uid:
            yield from p.err(f"umount: {operand}: must be superuser to unmount.\n")
            status = 32
        elif not any(operand in (row[0], row[1]) for row in rows):
            what = "no mount point specified" if not _exists(p, operand) else "not mounted"
            yield from p.err(f"umount: {operand}: {what}.\n")
            status = 32
        elif not given & {"l", "--lazy"}:
            yield from p.err(f"umount: {operand}: target is busy.\n" if not is_device(p)
                             else f"umount: can't unmount {operand}: Resource busy\n")  # fmt: skip
            status = 32
    return status


def _exists(p: Process, path: str) -> bool:
    try:
        p.fs.stat(path)
    except SysError:
        return False
    return True


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
