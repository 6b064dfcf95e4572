"""/sys, as far as programs and attackers read it: network cards, disks, firmware, processors."""

from __future__ import annotations

import errno
from collections import OrderedDict
from collections.abc import Callable

from urltrap.machine.api import S_IFDIR, S_IFLNK, S_IFREG
from urltrap.machine.fs.mounts import GeneratedNode, ProcessView
from urltrap.machine.persona import Disk, Interface, Persona
from urltrap.machine.persona.lan import all_interfaces
from urltrap.machine.proc import figures
from urltrap.machine.proc.flash import ERASE_BLOCK, partitions
from urltrap.machine.proc.pci import devices, disk_slot, network_slot, sys_path

Value = str | Callable[[ProcessView], str] | None
"""Text of a file, a function that makes it, or None for a directory; a link is a text that starts with "->"."""

_TREES_KEPT = 8


class SysMount:
    """The tree at /sys. What depends on the persona alone is made once for each and kept."""

    device = 21
    refusal = errno.EACCES

    def __init__(self) -> None:
        self._trees: OrderedDict[str, dict[tuple[str, ...], Value]] = OrderedDict()

    def lookup(self, parts: tuple[str, ...], viewer: ProcessView) -> GeneratedNode | None:
        """The node, not following it where it is a link; None where there is none."""
        tree = self._tree(viewer.persona)
        if parts and parts not in tree:
            return None
        value = tree[parts] if parts else None
        when = viewer.boot_time
        if value is None:
            below = len(self.listdir((), viewer)) + 2 if not parts else 2
            return GeneratedNode(S_IFDIR | (0o755 if parts else 0o555), mtime=when, nlink=below)
        if isinstance(value, str) and value.startswith("->"):
            return GeneratedNode(S_IFLNK | 0o777, target=value[2:], mtime=when)
        secret = parts[-1] in ("product_serial", "product_uuid", "board_serial", "chassis_serial")
        mode = S_IFREG | (0o400 if secret else 0o444)
        if callable(value):
            maker = value
            return GeneratedNode(mode, lambda: f"{maker(viewer)}\n".encode(), size=4096, mtime=when)
        return GeneratedNode(mode, f"{value}\n".encode(), size=4096, mtime=when)

    def listdir(self, parts: tuple[str, ...], viewer: ProcessView) -> list[str]:
        """Names in a directory that `lookup` gave."""
        tree = self._tree(viewer.persona)
        return sorted(
            {path[len(parts)] for path in tree if len(path) > len(parts) and path[: len(parts)] == parts}
        )

    def _tree(self, persona: Persona) -> dict[tuple[str, ...], Value]:
        found = self._trees.get(persona.fingerprint)
        if found is None:
            found = self._trees[persona.fingerprint] = _build(persona)
            if len(self._trees) > _TREES_KEPT:
                self._trees.popitem(last=False)
        return found


def _build(persona: Persona) -> dict[tuple[str, ...], Value]:
    flat: dict[str, Value] = {}
    for directory in ("block", "bus", "class", "dev", "devices", "firmware", "fs", "fs/cgroup", "hypervisor", "kernel",
                      "kernel/debug", "kernel/security", "module", "power", "class/block", "class/tty"):  # fmt: skip
        flat[directory] = None
    for each in all_interfaces(persona):
        place = (
            "devices/virtual/net"
            if each.name in ("lo", "br-lan") or "." in each.name
            else f"{_card(persona)}/net"
        )
        flat[f"class/net/{each.name}"] = f"->../../{place}/{each.name}"
        _interface(flat, f"{place}/{each.name}", each)
    for disk in persona.disks:
        place = (
            f"{sys_path(persona, disk_slot(persona))}/block/{disk.name}"
            if persona.is_server
            else f"devices/platform/spi0/spi_master/spi0/spi0.0/mtd/mtd{disk.minor}/{disk.name}"
        )
        flat[f"block/{disk.name}"] = f"->../{place}"
        flat[f"class/block/{disk.name}"] = f"->../../{place}"
        for part in disk.partitions if persona.is_server else ():
            flat[f"class/block/{part.name}"] = f"->../../{place}/{part.name}"
        _disk(flat, place, disk)
    for found in devices(persona):
        at = sys_path(persona, found.slot)
        vendor, _, number = found.ids.partition(":")
        flat |= {f"{at}/vendor": f"0x{vendor}", f"{at}/device": f"0x{number}", f"{at}/class": f"0x{found.kind_id}00",
                 f"bus/pci/devices/0000:{found.slot}": f"->../../../{at}"}  # fmt: skip
    for area in [] if persona.is_server else partitions(persona):
        flat |= {f"class/mtd/mtd{area.number}/name": area.name, f"class/mtd/mtd{area.number}/type": "nor",
                 f"class/mtd/mtd{area.number}/size": str(area.end - area.start),
                 f"class/mtd/mtd{area.number}/erasesize": str(ERASE_BLOCK)}  # fmt: skip
    _firmware(flat, persona)
    _processors(flat, persona)
    for name, size, users in persona.kernel.modules:
        flat[f"module/{name}/coresize"] = str(size)
        flat[f"module/{name}/refcnt"] = users.split(" ")[0]
        flat[f"module/{name}/initstate"] = "live"
    flat["kernel/mm/transparent_hugepage/enabled"] = "[always] madvise never"
    flat["kernel/uevent_seqnum"] = "1862"
    flat["fs/cgroup/cgroup.controllers"] = "cpuset cpu io memory hugetlb pids rdma misc"
    flat["class/thermal"] = None
    flat["power/state"] = "freeze mem disk"
    tree: dict[tuple[str, ...], Value] = {}
    for path, value in flat.items():
        parts = tuple(path.split("/"))
        for depth in range(1, len(parts)):
            tree.setdefault(parts[:depth], None)
        tree[parts] = value
    return tree


