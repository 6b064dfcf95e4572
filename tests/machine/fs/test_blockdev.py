"""Disks as bytes: tables and file systems are where fdisk, blkid and lsblk say."""

from __future__ import annotations

import re
import struct
import uuid

import pytest
from tests.machine.programs.support import Box, installation
from tests.machine.programs.support_system import NOW

from urltrap.machine.fs.blockdev import BlockContent, device_content, disk_identity
from urltrap.machine.persona import Kind, generate


@pytest.mark.parametrize("kind", ["debian-12", "debian-13"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_boot_record_is_the_one_that_fdisk_shows(kind: Kind, seed: int) -> None:
    persona = generate(bytes([seed]) * 32, kind, NOW)
    disk = persona.disks[0]
    content = device_content(persona, (disk.major, disk.minor))
    assert content is not None and content.size == disk.size_kb * 1024
    sector = content.read(0, 512)
    assert sector[510:] == b"\x55\xaa" and b"GRUB" in sector
    assert f"{int.from_bytes(sector[440:444], 'little'):08x}" == disk.partitions[0].partuuid[:8]
    active, kind_byte, start, count = struct.unpack_from("<B3xB3xII", sector, 446)
    assert (active, kind_byte, start, count) == (0x80, 0x83, 2048, disk.partitions[0].size_kb * 2)
    root = content.read(2048 * 512 + 1024, 1024)
    assert root[56:58] == b"\x53\xef" and root[104:120] == uuid.UUID(disk.partitions[0].uuid).bytes
    swap = device_content(persona, (disk.major, 5))
    assert swap is not None and swap.read(4086, 10) == b"SWAPSPACE2"
    start = disk.partitions[2].start_sector * 512
    assert content.read(start, 4096) == swap.read(0, 4096)


def test_a_cloud_disk_has_a_guid_table() -> None:
    persona, _ = installation("cloud-small")
    disk = persona.disks[0]
    content = device_content(persona, (disk.major, 0))
    assert content is not None and content.read(512, 8) == b"EFI PART"
    assert content.read(568, 16) == uuid.UUID(disk_identity(persona)).bytes_le
    first = content.read(1024, 128)
    assert first[16:32] == uuid.UUID(disk.partitions[0].partuuid).bytes_le
    shown = Box("cloud-small").run("fdisk -l").out.decode()
    assert f"Disk identifier: {disk_identity(persona).upper()}\n" in shown


def test_reading_goes_over_every_border() -> None:
    content = BlockContent(100, b"s", ((10, b"HEAD"), (90, b"TAIL")), 50)
    whole = content.read(0, 200)
    assert len(whole) == 100 and whole[10:14] == b"HEAD" and whole[60:90] == bytes(30)
    for offset in range(0, 100, 7):
        assert content.read(offset, 13) == whole[offset : offset + 13]


@pytest.mark.parametrize("kind", ["debian-12", "cloud-small", "busybox-mips", "busybox-arm"])
def test_programs_read_devices(kind: Kind) -> None:
    persona, _ = installation(kind)
    box = Box(kind)
    device = persona.disks[2].name if kind.startswith("busybox") else persona.disks[0].name
    result = box.run(
        f"dd if=/dev/{device} bs=512 count=1 | xxd | tail -1; dd if=/dev/zero of=/dev/{device} bs=512 count=2"
    )
    assert re.search(rb"55aa +|", result.out) and result.err.count(b"records out") == 2
    if kind.startswith("busybox"):
        assert box.run("head -c 4 /dev/mtd2").out == b"hsqs" == box.run("head -c 4 /dev/mtdblock2").out
    else:
        assert box.run("head -c 4 /proc/kcore").out == b"\x7fELF"
    if kind == "debian-12":
        root, swap = persona.disks[0].partitions[0], persona.disks[0].partitions[2]
        shown = box.run(f"file -s /dev/{root.name} /dev/{swap.name} /dev/{device}").out.decode()
        assert (
            f"ext4 filesystem data, UUID={root.uuid}, " in shown and f"no label, UUID={swap.uuid}\n" in shown
        )
        assert shown.endswith("DOS/MBR boot sector\n")
        assert box.run("cat /dev/sr0").err == b"cat: /dev/sr0: No medium found\n"
        extended = next(
            line for line in box.run("fdisk -l").out.decode().splitlines() if "Extended" in line
        ).split()
        assert (
            int(extended[2])
            == persona.disks[0].partitions[2].start_sector + persona.disks[0].partitions[2].size_kb * 2 - 1
        )
