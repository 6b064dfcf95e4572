"""Disks and flash as bytes: partition tables, the heads of file systems, and stable noise where data would be.

Layouts: MBR and GPT (UEFI 2.10, chapter 5), ext4's superblock (kernel.org, "ext4 Data Structures"), Linux' swap header
(include/linux/swap.h), FAT's boot sector, squashfs and jffs2 magic numbers.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from urltrap.machine.fs.content import stream

if TYPE_CHECKING:
    from urltrap.machine.persona import Disk, Partition, Persona

_SECTOR = 512
_GRUB_TEXT = b"GRUB \0Geom\0Hard Disk\0Read\0 Error\r\n\0"
_LINUX_GPT = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
_BIOS_GPT = "21686148-6449-6e6f-744e-656564454649"
_EFI_GPT = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"


@dataclass(frozen=True, slots=True)
class BlockContent:
    """The bytes of a device: `heads` are what stands at fixed places, `used` how far noise goes; zeros behind it."""

    size: int
    seed: bytes
    heads: tuple[tuple[int, bytes], ...]
    used: int

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`."""
        length = max(0, min(length, self.size - offset))
        noise = stream(self.seed, offset, max(0, min(length, self.used - offset)))
        data = bytearray(noise + bytes(length - len(noise)))
        for place, head in self.heads:
            start, end = max(place, offset), min(place + len(head), offset + length)
            if start < end:
                data[start - offset : end - offset] = head[start - place : end - place]
        return bytes(data)


def device_content(persona: Persona, rdev: tuple[int, int]) -> BlockContent | None:
    """The content of a block device; None where no such medium is."""
    for disk in persona.disks:
        if rdev == (disk.major, disk.minor) and persona.is_server:
            return _disk(persona, disk)
        for part in disk.partitions:
            if rdev == (disk.major, part.minor) and part.name != disk.name:
                return _partition(persona, part)
    if not persona.is_server:
        number = rdev[1] if rdev[0] == 31 else rdev[1] // 2 if rdev[0] == 90 else -1
        flash = next((each for each in persona.disks if each.minor == number), None)
        return _flash(persona, flash) if flash is not None else None
    return None


def _seed(persona: Persona, name: str) -> bytes:
    return bytes.fromhex(persona.fingerprint) + b"/dev/" + name.encode()


def _disk(persona: Persona, disk: Disk) -> BlockContent:
    size = disk.size_kb * 1024
    gpt = any(len(part.partuuid) == 36 for part in disk.partitions)
    heads = [(0, _boot_sector(disk, gpt))]
    if gpt:
        heads += _gpt(persona, disk)
    else:
        heads.append((_SECTOR, stream(_seed(persona, "grub"), 0, 30_000) + bytes(2047 * _SECTOR - 30_000)))
        extended = next((part for part in disk.partitions if part.size_kb == 1), None)
        logical = next((part for part in disk.partitions if part.minor > 4), None)
        if extended is not None and logical is not None:
            entry = _entry(0, 0x82, logical.start_sector - extended.start_sector, logical.size_kb * 2)
            heads.append((extended.start_sector * _SECTOR, bytes(446) + entry + bytes(48) + b"\x55\xaa"))
    for part in disk.partitions:
        start = part.start_sector * _SECTOR
        heads += [(start + place, head) for place, head in _partition(persona, part).heads]
    root = persona.root
    return BlockContent(size, _seed(persona, disk.name), tuple(heads), min(size, root.used_kb * 1024))


def _entry(active: int, kind: int, start: int, count: int) -> bytes:
    return struct.pack(
        "<B3sB3sII", active, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", start, min(count, 0xFFFFFFFF)
    )


def _boot_sector(disk: Disk, gpt: bool) -> bytes:
    code = bytearray(446)
    code[:3] = b"\xeb\x63\x90"
    code[0x5A:0x68] = b"\x80\x00\x02\xff\xff\xff\x00\x01\x00\x00\x00\x00\x00\x00"
    code[0x80:0x98] = bytes.fromhex("faf6c2807405f6c2707402b28031c08ed88ed0bc0020fba0")
    code[0x180 : 0x180 + len(_GRUB_TEXT)] = _GRUB_TEXT
    if gpt:
        table = _entry(0, 0xEE, 1, disk.size_kb * 2 - 1) + bytes(48)
    else:
        identity = next((part.partuuid.partition("-")[0] for part in disk.partitions if part.partuuid), "0")
        code[440:444] = int(identity, 16).to_bytes(4, "little")
        rows = []
        for part in disk.partitions[:2]:
            kind = 0x05 if part.size_kb == 1 else 0x83
            last = disk.partitions[-1]
            count = (
                part.size_kb * 2 if kind == 0x83 else last.start_sector + last.size_kb * 2 - part.start_sector
            )
            rows.append(_entry(0x80 if part.minor == 1 else 0, kind, part.start_sector, count))
        table = b"".join(rows).ljust(64, b"\0")
    return bytes(code) + table + b"\x55\xaa"


