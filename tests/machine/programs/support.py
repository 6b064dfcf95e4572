# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""A whole machine for tests of programs: the recorded image of Debian 12 with a shell, a driver and a scripted network."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from urltrap.machine.api import Connection
from urltrap.machine.effects import BytesContent, Effect, Fact, Fetch, FetchReply, Output, ProgramCrashed
from urltrap.machine.fs.image import Image
from urltrap.machine.kernel.passwords import Crypt
from urltrap.machine.machine import Machine
from urltrap.machine.persona import Kind, Persona, generate
from urltrap.model.capture import Capture, CaptureOutcome, FetchRequest, Hop
from urltrap.sensors.emulated import load_base_image

NOW = 1_790_000_000.0
CONNECTION = Connection("ssh", "192.0.2.7", 40_000, "203.0.113.5", 22, "root", NOW)
Network = Callable[[FetchRequest], FetchReply]


@cache
def installation(kind: Kind = "debian-12") -> tuple[Persona, Image]:
    """A persona and its image, made once per test run."""
    persona = generate(b"\1" * 32, kind, NOW)
    return persona, load_base_image(persona, {})


def reply(
    request: FetchRequest,
    body: bytes | None = None,
    *,
    outcome: CaptureOutcome = "fetched",
    status: int | None = 200,
    reason: bytes = b"OK",
    headers: dict[str, str] | None = None,
    address: str = "198.51.100.9:80",
    detail: str = "",
    hops: list[Hop] | None = None,
) -> FetchReply:
    """An answer of the fetcher."""
    shown = (
        {"Content-Type": "text/plain", "Content-Length": str(len(body or b""))}
        if headers is None
        else headers
    )
    capture = Capture(
        url=request.url.decode("utf-8", "replace"), at=datetime.fromtimestamp(NOW, UTC), client=request.client,
        outcome=outcome, status=status if outcome == "fetched" else None, reason=reason if outcome == "fetched" else b"",
        headers=[(key.encode(), value.encode()) for key, value in shown.items()] if outcome == "fetched" else [],
        address=address if outcome in ("fetched", "connect-failed") else "", detail=detail, elapsed_ms=40,
        size=len(body) if body is not None else None, hops=hops or [],
    )  # fmt: skip
    return FetchReply(capture, BytesContent(body) if body is not None else None)


def nothing_leaves(request: FetchRequest) -> FetchReply:
    """The fetcher in its recording mode."""
    return reply(request, outcome="recorded")


@dataclass
class Result:
    """What a command line did."""

    status: int | None
    out: bytes
    err: bytes
    effects: list[Effect] = field(default_factory=list)
    requests: list[FetchRequest] = field(default_factory=list)
    seconds: float = 0.0

    def facts(self, event: type) -> list[dict[str, object]]:
        """The fields of the facts of one kind."""
        return [each.fields for each in self.effects if isinstance(each, Fact) and each.event is event]


class Box:
    """One attacker's machine, kept between command lines."""

    def __init__(
        self,
        kind: Kind = "debian-12",
        network: Network = nothing_leaves,
        user: str = "root",
        crypt: Crypt | None = None,
    ) -> None:
        persona, image = installation(kind)
        counter = itertools.count(7)
        self.machine = Machine(
            image,
            persona,
            entropy=lambda below: next(counter) * 2_654_435_761 % below,
            boot_time=NOW - 90_000,
            crypt=crypt,
        )
        self.login = self.machine.login(user, CONNECTION, NOW)
        self.network = network
        self.now = NOW

    def put(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """A file in it."""
        self.machine.view(0).write(path, data, mode=mode)

    def read(self, path: str) -> bytes:
        """A file of it."""
        return self.machine.view(0).read(path)

    def run(
        self,
        line: str,
        stdin: bytes = b"",
        *,
        terminal: bool = False,
        env: dict[str, str] | None = None,
        rounds: int = 60_000,
    ) -> Result:
        """Run a command line to its end, answering what it asks of the network, letting time pass for sleepers."""
        if terminal:
            job = self.login.exec_on_terminal(line, "xterm", 80, 24, env)
        else:
            job = self.login.exec(line, env)
        if stdin or not terminal:
            job.receive(stdin)
            job.receive_eof()
        effects: list[Effect] = []
        requests: list[FetchRequest] = []
        began = self.now
        for _ in range(rounds):
            found = job.step(self.now)
            effects += found
            for each in found:
                if isinstance(each, Fetch):
                    requests.append(each.request)
                    job.fetched(each.id, self.network(each.request))
                assert not isinstance(each, ProgramCrashed), each.traceback
            if job.runnable or any(isinstance(each, Fetch) for each in found):
                continue
            if job.exit_status is not None and not job.lingering:
                break
            if job.wake_at is None:
                break
            self.now = max(self.now, job.wake_at)
        else:
            raise AssertionError(f"it never came to an end: {line!r}")
        out, err = (
            b"".join(each.data for each in effects if isinstance(each, Output) and each.stream == stream)
            for stream in (1, 2)
        )
        return Result(job.exit_status, out, err, effects, requests, self.now - began)
