"""df: space on mounted file systems, from the persona's mounts."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.persona import MountPoint
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import gnu_usage, human, is_device
from urltrap.machine.programs.registry import program

_LONG = {"all": "", "block-size": ":", "human-readable": "", "si": "", "inodes": "", "local": "", "no-sync": "",
"output": "::",
         "portability": "", "sync": "", "total": "", "type": ":", "print-type": "", "exclude-type": ":", "help": "",
         "version": ""}  # fmt: skip
_PSEUDO = frozenset({
    "sysfs", "proc", "devpts", "securityfs", "cgroup2", "pstore", "bpf", "autofs", "mqueue", "hugetlbfs", "debugfs",
    "tracefs",
    "fusectl", "configfs",
})  # fmt: skip


def mount_of(p: Process, path: str) -> MountPoint:
    """The mount that a path lies in; SysError where the path does not exist."""
    real = p.fs.realpath(path)
    p.fs.stat(path)
    best = p.persona.root
    for mount in mounts_now(p):
        inside = real == mount.point or real.startswith(mount.point.rstrip("/") + "/")
        if inside and len(mount.point) >= len(best.point):
            best = mount
    return best


@program("df")
def df(p: Process) -> Run:
    """Report space on file systems."""
    try:
        options, operands = getopt(p.argv[1:], "aB:hHiklmPTt:x:v", _LONG)
    except OptionError as error:
        return (yield from gnu_usage(p, error))
    given = {name for name, _ in options}
    if "--help" in given:
        yield from p.out("Usage: df [OPTION]... [FILE]...\nShow information about the file system on which each "
        "FILE resides,\n"
                         "or all file systems by default.\n")  # fmt: skip
        return 0
    if "--version" in given:
        yield from p.out("df (GNU coreutils) 9.1\n")
        return 0
    only = {value for name, value in options if name in ("t", "--type")}
    never = {value for name, value in options if name in ("x", "--exclude-type")}
    status = 0
    if operands:
        chosen = []
        for operand in operands:
            try:
                chosen.append(mount_of(p, operand))
            except SysError as error:
                yield from p.err(f"{p.argv[0]}: {operand}: {error.words}\n")
                status = 1
    else:
        chosen = [each for each in mounts_now(p) if given & {"a", "--all"} or each.fstype not in _PSEUDO]
        chosen = [each for each in chosen if each.size_kb or given & {"a", "--all"}]
    chosen = [each for each in chosen if (not only or each.fstype in only) and each.fstype not in never]
    if not chosen:
        if not status:
            yield from p.err(f"{p.argv[0]}: no file systems processed\n")
        return 1
    if is_device(p):
        yield from p.out(_busybox(chosen, given))
        return status
    yield from p.out(_table(chosen, given, options))
    return status


def mounts_now(p: Process) -> list[MountPoint]:
    """The persona's file systems, the one that takes what is written with what was written since."""
    kilobytes, grows = p.grown // 1024, "/" if p.persona.is_server else "/tmp"
    return [
        each.model_copy(
            update={
                "used_kb": max(0, min(each.size_kb, each.used_kb + kilobytes)),
                "available_kb": max(0, each.available_kb - kilobytes),
            }
        )
        if each.point == grows
        else each
        for each in p.mounts
    ]


def _percent(used: int, available: int) -> str:
    whole = used + available
    return f"{-(-used * 100 // whole)}%" if whole else "-"


