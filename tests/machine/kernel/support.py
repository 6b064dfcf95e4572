"""A small machine for tests: a handful of files, programs that are written in the test, a driver."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from urltrap.machine.api import Connection, Process, Program, Run
from urltrap.machine.effects import Effect, Fact, FileClosed, Output
from urltrap.machine.fs.image import Image, ImageBuilder
from urltrap.machine.fs.overlay import Overlay
from urltrap.machine.fs.program import ProgramContent
from urltrap.machine.kernel.job import KernelJob
from urltrap.machine.kernel.login import Login
from urltrap.machine.machine import Machine
from urltrap.machine.persona import Persona, generate
from urltrap.machine.programs import registry
from urltrap.model.settings import SessionLimits

NOW = 1_790_000_000.0
PERSONA: Persona = generate(b"\1" * 32, "debian-12", NOW)
CONNECTION = Connection("ssh", "192.0.2.7", 40_000, "203.0.113.5", 22, "root", NOW)


def entropy() -> Callable[[int], int]:
    """Numbers that look chosen but are the same in every run."""
    counter = itertools.count(7)
    return lambda below: next(counter) * 2_654_435_761 % below


def small_image(*programs: str) -> Image:
    """/etc with three accounts, /dev, /tmp, /root, and /bin/NAME for each program."""
    builder = ImageBuilder(mtime=NOW - 1_000_000)
    builder.add_standard_devices()
    builder.add_file(
        "/etc/passwd",
        b"root:x:0:0:root:/root:/bin/sh\nmia:x:1000:1000::/home/mia:/bin/sh\nbroken:x:1001:1001::/:/bin/none\n",
    )
    builder.add_file("/etc/group", b"root:x:0:\nmia:x:1000:\nadm:x:4:mia\n")
    builder.add_file("/etc/shadow", b"root:$y$hash:19000:0:99999:7:::\nmia:!:19000::::::\n", 0o640)
    builder.add_file("/etc/motd", b"welcome\n")
    builder.add_dir("/tmp", 0o1777)
    builder.add_dir("/proc")
    builder.add_dir("/root", 0o700)
    builder.add_dir("/home/mia", uid=1000, gid=1000)
    builder.add_file("/root/notes", b"one\ntwo\n", 0o644)
    builder.add_file("/bin/script", b"#!/bin/show -x\n", 0o755)
    builder.add_file("/bin/textfile", b"echo hello\n", 0o755)
    for name in programs:
        builder.add_file(f"/bin/{name}", ProgramContent(name, 40_000 + 64 * len(name), name.encode()), 0o755)
    return builder.freeze()


class Box:
    """A machine, one log-in, and what came out of its jobs."""

    def __init__(
        self,
        *programs: str,
        limits: SessionLimits | None = None,
        image: Image | None = None,
        user: str = "root",
    ) -> None:
        self.image = image or small_image("sh", *programs)
        self.overlay = Overlay(self.image)
        self.machine = Machine(self.image, PERSONA, self.overlay, entropy=entropy(), limits=limits)
        self.login: Login = self.machine.login(user, CONNECTION, NOW)
        self.now = NOW
        self.effects: list[Effect] = []

    def run(self, program: Program, *, stdin: bytes | None = b"", steps: int = 10_000) -> int | None:
        """Run `program` as the shell of one command to its end; its status."""
        job = self.start(program)
        if stdin is not None:
            job.receive(stdin)
            job.receive_eof()
        return self.drive(job, steps)

    def start(self, program: Program, *, terminal: bool = False) -> KernelJob:
        """Start `program` as the log-in's shell."""
        with registered("sh", program):
            return self.login.shell("xterm", 80, 24) if terminal else self.login.exec("")

    def drive(self, job: KernelJob, steps: int = 10_000) -> int | None:
        """Step until it is blocked for good or ended, letting time pass for sleepers."""
        for _ in range(steps):
            self.effects += job.step(self.now)
            if job.runnable:
                continue
            if job.wake_at is None:
                return job.exit_status
            self.now = max(self.now, job.wake_at)
        raise AssertionError("it never came to an end")

    def output(self, stream: int = 1) -> bytes:
        """What the attacker saw."""
        return b"".join(
            each.data for each in self.effects if isinstance(each, Output) and each.stream == stream
        )

    def facts(self, event: type) -> list[dict[str, object]]:
        """The fields of the facts of one kind."""
        return [each.fields for each in self.effects if isinstance(each, Fact) and each.event is event]

    def closed(self) -> list[tuple[str, bytes]]:
        """Files that were changed, with their content."""
        found = [each for each in self.effects if isinstance(each, FileClosed)]
        return [(each.path, each.content.read(0, each.content.size)) for each in found]


class registered:
    """Programs of a test in the registry, for the time of a with block."""

    def __init__(self, *names_and_programs: object, **programs: Program) -> None:
        pairs = zip(names_and_programs[::2], names_and_programs[1::2], strict=True)
        self._programs: dict[str, Program] = {**{str(name): entry for name, entry in pairs}, **programs}  # type: ignore[misc]
        self._before: dict[str, Program] = {}

    def __enter__(self) -> None:
        table = registry._PROGRAMS
        self._before = dict(table)
        table.update(self._programs)

    def __exit__(self, *problem: object) -> None:
        registry._PROGRAMS.clear()
        registry._PROGRAMS.update(self._before)


def say(text: str, status: int = 0) -> Program:
    """A program that prints one text."""

    def run(p: Process) -> Run:
        yield from p.out(text)
        return status

    return run
