"""Turning the machine off and on again: what is planned, how long it is away, and what is new when it is back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from urltrap.machine.persona import Persona

Kind = Literal["reboot", "poweroff", "halt"]

_TO_SSHD = 9.0
"""Seconds from the kernel's start until the services listen."""
_SETTLED = 30.0
"""Residents that started later than this after boot were started by hand or by a timer."""
_LATE_PIDS = 700


@dataclass(frozen=True, slots=True)
class PowerPlan:
    """When the machine goes down, and when its services listen again (unix seconds)."""

    kind: Kind
    at: float
    back: float


def planned(kind: Kind, at: float, chance: Callable[[int], int]) -> PowerPlan:
    """A plan for `at`. A virtual server is back within a minute; one that was switched off waits for its owner, who
    starts it again after some minutes: nothing is won by staying away from whoever did it."""
    away = 19.0 + chance(22_000) / 1000 if kind == "reboot" else 420.0 + chance(900)
    return PowerPlan(kind, at, at + away)


def booted(plan: PowerPlan) -> float:
    """The kernel's start (unix seconds), as ``uptime -s`` tells it afterwards."""
    return round(plan.back - _TO_SSHD, 2)


def reborn(persona: Persona, boot_time: float) -> Persona:
    """The persona as its machine is after a start at `boot_time`: a new boot id, small pids, and whatever ran besides
    the services of the start is gone or was started again with them."""
    if boot_time == persona.boot_time:
        return persona
    digest = hashlib.blake2b(f"{persona.boot_id} {boot_time:.2f}".encode(), digest_size=16).hexdigest()
    boot_id = f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:]}"
    early = [each for each in persona.residents if each.after <= _SETTLED and each.pid < 10_000]
    taken = {each.pid for each in early}
    renumbered = {}
    number = max(taken, default=300)
    residents = []
    for each in persona.residents:
        if each.pid in taken:
            residents.append(each)
            continue
        number += 2
        renumbered[each.pid] = number
        residents.append(each.model_copy(update={"pid": number, "after": 4.0 + each.after % 20}))
    return persona.model_copy(
        update={
            "boot_id": boot_id,
            "first_pid": number + _LATE_PIDS,
            "residents": tuple(residents),
            "listeners": tuple(
                each.model_copy(update={"pid": renumbered.get(each.pid, each.pid)})
                for each in persona.listeners
            ),
        }
    )
