"""Variables whose value is computed: RANDOM, SECONDS, LINENO and their kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Shell


class Dynamic:
    """The computed variables of one shell. What each does is shared by all shells of a dialect."""

    __slots__ = ("_reads", "_seed", "_sh", "_writes")

    def __init__(self) -> None:
        self._sh: Shell | None = None
        self._seed: int | None = None
        self._reads: Mapping[str, Callable[[Dynamic, Shell], str]] = {}
        self._writes: Mapping[str, Callable[[Dynamic, Shell, str], None]] = {}

    def bind(self, sh: Shell) -> None:
        """Compute from the state of `sh`, as its dialect does."""
        self._sh, self._seed = sh, None
        self._reads, self._writes = _READS[sh.dialect.name], _WRITES[sh.dialect.name]

    def release(self) -> None:
        """The shell has ended: let go of it."""
        self._sh = None
        self._reads, self._writes = {}, {}

    def __contains__(self, name: str) -> bool:
        return name in self._reads

    def __iter__(self) -> Iterator[str]:
        return iter(self._reads)

    def read(self, name: str) -> str:
        """The value of ``$name``; KeyError where it is not computed."""
        sh = self._sh
        assert sh is not None  # there are no names without one
        return self._reads[name](self, sh)

    def write(self, name: str, value: str) -> bool:
        """Take an assignment; False where `name` is one that takes none."""
        write, sh = self._writes.get(name), self._sh
        if write is None or sh is None:
            return False
        write(self, sh, value)
        return True

    def forget(self, name: str) -> None:
        """``unset name``: an ordinary variable from now on."""
        if name in self._reads:
            self._reads = {each: read for each, read in self._reads.items() if each != name}

    def random(self, sh: Shell) -> str:
        """``$RANDOM``."""
        seed = sh.p.random(1 << 31) if self._seed is None else self._seed
        self._seed = seed = (seed * 16807) % 2147483647 or 1
        return str((seed >> 8) & 32767)

    def seed(self, sh: Shell, value: str) -> None:
        """``RANDOM=value``."""
        self._seed = int(value) if value.lstrip("-").isdecimal() else 0


def _set_seconds(dynamic: Dynamic, sh: Shell, value: str) -> None:
    sh.seconds_base = sh.p.now() - (int(value) if value.lstrip("-").isdecimal() else 0)


def _restart_getopts(dynamic: Dynamic, sh: Shell, value: str) -> None:
    sh.getopts_state = ("", 0)


def _ignored(dynamic: Dynamic, sh: Shell, value: str) -> None:
    """Assignments to most of them change nothing."""


_BASH_READS: dict[str, Callable[[Dynamic, Shell], str]] = {
    "LINENO": lambda _, sh: str(sh.line),
    "RANDOM": Dynamic.random,
    "SECONDS": lambda _, sh: str(int(sh.p.now() - sh.seconds_base)),
    "BASHPID": lambda _, sh: str(sh.p.pid),
    "EPOCHSECONDS": lambda _, sh: str(int(sh.p.now())),
    "EPOCHREALTIME": lambda _, sh: f"{sh.p.now():.6f}",
    "SRANDOM": lambda _, sh: str(sh.p.random(1 << 32)),
    "BASH_SUBSHELL": lambda _, sh: str(sh.in_subshell),
    "BASH_COMMAND": lambda _, sh: str(sh.extra.get("command", "")),
    "HISTCMD": lambda _, sh: str(len(sh.history) + 1),
}
_READS: dict[str, Mapping[str, Callable[[Dynamic, Shell], str]]] = {
    "bash": _BASH_READS,
    "ash": {"LINENO": lambda _, sh: str(sh.ash_line), "RANDOM": Dynamic.random},
    "dash": {},
}
_DASH_WRITES: dict[str, Callable[[Dynamic, Shell, str], None]] = {
    "LINENO": _ignored,
    "OPTIND": _restart_getopts,
}
_WRITES: dict[str, Mapping[str, Callable[[Dynamic, Shell, str], None]]] = {
    "bash": {
        **dict.fromkeys(_BASH_READS, _ignored),
        **_DASH_WRITES,
        "RANDOM": Dynamic.seed,
        "SECONDS": _set_seconds,
    },
    "ash": {**_DASH_WRITES, "RANDOM": Dynamic.seed},
    "dash": _DASH_WRITES,
}
