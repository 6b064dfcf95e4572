"""lsmod, dmesg, lspci, lsusb, dmidecode, systemd-detect-virt: what the kernel and the firmware know."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.persona import Persona
from urltrap.machine.programs._system import option_problem, text_of
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.registry import program


@program("lsmod")
def lsmod(p: Process) -> Run:
    """Loaded modules, from /proc/modules."""
    yield from p.out("Module                  Size  Used by\n")
    for line in text_of(p, "/proc/modules").splitlines():
        name, size, count, by, *_ = line.split(" ")
        users = by.rstrip(",") if by != "-" else ""
        yield from p.out(f"{name:<19} {size:>8}  {count}{' ' + users if users else ''}\n")
    return 0


def _boot_lines(persona: Persona) -> list[tuple[float, str]]:
    kernel, cpu, memory, dmi = persona.kernel, persona.cpu, persona.memory, persona.dmi
    top = memory.total_kb * 1024 + 40_000_000
    lines = [
        (0.0, kernel.banner), (0.0, f"Command line: {kernel.command_line}"),
        (0.0, "BIOS-provided physical RAM map:"),
        (0.0, "BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable"),
        (0.0, "BIOS-e820: [mem 0x000000000009fc00-0x000000000009ffff] reserved"),
        (0.0, f"BIOS-e820: [mem 0x0000000000100000-0x{min(top, 0xBFFDBFFF):016x}] usable"),
        (0.0, "NX (Execute Disable) protection: active"), (0.0, "SMBIOS 2.8 present."),
        (0.0, f"DMI: {dmi.sys_vendor} {dmi.product_name}, BIOS {dmi.bios_version} {dmi.bios_date}"),
        (0.0, f"Hypervisor detected: {'VMware' if persona.hypervisor == 'vmware' else 'KVM'}"),
        (0.000001, "kvm-clock: Using msrs 4b564d01 and 4b564d00" if persona.hypervisor == "kvm"
                   else "vmware: using clock offset of 6180473891 ns"),
        (0.000003, f"tsc: Detected {cpu.mhz:.3f} MHz processor"),
        (0.004183, f"last_pfn = 0x{top >> 12:x} max_arch_pfn = 0x400000000"),
        (0.011027, "ACPI: Early table checksum verification disabled"),
        (0.048661, f"smpboot: Allowing {cpu.count} CPUs, 0 hotplug CPUs"),
        (0.071930, f"Memory: {memory.total_kb - 30_000}K/{top // 1024}K available (14342K kernel code, 2332K rwdata)"),
        (0.213481, f"smpboot: CPU0: {cpu.model_name} (family: 0x{cpu.family:x}, model: 0x{cpu.model:x}, "
                   f"stepping: 0x{cpu.stepping:x})"),
        (0.220117, f"smp: Brought up 1 node, {cpu.count} CPUs"),
        (0.220119, f"smpboot: Total of {cpu.count} processors activated ({cpu.bogomips * cpu.count:.2f} BogoMIPS)"),
        (0.391874, f"clocksource: Switched to clocksource "
        f"{'kvm-clock' if persona.hypervisor == 'kvm' else 'tsc-early'}"),
        (0.437203, "NET: Registered PF_INET protocol family"), (0.611932, "Initialise system trusted keyrings"),
        (0.713002, "Serial: 8250/16550 driver, 4 ports, IRQ sharing enabled"),
        (0.982113, "Run /init as init process"),
    ]  # fmt: skip
    disk = persona.disks[0]
    sectors = disk.size_kb * 2
    gib = disk.size_kb / 1024**2
    lines += [
        (1.391027, f"[{disk.name}] {sectors} 512-byte logical blocks: ({sectors * 512 / 1e9:.1f} GB/{gib:.1f} GiB)"),
        (1.402664, f" {disk.name}: " + " ".join(part.name for part in disk.partitions)),
        (2.106392,
        f"EXT4-fs ({disk.partitions[0].name if disk.partitions else disk.name}): mounted filesystem with ordered data "
                   "mode. Quota mode: none."),
        (2.493330, "systemd[1]: Inserted module 'autofs4'"),
        (2.551973, f"systemd[1]: Detected virtualization {persona.hypervisor}."),
        (2.552004, "systemd[1]: Detected architecture x86-64."),
        (2.554118, f"systemd[1]: Hostname set to <{persona.hostname}>."),
        (4.031775, f"8021q: adding VLAN 0 to HW filter on device {persona.primary.name}"),
    ]  # fmt: skip
    if memory.swap_kb:
        swap = next(part.name for part in disk.partitions if part.fstype == "swap")
        lines.append(
            (
                3.271650,
                f"Adding {memory.swap_kb}k swap on /dev/{swap}.  Priority:-2 extents:1 across:{memory.swap_kb}k FS",
            )
        )
    return sorted(lines, key=lambda line: line[0])


@program("kmod", "modprobe", "insmod", "rmmod", "depmod", "modinfo")
def kmod(p: Process) -> Run:
    """The program behind lsmod, modprobe and their kin, by the name that it was called with."""
    name = p.argv[0].rpartition("/")[2]
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if name == "lsmod" and words:
        yield from p.err("Usage: lsmod\n")
        return 1
    missing = {
        "modprobe": "modprobe: ERROR: missing parameters. See -h.\n",
        "rmmod": "rmmod: ERROR: missing module name.\n",
        "modinfo": "modinfo: ERROR: missing module or filename.\n",
    }
    if name in missing and len(p.argv) == 1:
        yield from p.err(missing[name])
        return 1
    if name == "depmod" and (
        problem := option_problem(p, "aAb:C:E:F:euqrvnP:wm", "all quick basedir: config:")
    ):
        yield from p.err(problem)
        return 1
    if name == "lsmod" or (name == "kmod" and words[:1] == ["list"]):
        return (yield from lsmod(p))
    known = {row[0] for row in p.persona.kernel.modules}
    if name == "modinfo":
        for word in words:
            if word not in known:
                yield from p.err(f"modinfo: ERROR: Module {word} not found.\n")
                return 1
            base = f"/lib/modules/{p.persona.kernel.release}/kernel"
            yield from p.out(
                f"filename:       {base}/drivers/{word}.ko\nlicense:        GPL\nname:           {word}\n"
            )
        return 0
    if p.uid and name in ("modprobe", "insmod", "rmmod"):
        what = "finit_module" if name != "rmmod" else "delete_module"
        yield from p.err(f"{name}: ERROR: could not {'insert' if name != 'rmmod' else 'remove'} module: {what}: "
                         "Operation not permitted\n")  # fmt: skip
        return 1
    if name == "modprobe" and "-r" not in p.argv:
        for word in words[:1]:
            if word.replace("-", "_") not in known:
                yield from p.err(f"modprobe: FATAL: Module {word} not found in directory "
                                 f"/lib/modules/{p.persona.kernel.release}\n")  # fmt: skip
                return 1
        return 0
    if name == "insmod":
        if not words:
            yield from p.err("insmod: ERROR: missing filename.\n")
            return 1
        if not text_of(p, words[0]):
            yield from p.err(f"insmod: ERROR: could not load module {words[0]}: No such file or directory\n")
            return 1
        yield from p.err(f"insmod: ERROR: could not insert module {words[0]}: Invalid module format\n")
        return 1
    if name == "rmmod":
        for word in words:
            if word not in known:
                yield from p.err(f"rmmod: ERROR: Module {word} is not currently loaded\n")
            else:
                yield from p.err(f"rmmod: ERROR: Module {word} is in use\n")
            return 1
    return 0


_DMESG_OPTIONS = (
    "clear read-clear console-off console-on show-delta decode reltime file: facility: human json "
    "kernel color:: level: "
    "console-level: nopager force-prefix raw noescape syslog buffer-size: ctime notime time-format: userspace follow "
    "follow-new since: until:"
)


@program("dmesg")
def dmesg(p: Process) -> Run:
    """The kernel's messages since the start."""
    words = p.argv[1:]
    if problem := option_problem(p, "CcDdEeF:f:HhJkLl:n:PprSs:TtuwWxVU:", _DMESG_OPTIONS):
        yield from p.err(f"{problem}Try 'dmesg --help' for more information.\n")
        return 1
    if p.uid and p.persona.is_server:
        yield from p.err("dmesg: read kernel buffer failed: Operation not permitted\n")
        return 1
    if any(word in ("-C", "--clear") for word in words):
        return 0
    stamps = any(word in ("-T", "--ctime") for word in words)
    for when, text in _boot_lines(p.persona):
        if stamps:
            clock = local(p, p.boot_time + when).clock
            yield from p.out(f"[{clock:%a %b} {clock.day:2d} {clock:%H:%M:%S %Y}] {text}\n")
        else:
            yield from p.out(f"[{when:12.6f}] {text}\n")
    return 0


