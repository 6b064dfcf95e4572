"""Make a persona from a seed: plausible figures that agree with each other, never two alike."""

from __future__ import annotations

import hashlib

from urltrap.machine.persona.device import device_persona
from urltrap.machine.persona.dice import Dice
from urltrap.machine.persona.model import Kind, Persona
from urltrap.machine.persona.server import server_persona


def generate(seed: bytes, kind: Kind, now: float) -> Persona:
    """The persona that `seed` (at least 16 bytes of chance) stands for, as a machine that runs at `now` (unix seconds).

    The same seed, kind and time give the same persona; ValueError where the seed is too short to be unique.
    """
    if len(seed) < 16:
        raise ValueError(
            f"the seed has {len(seed)} bytes; give at least 16 random ones, so that no two machines agree"
        )
    dice = Dice(seed, kind)
    fingerprint = hashlib.sha256(b"urltrap fingerprint\0" + kind.encode() + b"\0" + seed).hexdigest()
    if kind in ("busybox-mips", "busybox-arm"):
        return device_persona(dice, kind, fingerprint, now)
    return server_persona(dice, kind, fingerprint, now)