def _table(chosen: list[MountPoint], given: set[str], options: list[tuple[str, str]]) -> str:
    types = bool(given & {"T", "--print-type"})
    posix = bool(given & {"P", "--portability"})
    if given & {"i", "--inodes"}:
        heads = ["Inodes", "IUsed", "IFree", "IUse%"]
        convert = human if given & {"h", "--human-readable"} else str
        rows = [
            [convert(m.inodes), convert(m.inodes_used), convert(m.inodes - m.inodes_used),
             _percent(m.inodes_used, m.inodes - m.inodes_used)]
            for m in chosen
        ]  # fmt: skip
    else:
        size, unit = _unit(options)
        label = {1024: "1K-blocks", 1024**2: "1M-blocks", 1024**3: "1G-blocks", 1: "1B-blocks"}.get(
            size, f"{size}B-blocks"
        )
        heads = [
            label if not posix else f"{size}-blocks",
            "Used",
            "Available",
            "Capacity" if posix else "Use%",
        ]
        if unit:
            heads = ["Size", "Used", "Avail", "Use%"]

        def cell(kilobytes: int) -> str:
            if unit:
                return (
                    human(kilobytes * 1024, base=unit)
                    if unit == 1024
                    else human(kilobytes * 1024, "BkMGTPE", 1000)
                )
            return str(-(-kilobytes * 1024 // size))

        rows = [
            [cell(m.size_kb), cell(m.used_kb), cell(m.available_kb), _percent(m.used_kb, m.available_kb)]
            for m in chosen
        ]
        if "--total" in given:
            total = [
                sum(m.size_kb for m in chosen),
                sum(m.used_kb for m in chosen),
                sum(m.available_kb for m in chosen),
            ]
            rows.append([*map(cell, total), _percent(total[1], total[2])])
    names = [m.source for m in chosen] + (["total"] if len(rows) > len(chosen) else [])
    points = [m.point for m in chosen] + ["-"] * (len(rows) - len(chosen))
    kinds = [m.fstype for m in chosen] + ["-"] * (len(rows) - len(chosen))
    first = max(14, *(len(name) for name in names))
    widths = [max(5 if number == 0 else len(heads[number]), len(heads[number]), *(len(row[number]) for row in rows))
              for number in range(4)]  # fmt: skip
    widths[0:3] = [max(width, 5) for width in widths[0:3]]
    kind = max(4, *(len(each) for each in kinds))
    lines = []
    for name, fs, row, point in zip(
        ["Filesystem", *names], ["Type", *kinds], [heads, *rows], ["Mounted on", *points], strict=True
    ):
        middle = f" {fs:<{kind}}" if types else ""
        cells = " ".join(f"{text:>{width}}" for text, width in zip(row, widths, strict=True))
        lines.append(f"{name:<{first}}{middle} {cells} {point}")
    return "\n".join(lines) + "\n"


def _unit(options: list[tuple[str, str]]) -> tuple[int, int]:
    """Block size in bytes, and the base of -h (1024), -H (1000) or 0."""
    size, unit = 1024, 0
    for name, value in options:
        if name in ("h", "--human-readable"):
            unit = 1024
        elif name in ("H", "--si"):
            unit = 1000
        elif name == "k":
            size, unit = 1024, 0
        elif name == "m":
            size, unit = 1024**2, 0
        elif name in ("B", "--block-size"):
            letter = value[-1:].upper()
            number = value.rstrip("KMGTkmgtBi")
            power = " KMGT".find(letter) if letter in "KMGT" else 0
            size, unit = (int(number) if number.isdigit() else 1) * 1024 ** max(0, power), 0
    return size or 1024, unit


def _busybox(chosen: list[MountPoint], given: set[str]) -> str:
    big = "h" in given
    unit = "Size" if big else "1M-blocks" if "m" in given else "1K-blocks"
    out = [f"Filesystem           {unit:>10}      Used Available Use% Mounted on\n"]
    for each in chosen:
        cells = [each.size_kb, each.used_kb, each.available_kb]
        shown = [
            f"{value / 1024:.1f}M" if big else str(value // (1024 if "m" in given else 1)) for value in cells
        ]
        name = f"{each.source:<20}" if len(each.source) <= 20 else f"{each.source}\n{'':20}"
        whole = each.used_kb + each.available_kb
        share = (each.used_kb * 100 + whole // 2) // whole if whole else 0
        out.append(f"{name} {shown[0]:>10} {shown[1]:>9} {shown[2]:>9} {share:>3}% {each.point}\n")
    return "".join(out)