_PCI = {
    "kvm": (
        "00:00.0 Host bridge: Intel Corporation 440FX - 82441FX PMC [Natoma] (rev 02)",
        "00:01.0 ISA bridge: Intel Corporation 82371SB PIIX3 ISA [Natoma/Triton II]",
        "00:01.1 IDE interface: Intel Corporation 82371SB PIIX3 IDE [Natoma/Triton II]",
        "00:01.2 USB controller: Intel Corporation 82371SB PIIX3 USB [Natoma/Triton II] (rev 01)",
        "00:01.3 Bridge: Intel Corporation 82371AB/EB/MB PIIX4 ACPI (rev 03)",
        "00:02.0 VGA compatible controller: Device 1234:1111 (rev 02)",
        "00:03.0 Ethernet controller: Red Hat, Inc. Virtio network device",
        "00:04.0 Communication controller: Red Hat, Inc. Virtio console",
        "00:05.0 SCSI storage controller: Red Hat, Inc. Virtio block device",
        "00:06.0 Unclassified device [00ff]: Red Hat, Inc. Virtio memory balloon",
    ),
    "vmware": (
        "00:00.0 Host bridge: Intel Corporation 440BX/ZX/DX - 82443BX/ZX/DX Host bridge (rev 01)",
        "00:01.0 PCI bridge: Intel Corporation 440BX/ZX/DX - 82443BX/ZX/DX AGP bridge (rev 01)",
        "00:07.0 ISA bridge: Intel Corporation 82371AB/EB/MB PIIX4 ISA (rev 08)",
        "00:07.1 IDE interface: Intel Corporation 82371AB/EB/MB PIIX4 IDE (rev 01)",
        "00:07.3 Bridge: Intel Corporation 82371AB/EB/MB PIIX4 ACPI (rev 08)",
        "00:07.7 System peripheral: VMware Virtual Machine Communication Interface (rev 10)",
        "00:0f.0 VGA compatible controller: VMware SVGA II Adapter",
        "03:00.0 Serial Attached SCSI controller: VMware PVSCSI SCSI Controller (rev 02)",
        "0b:00.0 Ethernet controller: VMware VMXNET3 Ethernet Controller (rev 01)",
    ),
}


