"""date: show the time in the machine's zone; setting it is refused or ignored as on a machine with time service."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import gnu_usage, is_device
from urltrap.machine.programs._zone import Local, local
from urltrap.machine.programs.registry import program

_UNITS = {
    "sec": 1,
    "second": 1,
    "min": 60,
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "week": 604_800,
    "fortnight": 1_209_600,
}
_RELATIVE = re.compile(
    r"([+-]?\s*\d*)\s*(sec|second|min|minute|hour|day|week|fortnight|month|year)s?(\s+ago)?$"
)
_TAIL = re.compile(r"(.*\d\S*)\s+([+-]\s*\d+\s+[a-z]+|\d+\s+[a-z]+\s+ago)$", re.I)
_ZONE = re.compile(r"(?<=\d)\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)$|\s(UTC|GMT)(?=\s+\d{4}$)", re.I)
_FORMATS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y%m%d %H:%M:%S", "%Y%m%d", "%m/%d/%Y", "%Y/%m/%d",
    "%d %b %Y", "%b %d %Y", "%H:%M:%S", "%H:%M", "%Y-%m-%dT%H:%M:%S", "%d %b %Y %H:%M:%S", "%a %b %d %H:%M:%S %Y",
    "%a, %d %b %Y %H:%M:%S",
)  # fmt: skip


def parse(p: Process, text: str, now: float, zone: str | None = None) -> float | None:
    """The moment that -d means (the forms that scripts use), in `zone` (None: the machine's); None where it is not
    understood."""
    words = text.strip().lower()
    if words in ("", "now", "today"):
        return now
    if words == "yesterday":
        return now - 86_400
    if words == "tomorrow":
        return now + 86_400
    if re.fullmatch(r"@-?\d{1,11}(\.\d+)?", words):
        return float(words[1:])
    words = re.sub(r"^(next|last)\s+", lambda m: "1 " if m[1] == "next" else "-1 ", words)
    if match := _RELATIVE.match(words.removeprefix("now").strip()):
        return _moved(now, match)
    if match := _TAIL.match(text.strip()):
        base = parse(p, match[1], now, zone)
        step = _RELATIVE.match(match[2].lower())
        return None if base is None or step is None else _moved(base, step)
    return _absolute(p, text.strip(), now, zone)


def _moved(now: float, match: re.Match[str]) -> float | None:
    """`now` and what a match of _RELATIVE adds."""
    count = int(match[1].replace(" ", "") or 1) if match[1].strip() not in ("+", "-") else 1
    count = -count if match[3] else count
    if abs(count) > 100_000_000:
        return None
    if match[2] in ("month", "year"):
        return _months(now, count * (12 if match[2] == "year" else 1))
    return now + count * _UNITS[match[2]]


def _absolute(p: Process, text: str, now: float, zone: str | None) -> float | None:
    offset: int | None = None
    if (found := _ZONE.search(text)) and not re.fullmatch(r"\d{4}-\d{4}", text[-9:]):
        name = found[1] or found[2]
        if name[0] in "+-":
            minutes = int(name[1:3]) * 60 + int(name[-2:])
            offset = (-minutes if name[0] == "-" else minutes) * 60
        else:
            offset = 0
        text = (text[: found.start()] + text[found.end() :]).strip()
    fraction = 0.0
    if part := re.search(r"(?<=:\d\d)[.,](\d{1,9})", text):
        fraction = float(f"0.{part[1]}")
        text = text[: part.start()] + text[part.end() :]
    here = local(p, now, zone)
    for pattern in _FORMATS:
        try:
            when = datetime.strptime(text, pattern)
        except ValueError:
            continue
        if when.year == 1900:
            when = when.replace(year=here.clock.year, month=here.clock.month, day=here.clock.day)
        wall = when.replace(tzinfo=UTC).timestamp() + fraction
        if offset is None:
            # The offset that holds then, not now: summer time.
            offset = local(p, wall - here.offset, zone).offset
        return wall - offset
    return None


def _months(now: float, count: int) -> float:
    clock = datetime.fromtimestamp(now, UTC)
    month = clock.year * 12 + clock.month - 1 + count
    if not 12 <= month < 9999 * 12:
        return now
    first = clock.replace(year=month // 12, month=month % 12 + 1, day=1)
    return (first + timedelta(days=clock.day - 1)).timestamp()


def expand(pattern: str, here: Local, when: float) -> str:
    """A format of date(1): strftime with GNU's additions."""
    out = []
    at = 0
    while at < len(pattern):
        if pattern[at] != "%":
            out.append(pattern[at])
            at += 1
            continue
        match = re.compile(r"%([-_0^#]*)(\d*)(:{0,3})([A-Za-z%+])").match(pattern, at)
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
        "D": lambda: f"{clock:%m/%d/%y}", "F": lambda: f"{clock:%Y-%m-%d}", "T": lambda: f"{clock:%H:%M:%S}",
        "R": lambda: f"{clock:%H:%M}", "r": lambda: f"{clock:%I:%M:%S %p}", "c": lambda: f"{clock:%a %b} "
        f"{clock.day:2d} {clock:%H:%M:%S %Y}",
        "x": lambda: f"{clock:%m/%d/%y}", "X": lambda: f"{clock:%H:%M:%S}", "h": lambda: f"{clock:%b}",
        "C": lambda: f"{clock.year // 100:02d}",
        "P": lambda: f"{clock:%p}".lower(), "q": lambda: str((clock.month + 2) // 3),
        "u": lambda: str(clock.isoweekday()),
    }  # fmt: skip
    if letter in plain:
        text = plain[letter]()
    elif letter in "aAbBdHIjmMpSUVwWyYgG":
        text = clock.strftime(f"%{letter}")
    else:
        return ""
    if "-" in flags:
        text = text.lstrip("0 ") or "0"
    elif "_" in flags and text[:1] == "0":
        text = text.lstrip("0").rjust(len(text))
    if "^" in flags or "#" in flags:
        text = text.upper()
    return text.rjust(int(width[:3]), "0" if text.isdigit() else " ") if width and letter != "N" else text


def _offset(seconds: int, colons: str) -> str:
    sign, seconds = ("-" if seconds < 0 else "+"), abs(seconds)
    return f"{sign}{seconds // 3600:02d}{':' if colons else ''}{seconds % 3600 // 60:02d}"


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
                return (yield from gnu_usage(p, f"invalid argument '{value}' for '--iso-8601'"))
            pattern = "%Y-%m-%d" + tails[value]
        elif name == "--rfc-3339":
            pattern = {"date": "%Y-%m-%d", "ns": "%Y-%m-%d %H:%M:%S.%N%:z"}.get(value, "%Y-%m-%d %H:%M:%S%:z")
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
    for name, value in options:
        if name in ("d", "--date", "s", "--set"):
            when = parse(p, value, p.now(), zone)
            if when is None or not -6e10 < when < 2.5e11:
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
