"""swapon, swapoff, mkswap: swap areas as /proc/swaps and free tell of them (util-linux 2.38)."""

from __future__ import annotations

from urltrap.machine.api import Process, Run, Stat
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import text_of
from urltrap.machine.programs.lsblk import size_words
from urltrap.machine.programs.registry import program

_PAGE = 4096
_PAGES_MIN = 10
_SIGNATURE = b"SWAPSPACE2"
_SIGNED_AT = _PAGE - len(_SIGNATURE)
_ROWS_MAX = 64
_LONG = {"all": "", "discard": "", "ifexists": "", "fixpgsz": "", "options": ":", "priority": ":", "summary": "",
         "show": "::", "noheadings": "", "raw": "", "bytes": "", "verbose": "", "help": "", "version": ""}  # fmt: skip


def _rows(p: Process) -> list[list[str]]:
    return [line.split() for line in text_of(p, "/proc/swaps").splitlines()[1:]]


@program("swapon")
def swapon(p: Process) -> Run:
    """Show the swap areas, or switch some on."""
    try:
        options, words = getopt(p.argv[1:], "ad:efo:p:sL:U:vhV", _LONG)
    except OptionError as error:
        yield from p.err(f"swapon: {error}\nTry 'swapon --help' for more information.\n")
        return 1
    given = {name.lstrip("-"): value for name, value in options}
    if "V" in given or "version" in given:
        yield from p.out("swapon from util-linux 2.38.1\n")
        return 0
    if given.keys() & {"s", "summary"}:
        yield from p.out(text_of(p, "/proc/swaps"))
        return 0
    if not words and not given.keys() & {"a", "all"}:
        yield from _show(p, given)
        return 0
    if given.keys() & {"a", "all"}:
        words = [word for word in _in_fstab(p) if word not in {row[0] for row in _rows(p)}]
    status = 0
    for word in words:
        problem = _switch_on(p, word, given.get("p") or given.get("priority") or "")
        if problem:
            yield from p.err(problem)
            status = 0 if problem.endswith("suggested.\n") else 255
    return status


_WIDTHS = {"NAME": 0, "TYPE": -9, "SIZE": 4, "USED": 4, "PRIO": 4}
"""The columns of --show: how far they are filled up, to the left (negative) or to the right."""


def _show(p: Process, given: dict[str, str]) -> Run:
    wanted = [name.upper() for name in given.get("show", "").split(",") if name] or list(_WIDTHS)
    if unknown := [name for name in wanted if name not in _WIDTHS]:
        yield from p.err(f"swapon: unknown column: {unknown[0].lower()}\n")
        return 1

    def size(kilobytes: str) -> str:
        return str(int(kilobytes) * 1024) if "bytes" in given else size_words(int(kilobytes))

    rows = [[name, kind, size(total), size(used), prio] for name, kind, total, used, prio in _rows(p)]
    table = [list(_WIDTHS)] * ("noheadings" not in given) + rows
    for row in table if rows else ():
        cells = dict(zip(_WIDTHS, row, strict=True))
        out = []
        for name in wanted:
            own = max(
                abs(_WIDTHS[name]), *(len(dict(zip(_WIDTHS, each, strict=True))[name]) for each in table)
            )
            out.append(f"{cells[name]:<{own}}" if _WIDTHS[name] <= 0 else f"{cells[name]:>{own}}")
        yield from p.out(" ".join(out).rstrip() + "\n")
    return 0


def _in_fstab(p: Process) -> list[str]:
    found = [line.split() for line in text_of(p, "/etc/fstab").splitlines() if line[:1] not in ("#", "")]
    names = [row[0] for row in found if len(row) > 2 and row[2] == "swap"]
    parts = {f"UUID={part.uuid}": f"/dev/{part.name}" for disk in p.persona.disks for part in disk.partitions}
    return [parts.get(name, name) for name in names]


def _switch_on(p: Process, word: str, priority: str) -> str:
    """Switch one on; what there is to say of it."""
    try:
        path = p.fs.realpath(word)
        status = p.fs.stat(path)
    except SysError as problem:
        return f"swapon: cannot open {word}: {problem.words}\n"
    if not p.fs.access(path, 4):
        return f"swapon: cannot open {word}: Permission denied\n"
    said = ""
    if status.mode & 0o077 and status.is_file:
        said = f"swapon: {word}: insecure permissions {status.mode & 0o7777:04o}, 0600 suggested.\n"
    part = next(
        (part for disk in p.persona.disks for part in disk.partitions if path == f"/dev/{part.name}"), None
    )
    size = part.size_kb if part is not None and part.fstype == "swap" else status.size // 1024
    if not _signed(p, path, status, part is not None and part.fstype == "swap"):
        return f"{said}swapon: {word}: read swap header failed\n"
    if p.uid:
        return f"{said}swapon: {word}: swapon failed: Operation not permitted\n"
    rows = _rows(p)
    if path in {row[0] for row in rows} or len(p.swaps) >= _ROWS_MAX:
        return f"{said}swapon: {word}: swapon failed: Device or resource busy\n"
    level = priority if priority.isdecimal() else str(min([-1, *(int(row[4]) for row in rows)]) - 1)
    p.swaps.append(["on", path, "file" if status.is_file else "partition", str(size - 4), level])
    return said


