"""strftime for what the shell prints itself: ``printf %(…)T`` and the prompt's \\D."""

from __future__ import annotations

from datetime import UTC, datetime

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip


def strftime(template: str, moment: float, zone: str = "UTC", offset: int = 0) -> str:
    """`moment` (unix seconds) by a strftime template in a zone `offset` seconds east of Greenwich; independent of the
    host's locale."""
    try:
        when = datetime.fromtimestamp(moment + offset, UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    out: list[str] = []
    pos = 0
    while pos < len(template):
        if template[pos] != "%" or pos + 1 >= len(template):
            out.append(template[pos])
            pos += 1
            continue
        out.append(_field(template[pos + 1], when, moment, zone, offset))
        pos += 2
    return "".join(out)


def _field(letter: str, when: datetime, moment: float, zone: str, offset: int) -> str:
    sign, minutes = "-" if offset < 0 else "+", abs(offset) // 60
    hour12 = when.hour % 12 or 12
    simple = {
        "Y": f"{when.year}", "m": f"{when.month:02d}", "d": f"{when.day:02d}", "H": f"{when.hour:02d}",
        "M": f"{when.minute:02d}", "S": f"{when.second:02d}", "s": str(int(moment)), "e": f"{when.day:2d}",
        "j": f"{when.timetuple().tm_yday:03d}", "y": f"{when.year % 100:02d}", "I": f"{hour12:02d}",
        "p": "AM" if when.hour < 12 else "PM", "a": _DAYS[when.weekday()][:3], "A": _DAYS[when.weekday()],
        "b": _MONTHS[when.month - 1][:3], "h": _MONTHS[when.month - 1][:3], "B": _MONTHS[when.month - 1],
        "Z": zone, "z": f"{sign}{minutes // 60:02d}{minutes % 60:02d}",
        "n": "\n", "t": "\t", "%": "%", "u": str(when.isoweekday()),
        "w": str(when.isoweekday() % 7), "k": f"{when.hour:2d}", "l": f"{hour12:2d}", "C": f"{when.year // 100:02d}",
    }  # fmt: skip
    if letter in simple:
        return simple[letter]
    joined = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "X": "%H:%M:%S", "R": "%H:%M", "D": "%m/%d/%y", "x": "%m/%d/%y",
              "c": "%a %b %e %H:%M:%S %Y", "r": "%I:%M:%S %p"}  # fmt: skip
    return strftime(joined[letter], moment, zone, offset) if letter in joined else "%" + letter
