"""The SSH sensor: what all its connections share, and how it listens."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import importlib.resources
import logging
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.connection import SSHServerConnectionOptions

from urltrap.model.settings import SessionLimits, SshSettings
from urltrap.sensors.admission import Admission
from urltrap.sensors.credentials import Credentials
from urltrap.sensors.files import KnownContents
from urltrap.sensors.jobs import Services
from urltrap.sensors.listener import Listener
from urltrap.sensors.machines import Machines
from urltrap.sensors.ports import Journal
from urltrap.sensors.ssh.connection import SshConnection
from urltrap.sensors.ssh.kex import register_sntrup761
from urltrap.wire.ssh.groups import Group, parse_moduli
from urltrap.wire.ssh.profile import Profile, load_profile

DEFAULT_PROFILE = "debian12-openssh-9.2p1"
HOST_KEY_FILES = ("ssh_host_rsa_key", "ssh_host_ecdsa_key", "ssh_host_ed25519_key")
LINGER_SECONDS = 30.0
"""How long commands go on after their client has left."""
_SHED = b"Exceeded MaxStartups\r\n"
"""What sshd says instead of its banner (sshd.c)."""


class HostKeyError(Exception):
    """The host keys cannot be used; the message says what to do."""


def shipped_profile(name: str = DEFAULT_PROFILE) -> tuple[Profile, list[Group]]:
    """A profile that comes with the package, and the primes of its moduli file, if any."""
    folder = importlib.resources.files("urltrap.wire.ssh.profiles")
    profile = load_profile((folder / f"{name}.json").read_bytes())
    moduli = folder / f"{name}.moduli"
    return profile, parse_moduli(moduli.read_text("ascii")) if moduli.is_file() else []


def profile_name(identification: str) -> str:
    """The shipped profile of a persona that has this identification line: the captured build, else the one nearest."""
    if "dropbear" in identification:
        return "dropbear-2022.83"
    return "debian13-openssh-10.0p2" if "deb13" in identification else DEFAULT_PROFILE


def load_host_keys(folder: Path) -> list[Any]:
    """The key pairs of a data folder, read once. HostKeyError where one is missing or unreadable."""
    try:
        return list(asyncssh.load_keypairs([str(folder / name) for name in HOST_KEY_FILES]))
    except (OSError, asyncssh.KeyImportError) as error:
        raise HostKeyError(
            f"the host keys in {folder} cannot be read ({error}); urltrap init adds missing ones"
        ) from error


def public_key_lines(host_keys: Sequence[Any]) -> dict[str, bytes]:
    """The public keys as /etc/ssh shows them, by short algorithm name ("rsa", "ecdsa", "ed25519")."""
    lines = {}
    for pair in host_keys:
        name: bytes = pair.algorithm
        short = "rsa" if b"rsa" in name and b"ecdsa" not in name else name.decode().split("-")[-1]
        short = "ecdsa" if name.startswith(b"ecdsa") else short
        kind = pair.public_data[4 : 4 + int.from_bytes(pair.public_data[:4], "big")]
        lines[short] = kind + b" " + base64.b64encode(pair.public_data)
    return lines


class SshSensor:
    """The shared part of all SSH connections of a process."""

    def __init__(
        self,
        *,
        settings: SshSettings,
        limits: SessionLimits,
        profile: Profile,
        groups: Sequence[Group],
        host_keys: Sequence[Any],
        secret: bytes,
        persona_name: str,
        journal: Journal,
        services: Services,
        machines: Machines,
        credentials: Credentials,
        admission: Admission,
        bytes_before_login: int = 1_000_000,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        self.settings = settings
        self.limits = limits
        self.profile = profile
        self.groups = groups
        self.timing_secret = hashlib.blake2b(secret, person=b"ssh timing").digest()
        self.persona_name = persona_name
        self.journal = journal
        self.services = services
        self.machines = machines
        self.credentials = credentials
        self.admission = admission
        self.bytes_before_login = bytes_before_login
        self.linger_seconds = linger_seconds
        self.known_contents = KnownContents()
        self.connections: set[SshConnection] = set()
        self.finishing: set[asyncio.Task[None]] = set()
        self.stopping = asyncio.Event()
        self._host_keys = host_keys
        self._listeners: list[Listener] = []

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on bound sockets."""
        register_sntrup761()
        # asyncssh logs what clients send; nothing of that belongs in a log.
        logging.getLogger("asyncssh").setLevel(logging.CRITICAL + 1)
        self.options = await self._options()
        loop = asyncio.get_running_loop()
        for each in sockets:
            self._listeners.append(
                Listener(
                    each,
                    self.admission,
                    lambda ticket: SshConnection(self, loop, ticket),
                    self.services.errors,
                    b"" if self.profile.mute else _SHED,
                )
            )

    async def stop(self) -> None:
        """Stop listening, end all connections and wait until their records are closed."""
        self.stopping.set()
        for listener in self._listeners:
            await listener.close()
        for connection in list(self.connections):
            connection.end("shutdown")
        # _cleanup of each runs in the next turn of the loop and adds its task.
        while self.connections:
            await asyncio.sleep(0)
            if self.finishing:
                await asyncio.wait(set(self.finishing))
        self.admission.flush()

    async def _options(self) -> SSHServerConnectionOptions:
        profile = self.profile
        options: SSHServerConnectionOptions = await SSHServerConnectionOptions.construct(
            server_factory=asyncssh.SSHServer,
            server_host_keys=self._host_keys,
            server_version=profile.software,
            kex_algs=profile.kex,
            encryption_algs=profile.ciphers,
            mac_algs=profile.macs,
            compression_algs=profile.compressions,
            send_server_host_keys=True,
            gss_host=None,
            config=None,
            allow_scp=False,
            kbdint_auth=False,
            login_timeout=self.settings.login_grace_seconds,
            rekey_bytes=1 << 30,
            rekey_seconds=0,
            line_editor=False,
            encoding=None,
        )
        return options
