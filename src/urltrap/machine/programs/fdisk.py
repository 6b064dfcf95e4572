"""fdisk -l: partitions as the disks' tables tell."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.fs.blockdev import disk_identity
from urltrap.machine.persona import Disk
from urltrap.machine.programs.lsblk import size_words
from urltrap.machine.programs.registry import program


@program("fdisk", "sfdisk", "cfdisk")
def fdisk(p: Process) -> Run:
    """List partition tables; nothing is ever changed."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if "-l" not in p.argv and "--list" not in p.argv:
        yield from p.err("fdisk: bad usage\nTry 'fdisk --help' for more information.\n")
        return 1
    if p.uid:
        for disk in p.persona.disks:
            yield from p.err(f"fdisk: cannot open /dev/{disk.name}: Permission denied\n")
        return 1
    shown = False
    for disk in p.persona.disks:
        if words and f"/dev/{disk.name}" not in words:
            continue
        yield from p.out(("\n\n" if shown else "") + _table(p, disk))
        shown = True
    if words and not shown:
        yield from p.err(f"fdisk: cannot open {words[0]}: No such file or directory\n")
        return 1
    return 0


def _table(p: Process, disk: Disk) -> str:
    sectors = disk.size_kb * 2
    gpt = any(part.minor >= 14 for part in disk.partitions)
    label = disk.partitions[0].partuuid.partition("-")[0] if disk.partitions else "0"
    model = f"Disk model: {disk.model:<16}\n" if disk.model else ""
    head = (
        f"Disk /dev/{disk.name}: {size_words(disk.size_kb).rstrip('KMGT')} GiB, {sectors * 512} bytes, {sectors} "
        f"sectors\n{model}"
        "Units: sectors of 1 * 512 = 512 bytes\nSector size (logical/physical): 512 bytes / 512 bytes\n"
        f"I/O size (minimum/optimal): 512 bytes / 512 bytes\nDisklabel type: {'gpt' if gpt else 'dos'}\n"
        f"Disk identifier: {disk_identity(p.persona).upper() if gpt else '0x' + label}\n\n"
    )
    rows = [["Device", "Start", "End", "Sectors", "Size", "Type"]] if gpt else [
        ["Device", "Boot", "Start", "End", "Sectors", "Size", "Id", "Type"]
    ]  # fmt: skip
    for part in sorted(disk.partitions, key=lambda each: each.minor):
        count = part.size_kb * 2
        if (
            part.size_kb == 1
        ):  # an extended partition: the kernel shows its first sectors, its table all of it
            inner = disk.partitions[-1]
            count = inner.start_sector + inner.size_kb * 2 - part.start_sector
        numbers = [
            str(part.start_sector),
            str(part.start_sector + count - 1),
            str(count),
            size_words(count // 2),
        ]
        if gpt:
            kind = {"ext4": "Linux root (x86-64)", "vfat": "EFI System"}.get(part.fstype, "BIOS boot")
            rows.append([f"/dev/{part.name}", *numbers, kind])
        else:
            code, kind = {"ext4": ("83", "Linux"), "swap": ("82", "Linux swap / Solaris")}.get(
                part.fstype, ("5", "Extended")
            )
            rows.append([f"/dev/{part.name}", "*" if part.mountpoint == "/" else "", *numbers, code, kind])
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            f"{cell:<{width}}" if number == 0 or rows[0][number] in ("Boot", "Id") else f"{cell:>{width}}"
            for number, (cell, width) in enumerate(zip(row[:-1], widths, strict=False))
        ]
        lines.append(" ".join([*cells, row[-1]]))
    return head + "\n".join(lines) + "\n"