def _card(persona: Persona) -> str:
    """The folder of the network card."""
    if persona.is_server:
        return sys_path(persona, network_slot(persona))
    return (
        "devices/platform/ahb/19000000.eth"
        if persona.kernel.machine == "mips"
        else "devices/platform/soc/c080000.edma"
    )


def _interface(flat: dict[str, Value], place: str, each: Interface) -> None:
    loop = each.name == "lo"
    flat.update({
        f"{place}/address": each.mac, f"{place}/broadcast": "00:00:00:00:00:00" if loop else "ff:ff:ff:ff:ff:ff",
        f"{place}/mtu": str(each.mtu), f"{place}/ifindex": str(each.index), f"{place}/iflink": str(each.index),
        f"{place}/operstate": "unknown" if loop else "up", f"{place}/carrier": "1",
        f"{place}/flags": "0x9" if loop else "0x1003",
        f"{place}/type": "772" if loop else "1", f"{place}/tx_queue_len": "1000", f"{place}/addr_len": "6",
        f"{place}/dev_id": "0x0", f"{place}/duplex": "" if loop else "full", f"{place}/speed": "-1",
        f"{place}/uevent": f"INTERFACE={each.name}\nIFINDEX={each.index}",
    })  # fmt: skip
    for number, name in enumerate(("rx_bytes", "rx_packets", "tx_bytes", "tx_packets")):
        flat[f"{place}/statistics/{name}"] = _counter(each.name, number)
    for name in ("rx_errors", "rx_dropped", "tx_errors", "tx_dropped", "collisions", "multicast"):
        flat[f"{place}/statistics/{name}"] = "0"
    if each.driver:
        flat[f"{place}/device"] = f"->../../../{place.split('/')[-3]}"


def _counter(interface: str, number: int) -> Callable[[ProcessView], str]:
    return lambda view: str(figures.traffic(view)[interface][number])


def _disk(flat: dict[str, Value], place: str, disk: Disk) -> None:
    flat.update({
        f"{place}/size": str(disk.size_kb * 2), f"{place}/dev": f"{disk.major}:{disk.minor}", f"{place}/ro": "0",
        f"{place}/removable": "0", f"{place}/queue/rotational": str(int(disk.rotational)),
        f"{place}/queue/logical_block_size": "512", f"{place}/queue/scheduler": "[none] mq-deadline",
        f"{place}/stat": "0 0 0 0 0 0 0 0 0 0 0",
    })  # fmt: skip
    if disk.model:
        vendor, _, model = disk.model.partition(" ")
        flat[f"{place}/device/model"] = f"{model:<16}"
        flat[f"{place}/device/vendor"] = f"{vendor:<8}"
    if disk.serial:
        flat[f"{place}/serial"] = disk.serial
    for part in disk.partitions:
        if part.name != disk.name:
            flat[f"{place}/{part.name}/size"] = str(part.size_kb * 2)
            flat[f"{place}/{part.name}/start"] = str(part.start_sector)
            flat[f"{place}/{part.name}/dev"] = f"{disk.major}:{part.minor}"
            flat[f"{place}/{part.name}/partition"] = str(part.minor)


