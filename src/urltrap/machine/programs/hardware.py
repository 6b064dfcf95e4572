"""lspci, lsusb, dmidecode, systemd-detect-virt: what the firmware and the buses know of the machine."""

from __future__ import annotations

from itertools import pairwise

from urltrap.machine.api import Process, Run
from urltrap.machine.proc.pci import devices, is_q35
from urltrap.machine.programs._release import upstream_version
from urltrap.machine.programs.registry import program


@program("lspci")
def lspci(p: Process) -> Run:
    """Devices on the PCI bus; -n and -nn show numbers, -k and -v the drivers."""
    letters = "".join(word[1:] for word in p.argv[1:] if word.startswith("-") and not word.startswith("--"))
    for each in devices(p.persona):
        revision = f" (rev {each.revision:02x})" if each.revision else ""
        if letters.count("n") == 1:
            line = f"{each.slot} {each.kind_id}: {each.ids}{revision}"
        elif "nn" in letters:
            line = f"{each.slot} {each.kind} [{each.kind_id}]: {each.name} [{each.ids}]{revision}"
        else:
            kind = each.kind if each.kind_id != "00ff" else f"{each.kind} [{each.kind_id}]"
            line = f"{each.slot} {kind}: {each.name}{revision}"
        yield from p.out(line + "\n")
        if letters.count("v") or "k" in letters:
            driver = f"\tKernel driver in use: {each.driver}\n" if each.driver else ""
            yield from p.out(driver + ("\n" if "v" in letters else ""))
    return 0


@program("lsusb")
def lsusb(p: Process) -> Run:
    """Devices on the USB."""
    slow, fast = "1d6b:0001 Linux Foundation 1.1 root hub", "1d6b:0002 Linux Foundation 2.0 root hub"
    if p.persona.hypervisor == "vmware":
        yield from p.out(
            f"Bus 002 Device 001: ID {fast}\nBus 001 Device 003: ID 0e0f:0002 VMware, Inc. Virtual USB Hub\n"
            f"Bus 001 Device 002: ID 0e0f:0003 VMware, Inc. Virtual Mouse\nBus 001 Device 001: ID {slow}\n"
        )
        return 0
    yield from p.out("Bus 001 Device 002: ID 0627:0001 Adomax Technology Co., Ltd QEMU Tablet\n"
                     f"Bus 001 Device 001: ID {fast if is_q35(p.persona) else slow}\n")  # fmt: skip
    return 0


@program("systemd-detect-virt")
def detect_virt(p: Process) -> Run:
    """What the machine runs on."""
    words = set(p.argv[1:])
    if words & {"-c", "--container", "--chroot", "-r"}:
        if not words & {"-q", "--quiet", "-r", "--chroot"}:
            yield from p.out("none\n")
        return 1
    if not words & {"-q", "--quiet"}:
        yield from p.out(f"{p.persona.hypervisor}\n")
    return 0


_KEYWORDS = {
    "bios-vendor": "bios_vendor", "bios-version": "bios_version", "bios-release-date": "bios_date",
    "system-manufacturer": "sys_vendor", "system-product-name": "product_name", "system-version": "product_version",
    "system-serial-number": "product_serial", "system-uuid": "product_uuid", "baseboard-manufacturer": "board_vendor",
    "baseboard-product-name": "board_name", "chassis-manufacturer": "chassis_vendor",
}  # fmt: skip


@program("dmidecode")
def dmidecode(p: Process) -> Run:
    """The firmware's tables."""
    dmi = p.persona.dmi
    if p.uid:
        yield from p.err("/sys/firmware/dmi/tables/smbios_entry_point: Permission denied\nScanning /dev/mem for "
        "entry point.\n"
                         "/dev/mem: Permission denied\n")  # fmt: skip
        return 1
    words = p.argv[1:]
    if words[:1] == ["-s"] or words[:1] == ["--string"]:
        if len(words) < 2 or words[1] not in _KEYWORDS:
            yield from p.err("Invalid string keyword: " + (words[1] if len(words) > 1 else "") + "\nValid string "
            "keywords are:\n"
                             + "".join(f"  {name}\n" for name in _KEYWORDS))  # fmt: skip
            return 2
        yield from p.out((getattr(dmi, _KEYWORDS[words[1]]) or "Not Specified") + "\n")
        return 0
    wanted = [word for flag, word in pairwise(words) if flag in ("-t", "--type")]
    numbers = {n for word in ",".join(wanted).split(",") if word for n in _TYPES.get(word, (word,))}
    tables = [(kind, text) for kind, text in _tables(p) if not numbers or str(kind) in numbers]
    head = f"# dmidecode {upstream_version(p, 'dmidecode', '3.4')}\n"
    if "-q" not in words:
        old = "2.7" if p.persona.hypervisor == "vmware" else "2.8"
        head += f"Getting SMBIOS data from sysfs.\nSMBIOS {old} present.\n\n"
    yield from p.out(head + "".join(text + "\n" for _, text in tables))
    return 0


_TYPES = {
    "bios": ("0", "13"), "system": ("1", "12", "15", "23", "32"), "baseboard": ("2", "10", "41"), "chassis": ("3",),
    "processor": ("4",), "memory": ("5", "6", "16", "17"), "cache": ("7",), "slot": ("9",),
}  # fmt: skip


