"""fdisk, sfdisk: partitions as the disks' tables tell."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.fs.blockdev import disk_identity
from urltrap.machine.persona import Disk
from urltrap.machine.persona.model import Partition
from urltrap.machine.programs._release import upstream_version
from urltrap.machine.programs.lsblk import size_words
from urltrap.machine.programs.registry import program

_BANNER = """
Welcome to fdisk (util-linux {version}).
Changes will remain in memory only, until you decide to write them.
Be careful before using the write command.

This disk is currently in use - repartitioning is probably a bad idea.
It's recommended to umount all file systems, and swapoff all swap
partitions on this disk.


"""
_LABELS = {
    "dos": """
  DOS (MBR)
   a   toggle a bootable flag
   b   edit nested BSD disklabel
   c   toggle the dos compatibility flag
""",
    "gpt": """
  GPT
   M   enter protective/hybrid MBR
""",
}
_MENU = """
  Generic
   d   delete a partition
   F   list free unpartitioned space
   l   list known partition types
   n   add a new partition
   p   print the partition table
   t   change a partition type
   v   verify the partition table
   i   print information about a partition

  Misc
   m   print this menu
   {units}x   extra functionality (experts only)

  Script
   I   load disk layout from sfdisk script file
   O   dump disk layout to sfdisk script file

  Save & Exit
   w   write table to disk and exit
   q   quit without saving changes

  Create a new label
   g   create a new empty GPT partition table
   G   create a new empty SGI (IRIX) partition table
   o   create a new empty MBR (DOS) partition table
   s   create a new empty Sun partition table

"""


@program("fdisk", "sfdisk", "cfdisk")
def fdisk(p: Process) -> Run:
    """List partition tables, or talk about one; nothing is ever changed on a disk."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    name = p.argv[0].rpartition("/")[2]
    lists = "-l" in p.argv or "--list" in p.argv
    if name == "sfdisk" and words and ("-d" in p.argv or "--dump" in p.argv):
        return (yield from _dump(p, words[0]))
    if not lists and (name != "fdisk" or len(words) != 1):
        yield from p.err(f"{name}: bad usage\nTry '{name} --help' for more information.\n")
        return 1
    if p.uid:
        for disk in p.persona.disks:
            yield from p.err(f"{name}: cannot open /dev/{disk.name}: Permission denied\n")
        return 1
    if not lists:
        return (yield from _talk(p, words[0]))
    shown = False
    for disk in p.persona.disks:
        if words and f"/dev/{disk.name}" not in words:
            continue
        yield from p.out(("\n\n" if shown else "") + _table(p, disk))
        shown = True
    if words and not shown:
        yield from p.err(f"{name}: cannot open {words[0]}: No such file or directory\n")
        return 1
    return 0


def _disk(p: Process, path: str) -> Disk | None:
    return next((disk for disk in p.persona.disks if path == f"/dev/{disk.name}"), None)


def _is_gpt(disk: Disk) -> bool:
    return any(part.minor >= 14 for part in disk.partitions)


def _talk(p: Process, path: str) -> Run:
    disk = _disk(p, path)
    if disk is None:
        yield from p.err(f"fdisk: cannot open {path}: No such file or directory\n")
        return 1
    label = "gpt" if _is_gpt(disk) else "dos"
    version = upstream_version(p, "util-linux", "2.38.1")
    yield from p.out(_BANNER.format(version=version))
    while True:
        yield from p.out("Command (m for help): ")
        line = yield from p.read(0, 4096)
        if not line:
            yield from p.out("\n")
            return 0
        for word in line.decode("utf-8", "replace").split("\n"):
            letter = word.strip()
            if letter == "q":
                yield from p.out("\n")
                return 0
            if letter == "w":
                yield from p.out("\nThe partition table has been altered.\nSyncing disks.\n\n")
                return 0
            if letter == "p":
                yield from p.out(f"{_table(p, disk)}\n")
            elif letter == "m":
                units = "" if label == "gpt" else "u   change display/entry units\n   "
                yield from p.out(f"\nHelp:\n{_LABELS[label]}{_MENU.format(units=units)}")
            elif letter:
                yield from p.out(f"{letter[:1]}: unknown command\n\n")


_TYPES = {"vfat": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "ext4": "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"}
_BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
"""Types of partitions in a GPT (sfdisk's own list)."""


def _dump(p: Process, path: str) -> Run:
    disk = _disk(p, path)
    if disk is None or p.uid:
        words = "Permission denied" if disk is not None else "No such file or directory"
        yield from p.err(f"sfdisk: cannot open {path}: {words}\n")
        return 1
    gpt, sectors = _is_gpt(disk), disk.size_kb * 2
    label = disk.partitions[0].partuuid.partition("-")[0] if disk.partitions else "0"
    identity = disk_identity(p.persona).upper() if gpt else f"0x{label}"
    lines = [f"label: {'gpt' if gpt else 'dos'}", f"label-id: {identity}", f"device: {path}", "unit: sectors"]
    lines += ["first-lba: 34", f"last-lba: {sectors - 34}"] * gpt + ["sector-size: 512", ""]
    for part in sorted(disk.partitions, key=lambda each: each.minor):
        count = _count(disk, part)
        row = f"/dev/{part.name} : start={part.start_sector:>12}, size={count:>12}, type="
        if gpt:
            row += f"{_TYPES.get(part.fstype, _BIOS_BOOT)}, uuid={part.partuuid.upper()}"
        else:
            row += {"ext4": "83", "swap": "82"}.get(part.fstype, "5") + ", bootable" * (
                part.mountpoint == "/"
            )
        lines.append(row)
    yield from p.out("\n".join(lines) + "\n")
    return 0


def _count(disk: Disk, part: Partition) -> int:
    """Its sectors. An extended partition: the kernel shows its first sectors, its table all of it."""
    if part.size_kb == 1:
        inner = disk.partitions[-1]
        return inner.start_sector + inner.size_kb * 2 - part.start_sector
    return part.size_kb * 2


def _table(p: Process, disk: Disk) -> str:
    sectors = disk.size_kb * 2
    gpt = _is_gpt(disk)
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
        count = _count(disk, part)
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