def _signed(p: Process, path: str, status: Stat, is_partition: bool) -> bool:
    if is_partition:
        return True
    if not status.is_file:
        return False
    return p.fs.content(path).read(_SIGNED_AT, len(_SIGNATURE)) == _SIGNATURE


@program("swapoff")
def swapoff(p: Process) -> Run:
    """Switch swap areas off."""
    try:
        options, words = getopt(p.argv[1:], "aL:U:vhV", {"all": "", "verbose": "", "help": "", "version": ""})
    except OptionError as error:
        yield from p.err(f"swapoff: {error}\nTry 'swapoff --help' for more information.\n")
        return 1
    given = {name.lstrip("-") for name, _ in options}
    if not words and not given & {"a", "all"}:
        yield from p.err("swapoff: bad usage\nTry 'swapoff --help' for more information.\n")
        return 1
    if p.uid:
        yield from p.err("swapoff: Not superuser.\n")
        return 1
    rows = {row[0]: row for row in _rows(p)}
    status = 0
    for word in words or list(rows):
        try:
            path = p.fs.realpath(word)
        except SysError as problem:
            yield from p.err(f"swapoff: {word}: swapoff failed: {problem.words}\n")
            status = 4
            continue
        if path not in rows:
            yield from p.err(f"swapoff: {word}: swapoff failed: Invalid argument\n")
            status = 4
            continue
        if len(p.swaps) >= _ROWS_MAX:
            del p.swaps[0]
        p.swaps.append(["off", path, "", "0", "0"])
    return status


@program("mkswap")
def mkswap(p: Process) -> Run:
    """Write a swap area's header into a file."""
    try:
        options, words = getopt(
            p.argv[1:], "cfp:L:v:U:Vh", {"check": "", "force": "", "label": ":", "uuid": ":"}
        )
    except OptionError as error:
        yield from p.err(f"mkswap: {error}\nTry 'mkswap --help' for more information.\n")
        return 1
    if not words:
        yield from p.err("mkswap: error: Nowhere to set up swap on?\n")
        return 1
    name, given = words[0], dict(options)
    try:
        path = p.fs.realpath(name)
        status = p.fs.stat(path)
        data = p.fs.content(path).read(0, _PAGE) if status.is_file else b""
    except SysError as problem:
        yield from p.err(f"mkswap: cannot open {name}: {problem.words}\n")
        return 1
    if not p.fs.access(path, 6):
        yield from p.err(f"mkswap: cannot open {name}: Permission denied\n")
        return 1
    if any(row[0] == path for row in _rows(p)) or not status.is_file:
        yield from p.err(f"mkswap: error: {name} is mounted; will not make swapspace\n")
        return 1
    if status.mode & 0o077:
        yield from p.err(
            f"mkswap: {name}: insecure permissions {status.mode & 0o7777:04o}, fix with: chmod 0600 {name}\n"
        )
    pages = status.size // _PAGE
    if pages < _PAGES_MIN:
        yield from p.err(f"mkswap: error: swap area needs to be at least {_PAGES_MIN * _PAGE // 1024} KiB\n")
        return 1
    if data[_SIGNED_AT:] == _SIGNATURE:
        yield from p.err(f"mkswap: {name}: warning: wiping old swap signature.\n")
    label = given.get("-L") or given.get("--label") or ""
    drawn = bytearray(p.random_bytes(16))
    drawn[6], drawn[8] = drawn[6] & 0x0F | 0x40, drawn[8] & 0x3F | 0x80  # RFC 4122, version 4
    head = bytearray(_PAGE)
    head[1024:1036] = (1).to_bytes(4, "little") + (pages - 1).to_bytes(4, "little") + bytes(4)
    head[1036:1052] = drawn
    head[1052:1068] = label.encode("utf-8", "surrogateescape")[:16].ljust(16, b"\0")
    head[_SIGNED_AT:] = _SIGNATURE
    fd = p.open(path, 2)
    yield from p.write(fd, bytes(head))
    p.close(fd)
    size = (pages - 1) * _PAGE
    digits = drawn.hex()
    own = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    told = f"LABEL={label}" if label else "no label"
    yield from p.out(
        f"Setting up swapspace version 1, size = {_binary(size)} ({size} bytes)\n{told}, UUID={own}\n"
    )
    return 0


def _binary(size: int) -> str:
    value, unit = float(size), "bytes"
    for name in ("KiB", "MiB", "GiB"):
        if value < 1024:
            break
        value, unit = value / 1024, name
    text = f"{value:.1f}".removesuffix(".0")
    return f"{text} {unit}"
