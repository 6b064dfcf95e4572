"""The devices on a guest's PCI bus: what lspci lists, /sys lays out and /proc/interrupts counts, from one table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urltrap.machine.persona import Persona


@dataclass(frozen=True, slots=True)
class PciDevice:
    """One device: its place ("00:03.0"), class and name as pci.ids has them, their numbers, its driver."""

    slot: str
    kind: str
    kind_id: str
    name: str
    ids: str
    revision: int = 0
    driver: str = ""


_INTEL = "Intel Corporation"
_PIIX = (
    PciDevice("00:00.0", "Host bridge", "0600", f"{_INTEL} 440FX - 82441FX PMC [Natoma]", "8086:1237", 2),
    PciDevice("00:01.0", "ISA bridge", "0601", f"{_INTEL} 82371SB PIIX3 ISA [Natoma/Triton II]", "8086:7000"),
    PciDevice("00:01.1", "IDE interface", "0101", f"{_INTEL} 82371SB PIIX3 IDE [Natoma/Triton II]", "8086:7010", 0,
              "ata_piix"),
    PciDevice("00:01.2", "USB controller", "0c03", f"{_INTEL} 82371SB PIIX3 USB [Natoma/Triton II]", "8086:7020", 1,
              "uhci_hcd"),
    PciDevice("00:01.3", "Bridge", "0680", f"{_INTEL} 82371AB/EB/MB PIIX4 ACPI", "8086:7113", 3, "piix4_smbus"),
)  # fmt: skip
_ICH9 = (
    PciDevice("00:00.0", "Host bridge", "0600", f"{_INTEL} 82G33/G31/P35/P31 Express DRAM Controller", "8086:29c0"),
    PciDevice("00:1f.0", "ISA bridge", "0601", f"{_INTEL} 82801IB (ICH9) LPC Interface Controller", "8086:2918", 2,
              "lpc_ich"),
    PciDevice("00:1f.2", "SATA controller", "0106",
              f"{_INTEL} 82801IR/IO/IH (ICH9R/DO/DH) 6 port SATA Controller [AHCI mode]", "8086:2922", 2, "ahci"),
    PciDevice("00:1f.3", "SMBus", "0c05", f"{_INTEL} 82801I (ICH9 Family) SMBus Controller", "8086:2930", 2,
              "i801_smbus"),
)  # fmt: skip
_VMWARE = (
    PciDevice("00:00.0", "Host bridge", "0600", f"{_INTEL} 440BX/ZX/DX - 82443BX/ZX/DX Host bridge", "8086:7190", 1,
              "agpgart-intel"),
    PciDevice("00:01.0", "PCI bridge", "0604", f"{_INTEL} 440BX/ZX/DX - 82443BX/ZX/DX AGP bridge", "8086:7191", 1),
    PciDevice("00:07.0", "ISA bridge", "0601", f"{_INTEL} 82371AB/EB/MB PIIX4 ISA", "8086:7110", 8),
    PciDevice("00:07.1", "IDE interface", "0101", f"{_INTEL} 82371AB/EB/MB PIIX4 IDE", "8086:7111", 1, "ata_piix"),
    PciDevice("00:07.3", "Bridge", "0680", f"{_INTEL} 82371AB/EB/MB PIIX4 ACPI", "8086:7113", 8),
    PciDevice("00:07.7", "System peripheral", "0880", "VMware Virtual Machine Communication Interface", "15ad:0740", 16,
              "vmw_vmci"),
    PciDevice("00:0f.0", "VGA compatible controller", "0300", "VMware SVGA II Adapter", "15ad:0405", 0, "vmwgfx"),
    PciDevice("00:11.0", "PCI bridge", "0604", "VMware PCI bridge", "15ad:0790", 2),
    PciDevice("00:15.0", "PCI bridge", "0604", "VMware PCI Express Root Port", "15ad:07a0", 1, "pcieport"),
    PciDevice("00:16.0", "PCI bridge", "0604", "VMware PCI Express Root Port", "15ad:07a0", 1, "pcieport"),
    PciDevice("02:00.0", "USB controller", "0c03", "VMware USB1.1 UHCI Controller", "15ad:0774", 0, "uhci_hcd"),
    PciDevice("02:01.0", "USB controller", "0c03", "VMware USB2 EHCI Controller", "15ad:0770", 0, "ehci-pci"),
    PciDevice("03:00.0", "Serial Attached SCSI controller", "0107", "VMware PVSCSI SCSI Controller", "15ad:07c0", 2,
              "vmw_pvscsi"),
    PciDevice("0b:00.0", "Ethernet controller", "0200", "VMware VMXNET3 Ethernet Controller", "15ad:07b0", 1,
              "vmxnet3"),
)  # fmt: skip


def is_q35(persona: Persona) -> bool:
    """True for guests with PCI Express."""
    return "Q35" in persona.dmi.product_name or persona.primary.altname == "enp1s0"


def network_slot(persona: Persona) -> str:
    """Where the network card is: its name says it (systemd.net-naming-scheme(7))."""
    if persona.hypervisor == "vmware":
        return "0b:00.0"
    found = re.fullmatch(r"enp(\d+)s(\d+)", persona.primary.altname)
    return f"{int(found[1]):02x}:{int(found[2]):02x}.0" if found else "00:03.0"


def disk_slot(persona: Persona) -> str:
    """Where the disk's controller is."""
    if persona.hypervisor == "vmware":
        return "03:00.0"
    return (
        "04:00.0"
        if persona.primary.altname == "enp1s0"
        else "00:05.0"
        if network_slot(persona) != "00:05.0"
        else "00:04.0"
    )


