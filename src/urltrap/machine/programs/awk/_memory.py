"""What an awk program remembers: variables, arrays, the record and its fields."""

from __future__ import annotations

import re
from typing import Any

from urltrap.machine.errors import BudgetError
from urltrap.machine.programs._cmd import Cmd
from urltrap.machine.programs._regex import BadRegex, Matcher
from urltrap.machine.programs.awk._parser import Program
from urltrap.machine.programs.awk._regex import ere, mawk_words
from urltrap.machine.programs.awk._values import Field, Value, number, string

_BLANKS = re.compile(r"[^ \t\n]+")
_MAX_FIELD = 100_000
_MAX_STRING = 8_000_000


class AwkFatal(Exception):
    """Running cannot go on: mawk's words, and BusyBox's where they differ; `bare` where mawk does not say where."""

    def __init__(self, words: str, busybox: str = "", *, bare: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.busybox = busybox or words
        self.bare = bare


class Memory:
    """The values of one run."""

    def __init__(self, c: Cmd, program: Program) -> None:
        self.c = c
        self.p = c.p
        self.busybox = c.bb
        self.program = program
        self.globals: dict[str, Any] = {
            "FS": " ", "OFS": " ", "ORS": "\n", "RS": "\n", "NF": 0.0, "NR": 0.0, "FNR": 0.0, "FILENAME": "",
            "SUBSEP": "\x1c", "CONVFMT": "%.6g", "OFMT": "%.6g", "RSTART": 0.0, "RLENGTH": -1.0,
        }  # fmt: skip
        self.frames: list[dict[str, Any]] = []
        self.record = ""
        self.fields: list[Value] | None = []
        self.stale_record = False
        self.entries = 0

    def text(self, value: Value, form: str = "%.6g") -> str:
        """A value as a string."""
        return string(value, form, self.busybox)

    def setting(self, name: str) -> str:
        """A variable that awk itself reads, as a string."""
        return self.text(self.globals[name])

    # -- variables

    def scope(self, name: str) -> dict[str, Any]:
        """Where a name lives: the function's frame or the globals."""
        if self.frames and name in self.frames[-1]:
            return self.frames[-1]
        return self.globals

    def get(self, name: str) -> Value:
        """A variable's value."""
        if name == "NF":
            self.split_record()
            return float(len(self.fields or ()))
        found = self.scope(name).get(name)
        if isinstance(found, dict):
            raise AwkFatal(f"illegal reference to array {name}")
        return found

    def set(self, name: str, value: Value) -> None:
        """Set a variable; NF rebuilds the record."""
        if name == "NF":
            self.split_record()
            assert self.fields is not None  # split just now
            count = max(0, min(int(number(value)), _MAX_FIELD))
            self.fields = (self.fields + [""] * (count - len(self.fields)))[:count]
            self.stale_record = True
            return
        where = self.scope(name)
        if isinstance(where.get(name), dict):
            raise AwkFatal(f"illegal reference to array {name}")
        if isinstance(value, str) and len(value) > _MAX_STRING:
            raise BudgetError("awk string", _MAX_STRING)
        if isinstance(value, str) and len(value) > 100_000:
            self.p.hold(len(value) // 8)
        where[name] = value

    def array(self, name: str) -> dict[str, Value]:
        """An array, made where it is missing."""
        where = self.scope(name)
        found = where.get(name)
        if found is None:
            found = where[name] = {}
        if not isinstance(found, dict):
            raise AwkFatal(f"illegal reference to variable {name}")
        return found

    def _grow(self, count: int) -> None:
        self.entries += count
        if self.entries % 256 == 0:
            self.p.hold(256 * 120)

    def regex(self, source: str) -> Matcher:
        """A compiled expression."""
        try:
            return ere(source, self.busybox)
        except BadRegex as problem:
            words = f"regular expression compile failed ({mawk_words(problem)})\n{source}"
            raise AwkFatal(words, f"bad regex '{source}': {problem}", bare=self.busybox) from None

    def set_record(self, text: str) -> None:
        """A new $0."""
        self.record = text
        self.fields = None
        self.stale_record = False

    def split_record(self) -> None:
        """Make the fields of $0."""
        if self.fields is None:
            self.fields = list(self.split(self.record, self.setting("FS")))

    def split(self, text: str, separator: str) -> list[Field]:
        """Fields of a text."""
        if not text:
            return []
        if separator == " ":
            return [Field(each) for each in _BLANKS.findall(text)]
        if separator == "":
            return [Field(each) for each in text]
        if len(separator) == 1 and separator != "\\":
            parts = text.split(separator)
            if separator not in "\n" and self.setting("RS") == "":
                parts = [piece for part in parts for piece in part.split("\n")]
            return [Field(each) for each in parts]
        out, pos = [], 0
        for found in self.regex(separator).all(text):
            if found.end > found.start:
                out.append(Field(text[pos : found.start]))
                pos = found.end
        out.append(Field(text[pos:]))
        return out

    def field(self, index: int) -> Value:
        """$index."""
        if index < 0:
            raise AwkFatal(f"negative field index ${index}", "Access to negative field")
        if index == 0:
            if self.stale_record:
                form = self.setting("CONVFMT")
                self.record = self.setting("OFS").join(self.text(each, form) for each in self.fields or ())
                self.stale_record = False
            return Field(self.record)
        self.split_record()
        assert self.fields is not None  # split just now
        return self.fields[index - 1] if index <= len(self.fields) else None

    def set_field(self, index: int, value: Value) -> None:
        """$index = value."""
        if index == 0:
            self.set_record(self.text(value, self.setting("CONVFMT")))
            return
        if index < 0 or index > _MAX_FIELD:
            raise AwkFatal(f"field index ${index} is out of range")
        self.split_record()
        assert self.fields is not None  # split just now
        self.fields += [""] * (index - len(self.fields))
        self.fields[index - 1] = value
        self.stale_record = True
