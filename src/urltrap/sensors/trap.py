"""One trap process: what all sensors share, built from the data folder; listening, dropping root, ending."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import gc
import json
import resource
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from urltrap.egress.client import FetcherClient
from urltrap.journal.writer import JournalWriter
from urltrap.machine.persona import Persona, with_telnet
from urltrap.model.canary import Canary
from urltrap.model.settings import Settings
from urltrap.quarantine.quarantine import Quarantine
from urltrap.sandbox.messages import SOCKET
from urltrap.sensors.admission import Admission, Places
from urltrap.sensors.boxed import BoxedMachines
from urltrap.sensors.credentials import Credentials
from urltrap.sensors.emulated import EmulatedMachines, load_base_image
from urltrap.sensors.figures import TrapFigures
from urltrap.sensors.jobs import Services
from urltrap.sensors.listener import BACKLOG
from urltrap.sensors.machines import Machines
from urltrap.sensors.memory import EVERY_SECONDS, MemoryWatch
from urltrap.sensors.scheduler import Scheduler
from urltrap.sensors.session import ErrorLog
from urltrap.sensors.sparing import SparingJournal
from urltrap.sensors.ssh.server import (
    SshSensor,
    load_host_keys,
    profile_name,
    public_key_lines,
    shipped_profile,
)
from urltrap.sensors.telnet import TelnetSensor, TelnetShared

_log = structlog.get_logger("trap")

LEAST_DESCRIPTORS = 4096
"""A trap that may open fewer files does not start."""
_FD_RESERVE = 256
"""Descriptors kept for the journal, the quarantine, the fetcher and whatever is opened for a moment."""
_ADVICE = {
    errno.EADDRINUSE: "stop the program that holds the port (ss -tlnp shows it), or change sensors.*.listen",
    errno.EACCES: "ports below 1024 need root; start as root, or change sensors.*.listen",
    errno.EADDRNOTAVAIL: "this machine has no such address; change sensors.*.listen",
}
_HOUSEKEEPING_LOOKS = 20
_SO_ATTACH_REUSEPORT_CBPF = 51
_SKF_NET_OFF = 0xFFF00000


class TrapError(Exception):
    """The trap cannot start; the message says what to do."""


async def run_trap(
    settings: Settings,
    data: Path,
    *,
    worker: str,
    workers: int,
    ready: Callable[[list[str]], None],
    stop: asyncio.Event,
    drop: Callable[[], None],
) -> None:
    """Run the sensors until `stop` is set.

    `worker` names the journal folder of this process, `workers` is how many processes share the ports. `ready` is
    called once with "NAME HOST:PORT" for each address, after binding and `drop`. TrapError where it cannot start.
    """
    with contextlib.ExitStack() as cleanup:
        ssh, telnet = settings.sensors.ssh, settings.sensors.telnet
        secret, host_keys = _read_secret(data / "keys" / "secret"), load_host_keys(data / "keys")
        ssh_sockets = _bind_all(ssh.listen if ssh.enabled else [], workers, cleanup)
        telnet_sockets = _bind_all(telnet.listen if telnet.enabled else [], workers, cleanup)
        limit = _raise_descriptor_limit()
        drop()
        await _run(
            settings, data, worker, secret, host_keys, (ssh_sockets, telnet_sockets), limit, ready, stop
        )


async def _run(
    settings: Settings,
    data: Path,
    worker: str,
    secret: bytes,
    host_keys: list[Any],
    sockets: tuple[list[socket.socket], list[socket.socket]],
    limit: int,
    ready: Callable[[list[str]], None],
    stop: asyncio.Event,
) -> None:
    ssh_sockets, telnet_sockets = sockets
    persona = _read_persona(data / "persona.json")
    if telnet_sockets:
        persona = with_telnet(persona)
    image = load_base_image(persona, public_key_lines(host_keys))
    quarantine = Quarantine(data / "quarantine", settings.journal.free_bytes_reserve // 2)
    errors = ErrorLog()
    places = Places(min(settings.sensors.max_connections, limit - _FD_RESERVE))

    with JournalWriter(data / "journal", worker, settings.journal) as writer:
        journal = SparingJournal(writer)
        async with FetcherClient(data / "run" / "fetcher.sock") as fetcher:
            services = Services(Scheduler(asyncio.get_running_loop()), fetcher, quarantine, errors)
            overlays = data / "overlays"
            emulated = EmulatedMachines(image, persona, settings.machine.limits, quarantine)
            maker: EmulatedMachines | BoxedMachines = emulated
            if settings.machine.kind == "sandbox":
                maker = BoxedMachines(emulated, data / SOCKET, settings.machine.limits)
            machines = Machines(
                maker,
                overlays,
                secret,
                keep_hours=settings.machine.keep_overlay_hours,
                max_bytes=settings.machine.limits.overlay_bytes,
                errors=errors,
            )
            credentials = Credentials(
                settings.credentials,
                secret,
                [user.name for user in persona.users],
                authority=lambda address, user, word: maker.password_answer(
                    machines.peek(address), user, word
                ),
                keys=lambda address, user: maker.authorized_keys(machines.peek(address), user),
                canary=Canary.of(secret),
            )
            credentials.load(sorted(overlays.glob("credentials-*.json")))
            profile, groups = shipped_profile(profile_name(persona.sshd_version))

            def admission(sensor: str) -> Admission:
                return Admission(
                    sensor,
                    journal,
                    places=places,
                    settings=settings.sensors.admission,
                    per_source=settings.sensors.max_connections_per_address,
                )

            ssh = SshSensor(
                settings=settings.sensors.ssh,
                limits=settings.machine.limits,
                profile=profile,
                groups=groups,
                host_keys=host_keys,
                secret=secret,
                persona_name=persona.hostname,
                journal=journal,
                services=services,
                machines=machines,
                credentials=credentials,
                admission=admission("ssh"),
                bytes_before_login=settings.sensors.admission.bytes_before_login,
            )
            telnet = TelnetSensor(
                TelnetShared(
                    settings=settings.sensors.telnet,
                    limits=settings.machine.limits,
                    hostname=persona.hostname,
                    persona_name=persona.hostname,
                    journal=journal,
                    services=services,
                    machines=machines,
                    credentials=credentials,
                    admission=admission("telnet"),
                    bytes_before_login=settings.sensors.admission.bytes_before_login,
                )
            )
            await ssh.start(ssh_sockets)
            await telnet.start(telnet_sockets)
            gc.collect()
            gc.freeze()  # the image and the modules live as long as the process: no use in looking at them again
            ready(
                [f"ssh {_name(sock)}" for sock in ssh_sockets]
                + [f"telnet {_name(sock)}" for sock in telnet_sockets]
            )
            kept = overlays / f"credentials-{worker}.json"
            doors = {"ssh": ssh.admission, "telnet": telnet.shared.admission}
            figures = TrapFigures(data / "run", worker, doors, journal)
            memory = MemoryWatch(places, settings.sensors.admission.memory_bytes)
            looks = 0
            try:
                while not stop.is_set():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), EVERY_SECONDS)
                    if memory.look():
                        _log.error("memory does not become free: this process ends, to be started again")
                        break
                    looks += 1
                    if looks % _HOUSEKEEPING_LOOKS == 0 or stop.is_set():
                        _housekeeping(
                            credentials, kept, machines, (*doors.values(), journal), figures, errors
                        )
            finally:
                await ssh.stop()
                await telnet.stop()
                machines.close()
                journal.flush()
                credentials.save(kept)


def _housekeeping(
    credentials: Credentials,
    kept: Path,
    machines: Machines,
    counted: tuple[Admission | SparingJournal, ...],
    figures: TrapFigures,
    errors: ErrorLog,
) -> None:
    try:
        figures.write()
        credentials.save(kept)
        machines.sweep()
        for each in counted:
            each.tell()
    except Exception as error:  # a full disk must not end the trap
        errors.report("housekeeping", error)


def _read_secret(path: Path) -> bytes:
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise TrapError(f"{path} cannot be read ({error.strerror}); urltrap init makes it") from error
    if len(secret) < 16:
        raise TrapError(
            f"{path} is too short to be the installation's secret; delete it and run urltrap init"
        )
    return secret


def _read_persona(path: Path) -> Persona:
    try:
        return Persona.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise TrapError(f"{path} cannot be read ({error.strerror}); urltrap init makes it") from error
    except ValueError as error:
        raise TrapError(f"{path} is not a persona of this version; delete it and run urltrap init") from error


def _raise_descriptor_limit() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit = hard if hard != resource.RLIM_INFINITY else 1 << 20
    if limit < LEAST_DESCRIPTORS:
        raise TrapError(
            f"only {limit} files may be open, too few under attack; allow {LEAST_DESCRIPTORS} or more "
            "(ulimit -Hn, LimitNOFILE= in systemd)"
        )
    return limit


def _bind_all(addresses: list[str], workers: int, cleanup: contextlib.ExitStack) -> list[socket.socket]:
    sockets = []
    for address in addresses:
        sockets.append(bind(address, workers))
        cleanup.callback(sockets[-1].close)
    return sockets


def bind(address: str, workers: int = 1) -> socket.socket:
    """A listening TCP socket for ``HOST:PORT``; with several workers the port is shared, and each source address stays
    on one of them. TrapError where the address is taken or not ours."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if workers > 1:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, int(port)))
        # A program attached before listening puts the socket into a group of its own: the second worker then cannot
        # listen on the port that both share ("address already in use").
        sock.listen(BACKLOG)
        if workers > 1:
            _steer_by_source(sock, family, workers)
    except OSError as error:
        sock.close()
        advice = _ADVICE.get(error.errno or 0, "look at sensors.*.listen")
        raise TrapError(f"cannot listen on {address}: {error.strerror}; {advice}") from error
    sock.setblocking(False)
    return sock


def _steer_by_source(sock: socket.socket, family: int, workers: int) -> None:
    """Let the kernel choose the worker by the client's address (a classic BPF program on the shared port)."""
    offset = 12 if family == socket.AF_INET else 8 + 12  # last word of the source address
    program = b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (0x20, 0, 0, (_SKF_NET_OFF + offset) & 0xFFFFFFFF),  # load the word
            (0x94, 0, 0, workers),  # modulo
            (0x16, 0, 0, 0),  # return it
        )
    )
    buffer = ctypes.create_string_buffer(program)
    option = struct.pack("HL", len(program) // 8, ctypes.addressof(buffer))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, option)
    except OSError as error:
        # Old kernels and sandboxes: sessions still work, an address may meet another worker's memory of it.
        _log.warning("the kernel does not keep a source on one worker", error=error.strerror)


def _name(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