def devices(persona: Persona) -> list[PciDevice]:
    """The devices by place; none on boards without a bus that somebody could list."""
    if persona.hypervisor == "vmware":
        return list(_VMWARE)
    if persona.hypervisor != "kvm":
        return []
    modern = is_q35(persona)
    express = persona.primary.altname == "enp1s0"
    loaded = {name for name, _, _ in persona.kernel.modules}
    word, base, revision = ("Virtio 1.0", 0x1040, 1) if express else ("Virtio", 0x1000, 0)
    red_hat = "Red Hat, Inc."
    video = (
        PciDevice("00:01.0" if modern else "00:02.0", "VGA compatible controller", "0300",
                  f"{red_hat} QXL paravirtual graphic card", "1b36:0100", 5, "qxl")
        if "qxl" in loaded
        else PciDevice("00:01.0" if modern else "00:02.0", "VGA compatible controller", "0300", "Device 1234:1111",
                       "1234:1111", 2, "bochs-drm")
    )  # fmt: skip
    scsi = persona.disks[0].name.startswith("sd")
    disk_name = f"{word} SCSI" if scsi else f"{word} block device"
    disk_id = (0x1048 if scsi else 0x1042) if express else (0x1004 if scsi else 0x1001)
    network = "Virtio 1.0 network device" if express else "Virtio network device"
    found = [
        *(_ICH9 if modern else _PIIX), video,
        PciDevice(network_slot(persona), "Ethernet controller", "0200", f"{red_hat} {network}",
                  f"1af4:{base + (1 if express else 0):04x}", revision, "virtio-pci"),
        PciDevice("03:00.0" if express else "00:08.0", "Communication controller", "0780", f"{red_hat} {word} console",
                  f"1af4:{base + 3:04x}", revision, "virtio-pci"),
        PciDevice(disk_slot(persona), "SCSI storage controller", "0100", f"{red_hat} {disk_name}",
                  f"1af4:{disk_id:04x}", revision, "virtio-pci"),
        PciDevice("05:00.0" if express else "00:09.0", "Unclassified device", "00ff",
                  f"{red_hat} {word} {'balloon' if express else 'memory balloon'}",
                  f"1af4:{0x1045 if express else 0x1002:04x}", revision, "virtio-pci"),
    ]  # fmt: skip
    if express:
        found += [
            PciDevice(f"00:02.{number}", "PCI bridge", "0604", f"{red_hat} QEMU PCIe Root port", "1b36:000c", 0,
                      "pcieport")
            for number in range(6)
        ]  # fmt: skip
        usb = f"{red_hat} QEMU XHCI Host Controller"
        found.append(PciDevice("02:00.0", "USB controller", "0c03", usb, "1b36:000d", 1, "xhci_hcd"))
    return sorted(found, key=lambda each: each.slot)


def sys_path(persona: Persona, slot: str) -> str:
    """The folder of a device below /sys/devices."""
    if slot.startswith("00:"):
        return f"devices/pci0000:00/0000:{slot}"
    bridge = {"02": "00:11.0", "03": "00:15.0"}.get(slot[:2], "00:16.0")
    if persona.hypervisor != "vmware":
        bridge = f"00:02.{int(slot[:2], 16) - 1}"
    return f"devices/pci0000:00/0000:{bridge}/0000:{slot}"
