"""A small machine for the shell's tests: the three shells, a few programs written here, a driver."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache, partial

from urltrap.machine.api import Connection, Process, Program, Run
from urltrap.machine.effects import Effect, Fact, Output, ProgramCrashed
from urltrap.machine.errors import SysError
from urltrap.machine.fs.image import Image, ImageBuilder
from urltrap.machine.fs.overlay import Overlay
from urltrap.machine.fs.program import ProgramContent
from urltrap.machine.kernel.job import KernelJob
from urltrap.machine.kernel.login import Login
from urltrap.machine.machine import Machine
from urltrap.machine.persona import Persona, generate
from urltrap.machine.programs import registry
from urltrap.machine.shell.main import shell
from urltrap.model.settings import SessionLimits

NOW = 1_790_000_000.0
PERSONA: Persona = generate(b"\1" * 32, "debian-12", NOW)
CONNECTION = Connection("ssh", "192.0.2.7", 40_000, "203.0.113.5", 22, "root", NOW)


def _cat(p: Process) -> Run:
    names = [word for word in p.argv[1:] if word != "-n"] or ["-"]
    numbered = "-n" in p.argv
    status = 0
    for name in names:
        try:
            fd = 0 if name == "-" else p.open(name)
            data = yield from p.read_all(fd)
        except SysError as problem:
            yield from p.err(f"cat: {name}: {problem.words}\n")
            status = 1
            continue
        if numbered:
            rows = data.split(b"\n")
            data = b"".join(b"%6d\t%s\n" % (i + 1, row) for i, row in enumerate(rows[:-1]))
        yield from p.write(1, data)
    return status


def _head(p: Process) -> Run:
    words = p.argv[1:]
    count = int(words[1] if words[0] == "-n" else words[0].lstrip("-nc")) if words else 10
    if words and words[0].startswith("-c"):
        data = yield from p.read_all(0, count)
        yield from p.write(1, data)
        return 0
    seen = b""
    while seen.count(b"\n") < count:
        piece = yield from p.read(0, 4096)
        if not piece:
            break
        seen += piece
    yield from p.write(
        1, b"".join(line + b"\n" for line in seen.split(b"\n")[:count] if line or b"\n" in seen)
    )
    return 0


def _wc(p: Process) -> Run:
    data = yield from p.read_all(0)
    yield from p.out(f"{data.count(10) if '-l' in p.argv else len(data)}\n")
    return 0


def _tr(p: Process) -> Run:
    data = yield from p.read_all(0)
    if p.argv[1:] == ["a-z", "A-Z"]:
        data = data.upper()
    yield from p.write(1, data)
    return 0


def _env(p: Process) -> Run:
    yield from p.out("".join(f"{name}={value}\n" for name, value in p.env.items()))
    return 0


def _sleep(p: Process) -> Run:
    yield from p.sleep(float(p.argv[1]))
    return 0


def _yes(p: Process) -> Run:
    while True:
        yield from p.write(1, b"y\n" * 512)


def _mkdir(p: Process) -> Run:
    for name in p.argv[1:]:
        if name != "-p":
            p.fs.mkdir(name)
    return 0
    yield


def _touch(p: Process) -> Run:
    for name in p.argv[1:]:
        p.fs.write(name, b"")
    return 0
    yield


def _chmod(p: Process) -> Run:
    for name in p.argv[2:]:
        p.fs.chmod(name, 0o755 if p.argv[1] == "+x" else int(p.argv[1], 8))
    return 0
    yield


def _rm(p: Process) -> Run:
    for name in p.argv[1:]:
        if not name.startswith("-"):
            try:
                p.fs.unlink(name)
            except SysError as problem:
                if "-f" not in p.argv:
                    yield from p.err(f"rm: cannot remove '{name}': {problem.words}\n")
                    return 1
    return 0


def _echo(p: Process) -> Run:
    yield from p.out(" ".join(p.argv[1:]) + "\n")
    return 0


def _uname(p: Process) -> Run:
    yield from p.out("Linux\n")
    return 0


PROGRAMS: dict[str, Program] = {
    "bash": partial(shell, dialect="bash"),
    "dash": partial(shell, dialect="dash"),
    "ash": partial(shell, dialect="ash"),
    "cat": _cat, "head": _head, "wc": _wc, "tr": _tr, "env": _env, "sleep": _sleep, "yes": _yes, "mkdir": _mkdir,
    "touch": _touch, "chmod": _chmod, "rm": _rm, "uname": _uname, "echo": _echo,
}  # fmt: skip


@cache
def image(login_shell: str = "bash") -> Image:
    """/etc, /dev, /tmp, /root and /usr/bin with the programs above."""
    builder = ImageBuilder(mtime=NOW - 1_000_000)
    builder.add_standard_devices()
    builder.add_file("/etc/passwd", f"root:x:0:0:root:/root:/bin/{login_shell}\n".encode())
    builder.add_file("/etc/group", b"root:x:0:\n")
    builder.add_file("/etc/motd", b"")
    builder.add_dir("/tmp", 0o1777)
    builder.add_dir("/tmp/w", 0o755)
    builder.add_dir("/proc")
    builder.add_dir("/root", 0o700)
    for name in PROGRAMS:
        builder.add_file(
            f"/usr/bin/{name}", ProgramContent(f"shelltest-{name}", 40_000, name.encode()), 0o755
        )
        if name in ("bash", "dash", "ash"):
            builder.add_file(
                f"/bin/{name}", ProgramContent(f"shelltest-{name}", 40_000, name.encode()), 0o755
            )
    return builder.freeze()


for _name, _program in PROGRAMS.items():
    registry.program(f"shelltest-{_name}")(_program)


def entropy() -> Callable[[int], int]:
    """Numbers that look chosen but are the same in every run."""
    counter = itertools.count(7)
    return lambda below: next(counter) * 2_654_435_761 % below


class ShellBox:
    """A machine, one log-in, and what came out of its jobs."""

    def __init__(self, login_shell: str = "bash", *, limits: SessionLimits | None = None) -> None:
        self.image = image(login_shell)
        self.machine = Machine(self.image, PERSONA, Overlay(self.image), entropy=entropy(), limits=limits)
        self.login: Login = self.machine.login("root", CONNECTION, NOW)
        self.now = NOW
        self.effects: list[Effect] = []

    def start(
        self, argv: list[str], *, stdin: bytes | None = b"", env: dict[str, str] | None = None
    ) -> KernelJob:
        """Start a shell with these arguments in /tmp/w."""

        def launcher(p: Process) -> Run:
            p.chdir("/tmp/w")
            return (yield from p.exec(argv, path=f"/usr/bin/{argv[0].lstrip('-')}", env={
                "PATH": "/usr/bin:/bin", "HOME": "/root", **(env or {})
            }))  # fmt: skip

        entry = registry._PROGRAMS
        name = f"shelltest-{self.machine_shell()}"
        before = entry[name]
        entry[name] = launcher
        try:
            job = self.login.exec("")
        finally:
            entry[name] = before
        if stdin is not None:
            job.receive(stdin)
            job.receive_eof()
        return job

    def machine_shell(self) -> str:
        """The name of root's shell."""
        return self.login.account.shell.rpartition("/")[2]

    def run(
        self, dialect: str, script: str, *, stdin: bytes = b"", env: dict[str, str] | None = None
    ) -> int | None:
        """``DIALECT -c script`` to its end."""
        return self.drive(self.start([dialect, "-c", script], stdin=stdin, env=env))

    def drive(self, job: KernelJob, steps: int = 20_000) -> int | None:
        """Step until the job is blocked for good or ended, letting time pass for sleepers."""
        for _ in range(steps):
            self.effects += job.step(self.now)
            if job.runnable:
                continue
            if job.wake_at is None:
                return job.exit_status
            self.now = max(self.now, job.wake_at)
        raise AssertionError("it never came to an end")

    def take(self, stream: int = 1) -> str:
        """What the attacker saw on one stream."""
        crashes = [each for each in self.effects if isinstance(each, ProgramCrashed)]
        assert not crashes, crashes[0]
        data = b"".join(
            each.data for each in self.effects if isinstance(each, Output) and each.stream == stream
        )
        return data.decode("utf-8", "surrogateescape")

    def facts(self, event: type) -> list[dict[str, object]]:
        """The fields of the facts of one kind."""
        return [each.fields for each in self.effects if isinstance(each, Fact) and each.event is event]
