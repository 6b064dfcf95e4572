"""The hardware is one: what the bus, the kernel's messages, interrupts, modules and firmware say belongs together."""

from __future__ import annotations

import re
from functools import cache

import pytest
from tests.machine.programs.support import Box, installation
from tests.machine.programs.support_system import NOW

from urltrap.machine.persona import Kind, Persona, generate
from urltrap.machine.proc.flash import partitions
from urltrap.machine.proc.pci import devices, disk_slot, network_slot, sys_path
from urltrap.machine.programs._bootlog import boot_lines

SERVERS: list[Kind] = ["debian-12", "debian-13", "cloud-small"]
DEVICES: list[Kind] = ["busybox-mips", "busybox-arm"]


@cache
def personas(kind: Kind) -> list[Persona]:
    return [generate(bytes([seed]) * 32, kind, NOW) for seed in range(1, 9)]


@cache
def box(kind: Kind) -> Box:
    return Box(kind)


def said(kind: Kind, line: str) -> str:
    result = box(kind).run(line)
    return (result.out + result.err).decode("utf-8", "replace")


@pytest.mark.parametrize("kind", SERVERS)
def test_a_guests_parts_are_of_one_hypervisor(kind: Kind) -> None:
    for persona in personas(kind):
        listed = {each.slot: each for each in devices(persona)}
        assert len(listed) == len(devices(persona)), "two devices in one place"
        assert "Ethernet" in listed[network_slot(persona)].kind and "SCSI" in listed[disk_slot(persona)].kind
        words = " ".join(each.name for each in listed.values())
        text = "\n".join(line for _, line in boot_lines(persona))
        loaded = {name for name, _, _ in persona.kernel.modules}
        vmware = persona.hypervisor == "vmware"
        assert ("VMware" in words, "Red Hat" in words) == (vmware, not vmware)
        assert ("Hypervisor detected: VMware" in text) is vmware
        assert ("virtio" in text) is not vmware and ("vmxnet3" in loaded) is vmware
        if not vmware:
            block = persona.disks[0].name.startswith("vd")
            assert ("block device" in words, "SCSI" in words) == (block, not block)
            assert ("virtio_blk" in loaded, "virtio_scsi" in loaded) == (block, not block)
            q35 = any("ICH9" in each.name for each in listed.values())
            assert ("ahci" in loaded, "ata_piix" in loaded) == (q35, not q35)
        for when, line in boot_lines(persona):
            assert when >= 0 and "\n" not in line


@pytest.mark.parametrize("kind", [*SERVERS, *DEVICES])
def test_interrupts_count_for_each_processor_what_the_machine_has(kind: Kind) -> None:
    persona, _ = installation(kind)
    text = said(kind, "cat /proc/interrupts")
    count = persona.cpu.count
    rows = text.splitlines()
    assert rows[0].split() == [f"CPU{number}" for number in range(count)]
    for row in rows[1:]:
        name, _, rest = row.partition(":")
        cells = 1 if name.strip() in ("ERR", "Err", "MIS") else count
        assert re.match(rf"( +\d+){{{cells}}}", rest), row
    foreign = ["virtio"] if persona.hypervisor != "kvm" else ["vmw", "pciehp"]
    if not persona.is_server:
        foreign += ["IO-APIC", "vmw", "i8042", "acpi", "rtc0"]
    assert not [word for word in foreign if word in text]
    known = {"vmware": f"{persona.primary.name}-rxtx-0", "kvm": "virtio0-input.0"}.get(
        persona.hypervisor, "timer"
    )
    assert known in text


@pytest.mark.parametrize("kind", DEVICES)
def test_a_board_tells_of_its_flash_and_of_no_pc(kind: Kind) -> None:
    persona, _ = installation(kind)
    text = said(kind, "dmesg")
    for word in ("BIOS", "ACPI", "DMI", "systemd", "KVM", "EXT4", "smpboot", "x86", "tsc"):
        assert word not in text, word
    assert persona.kernel.banner in text and persona.cpu.board in text
    assert f"Kernel command line: {persona.kernel.command_line}\n" in text
    assert said(kind, "cat /proc/cmdline") == persona.kernel.command_line + "\n" and "console=tty" in text
    ready = re.search(r"Memory: (\d+)K/(\d+)K available", text)
    assert ready is not None and int(ready[1]) < persona.memory.total_kb < int(ready[2])
    assert f"{persona.cpu.bogomips:.2f} BogoMIPS" in text and f"{persona.cpu.bogomips:.2f}" in said(
        kind, "cat /proc/cpuinfo"
    )
    table = said(kind, "cat /proc/mtd").splitlines()
    assert table[0] == "dev:    size   erasesize  name" and len(table) == len(persona.disks) + 1
    for part, disk in zip(partitions(persona), persona.disks, strict=True):
        size = part.end - part.start
        assert size == disk.size_kb * 1024 and f'mtd{disk.minor}: {size:08x} 00010000 "{part.name}"' in table
        if part.name != "rootfs_data":
            assert f'0x{part.start:012x}-0x{part.end:012x} : "{part.name}"' in text
        assert said(kind, f"cat /sys/class/mtd/mtd{disk.minor}/name") == f"{part.name}\n"
    assert "VFS: Mounted root (squashfs filesystem) readonly on device 31:2." in text
    assert "/dev/root /rom squashfs" in said(kind, "cat /proc/mounts")
    assert "No such file" in said(kind, "cat /proc/dma") and "drm" not in said(kind, "cat /proc/devices")


@pytest.mark.parametrize("kind", SERVERS)
def test_the_bus_is_the_same_in_sys_and_in_lspci(kind: Kind) -> None:
    persona, _ = installation(kind)
    shown = said(kind, "lspci").splitlines()
    assert [line.split()[0] for line in shown] == [each.slot for each in devices(persona)]
    assert said(kind, "ls /sys/bus/pci/devices").split() == [f"0000:{each.slot}" for each in devices(persona)]
    path = said(kind, f"readlink -f /sys/class/net/{persona.primary.name}").strip()
    assert path == f"/sys/{sys_path(persona, network_slot(persona))}/net/{persona.primary.name}"
    assert said(kind, "systemd-detect-virt") == f"{persona.hypervisor}\n"
    assert f"Manufacturer: {persona.dmi.sys_vendor}" in said(kind, "dmidecode -t system")
    assert said(kind, "dmidecode -t processor").count("Processor Information") in (1, persona.cpu.count)
