"""What one run of a text writes down: everything that was asked for, and texts that would be run later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from urltrap.machine.api import Process
from urltrap.machine.persona import Persona
from urltrap.recover.ask import Ask

MOST_ASKED = 4000
MOST_TEXTS = 40
LONGEST_TEXT = 100_000


@dataclass(frozen=True, slots=True)
class Recorded:
    """One `Ask` and how the run came to it: `chain` outermost first; `conditional`: on a branch that may not run."""

    ask: Ask
    chain: tuple[str, ...] = ()
    conditional: bool = False


@dataclass(slots=True)
class Recorder:
    """The notebook of one run. `variant` decides which branches are taken where several are possible."""

    variant: int = 0
    asked: list[Recorded] = field(default_factory=list)
    later: list[tuple[bytes, str]] = field(default_factory=list)
    maybe: int = 0
    branches: int = 0
    shells: int = 0
    saved: int = 0
    called: set[str] = field(default_factory=set)
    chain: tuple[str, ...] = ()
    seen: set[tuple[bytes, str, bool]] = field(default_factory=set)
    binaries: dict[bytes, str] = field(default_factory=dict)
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def note(self, ask: Ask, *through: str) -> None:
        """Write down what was asked for; the same twice is one."""
        key = (ask.url, ask.client, self.maybe > 0)
        if key in self.seen or len(self.asked) >= MOST_ASKED:
            return
        self.seen.add(key)
        chain = (*self.chain, *through, ask.client)
        self.asked.append(Recorded(ask, chain, self.maybe > 0))

    def binary(self, data: bytes, path: str) -> None:
        """An ELF file that the text put together: kept as it was when it was run, whatever happens to it later."""
        if len(self.binaries) < 20:
            self.binaries.setdefault(data, path)

    def heard(self, text: str) -> None:
        """A text that this one put together and gave to a shell: it is read, too, for what no shell can run."""
        if len(self.texts) < MOST_TEXTS and len(text) <= LONGEST_TEXT:
            self.texts.setdefault(text, self.chain)

    def keep(self, text: bytes, why: str) -> None:
        """A text that something else runs later: a cron table, a start-up file."""
        if text.strip() and len(self.later) < MOST_TEXTS and (text, why) not in self.later:
            self.later.append((text, why))


class Stage(Persona):
    """The persona of a recovery machine: it carries the recorder to the programs that run on it.

    `programs` is what a shell's hash table holds for every program of the image, so that it looks for none.
    """

    recorder: object = None
    programs: Mapping[str, tuple[str, int]] = {}


def stage_of(p: Process) -> Stage:
    """The stage that a process plays on."""
    return cast(Stage, p.persona)


def recorder_of(p: Process) -> Recorder:
    """The recorder of the run that a process belongs to."""
    return cast(Recorder, stage_of(p).recorder)