def uuid_bytes(text: str) -> bytes:
    """A UUID as file systems have it."""
    return bytes.fromhex(text.replace("-", ""))


def guid(text: str) -> bytes:
    """A GUID as a partition table has it: the first three groups little-endian (UEFI 2.10, appendix A)."""
    raw = uuid_bytes(text)
    return raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]


def uuid_text(raw: bytes) -> str:
    """A UUID as people write it."""
    digits = raw.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def disk_identity(persona: Persona) -> str:
    """The GUID of a disk with a GPT."""
    raw = bytearray(stream(_seed(persona, "gpt"), 0, 16))
    raw[6], raw[8] = raw[6] & 0x0F | 0x40, raw[8] & 0x3F | 0x80
    return uuid_text(bytes(raw))


def _gpt(persona: Persona, disk: Disk) -> list[tuple[int, bytes]]:
    entries = bytearray(128 * 128)
    for part in disk.partitions:
        kind = _LINUX_GPT if part.fstype == "ext4" else _EFI_GPT if part.fstype == "vfat" else _BIOS_GPT
        last = part.start_sector + part.size_kb * 2 - 1
        row = struct.pack("<16s16sQQQ72s", guid(kind), guid(part.partuuid), part.start_sector, last, 0, b"")
        entries[(part.minor - 1) * 128 : part.minor * 128] = row
    total = disk.size_kb * 2
    identity = disk_identity(persona)

    def header(checksum: int) -> bytes:
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, checksum, 0, 1, total - 1, 2048, total - 34,
                           guid(identity), 2, 128, 128, zlib.crc32(entries))  # fmt: skip

    return [(_SECTOR, header(zlib.crc32(header(0))).ljust(_SECTOR, b"\0")), (2 * _SECTOR, bytes(entries))]


def _partition(persona: Persona, part: Partition) -> BlockContent:
    size = part.size_kb * 1024
    heads: tuple[tuple[int, bytes], ...] = ((0, bytes(1024)),)
    used = 0
    if part.fstype == "ext4":
        heads = ((0, bytes(1024) + _superblock(persona, part)),)
        used = min(size, persona.root.used_kb * 1024)
    elif part.fstype == "swap":
        header = struct.pack("<III16s16s", 1, part.size_kb // 4 - 1, 0, uuid_bytes(part.uuid), b"")
        heads = ((0, bytes(1024) + header + bytes(4086 - 1024 - len(header)) + b"SWAPSPACE2"),)
    elif part.fstype == "vfat":
        serial = bytes.fromhex(part.uuid.replace("-", ""))[::-1]
        sector = bytearray(512)
        sector[:11] = b"\xeb\x3c\x90mkfs.fat"
        struct.pack_into(
            "<HBHBHHBHHHI", sector, 11, 512, 4, 4, 2, 512, 0, 0xF8, 248, 32, 8, part.start_sector
        )
        sector[38:62] = b")" + serial + b"UEFI       FAT16   "
        sector[510:] = b"\x55\xaa"
        heads, used = ((0, bytes(sector)),), min(size, 12_000_000)
    return BlockContent(size, _seed(persona, part.name), heads, used)


def _superblock(persona: Persona, part: Partition) -> bytes:
    root, blocks = persona.root, part.size_kb // 4
    data = bytearray(1024)
    struct.pack_into("<IIIIIIIIIIIII", data, 0, root.inodes, blocks, blocks // 20, root.available_kb // 4,
                     root.inodes - root.inodes_used, 0, 2, 2, 32_768, 32_768, 8192, int(persona.boot_time) + 2,
                     int(persona.boot_time) + 2)  # fmt: skip
    struct.pack_into("<HHHHHHIIIIHHIHHIII", data, 52, 1, 0xFFFF, 0xEF53, 1, 1, 0, int(persona.installed), 0, 0, 1, 0, 0,
                     11,                     256, 0, 0x3C, 0x2C2, 0x46B)  # fmt: skip
    data[104:120] = uuid_bytes(part.uuid)
    data[136:137] = b"/"
    return bytes(data)


def _flash(persona: Persona, disk: Disk) -> BlockContent:
    size = disk.size_kb * 1024
    order = "big" if persona.cpu.byte_order == "big" else "little"
    magic = {1: b"\x27\x05\x19\x56", 2: b"hsqs"}.get(disk.minor, b"")
    if disk.minor == 3:
        magic = (0x1985).to_bytes(2, order) + (0x2003).to_bytes(2, order)  # type: ignore[arg-type]
    if disk.minor == 4:
        magic = bytes.fromhex(persona.network.interfaces[1].mac.replace(":", ""))
    return BlockContent(size, _seed(persona, disk.name), ((0, magic),), size)