def _tables(p: Process) -> list[tuple[int, str]]:
    """The tables in order: number of the type, and text."""
    dmi, cpu = p.persona.dmi, p.persona.cpu
    vmware = p.persona.hypervisor == "vmware"
    serial = dmi.product_serial or "Not Specified"
    memory = -(-(p.persona.memory.total_kb + 60_000) // 1024 // 512) * 512
    size = f"{memory // 1024} GB" if memory % 1024 == 0 else f"{memory} MB"
    maker = "GenuineIntel" if vmware and cpu.vendor_id == "GenuineIntel" else dmi.sys_vendor
    found = [
        (0, "Handle 0x0000, DMI type 0, 24 bytes\nBIOS Information\n"
            f"\tVendor: {dmi.bios_vendor}\n\tVersion: {dmi.bios_version}\n\tRelease Date: {dmi.bios_date}\n"
            f"\tAddress: {'0xEA480' if vmware else '0xE8000'}\n\tRuntime Size: {'88960 bytes' if vmware else '96 kB'}\n"
            "\tROM Size: 64 kB\n\tCharacteristics:\n"
            + ("\t\tISA is supported\n\t\tPCI is supported\n\t\tPC Card (PCMCIA) is supported\n"
               "\t\tPNP is supported\n\t\tAPM is supported\n\t\tBIOS is upgradeable\n" if vmware else
               "\t\tBIOS characteristics not supported\n")
            + f"\t\tTargeted content distribution is supported\n\tBIOS Revision: {'4.6' if vmware else '0.0'}\n"),
        (1, f"Handle {'0x0001' if vmware else '0x0100'}, DMI type 1, 27 bytes\nSystem Information\n"
            f"\tManufacturer: {dmi.sys_vendor}\n\tProduct Name: {dmi.product_name}\n\tVersion: {dmi.product_version}\n"
            f"\tSerial Number: {serial}\n\tUUID: {dmi.product_uuid}\n\tWake-up Type: Power Switch\n"
            "\tSKU Number: Not Specified\n\tFamily: Not Specified\n"),
    ]  # fmt: skip
    if dmi.board_name:
        found.append((2, "Handle 0x0002, DMI type 2, 15 bytes\nBase Board Information\n"
                      f"\tManufacturer: {dmi.board_vendor}\n\tProduct Name: {dmi.board_name}\n\tVersion: None\n"
                      "\tSerial Number: None\n\tAsset Tag: Not Specified\n\tType: Unknown\n"))  # fmt: skip
    found += [
        (3, f"Handle {'0x0003' if vmware else '0x0300'}, DMI type 3, 22 bytes\nChassis Information\n"
            f"\tManufacturer: {dmi.chassis_vendor}\n\tType: Other\n\tLock: Not Present\n"
            f"\tVersion: {'N/A' if vmware else dmi.product_version}\n"
            f"\tSerial Number: {'None' if vmware else 'Not Specified'}\n"
            f"\tAsset Tag: {'No Asset Tag' if vmware else 'Not Specified'}\n\tBoot-up State: Safe\n"
            "\tPower Supply State: Safe\n\tThermal State: Safe\n\tSecurity Status: Unknown\n"),
    ]  # fmt: skip
    for number in range(cpu.count if not vmware else 1):
        found.append((4, f"Handle 0x{0x400 + number:04X}, DMI type 4, 42 bytes\nProcessor Information\n"
                      f"\tSocket Designation: CPU {number}\n\tType: Central Processor\n\tFamily: Other\n"
                      f"\tManufacturer: {maker}\n\tVersion: {cpu.model_name if vmware else dmi.product_version}\n"
                      "\tVoltage: Unknown\n\tExternal Clock: Unknown\n\tMax Speed: 2000 MHz\n"
                      "\tCurrent Speed: 2000 MHz\n\tStatus: Populated, Enabled\n\tUpgrade: Other\n"
                      f"\tCore Count: {cpu.count if vmware else 1}\n\tCore Enabled: {cpu.count if vmware else 1}\n"
                      "\tThread Count: 1\n\tCharacteristics: None\n"))  # fmt: skip
    found += [
        (16, "Handle 0x1000, DMI type 16, 23 bytes\nPhysical Memory Array\n\tLocation: Other\n"
             f"\tUse: System Memory\n\tError Correction Type: Multi-bit ECC\n\tMaximum Capacity: {size}\n"
             "\tError Information Handle: Not Provided\n\tNumber Of Devices: 1\n"),
        (17, "Handle 0x1100, DMI type 17, 40 bytes\nMemory Device\n\tArray Handle: 0x1000\n"
             "\tError Information Handle: Not Provided\n\tTotal Width: Unknown\n\tData Width: Unknown\n"
             f"\tSize: {size}\n\tForm Factor: DIMM\n\tSet: None\n\tLocator: {'RAM slot #0' if vmware else 'DIMM 0'}\n"
             f"\tBank Locator: {'RAM slot #0' if vmware else 'Not Specified'}\n\tType: {'DRAM' if vmware else 'RAM'}\n"
             "\tType Detail: Other\n\tSpeed: Unknown\n"
             f"\tManufacturer: {'VMware Virtual RAM' if vmware else dmi.sys_vendor}\n"
             "\tSerial Number: Not Specified\n\tAsset Tag: Not Specified\n\tPart Number: Not Specified\n"
             "\tRank: Unknown\n\tConfigured Memory Speed: Unknown\n"),
        (127, "Handle 0x7F00, DMI type 127, 4 bytes\nEnd Of Table\n"),
    ]  # fmt: skip
    return found
