"""A device's flash chip as /proc/mtd and the kernel's messages tell of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urltrap.machine.fs.mounts import ProcessView
    from urltrap.machine.persona import Persona

ERASE_BLOCK = 0x10000


@dataclass(frozen=True, slots=True)
class FlashPartition:
    """One partition: number, name, first byte and the byte behind the last on the chip."""

    number: int
    name: str
    start: int
    end: int


def partitions(persona: Persona) -> list[FlashPartition]:
    """The partitions by number; the data lies in the rootfs partition, behind the read-only system."""
    names = (
        ("u-boot", "kernel", "rootfs", "rootfs_data", "art")
        if persona.kernel.machine == "mips"
        else ("0:APPSBL", "kernel", "rootfs", "rootfs_data", "0:ART")
    )
    found, at = [], 0
    for disk, name in zip(persona.disks, names, strict=False):
        size = disk.size_kb * 1024
        if name == "rootfs_data":
            found.append(FlashPartition(disk.minor, name, at - size, at))
            continue
        found.append(FlashPartition(disk.minor, name, at, at + size))
        at += size
    return found


def mtd(view: ProcessView) -> bytes:
    """/proc/mtd."""
    rows = ["dev:    size   erasesize  name\n"]
    for part in partitions(view.persona):
        rows.append(f'mtd{part.number}: {part.end - part.start:08x} {ERASE_BLOCK:08x} "{part.name}"\n')
    return "".join(rows).encode()
