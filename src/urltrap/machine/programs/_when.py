"""Moments in words, as date -d, touch -d and find -newermt take them (gnulib's parse_datetime; "Date input formats" in
the manual of GNU coreutils)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from urltrap.machine.api import Process
from urltrap.machine.programs._zone import local

_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
           "december")  # fmt: skip
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY_NAMES = {"tues": 1, "wednes": 2, "thur": 3, "thurs": 3}
_UNITS = {
    "year": ("month", 12), "month": ("month", 1), "fortnight": ("day", 14), "week": ("day", 7), "day": ("day", 1),
    "hour": ("second", 3600), "minute": ("second", 60), "min": ("second", 60), "second": ("second", 1),
    "sec": ("second", 1),
}  # fmt: skip
_FIXED = {"tomorrow": 1, "yesterday": -1, "today": 0, "now": 0}
_ORDINALS = {word: number for number, word in enumerate(
    ("last", "this", "next", "", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
     "twelfth"), -1) if word} | {"first": 1}  # fmt: skip
# Hours east of Greenwich; those of summer time include it.
_ZONES = {
    "gmt": 0, "ut": 0, "utc": 0, "wet": 0, "west": 1, "bst": 1, "art": -3, "brt": -3, "brst": -2, "nst": -3.5,
    "ndt": -2.5, "ast": -4, "adt": -3, "clt": -4, "clst": -3, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7,
    "mdt": -6, "pst": -8, "pdt": -7, "akst": -9, "akdt": -8, "hst": -10, "hast": -10, "hadt": -9, "sst": -12, "wat": 1,
    "cet": 1, "cest": 2, "met": 1, "mez": 1, "mest": 2, "mesz": 2, "eet": 2, "eest": 3, "cat": 2, "sast": 2, "eat": 3,
    "msk": 3, "msd": 4, "ist": 5.5, "sgt": 8, "kst": 9, "jst": 9, "gst": 10, "nzst": 12, "nzdt": 13,
}  # fmt: skip
_MILITARY = {letter: number for number, letter in enumerate("abcdefghi", 1)} | {"k": 10, "l": 11, "m": 12} | {
    letter: -number for number, letter in enumerate("nopqrs", 1)} | {
    "u": -8, "v": -9, "w": -10, "x": -11, "y": -12, "z": 0}  # fmt: skip
_TOKEN = re.compile(
    r"(?P<space>\s+|\([^()]*\))|(?P<sign>[-+]\s*(?=\d))?(?P<digits>\d+)(?P<fraction>[.,]\d+)?|(?P<word>[A-Za-z][A-Za-z.]*)|"
    r"(?P<other>[^-+]|[-+](?!\s*\d)[-+\s]*)"
)
_ZONE_PREFIX = re.compile(r'\s*TZ="((?:[^"\\]|\\[\\"])*)"\s*')
_MAX_WORDS = 100


class _Refused(Exception):
    """The words are no moment."""


@dataclass(slots=True)
class _Token:
    kind: str
    """u (number), s (number with a sign), w (word), or the character itself."""
    text: str
    value: int = 0
    fraction: float | None = None


@dataclass(slots=True)
class _Found:
    """What was said so far."""

    moment: float | None = None
    date: tuple[int, int, int] | None = None
    short_year: bool = False
    time: tuple[int, int, int, float] | None = None
    offset: int | None = None
    weekday: tuple[int, int] | None = None
    moved: bool = False
    steps: dict[str, float] = field(default_factory=lambda: {"month": 0, "day": 0, "second": 0})


def parse(p: Process, text: str, now: float, zone: str | None = None) -> float | None:
    """The moment that `text` means in `zone` (None: the machine's), seconds; None where it is not understood."""
    if prefix := _ZONE_PREFIX.match(text):
        zone = re.sub(r"\\(.)", r"\1", prefix[1])
        text = text[prefix.end() :]
    try:
        tokens = _tokens(text)
        if len(tokens) > _MAX_WORDS:
            return None
        return _Reader(p, tokens, now, zone).moment()
    except (_Refused, OverflowError, ValueError):
        return None


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    for match in _TOKEN.finditer(text):
        if match["digits"]:
            value = int(match["digits"][:18])
            sign = (match["sign"] or "").strip()
            fraction = float("0." + match["fraction"][1:]) if match["fraction"] else None
            kind = "s" if sign else "u"
            found.append(_Token(kind, sign + match["digits"], -value if sign == "-" else value, fraction))
        elif match["word"]:
            found.append(_Token("w", match["word"].lower().rstrip(".") or "."))
        elif other := (match["other"] or "").strip("-+ \t\n"):
            found.append(_Token(other, other))
    return found


class _Reader:
    def __init__(self, p: Process, tokens: list[_Token], now: float, zone: str | None) -> None:
        self.p = p
        self.tokens = tokens
        self.now = now
        self.zone = zone
        self.at = 0
        self.found = _Found()
        here = local(p, now, zone)
        self.today = here.clock
        year = [local(p, now + days * 86_400, zone) for days in (0, 91, 182, 273)]
        self.abbreviations = {each.zone.lower(): each.offset for each in year}

    def shape(self, count: int) -> str:
        """The kinds of the next `count` tokens."""
        return "".join(each.kind for each in self.tokens[self.at : self.at + count])

    def peek(self, ahead: int = 0) -> _Token:
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else _Token("", "")

    def moment(self) -> float:
        """Read all words, then reckon."""
        rules: tuple[Callable[[], bool], ...] = (
            self._stamp, self._time, self._date, self._relative, self._weekday, self._zone, self._number)  # fmt: skip
        while self.at < len(self.tokens):
            if not any(rule() for rule in rules):
                raise _Refused
        return self._reckon()

    # the rules: each takes its tokens and says True, or leaves them
    def _stamp(self) -> bool:
        if self.peek().kind != "@":
            return False
        number = self.peek(1)
        if number.kind not in ("u", "s") or len(self.tokens) != 2:
            raise _Refused
        part = number.fraction or 0.0
        self.found.moment = number.value + (-part if number.text.startswith("-") else part)
        self.at += 2
        return True

    def _time(self) -> bool:
        hour = self.peek()
        if hour.kind != "u" or hour.fraction is not None:
            return False
        if self.peek(1).kind == ":" and self.peek(2).kind == "u":
            minute = self.peek(2)
            self.at += 3
            second = _Token("u", "", 0)
            if minute.fraction is None and self.peek().kind == ":" and self.peek(1).kind == "u":
                second = self.peek(1)
                self.at += 2
            half = self._half()
            self._set_time(hour.value, minute.value, second.value, second.fraction or 0.0, half)
            if not half and self.peek().kind == "s":  # a zone, even where a unit follows: so says the grammar
                self._set_offset(self._correction())
            return True
        after = self.peek(1)
        if after.kind == "w" and after.text.replace(".", "") in ("am", "pm"):
            self.at += 1
            self._set_time(hour.value, 0, 0, 0.0, self._half())
            return True
        return False

    def _half(self) -> str:
        token = self.peek()
        text = token.text.replace(".", "")
        if token.kind == "w" and text in ("am", "pm"):
            self.at += 1
            return text
        return ""

    def _correction(self) -> int:
        """Seconds of ``+HH``, ``+HHMM`` or ``+HH:MM``."""
        token = self.peek()
        digits = token.text.lstrip("+-").strip()
        self.at += 1
        sign = -1 if token.text.startswith("-") else 1
        if self.peek().kind == ":" and self.peek(1).kind == "u":
            minutes = int(digits) * 60 + self.peek(1).value
            self.at += 2
        elif len(digits) <= 2:
            minutes = int(digits) * 60
        else:
            minutes = int(digits[:-2]) * 60 + int(digits[-2:])
        if minutes > 24 * 60:
            raise _Refused
        return sign * minutes * 60

    def _set_time(self, hour: int, minute: int, second: int, fraction: float, half: str = "") -> None:
        if half:
            if not 1 <= hour <= 12:
                raise _Refused
            hour = hour % 12 + (12 if half == "pm" else 0)
        if self.found.time is not None or hour > 24 or minute > 59 or second > 59 or hour == 24:
            raise _Refused
        self.found.time = (hour, minute, second, fraction)

    def _set_date(self, year: _Token | int, month: int, day: int) -> None:
        if self.found.date is not None:
            raise _Refused
        if isinstance(year, int):
            self.found.short_year = True
            number = year
        else:
            number = abs(year.value)
            if len(year.text.lstrip("+-").strip()) == 2:
                number += 2000 if number < 69 else 1900
        self.found.date = (number, month, day)

    def _set_offset(self, seconds: int) -> None:
        if self.found.offset is not None:
            raise _Refused
        self.found.offset = seconds

    def _month(self, ahead: int) -> int:
        """1 to 12 where that token names a month."""
        token = self.peek(ahead)
        if token.kind != "w":
            return 0
        if token.text == "sept":
            return 9
        return next((number for number, name in enumerate(_MONTHS, 1) if token.text in (name, name[:3])), 0)

    def _date(self) -> bool:
        one, two, three = (self.peek(ahead) for ahead in range(3))
        if self.shape(3) == "u/u":
            if self.shape(5)[3:] == "/u":
                last = self.peek(4)
                self.at += 5
                if len(one.text) >= 4:
                    self._set_date(one, three.value, last.value)
                else:
                    self._set_date(last, one.value, three.value)
            else:
                self.at += 3
                self._set_date(self.today.year, one.value, three.value)
            return True
        if self.shape(3) == "uss" and two.text[0] == three.text[0] == "-":
            self.at += 3
            self._set_date(one, -two.value, -three.value)
            return True
        if one.kind == "u" and (month := self._month(1)):
            if (three.kind == "s" and three.text.startswith("-")) or (
                three.kind == "u" and self.peek(3).kind != ":"
            ):
                self.at += 3
                self._set_date(three, month, one.value)
            else:
                self.at += 2
                self._set_date(self.today.year, month, one.value)
            return True
        if month := self._month(0):
            if self.shape(3)[1:] == "ss":
                self.at += 3
                self._set_date(three, month, -two.value)
                return True
            if two.kind == "u":
                if self.shape(4)[2:] == ",u":
                    year = self.peek(3)
                    self.at += 4
                    self._set_date(year, month, two.value)
                else:
                    self.at += 2
                    self._set_date(self.today.year, month, two.value)
                return True
        return False

    def _relative(self) -> bool:
        token, ahead, count = self.peek(), 0, 1.0
        if token.kind in ("u", "s"):
            ahead, count = (
                1,
                token.value + (token.fraction or 0.0) * (-1 if token.text.startswith("-") else 1),
            )
        elif token.kind == "w" and token.text in _ORDINALS:
            ahead, count = 1, _ORDINALS[token.text]
        elif token.kind == "w" and token.text in _FIXED:
            self.at += 1
            self._step("day", _FIXED[token.text])
            return True
        unit = self.peek(ahead)
        name = unit.text if unit.text in _UNITS else unit.text.removesuffix("s")
        if unit.kind != "w" or name not in _UNITS or abs(count) > 1e9:
            return False
        self.at += ahead + 1
        kind, size = _UNITS[name]
        if kind != "second" and count % 1:
            raise _Refused
        self._step(kind, count * size)
        return True

    def _step(self, kind: str, size: float) -> None:
        if self.peek().kind == "w" and self.peek().text == "ago":
            self.at += 1
            size = -size
        self.found.steps[kind] += size
        self.found.moved = True

    def _weekday(self) -> bool:
        ahead, count = 0, 0
        token = self.peek()
        if token.kind == "w" and token.text in _ORDINALS:
            ahead, count = 1, _ORDINALS[token.text]
        elif token.kind == "u":
            ahead, count = 1, token.value
        name = self.peek(ahead)
        number = _DAY_NAMES.get(name.text) if name.kind == "w" else None
        if number is None and name.kind == "w":
            number = next((n for n, day in enumerate(_DAYS) if name.text in (day, day[:3])), None)
        if number is None:
            return False
        if self.found.weekday is not None:
            raise _Refused
        self.found.weekday = (count, number)
        self.at += ahead + 1
        if self.peek().kind == ",":
            self.at += 1
        return True

    def _zone(self) -> bool:
        token = self.peek()
        if token.kind != "w":
            return False
        text = token.text.replace(".", "")
        seconds: int | None
        if (
            text == "t"
            and self.found.date is not None
            and self.found.time is None
            and self.peek(1).kind == "u"
        ):
            self.at += 1
            return True
        if text in self.abbreviations:
            seconds = self.abbreviations[text]
        elif text in _ZONES:
            seconds = int(_ZONES[text] * 3600)
        elif text in _MILITARY:
            seconds = _MILITARY[text] * 3600
        else:
            return False
        self.at += 1
        after = self.peek()
        if after.kind == "w" and after.text == "dst":
            self.at += 1
            seconds += 3600
        elif after.kind == "s" and not (
            self.peek(1).kind == "w" and self.peek(1).text.removesuffix("s") in _UNITS
        ):
            seconds += self._correction()
        self._set_offset(seconds)
        return True

    def _number(self) -> bool:
        token = self.peek()
        if token.kind != "u" or token.fraction is not None:
            return False
        self.at += 1
        found, value, digits = self.found, token.value, len(token.text)
        if found.date is not None and found.short_year and not found.moved and (found.time or digits > 2):
            _, month, day = found.date
            found.date, found.short_year = None, False
            self._set_date(token, month, day)
        elif digits > 4:
            year = _Token("u", token.text[:-4])
            year.value = int(year.text)
            self._set_date(year, value // 100 % 100, value % 100)
        elif digits <= 2:
            self._set_time(value, 0, 0, 0.0)
        else:
            self._set_time(value // 100, value % 100, 0, 0.0)
        return True

    def _reckon(self) -> float:
        found = self.found
        if found.moment is not None:
            return found.moment
        clock = self.today
        if found.date is not None:
            year, month, day = found.date
            clock = clock.replace(year=year, month=month, day=day)
        fraction = self.now % 1
        if found.time is not None:
            hour, minute, second, fraction = found.time
            clock = clock.replace(hour=hour, minute=minute, second=second, microsecond=0)
        elif found.moved and found.date is None and found.weekday is None:
            clock = clock.replace(microsecond=0)
        else:
            clock, fraction = clock.replace(hour=0, minute=0, second=0, microsecond=0), 0.0
        if found.weekday is not None and found.date is None:
            count, day = found.weekday
            away = day - clock.weekday()
            clock += timedelta(days=away % 7 + 7 * (count - (1 if count > 0 and away else 0)))
        clock = _months(clock, int(found.steps["month"])) + timedelta(days=found.steps["day"])
        wall = clock.replace(tzinfo=UTC).timestamp()
        offset = found.offset
        if offset is None:
            offset = self._offset_then(wall)
        return wall - offset + fraction + found.steps["second"]

    def _offset_then(self, wall: float) -> int:
        """The offset that holds at a wall clock time; refused where summer time leaves that out, as mktime does."""
        guess = local(self.p, wall - local(self.p, self.now, self.zone).offset, self.zone).offset
        offset = local(self.p, wall - guess, self.zone).offset
        if local(self.p, wall - offset, self.zone).offset != offset:
            raise _Refused
        return offset


def _months(clock: datetime, count: int) -> datetime:
    """`clock` so many months later; days that the month lacks run over into the next."""
    if not count:
        return clock
    month = clock.year * 12 + clock.month - 1 + count
    first = clock.replace(year=month // 12, month=month % 12 + 1, day=1)
    return first + timedelta(days=clock.day - 1)
