"""What systemd remembers of units that somebody started or stopped: it belongs to the machine, not to a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Active = Literal["active", "inactive", "failed"]
Result = Literal["success", "exit-code", "signal", "start-limit-hit", "bad-setting"]
UNITS_MAX = 200
_LINES_MAX = 60


@dataclass(slots=True)
class UnitRun:
    """The state of one unit. Times in unix seconds; `pid` is the main process's, 0 where there was none; `status` its
    exit status, 128 + signal where `killed`; `due`: it wants to be started
    again; `starts` the latest moments at which it was started by itself or by hand;
    `lines` what the journal has of it: (when, who, text)."""

    active: Active = "inactive"
    since: float = 0.0
    pid: int = 0
    command: str = ""
    began: float = 0.0
    status: int = -1
    killed: bool = False
    result: Result = "success"
    due: bool = False
    starts: list[float] = field(default_factory=list)
    lines: list[tuple[float, str, str]] = field(default_factory=list)

    def say(self, when: float, who: str, text: str) -> None:
        """Add a line to the journal; the oldest ones are dropped."""
        self.lines.append((when, who, text))
        del self.lines[:-_LINES_MAX]

    def become(self, active: Active, when: float, result: Result = "success") -> None:
        """Change the state."""
        self.active, self.since, self.result = active, when, result


def known(units: dict[str, UnitRun], name: str) -> UnitRun:
    """The state of a unit, made where it is new; the oldest are forgotten."""
    found = units.get(name)
    if found is None:
        found = units[name] = UnitRun()
        while len(units) > UNITS_MAX:
            del units[next(iter(units))]
    return found


def dump_units(units: Mapping[str, UnitRun]) -> dict[str, Any]:
    """As JSON can hold it."""
    return {name: asdict(run) for name, run in units.items()}


def load_units(data: Mapping[str, Any]) -> dict[str, UnitRun]:
    """The inverse of `dump_units`; TypeError or ValueError where it is damaged."""
    found = {}
    for name, fields in data.items():
        run = UnitRun(**fields)
        run.lines = [(float(when), str(who), str(text)) for when, who, text in run.lines]
        found[str(name)] = run
    return found