@program("lspci")
def lspci(p: Process) -> Run:
    """Devices on the PCI bus."""
    for line in _PCI.get(p.persona.hypervisor, ()):
        yield from p.out(line + "\n")
    return 0


@program("lsusb")
def lsusb(p: Process) -> Run:
    """Devices on the USB."""
    if p.persona.hypervisor == "kvm":
        yield from p.out("Bus 001 Device 002: ID 0627:0001 Adomax Technology Co., Ltd QEMU Tablet\n")
    yield from p.out("Bus 001 Device 001: ID 1d6b:0001 Linux Foundation 1.1 root hub\n")
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
    serial = dmi.product_serial or "Not Specified"
    memory = -(-(p.persona.memory.total_kb + 60_000) // 1024 // 512) * 512
    yield from p.out(
        "# dmidecode 3.4\nGetting SMBIOS data from sysfs.\nSMBIOS 2.8 present.\n\n"
        "Handle 0x0000, DMI type 0, 24 bytes\nBIOS Information\n"
        f"\tVendor: {dmi.bios_vendor}\n\tVersion: {dmi.bios_version}\n\tRelease Date: {dmi.bios_date}\n\tAddress: "
        f"0xE8000\n"
        "\tRuntime Size: 96 kB\n\tROM Size: 64 kB\n\tCharacteristics:\n\t\tBIOS characteristics not supported\n"
        "\t\tTargeted content distribution is supported\n\tBIOS Revision: 0.0\n\n"
        "Handle 0x0100, DMI type 1, 27 bytes\nSystem Information\n"
        f"\tManufacturer: {dmi.sys_vendor}\n\tProduct Name: {dmi.product_name}\n\tVersion: {dmi.product_version}\n"
        f"\tSerial Number: {serial}\n\tUUID: {dmi.product_uuid}\n\tWake-up Type: Power Switch\n\tSKU Number: Not "
        f"Specified\n"
        "\tFamily: Not Specified\n\n"
        "Handle 0x0300, DMI type 3, 22 bytes\nChassis Information\n"
        f"\tManufacturer: {dmi.chassis_vendor}\n\tType: Other\n\tLock: Not Present\n\tVersion: {dmi.product_version}\n"
        "\tSerial Number: Not Specified\n\tAsset Tag: Not Specified\n\tBoot-up State: Safe\n\n"
        "Handle 0x1100, DMI type 17, 40 bytes\nMemory Device\n\tArray Handle: 0x1000\n\tTotal Width: Unknown\n"
        f"\tSize: {memory // 1024} GB\n\tForm Factor: DIMM\n\tLocator: DIMM 0\n\tType: RAM\n\tSpeed: Unknown\n"
        f"\tManufacturer: {dmi.sys_vendor}\n\nHandle 0x7F00, DMI type 127, 4 bytes\nEnd Of Table\n\n"
    )
    return 0
