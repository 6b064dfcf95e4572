"""A small machine behind the real sensors: enough commands to see what a sensor does with any machine's jobs."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from urltrap.machine.api import Connection
from urltrap.machine.effects import (
    BytesContent,
    Effect,
    Fact,
    Fetch,
    FetchReply,
    FileClosed,
    Output,
    ProgramCrashed,
    WentDown,
)
from urltrap.model.admission_settings import AdmissionSettings
from urltrap.model.capture import Capture, FetchRequest
from urltrap.model.event import CommandEntered, Event, EventBase, decode_event, encode_event
from urltrap.model.settings import CredentialSettings, SessionLimits, SshSettings
from urltrap.quarantine.quarantine import Quarantine
from urltrap.sensors.admission import Admission, Places
from urltrap.sensors.credentials import Credentials
from urltrap.sensors.jobs import Services
from urltrap.sensors.machines import Machines
from urltrap.sensors.scheduler import Scheduler
from urltrap.sensors.session import ErrorLog
from urltrap.sensors.ssh.server import SshSensor, shipped_profile

PASSWORD = "letmein-7"


class FakeJob:
    """Understands a few commands; `yes` never ends, `cat` copies its input, anything else is echoed."""

    def __init__(self, command: str, env: Mapping[str, str], terminal: bool) -> None:
        self.command = command
        self.env = env
        self.terminal = terminal
        self.inbox = b""
        self.ended_input = False
        self.started = False
        self.hung_up = False
        self.reply: FetchReply | None = None
        self.signals: list[str] = []
        self.size = (0, 0)
        self.down: Callable[[], None] = lambda: None
        self._status: int | None = None
        self.wake_at: float | None = None
        self.lingering = self.waiting_for_fetch = self.ended = False

    @property
    def backlog(self) -> int:
        return len(self.inbox)

    def end(self) -> None:
        self.ended = True

    def receive(self, data: bytes) -> None:
        self.inbox += data

    def receive_eof(self) -> None:
        self.ended_input = True

    def receive_signal(self, name: str) -> None:
        self.signals.append(name)
        self._status = 128 + 15

    def resize(self, columns: int, rows: int) -> None:
        self.size = (columns, rows)
        self.inbox += b"resized\r"

    def fetched(self, id: int, reply: FetchReply) -> None:
        self.reply = reply

    def hang_up(self) -> None:
        self.hung_up = True
        self._status = 129

    @property
    def runnable(self) -> bool:
        return self.command == "yes" and self._status is None

    @property
    def exit_status(self) -> int | None:
        return self._status

    @property
    def killed_by(self) -> str | None:
        return None

    def step(self, now: float, budget: int = 20_000) -> list[Effect]:
        if self.terminal:
            return self._shell()
        name, _, rest = self.command.partition(" ")
        first, self.started = not self.started, True
        if name == "yes":
            return [Output(b"y\n" * 2000)]
        if name == "cat":
            data, self.inbox = self.inbox, b""
            if self.ended_input:
                self._status = 0
            return [Output(data)] if data else []
        if name == "keep":  # keep PATH: standard input into a file
            if not self.ended_input:
                return []
            self._status = 0
            return [FileClosed(rest, BytesContent(self.inbox), 0o100755)]
        if name == "wget":
            if first:
                return [Fetch(1, FetchRequest(url=rest.encode(), client="wget"))]
            if self.reply is None:
                return []
            self._status = 0
            body = self.reply.body.read(0, 1000) if self.reply.body else b"nothing"
            return [Output(body)]
        if name == "sleep":
            if first:
                self.wake_at = now + float(rest)
            elif self.wake_at is not None and now >= self.wake_at:
                self._status, self.wake_at = 0, None
                return [Output(b"slept\n")]
            return []
        if name == "crash":
            raise RuntimeError("a defect of the machine")
        if name == "segfault":  # a program of the machine has a defect
            self._status = 139
            return [ProgramCrashed("segfault", ("segfault",), "Traceback: here")]
        if name == "wait":
            return []
        if name == "background":  # ends at once, and writes a file a moment later
            if first:
                self.wake_at, self._status, self.lingering = now + 0.05, 0, True
                return [Output(b"started\n")]
            if self.wake_at is not None and now >= self.wake_at:
                self.wake_at, self.lingering = None, False
                return [FileClosed("/tmp/later", BytesContent(b"later"), 0o100644)]
            return []
        self._status = 0
        if name == "exit":
            self._status = int(rest)
            return []
        if name == "both":
            return [Output(b"out\n", 1), Output(b"err\n", 2)]
        if name == "env":
            return [Output("".join(f"{k}={v}\n" for k, v in sorted(self.env.items())).encode())]
        return [Output(self.command.encode("utf-8", "surrogateescape") + b"\n")]

    def _shell(self) -> list[Effect]:
        effects: list[Effect] = []
        if not self.started:
            self.started = True
            effects.append(Output(b"$ "))
        while b"\r" in self.inbox or b"\n" in self.inbox:
            self.inbox = self.inbox.replace(b"\n", b"\r")
            line, _, self.inbox = self.inbox.partition(b"\r")
            if line == b"reboot":
                self.down()
                return [*effects, WentDown("reboot")]
            if line == b"exit":
                self._status = 3
                return [*effects, Output(b"logout\r\n")]
            effects.append(Fact(CommandEntered, {"mode": "shell", "text": line}))
            effects.append(Output(line + b"\r\nran " + line + b"\r\n$ "))
        return effects


class FakeLogin:
    def __init__(self, machine: FakeMachine, user: str, connection: Connection) -> None:
        self.machine = machine
        self.account = type("Account", (), {"uid": 0, "home": "/root"})()
        self.user = user
        self.connection = connection

    def exec(self, command: str, env: Mapping[str, str]) -> FakeJob:
        return self.machine.job(FakeJob(command, env, terminal=False))

    def shell(self, term: str, columns: int, rows: int, env: Mapping[str, str]) -> FakeJob:
        return self.machine.job(FakeJob("", env, terminal=True))

    def shell_on_pipes(self, env: Mapping[str, str]) -> FakeJob:
        return self.exec("exec $SHELL -l", env)

    def exec_on_terminal(
        self, command: str, term: str, columns: int, rows: int, env: Mapping[str, str]
    ) -> FakeJob:
        return self.machine.job(FakeJob(command, env, terminal=False))

    def close(self, now: float) -> None:
        self.machine.closed += 1


class FakeMachine:
    def __init__(self) -> None:
        self.jobs: list[FakeJob] = []
        self.logins: list[FakeLogin] = []
        self.closed = 0
        self.back: float | None = None

    def job(self, job: FakeJob) -> FakeJob:
        job.down = self.go_down
        self.jobs.append(job)
        return job

    def login(
        self, user: str, connection: Connection, now: float, password: bytes | None = None
    ) -> FakeLogin:
        self.logins.append(FakeLogin(self, user, connection))
        return self.logins[-1]

    def view(self, uid: int) -> Any:
        raise NotImplementedError("the small machine has no files")

    def go_down(self) -> None:
        self.back = time.time() + 3600

    def down_until(self, now: float) -> float | None:
        return self.back if self.back is not None and now < self.back else None

    def pass_time(self, now: float) -> None:
        pass


class FakeMaker:
    def __init__(self) -> None:
        self.made: dict[str, FakeMachine] = {}
        self.saved: dict[str, bytes | None] = {}

    def make(self, address: str, saved: bytes | None) -> FakeMachine:
        self.saved[address] = saved
        self.made[address] = FakeMachine()
        return self.made[address]

    def dump(self, machine: Any, now: float) -> bytes | None:
        return b"changes"


class ListJournal:
    """Keeps events as the journal would: through their encoded form."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self._arrived = asyncio.Event()

    def append(self, event: EventBase) -> None:
        self.records.append(encode_event(event))
        self._arrived.set()

    @property
    def events(self) -> list[Event]:
        return [decode_event(record) for record in self.records]

    def of(self, kind: type[EventBase]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def wait_for(self, kind: type[EventBase], count: int = 1) -> list[Any]:
        async with asyncio.timeout(20):
            while len(found := self.of(kind)) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return found


class FakeFetcher:
    def __init__(self, quarantine: Quarantine) -> None:
        self.asked: list[FetchRequest] = []
        self.quarantine = quarantine
        self.broken = False

    async def fetch(self, request: FetchRequest) -> Capture:
        self.asked.append(request)
        if self.broken:
            raise ConnectionRefusedError("no fetcher")
        artifact = self.quarantine.put(b"payload\n")
        return Capture(
            url=request.url.decode(), at=datetime.now(UTC), outcome="fetched", sha256=artifact.sha256, size=8
        )


class Trap:
    """A running SSH sensor and everything that a test may want to look at."""

    def __init__(self, sensor: SshSensor, port: int, journal: ListJournal, maker: FakeMaker) -> None:
        self.sensor = sensor
        self.port = port
        self.journal = journal
        self.maker = maker
        self.fetcher: FakeFetcher = sensor.services.fetcher  # type: ignore[assignment]

    @property
    def machine(self) -> FakeMachine:
        return self.maker.made["127.0.0.1"]

    def connect(self, **options: Any) -> Any:
        options = {"username": "root", "password": PASSWORD, "client_keys": None} | options
        return asyncssh.connect(
            "127.0.0.1", self.port, known_hosts=None, config=None, agent_path=None, **options
        )


@pytest.fixture(scope="session")
def host_keys(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("keys")
    for name, algorithm in (("rsa", "ssh-rsa"), ("ecdsa", "ecdsa-sha2-nistp256"), ("ed25519", "ssh-ed25519")):
        asyncssh.generate_private_key(algorithm).write_private_key(str(folder / name))
    return list(asyncssh.load_keypairs([str(folder / name) for name in ("rsa", "ecdsa", "ed25519")]))


def bound() -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    return sock


class TrapBuilder:
    def __init__(self, folder: Path, host_keys: list[Any]) -> None:
        self.folder = folder
        self.host_keys = host_keys
        self.started: list[SshSensor] = []

    def services(self, errors: ErrorLog) -> Services:
        quarantine = Quarantine(self.folder / "quarantine")
        return Services(
            scheduler=Scheduler(asyncio.get_running_loop()),
            fetcher=FakeFetcher(quarantine),
            artifacts=quarantine,
            errors=errors,
        )

    async def __call__(
        self,
        *,
        settings: SshSettings | None = None,
        limits: SessionLimits | None = None,
        maker: Any = None,
        total: int = 100,
        per_address: int = 100,
        admission: AdmissionSettings | None = None,
        profile_changes: Mapping[str, Any] | None = None,
        **credentials: Any,
    ) -> Trap:
        journal, errors, maker = ListJournal(), ErrorLog(time.monotonic), maker or FakeMaker()
        profile, groups = shipped_profile()
        waits = dict.fromkeys(("banner_delay_ms", "password_check_ms", "password_refusal_ms"), 0.0)
        changes = waits | dict(profile_changes or {})
        overlays = self.folder / "overlays"
        overlays.mkdir(exist_ok=True)
        sensor = SshSensor(
            settings=settings or SshSettings(),
            limits=limits or SessionLimits(),
            profile=profile.model_copy(update=changes),
            groups=groups,
            host_keys=self.host_keys,
            secret=b"s" * 32,
            persona_name="web1",
            journal=journal,
            services=self.services(errors),
            machines=Machines(maker, overlays, b"s" * 32, keep_hours=1, max_bytes=1 << 20, errors=errors),
            credentials=Credentials(
                CredentialSettings(accept=[f"root:{PASSWORD}"], after_tries=(50, 60)),
                b"s" * 32,
                ["root", "admin"],
                **credentials,
            ),
            admission=Admission(
                "ssh",
                journal,
                places=Places(total),
                settings=admission or AdmissionSettings(),
                per_source=per_address,
            ),
            linger_seconds=0.5,
        )
        sock = bound()
        port = sock.getsockname()[1]
        await sensor.start([sock])
        self.started.append(sensor)
        return Trap(sensor, port, journal, maker)


@pytest.fixture
async def trap_builder(tmp_path: Path, host_keys: list[Any]) -> AsyncIterator[TrapBuilder]:
    builder = TrapBuilder(tmp_path, host_keys)
    yield builder
    for sensor in builder.started:
        await sensor.stop()


@pytest.fixture
async def trap(trap_builder: TrapBuilder) -> Trap:
    return await trap_builder()
