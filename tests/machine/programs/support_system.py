"""A whole machine of a persona, and one command's output from it, for the system programs' tests."""

from __future__ import annotations

import itertools
from functools import cache

from urltrap.machine.api import Connection, Process, Run
from urltrap.machine.effects import Effect, Output
from urltrap.machine.errors import SysError
from urltrap.machine.fs.image import Image
from urltrap.machine.fs.overlay import Overlay
from urltrap.machine.kernel.job import KernelJob
from urltrap.machine.machine import Machine
from urltrap.machine.persona import Kind, Persona, generate
from urltrap.machine.programs import registry
from urltrap.sensors.emulated import load_base_image

NOW = 1_790_000_000.0


@cache
def persona(kind: Kind, seed: int = 7) -> Persona:
    return generate(b"seed of a test %16d" % seed, kind, NOW)


@cache
def image(kind: Kind, seed: int = 7) -> Image:
    return load_base_image(persona(kind, seed), {"ed25519": b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"})


class Server:
    """A machine with one log-in over SSH; `tty` gives the log-in a terminal in the tables."""

    def __init__(
        self,
        kind: Kind = "debian-12",
        *,
        seed: int = 7,
        tty: str = "",
        user: str = "root",
        server_ip: str = "10.1.2.3",
    ) -> None:
        counter = itertools.count(11)
        self.persona = persona(kind, seed)
        self.image = image(kind, seed)
        self.machine = Machine(
            self.image,
            self.persona,
            Overlay(self.image),
            entropy=lambda below: next(counter) * 2_654_435_761 % below,
        )
        self.connection = Connection("ssh", "198.51.100.23", 51_514, server_ip, 2222, user, NOW - 90, tty)
        self.login = self.machine.login(user, self.connection, NOW)
        self.now = NOW
        self.status: int | None = None
        self.error = ""

    def run(self, *argv: str, stdin: bytes = b"") -> str:
        """Standard output of one program; `status` and `error` are kept."""

        def entry(p: Process) -> Run:
            try:
                pid = p.spawn(list(argv), env={**p.env, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, path=None)
            except SysError as error:
                yield from p.err(f"{argv[0]}: {error.words}\n")
                return 127
            ended = yield from p.wait(pid)
            return ended[1] if ended else 0

        shell = self.login.account.shell.rpartition("/")[2]
        shell = {"ash": "busybox"}.get(shell, shell)
        registry.load_all()
        known = registry._PROGRAMS.get(shell)
        registry._PROGRAMS[shell] = entry
        try:
            job = self.login.exec("")
        finally:
            if known is None:
                registry._PROGRAMS.pop(shell)
            else:
                registry._PROGRAMS[shell] = known
        job.receive(stdin)
        job.receive_eof()
        effects = self._drive(job)
        self.status = job.exit_status
        self.error = b"".join(e.data for e in effects if isinstance(e, Output) and e.stream == 2).decode()
        return b"".join(e.data for e in effects if isinstance(e, Output) and e.stream == 1).decode()

    def read(self, path: str) -> str:
        """A file as root reads it."""
        return self.machine.view(0).read(path).decode("utf-8", "surrogateescape")

    def _drive(self, job: KernelJob) -> list[Effect]:
        effects: list[Effect] = []
        for _ in range(10_000):
            effects += job.step(self.now)
            if job.runnable:
                continue
            if job.wake_at is None:
                return effects
            self.now = max(self.now, job.wake_at)
        raise AssertionError("it never came to an end")
