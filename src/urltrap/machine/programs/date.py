"""date: show the time in the machine's zone; setting it is refused or ignored as on a machine with time service."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import quotes
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import gnu_usage, is_device
from urltrap.machine.programs._when import parse
from urltrap.machine.programs._zone import Local, local
from urltrap.machine.programs.registry import program

_FIRST, _BEHIND = -62_135_596_800, 253_402_300_800
"""The years 1 to 9999."""


def expand(pattern: str, here: Local, when: float) -> str:
    """A format of date(1): strftime with GNU's additions."""
    out = []
    at = 0
    while at < len(pattern):
        if pattern[at] != "%":
            out.append(pattern[at])
            at += 1
            continue
        match = re.compile(r"%([-_0^#+]*)(\d*)(:{0,3})([A-Za-z%+])").match(pattern, at)
        if match is None:
            out.append("%")
            at += 1
            continue
        out.append(_field(match[4], match[1], match[2], match[3], here, when) or match[0])
        at = match.end()
    return "".join(out)


def _field(letter: str, flags: str, width: str, colons: str, here: Local, when: float) -> str:
    clock = here.clock
    plain: dict[str, Callable[[], str]] = {
        "s": lambda: str(int(when)), "N": lambda: f"{int(when % 1 * 1e9):09d}"[: int(width or 9)],
        "Z": lambda: here.zone,
        "z": lambda: _offset(here.offset, colons), "e": lambda: f"{clock.day:2d}", "k": lambda: f"{clock.hour:2d}",
        "l": lambda: f"{clock.hour % 12 or 12:2d}", "n": lambda: "\n", "t": lambda: "\t", "%": lambda: "%",
        "D": lambda: f"{clock:%m/%d/%y}", "F": lambda: f"{clock.year:04d}-{clock:%m-%d}",
        "T": lambda: f"{clock:%H:%M:%S}", "R": lambda: f"{clock:%H:%M}", "r": lambda: f"{clock:%I:%M:%S %p}",
        "c": lambda: f"{clock:%a %b} "
        f"{clock.day:2d} {clock:%H:%M:%S %Y}",
        "x": lambda: f"{clock:%m/%d/%y}", "X": lambda: f"{clock:%H:%M:%S}", "h": lambda: f"{clock:%b}",
        "C": lambda: f"{clock.year // 100:02d}",
        "P": lambda: f"{clock:%p}".lower(), "q": lambda: str((clock.month + 2) // 3),
        "u": lambda: str(clock.isoweekday()),
    }  # fmt: skip
    if letter in plain:
        text = plain[letter]()
    elif letter in "YG":
        text = f"{clock.year if letter == 'Y' else clock.isocalendar().year:04d}"
    elif letter in "aAbBdHIjmMpSUVwWyg":
        text = clock.strftime(f"%{letter}")
    else:
        return ""
    if "-" in flags:
        text = text.lstrip("0 ") or "0"
    elif "_" in flags and text[:1] == "0":
        text = (text.lstrip("0") or "0").rjust(len(text))
    if "#" in flags and letter in "pZ":
        text = text.lower()
    elif "^" in flags or "#" in flags:
        text = text.upper()
    fill = "0" if text.isdigit() and "_" not in flags else " "
    if not width or letter == "N":
        return text
    if fill == " " and text.strip().isdigit():
        text = text.lstrip("0 ") or "0"
    return text.rjust(int(width[:3]), fill)


def _offset(seconds: int, colons: str) -> str:
    sign, seconds = ("-" if seconds < 0 else "+"), abs(seconds)
    hours, minutes, seconds = seconds // 3600, seconds % 3600 // 60, seconds % 60
    if colons == ":::" and not minutes and not seconds:
        return f"{sign}{hours:02d}"
    shown = f"{sign}{hours:02d}{':' if colons else ''}{minutes:02d}"
    return f"{shown}:{seconds:02d}" if colons == "::" or (colons == ":::" and seconds) else shown


@program("date")
def date(p: Process) -> Run:
    """Show the time."""
    try:
        options, operands = getopt(
            p.argv[1:], "d:f:I::r:Rs:u" + ("D:" if is_device(p) else ""),
            {"date": ":", "file": ":", "iso-8601": "::", "reference": ":", "rfc-email": "", "rfc-2822": "",
            "rfc-3339": ":",
             "set": ":", "utc": "", "universal": "", "uct": "", "help": "", "version": "", "debug": "",
             "resolution": ""},
        )  # fmt: skip
    except OptionError as error:
        return (yield from gnu_usage(p, error))
    zone: str | None = None
    lines: str | None = None
    pattern = "%a %b %e %H:%M:%S %Z %Y"
    when: float | None = p.now()
    for name, value in options:
        if name in ("u", "--utc", "--universal", "--uct"):
            zone = "UTC0"
        elif name in ("R", "--rfc-email", "--rfc-2822"):
            pattern = "%a, %d %b %Y %H:%M:%S %z"
        elif name in ("I", "--iso-8601"):
            tails = {
                "": "",
                "date": "",
                "hours": "T%H%:z",
                "minutes": "T%H:%M%:z",
                "seconds": "T%H:%M:%S%:z",
                "ns": "T%H:%M:%S,%N%:z",
            }
            if value not in tails:
                return (
                    yield from _bad_choice(
                        p, value, "--iso-8601", ("hours", "minutes", "date", "seconds", "ns")
                    )
                )
            pattern = "%Y-%m-%d" + tails[value]
        elif name == "--rfc-3339":
            forms = {"date": "", "seconds": " %H:%M:%S%:z", "ns": " %H:%M:%S.%N%:z"}
            if value not in forms:
                return (yield from _bad_choice(p, value, "--rfc-3339", tuple(forms)))
            pattern = "%Y-%m-%d" + forms[value]
        elif name == "--version":
            yield from p.out("date (GNU coreutils) 9.1\n")
            return 0
        elif name in ("r", "--reference"):
            try:
                when = p.fs.stat(value).mtime
            except SysError as error:
                yield from p.err(f"{p.argv[0]}: {value}: {error.words}\n")
                return 1
        elif name in ("f", "--file"):
            lines = value
    sources = {"d": "d", "--date": "d", "f": "f", "--file": "f", "r": "r", "--reference": "r"}
    if len({sources[name] for name, _ in options if name in sources}) > 1 and not is_device(p):
        return (yield from gnu_usage(p, "the options to specify dates for printing are mutually exclusive"))
    for name, value in options:
        if name in ("d", "--date", "s", "--set"):
            when = parse(p, value, p.now(), zone)
            if when is None or not _FIRST <= when < _BEHIND:
                yield from p.err(f"{p.argv[0]}: invalid date '{value}'\n")
                return 1
            if name in ("s", "--set") and p.uid:
                yield from p.err(f"{p.argv[0]}: cannot set date: Operation not permitted\n")
                return 1
    formats = [word for word in operands if word.startswith("+")]
    if operands and (len(operands) > 1 or not formats):
        if formats and operands[0] == formats[0]:
            return (yield from gnu_usage(p, f"extra operand '{operands[1]}'"))
        yield from p.err(f"{p.argv[0]}: invalid date '{operands[0]}'\n")
        return 1
    if formats:
        pattern = formats[0][1:]
    if lines is not None:
        return (yield from _file(p, lines, pattern, zone))
    assert when is not None
    yield from p.out(_shown(p, when, pattern, zone))
    return 0


def _bad_choice(p: Process, value: str, option: str, choices: tuple[str, ...]) -> Run:
    left, right = quotes(p)
    listed = "".join(f"  - {left}{each}{right}\n" for each in choices)
    problem = f"invalid argument {left}{value}{right} for {left}{option}{right}"
    yield from p.err(
        f"{p.argv[0]}: {problem}\nValid arguments are:\n{listed}Try '{p.argv[0]} --help' for more information.\n"
    )
    return 1


def _shown(p: Process, when: float, pattern: str, zone: str | None) -> str:
    if zone is not None:
        here = Local(datetime.fromtimestamp(when, UTC).replace(tzinfo=None), "UTC", 0)
    else:
        here = local(p, when)
    return expand(pattern, here, when) + "\n"


def _file(p: Process, path: str, pattern: str, zone: str | None) -> Run:
    """-f: a date in each line."""
    try:
        text = decode((yield from p.read_all(0, 1_000_000)) if path == "-" else p.fs.read(path, 1_000_000))
    except SysError as error:
        yield from p.err(f"{p.argv[0]}: {path}: {error.words}\n")
        return 1
    status = 0
    for line in text.splitlines():
        yield from p.tick(4)
        when = parse(p, line, p.now(), zone)
        if when is None:
            yield from p.err(f"{p.argv[0]}: invalid date '{line}'\n")
            status = 1
        else:
            yield from p.out(_shown(p, when, pattern, zone))
    return status
