"""The tables of cron: their lines, and when each is due (crontab(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

_NAMES = {name: number for number, name in enumerate(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)}  # fmt: skip
_DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_NICKNAMES = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_SETTING = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(.*)")
_LINES_MAX = 500


@dataclass(frozen=True, slots=True)
class CronLine:
    """One command and when it is wanted; `user` is empty in a user's own table."""

    fields: tuple[frozenset[int], ...]
    """Minutes, hours, days of the month, months, days of the week (0-6, Sunday first)."""
    any_day: bool
    """One of the two fields of days begins with a star: both have to fit, else one of them has to."""
    user: str
    command: str
    environment: tuple[tuple[str, str], ...]

    def due(self, moment: datetime) -> bool:
        """True where this minute of the machine's local time is one of its minutes."""
        minutes, hours, days, months, weekdays = self.fields
        if moment.minute not in minutes or moment.hour not in hours or moment.month not in months:
            return False
        by_day, by_week = moment.day in days, moment.isoweekday() % 7 in weekdays
        return by_day and by_week if self.any_day else by_day or by_week


def lines_of(text: str, *, with_user: bool) -> Iterator[CronLine]:
    """The lines of a table that cron runs by the clock; faulty ones and @reboot are left out."""
    environment: dict[str, str] = {}
    for line in text.splitlines()[:_LINES_MAX]:
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if setting := _SETTING.match(line):
            environment[setting[1]] = setting[2].strip().strip("\"'")
            continue
        word, _, rest = stripped.partition(" ")
        if stripped.startswith("@"):
            stripped = f"{_NICKNAMES.get(word.strip(), '')} {rest}".strip()
        found = re.match(r"(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(.*)", stripped)
        if found is None:
            continue
        sets = [_numbers(found[place + 1], low, high) for place, (low, high) in enumerate(_FIELDS)]
        user, command = "", found[6]
        if with_user:
            user, command = (*command.split(maxsplit=1), "")[:2]
        if all(sets) and command.strip():
            sets[4] = {number % 7 for number in sets[4]}
            yield CronLine(
                tuple(frozenset(each) for each in sets), found[3].startswith("*") or found[5].startswith("*"),
                user, _before_input(command.strip()), tuple(environment.items()),
            )  # fmt: skip


def _before_input(command: str) -> str:
    """The command without what follows its first bare percent sign, which is its standard input."""
    return re.split(r"(?<!\\)%", command, maxsplit=1)[0].rstrip().replace("\\%", "%")


def _numbers(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    names = _NAMES if high == 12 else _DAYS if high == 7 else {}
    for part in text.lower().split(","):
        match = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/(\d{1,4}))?", part)
        if match is None:
            return set()
        first, last, step = match[1], match[2], int(match[3] or 1)
        if not step:
            return set()
        ends = (str(low), str(high)) if first == "*" else (first, last or (str(high) if match[3] else first))
        numbers = [int(end[:9]) if end.isdecimal() and end.isascii() else names.get(end, -1) for end in ends]
        if not low <= numbers[0] <= high or not low <= numbers[1] <= high:
            return set()
        found.update(range(numbers[0], numbers[1] + 1, step))
    return found
