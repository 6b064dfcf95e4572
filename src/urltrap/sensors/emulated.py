"""Emulated machines for attackers: the base image of this installation, and the changes of each address over it."""

from __future__ import annotations

import base64
import binascii
import importlib.resources
import itertools
from collections.abc import Iterable, Mapping

from urltrap.machine.api import decode, encode
from urltrap.machine.effects import Content
from urltrap.machine.fs.image import Image
from urltrap.machine.fs.mounts import Mount
from urltrap.machine.fs.overlay import Overlay
from urltrap.machine.image import ANSWERS, PACKAGES, RECORDS, USAGES, load_image
from urltrap.machine.machine import Machine as EmulatedMachine
from urltrap.machine.persona import Persona
from urltrap.machine.proc import ProcMount, SysMount
from urltrap.model.settings import SessionLimits
from urltrap.quarantine.errors import QuarantineError
from urltrap.sensors.chance import Chance
from urltrap.sensors.ports import Artifacts, Machine
from urltrap.sensors.unix_passwords import system_crypt

_MAX_KEYS = 500


def load_base_image(persona: Persona, host_keys: Mapping[str, bytes]) -> Image:
    """The image that all machines of this installation share. `host_keys`: public key lines by algorithm."""
    recorded = importlib.resources.files("urltrap.machine.data")
    package = PACKAGES.get(persona.kind)
    return load_image(
        (recorded / RECORDS[persona.kind]).read_bytes(),
        persona,
        host_keys,
        (recorded / ANSWERS).read_bytes(),
        (recorded / USAGES).read_bytes(),
        (recorded / package).read_bytes() if package else None,
    )


class EmulatedMachines:
    """Makes and keeps emulated machines, and answers what is changed on them about log-ins."""

    def __init__(self, image: Image, persona: Persona, limits: SessionLimits, artifacts: Artifacts) -> None:
        self._image = image
        self._persona = persona
        self._limits = limits
        self._artifacts = artifacts
        self._chance = Chance()
        self._hashes = {user.name: user.password_hash for user in persona.users}
        self._mounts: dict[str, Mount] = {"/proc": ProcMount(), "/sys": SysMount()}

    def make(self, address: str, saved: bytes | None) -> Machine:
        """A machine for an address; ValueError where what was saved cannot be read."""
        return self.make_emulated(address, saved)

    def make_emulated(self, address: str, saved: bytes | None) -> EmulatedMachine:
        """The same, by its own type."""
        limits = self._limits
        if saved is None:
            overlay = Overlay(self._image, max_bytes=limits.overlay_bytes)
        else:
            overlay = Overlay.loads(saved, self._image, self._find, max_bytes=limits.overlay_bytes)
        return EmulatedMachine(
            self._image,
            self._persona,
            overlay,
            entropy=self._chance.below,
            boot_time=self._persona.boot_time,
            mounts=self._mounts,
            limits=limits,
            crypt=system_crypt,
        )

    def dump(self, machine: Machine, now: float) -> bytes | None:
        """The changes as bytes; None where nothing was changed."""
        if not isinstance(machine, EmulatedMachine):
            return None
        overlay = machine.overlay
        return machine.kept(now) if overlay.changed else None

    def _find(self, sha256: str, size: int) -> Content | None:
        try:
            content = self._artifacts.content(sha256)
        except QuarantineError:
            return None
        return content if content.size == size else None

    # ---- log-ins ----

    def password_answer(self, machine: Machine | None, user: bytes, password: bytes) -> bool | None:
        """Whether `password` opens an account whose password was changed on the machine; None where it was not."""
        if not isinstance(machine, EmulatedMachine):
            return None
        name = decode(user)
        found = machine.kernel.accounts.password_hash(name)
        if found is None or found == self._hashes.get(name):
            return None
        return machine.check_password(name, password)

    def authorized_keys(self, machine: Machine | None, user: bytes) -> Iterable[bytes]:
        """The public keys (wire form) in the user's authorized_keys on the machine."""
        if not isinstance(machine, EmulatedMachine):
            return []
        lines = machine.authorized_keys(decode(user))[:_MAX_KEYS]
        return [key for line in lines if (key := _key(encode(line))) is not None]


def _key(line: bytes) -> bytes | None:
    """The key of a line: options may stand before the type, the key is the word behind the type."""
    for kind, word in itertools.pairwise(line.split()):
        if not kind.startswith((b"ssh-", b"ecdsa-", b"sk-")):
            continue
        try:
            key = base64.b64decode(word, validate=True)
        except binascii.Error:
            return None
        length = int.from_bytes(key[:4], "big")
        return key if key[4 : 4 + length] == kind else None
    return None
