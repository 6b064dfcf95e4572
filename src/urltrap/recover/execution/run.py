"""Run one shell text on the recovery machine and tell what it asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from urltrap.machine.api import FileSystem, decode, encode
from urltrap.machine.effects import Fact, Fetch, FetchReply, FileClosed
from urltrap.machine.errors import SysError
from urltrap.model.capture import Capture
from urltrap.model.event import BudgetSpent
from urltrap.recover.ask import Ask
from urltrap.recover.clients.files import request
from urltrap.recover.execution.command import LARGEST_BINARY
from urltrap.recover.execution.recorder import Recorded, Recorder
from urltrap.recover.execution.stage import NOW, STEPS, connections, log_in

_SLICES = 400
_LATER = (
    ("cron", re.compile(r"cron")),
    ("unit", re.compile(r"\.(?:service|timer|desktop)$")),
    ("keys", re.compile(r"/authorized_keys2?$")),
    ("inittab", re.compile(r"/inittab$")),
    ("network", re.compile(r"/network/interfaces")),
    ("udev", re.compile(r"/udev/rules\.d/")),
    ("apt", re.compile(r"/apt\.conf")),
    (
        "start-up",
        re.compile(
            r"/etc/(?:init\.d/|rc|profile|bash|update-motd\.d/|network/if-|hotplug\.d/)|/systemd/|/\.ssh/rc$|/\.git/hooks/"
            r"|/fish/|/\.(?:bashrc|profile|bash_profile|bash_login|bash_aliases|zshrc|zprofile|bash_logout)$"
        ),
    ),
)
"""Why a file that was written is run later, by its path; the first that fits."""
_LARGEST = 300_000


@dataclass(slots=True)
class Ran:
    """What a run brought: `asked`, texts that run `later` (with why), ELF files that were put together, `texts` that
    were put together for a shell (with how it came to them), notes."""

    asked: list[Recorded] = field(default_factory=list)
    later: list[tuple[bytes, str]] = field(default_factory=list)
    binaries: list[tuple[str, bytes]] = field(default_factory=list)
    texts: list[tuple[bytes, tuple[str, ...]]] = field(default_factory=list)
    branches: int = 0
    notes: list[str] = field(default_factory=list)


_NOTHING = Capture(url="http://192.0.2.1/", at=datetime(2026, 1, 1, tzinfo=UTC), outcome="recorded")
"""The answer to everything that asks the fetcher itself: it stays in this room."""


def run(text: bytes, variant: int = 0, chain: tuple[str, ...] = (), steps: int = STEPS) -> Ran:
    """Run `text` as ``sh -c`` does. Bounded in steps and memory; a run that is ended tells what it had so far."""
    recorder = Recorder(variant=variant, chain=chain)
    machine, login = log_in(recorder, steps)
    job = login.exec(decode(text))
    job.receive_eof()
    ran = Ran()
    now = NOW
    written: dict[str, FileClosed] = {}
    for _ in range(_SLICES):
        for effect in job.step(now, steps):
            if isinstance(effect, Fetch):
                request_ = effect.request
                recorder.note(Ask(request_.url, request_.client, user_agent=request_.user_agent))
                job.fetched(effect.id, FetchReply(_NOTHING))
            elif isinstance(effect, FileClosed):
                written[effect.path] = effect
            elif isinstance(effect, Fact) and effect.event is BudgetSpent:
                ran.notes.append(
                    f"{effect.fields['what']} spent: what is behind that point was only read, not run"
                )
        if job.runnable:
            continue
        if job.wake_at is None:
            break
        now = max(now, job.wake_at)
    else:
        ran.notes.append("it does not come to an end: only its beginning was run")
    job.end()
    opened = connections(machine)
    if opened is not None:
        _network(opened, recorder, written)
    ran.asked, ran.later, ran.branches = recorder.asked, recorder.later, recorder.branches
    ran.texts = [(encode(inner), how) for inner, how in recorder.texts.items()]
    ran.binaries = [(path, data) for data, path in recorder.binaries.items()]
    for path, closed in written.items():
        _file(ran, path, closed)
    return ran


def _network(files: FileSystem, recorder: Recorder, written: dict[str, FileClosed]) -> None:
    """Connections by ``/dev/tcp``: an HTTP request is a download, anything else a call-back."""
    try:
        names = files.listdir("/net")
    except SysError:
        return
    for name in names:
        kind, _, rest = name.partition(":")
        host, _, port = rest.rpartition(":")
        if kind not in ("tcp", "udp") or not host or not port.isdecimal():
            continue
        closed = written.pop(f"/net/{name}", None)
        sent = closed.content.read(0, 65_536) if closed else b""
        found = request(host.encode(), port.encode(), sent, "dev-tcp")
        if found:
            recorder.note(found)


def _file(ran: Ran, path: str, closed: FileClosed) -> None:
    size = closed.content.size
    if not size or len(ran.binaries) + len(ran.later) > 60:
        return
    head = closed.content.read(0, 64)
    if head[:4] == b"\x7fELF":
        data = closed.content.read(0, LARGEST_BINARY)
        if all(data != known for _, known in ran.binaries):
            ran.binaries.append((path, data))
        return
    why = next((why for why, fits in _LATER if fits.search(path)), "")
    if not why or size > _LARGEST:
        return
    data = closed.content.read(0, _LARGEST)
    if (data, why) not in ran.later:
        ran.later.append((data, why))
