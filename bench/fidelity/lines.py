"""The input: distinct single command lines with how often each was seen, and on which machine each is tried."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fidelity.reference import Side

_DEVICE = re.compile(
    r"busybox|/data/local|(?:^|[;&|]\s*)(?:enable|system|shell|linuxshell|sh)\s*(?:$|[;&|])", re.I
)


@dataclass(frozen=True)
class Line:
    """One distinct command line; `weight`: how often it was seen."""

    text: str
    weight: int
    kind: str


def read(path: Path) -> list[Line]:
    """The single lines of a commands file; a text that appears twice counts once, with both weights."""
    found: dict[str, Line] = {}
    with path.open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            if row["kind"] == "session-joined" or "\0" in row["text"]:
                continue
            known = found.get(row["text"])
            weight = row["n"] + (known.weight if known else 0)
            found[row["text"]] = Line(row["text"], weight, row["kind"])
    return sorted(found.values(), key=lambda line: (-line.weight, line.text))


def sides(line: Line) -> tuple[Side, ...]:
    """Every line is tried on the Debian machine; those that speak to a device also on the BusyBox one."""
    return ("bash", "ash") if line.kind == "adb" or _DEVICE.search(line.text) else ("bash",)


def only(lines: Iterable[Line], pattern: str | None, limit: int | None) -> list[Line]:
    """The lines that `pattern` (a regular expression) is found in, the heaviest `limit`."""
    chosen = [line for line in lines if pattern is None or re.search(pattern, line.text)]
    return chosen[:limit]
