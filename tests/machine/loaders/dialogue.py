"""The attacker's end of a terminal or of exec requests: sends lines, waits for an answer, counts what was asked for."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field

from tests.machine.programs.support import NOW, installation, reply

from urltrap.machine.api import Connection
from urltrap.machine.effects import Effect, Fact, Fetch, FileClosed, Output, ProgramCrashed
from urltrap.machine.kernel.job import KernelJob
from urltrap.machine.kernel.login import Login
from urltrap.machine.machine import Machine
from urltrap.machine.persona import Kind
from urltrap.model.capture import FetchRequest

PAYLOAD = b"\x7fELF" + bytes(range(256)) * 3


class GaveUp(AssertionError):
    """The loader did not see what it waits for and would leave."""


@dataclass
class Visit:
    """One machine with one visitor; `bodies` are what the network serves, by the end of the URL."""

    kind: Kind
    protocol: str = "telnet"
    user: str = "root"
    bodies: dict[bytes, bytes] = field(default_factory=dict)
    requests: list[FetchRequest] = field(default_factory=list)
    written: list[FileClosed] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    now: float = NOW

    def __post_init__(self) -> None:
        persona, image = installation(self.kind)
        counter = itertools.count(7)
        self.persona = persona
        self.machine = Machine(
            image,
            persona,
            entropy=lambda below: next(counter) * 2_654_435_761 % below,
            boot_time=NOW - 90_000,
        )
        port = {"telnet": 23, "ssh": 22}[self.protocol]
        self.connection = Connection(self.protocol, "192.0.2.7", 40_000, "203.0.113.5", port, self.user, NOW)

    def login(self) -> Login:
        """Log in once more."""
        return self.machine.login(self.user, self.connection, self.now)

    def terminal(self) -> Talk:
        """A log-in shell on a terminal."""
        return Talk(self, self.login().shell("vt100", 80, 24))

    def exec(self, command: str) -> str:
        """One exec request; its standard output and error."""
        job = self.login().exec(command)
        job.receive_eof()
        talk = Talk(self, job)
        talk.drive(600)
        return talk.text

    def take(self, job: KernelJob, effects: list[Effect]) -> str:
        """Answer what the machine asks; the text for the attacker."""
        text = ""
        for each in effects:
            if isinstance(each, Output):
                text += each.data.decode("latin-1")
            elif isinstance(each, Fetch):
                self.requests.append(each.request)
                body = next(
                    (body for end, body in self.bodies.items() if each.request.url.endswith(end)), None
                )
                answer = (
                    reply(each.request, body) if body is not None else reply(each.request, outcome="recorded")
                )
                job.fetched(each.id, answer)
            elif isinstance(each, FileClosed):
                self.written.append(each)
            elif isinstance(each, Fact):
                self.facts.append(each)
            assert not isinstance(each, ProgramCrashed), each.traceback
        return text

    def read(self, path: str) -> bytes:
        """A file of the machine."""
        return self.machine.view(0).read(path)

    @property
    def urls(self) -> list[bytes]:
        """What was asked for."""
        return [request.url for request in self.requests]


class Talk:
    """One job, as the attacker drives it."""

    def __init__(self, visit: Visit, job: KernelJob) -> None:
        self.visit = visit
        self.job = job
        self.text = ""
        self._seen = 0
        self.drive()

    def drive(self, until: float = 30.0) -> None:
        """Let the job go on until it waits for the attacker, at most `until` seconds of its clock."""
        end = self.visit.now + until
        for _ in range(20_000):
            effects = self.job.step(self.visit.now)
            self.text += self.visit.take(self.job, effects)
            if self.job.runnable or effects:
                continue
            wake = self.job.wake_at
            if wake is None or wake > end:
                return
            self.visit.now = max(self.visit.now, wake)
        raise GaveUp("it never waits for input")

    def send(self, line: str | bytes) -> None:
        """Type a line (what the terminal gets of a CR LF)."""
        self._seen = len(self.text)
        self.job.receive((line.encode() if isinstance(line, str) else line) + b"\r")
        self.drive()

    def ask(self, line: str, wants: str) -> str:
        """Send a line and wait for a pattern behind its echo; what came. GaveUp where it does not come."""
        self.send(line)
        return self.expect(wants)

    def expect(self, wants: str) -> str:
        """What came since the last line, where the pattern is in it."""
        came = self.text[self._seen :]
        if re.search(wants, came) is None:
            raise GaveUp(f"no {wants!r} in {came[-600:]!r}")
        return came