def _firmware(flat: dict[str, Value], persona: Persona) -> None:
    dmi = persona.dmi
    if not dmi.sys_vendor:
        flat["firmware/devicetree/base/model"] = persona.cpu.board
        return
    place = "devices/virtual/dmi/id"
    flat["class/dmi/id"] = f"->../../{place}"
    flat.update({
        f"{place}/sys_vendor": dmi.sys_vendor, f"{place}/product_name": dmi.product_name,
        f"{place}/product_version": dmi.product_version, f"{place}/product_uuid": dmi.product_uuid,
        f"{place}/product_serial": dmi.product_serial, f"{place}/bios_vendor": dmi.bios_vendor,
        f"{place}/bios_version": dmi.bios_version, f"{place}/bios_date": dmi.bios_date,
        f"{place}/chassis_vendor": dmi.chassis_vendor, f"{place}/chassis_type": "1",
        f"{place}/board_name": dmi.board_name,
        f"{place}/board_vendor": dmi.board_vendor, f"{place}/product_family": "", f"{place}/product_sku": "",
        f"{place}/modalias": f"dmi:bvn{dmi.bios_vendor}:bvr{dmi.bios_version}:bd{dmi.bios_date}:".replace(" ", ""),
    })  # fmt: skip
    flat |= {"firmware/memmap": None, "firmware/acpi": None, "firmware/dmi/tables": None}


def _processors(flat: dict[str, Value], persona: Persona) -> None:
    cpu = persona.cpu
    every = f"0-{cpu.count - 1}" if cpu.count > 1 else "0"
    place = "devices/system/cpu"
    flat.update({f"{place}/online": every, f"{place}/possible": every, f"{place}/present": every,
    f"{place}/offline": "",
                 f"{place}/kernel_max": "8191", "devices/system/node/online": "0",
                 "devices/system/node/node0/cpulist": every,
                 f"{place}/smt/active": "0", "devices/system/clocksource/clocksource0/current_clocksource":
                 "kvm-clock" if persona.hypervisor == "kvm" else "tsc" if persona.is_server else "MIPS"})  # fmt: skip
    for number in range(cpu.count):
        flat[f"{place}/cpu{number}/topology/core_id"] = str(number)
        flat[f"{place}/cpu{number}/topology/physical_package_id"] = "0"
        if number:
            flat[f"{place}/cpu{number}/online"] = "1"
    for name, text in vulnerabilities(persona).items():
        flat[f"{place}/vulnerabilities/{name}"] = text


def vulnerabilities(persona: Persona) -> dict[str, str]:
    """What the kernel says of the processor's known weaknesses, by name."""
    bugs = set(persona.cpu.bugs)
    if not persona.cpu.vendor_id or not persona.is_server:
        return {}
    amd = persona.cpu.vendor_id == "AuthenticAMD"
    spectre = "Mitigation; Retpolines; IBPB conditional; IBRS_FW; STIBP disabled; RSB filling; PBRSB-eIBRS Not affected"
    answers = {
        "itlb_multihit": ("itlb_multihit", "KVM: Mitigation: VMX unsupported"),
        "l1tf": ("l1tf", "Mitigation; PTE Inversion"),
        "mds": ("mds", "Vulnerable: Clear CPU buffers attempted, no microcode; SMT Host state unknown"),
        "meltdown": ("cpu_meltdown", "Mitigation; PTI"),
        "mmio_stale_data": (
            "mmio_stale_data",
            "Vulnerable: Clear CPU buffers attempted, no microcode; SMT Host state unknown",
        ),
        "retbleed": (
            "retbleed",
            "Mitigation; untrained return thunk; SMT disabled" if amd else "Mitigation; Enhanced IBRS",
        ),
        "spec_rstack_overflow": ("srso", "Vulnerable: Safe RET, no microcode"),
        "spec_store_bypass": ("spec_store_bypass", "Mitigation; Speculative Store Bypass disabled via prctl"),
        "spectre_v1": ("spectre_v1", "Mitigation; usercopy/swapgs barriers and __user pointer sanitization"),
        "spectre_v2": ("spectre_v2", spectre),
        "srbds": ("srbds", ""),
        "tsx_async_abort": (
            "taa",
            "Vulnerable: Clear CPU buffers attempted, no microcode; SMT Host state unknown",
        ),
    }
    return {name: text if bug in bugs and text else "Not affected" for name, (bug, text) in answers.items()}
