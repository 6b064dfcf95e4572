"""Who the machine says it is: one persona per installation, every figure in one place."""

from urltrap.machine.persona.generate import generate
from urltrap.machine.persona.model import (
    Cpu,
    Disk,
    Dmi,
    Interface,
    Kernel,
    Kind,
    Listener,
    Memory,
    MountPoint,
    Network,
    Partition,
    Persona,
    Resident,
    User,
)
from urltrap.machine.persona.network import Addressing, addressing, visible_address
from urltrap.machine.persona.services import with_telnet

__all__ = [
    "Addressing",
    "Cpu",
    "Disk",
    "Dmi",
    "Interface",
    "Kernel",
    "Kind",
    "Listener",
    "Memory",
    "MountPoint",
    "Network",
    "Partition",
    "Persona",
    "Resident",
    "User",
    "addressing",
    "generate",
    "visible_address",
    "with_telnet",
]
