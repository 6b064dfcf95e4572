"""Our side: a command line in a fresh emulated machine with the comparison's persona, driven without waiting."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fidelity.reference import CONNECTION, Environment, Result, of_the_device
from urltrap.machine.effects import Fact, Fetch, FetchReply, Output, ProgramCrashed
from urltrap.machine.fs.image import Image
from urltrap.machine.kernel import console
from urltrap.machine.machine import Machine
from urltrap.machine.persona import Persona
from urltrap.model.capture import Capture
from urltrap.model.event import ProgramRun
from urltrap.model.settings import SessionLimits
from urltrap.sensors.emulated import load_base_image

CPU_SECONDS = 10.0
GRACE_SECONDS = 1.0
VIRTUAL_SECONDS = 5.0
_LIMITS = SessionLimits()


@dataclass
class Trace:
    """What happened while a line ran: programs in the order of their end, and who wrote what of the output."""

    programs: list[tuple[str, str, int | None]] = field(default_factory=list)
    """(name as typed, outcome, status)"""
    writers: list[tuple[int, int, str]] = field(default_factory=list)
    """(stream, length, name of the process)"""
    crashes: list[tuple[str, str]] = field(default_factory=list)

    def writer_at(self, stream: int, offset: int) -> str:
        """Who wrote the byte at `offset` of a stream; "" behind the end."""
        place = 0
        for found, length, name in self.writers:
            if found == stream:
                place += length
                if offset < place:
                    return name
        return ""


class Ours:
    """The emulated machines of one environment."""

    def __init__(self, environment: Environment) -> None:
        self.persona = environment.persona
        self.image = _image(environment.persona)

    def shell_env(self) -> dict[str, str]:
        """The variables that a command gets, for the reference to start with the same."""
        login = self._machine().login("root", CONNECTION, self.persona.made + 60)
        return login._environment(None)

    def run(self, line: str) -> tuple[Result, Trace]:
        """Run one line on a new machine; time jumps to where sleepers wake, so that nothing waits."""
        trace = Trace()
        clock = self.persona.made + 60.0
        login = self._machine().login("root", CONNECTION, clock)
        job = login.exec(line)
        job.receive_eof()
        streams = {1: bytearray(), 2: bytearray()}
        started, start_clock = time.process_time(), clock
        ended = "exit"
        left_at: float | None = None
        with _Watched(trace):
            while True:
                for effect in job.step(clock):
                    self._take(effect, job, streams, trace)
                if job.exit_status is not None:
                    left_at = clock if left_at is None else left_at
                    if not job.lingering:
                        break
                if time.process_time() - started > CPU_SECONDS:
                    ended = "cpu"
                    break
                if not job.runnable:
                    wake = job.wake_at
                    limit = start_clock + VIRTUAL_SECONDS if left_at is None else left_at + GRACE_SECONDS
                    if wake is None or wake > limit:
                        ended = "exit" if left_at is not None else "wall"
                        break
                    clock = max(clock, wake)
        status = job.exit_status
        job.end()
        return Result(bytes(streams[1]), bytes(streams[2]), status, ended), trace

    def _machine(self) -> Machine:
        random = _Random()
        return Machine(self.image, self.persona, entropy=random.below, limits=_LIMITS)

    def _take(self, effect: Any, job: Any, streams: dict[int, bytearray], trace: Trace) -> None:
        if isinstance(effect, Output):
            streams[effect.stream] += effect.data
        elif isinstance(effect, Fact):
            if effect.event is ProgramRun:
                name = effect.fields["argv"][0] if effect.fields["argv"] else b""
                row = (name.decode("utf-8", "replace"), effect.fields["outcome"], effect.fields["status"])
                trace.programs.append(row)
        elif isinstance(effect, ProgramCrashed):
            trace.crashes.append((effect.name, effect.traceback))
        elif isinstance(effect, Fetch):
            job.fetched(effect.id, _refused(effect, self.persona.made))


class _Random:
    """Numbers that are the same on every run, so that two runs of the harness can be compared."""

    def __init__(self) -> None:
        self._state = 0x2545F491

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self._state >> 16) % limit


class _Watched:
    """While it is open, remembers which process wrote to standard output and error."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._original = console.ConsoleOutput.try_write

    def __enter__(self) -> None:
        original, trace = self._original, self._trace

        def try_write(file: console.ConsoleOutput, process: Any, data: bytes) -> int:
            written = original(file, process, data)
            name = process.argv[0].rpartition("/")[2] if process.argv else process.comm
            if name == "busybox" and len(process.argv) > 1:
                name = f"busybox {process.argv[1]}"
            trace.writers.append((file.stream, written, name[:40]))
            return written

        console.ConsoleOutput.try_write = try_write  # type: ignore[method-assign,assignment]

    def __exit__(self, *_: object) -> None:
        console.ConsoleOutput.try_write = self._original  # type: ignore[method-assign]


def _image(persona: Persona) -> Image:
    return load_base_image(of_the_device(persona), {})


def _refused(effect: Fetch, now: float) -> FetchReply:
    """What the reference's network answers: names do not resolve, everything else refuses the connection."""
    url = effect.request.url.decode("utf-8", "replace")
    host = url.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0].strip("[]")
    numeric = host.replace(".", "").isdigit() or host == "localhost"
    capture = Capture(
        url=url,
        at=datetime.fromtimestamp(now, UTC),
        client=effect.request.client,
        outcome="connect-failed" if numeric else "dns-failure",
        detail="Connection refused" if numeric else "Name or service not known",
    )
    return FetchReply(capture)
