"""fdisk -l and swapon: partitions and swap as the disks' tables tell."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.fs.blockdev import disk_identity
from urltrap.machine.persona import Disk
from urltrap.machine.programs._system import option_problem, text_of
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


@program("swapon", "swapoff")
def swapon(p: Process) -> Run:
    """Show the swap areas; what is asked for is taken without a word."""
    name = p.argv[0].rpartition("/")[2]
    if problem := option_problem(
        p,
        "ad:efo:p:sL:U:vhV",
        "all discard:: ifexists fixpgsz options: priority: summary show:: noheadings raw bytes verbose",
    ):
        yield from p.err(f"{problem}Try '{name} --help' for more information.\n")
        return 1
    rows = [line.split() for line in text_of(p, "/proc/swaps").splitlines()[1:]]
    if p.argv[0].rpartition("/")[2] == "swapoff" or (
        len(p.argv) > 1 and p.argv[1] not in ("-s", "--show", "--summary")
    ):
        if p.uid:
            yield from p.err(f"{p.argv[0]}: Not superuser.\n")
            return 32
        return 0
    if "-s" in p.argv or "--summary" in p.argv:
        yield from p.out(text_of(p, "/proc/swaps"))
    elif rows:
        yield from p.out("NAME      TYPE      SIZE USED PRIO\n")
        for name, kind, size, used, priority in rows:
            yield from p.out(
                f"{name:<9} {kind:<9} {size_words(int(size)):>4} {size_words(int(used)):>4} {priority:>4}\n"
            )
    return 0
