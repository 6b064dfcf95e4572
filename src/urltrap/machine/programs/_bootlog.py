"""What the kernel said at the start: lines of a PC's guest, or of a router's board, with the persona's own figures.

The wording is that of Linux 5.10 (OpenWrt 22.03 on ath79 and ipq40xx) and of 6.1 and 6.12 (Debian's kernels).
"""

from __future__ import annotations

from urltrap.machine.persona import Persona
from urltrap.machine.proc.flash import partitions

Line = tuple[float, str]
"""Seconds since the start, and the message."""


def boot_lines(persona: Persona) -> list[Line]:
    """The kernel's messages in the order of their times."""
    lines = _guest(persona) if persona.is_server else _board(persona)
    return sorted(lines, key=lambda line: line[0])


def _guest(persona: Persona) -> list[Line]:
    kernel, cpu, memory, dmi = persona.kernel, persona.cpu, persona.memory, persona.dmi
    top = memory.total_kb * 1024 + 40_000_000
    vmware = persona.hypervisor == "vmware"
    low = min(top, 0xBFFDBFFF)
    lines = [
        (0.0, kernel.banner), (0.0, f"Command line: {kernel.command_line}"),
        (0.0, "BIOS-provided physical RAM map:"),
        (0.0, "BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable"),
        (0.0, "BIOS-e820: [mem 0x000000000009fc00-0x000000000009ffff] reserved"),
        (0.0, f"BIOS-e820: [mem 0x0000000000100000-0x{low:016x}] usable"),
        *([(0.0, f"BIOS-e820: [mem 0x0000000100000000-0x{top + 0x40000000:016x}] usable")] if top > low else []),
        (0.0, "NX (Execute Disable) protection: active"), (0.0, f"SMBIOS {'2.7' if vmware else '2.8'} present."),
        (0.0, f"DMI: {dmi.sys_vendor} {dmi.product_name}"
              f"{'/440BX Desktop Reference Platform' if vmware else ''}, BIOS {dmi.bios_version} {dmi.bios_date}"),
        (0.0, f"Hypervisor detected: {'VMware' if vmware else 'KVM'}"),
        *([(0.0, f"vmware: TSC freq read from hypervisor : {cpu.mhz:.3f} MHz"),
           (0.0, "vmware: Host bus clock speed read from hypervisor : 66000000 Hz"),
           (0.0, "vmware: using clock offset of 6180473891 ns")] if vmware else
          [(0.000001, "kvm-clock: Using msrs 4b564d01 and 4b564d00"),
           (0.000002, "kvm-clock: using sched offset of 8236147853 cycles")]),
        (0.000003, f"tsc: Detected {cpu.mhz:.3f} MHz processor"),
        (0.004183, f"last_pfn = 0x{top >> 12:x} max_arch_pfn = 0x400000000"),
        (0.011027, "ACPI: Early table checksum verification disabled"),
        (0.048661, f"smpboot: Allowing {cpu.count} CPUs, 0 hotplug CPUs"),
        (0.048702, f"Booting paravirtualized kernel on {'VMware hypervisor' if vmware else 'KVM'}"),
        (0.071930, f"Memory: {memory.total_kb - 30_000}K/{top // 1024}K available (14342K kernel code, 2332K rwdata)"),
        (0.213481, f"smpboot: CPU0: {cpu.model_name} (family: 0x{cpu.family:x}, model: 0x{cpu.model:x}, "
                   f"stepping: 0x{cpu.stepping:x})"),
        (0.220117, f"smp: Brought up 1 node, {cpu.count} CPU{'s' if cpu.count > 1 else ''}"),
        (0.220119, f"smpboot: Total of {cpu.count} processors activated ({cpu.bogomips * cpu.count:.2f} BogoMIPS)"),
        (0.391874, f"clocksource: Switched to clocksource {'tsc-early' if vmware else 'kvm-clock'}"),
        (0.437203, "NET: Registered PF_INET protocol family"), (0.611932, "Initialise system trusted keyrings"),
        (0.713002, "Serial: 8250/16550 driver, 4 ports, IRQ sharing enabled"),
        (0.982113, "Run /init as init process"),
    ]  # fmt: skip
    disk = persona.disks[0]
    sectors, gib = disk.size_kb * 2, disk.size_kb / 1024**2
    size = f"{sectors} 512-byte logical blocks: ({sectors * 512 / 1e9:.1f} GB/{gib:.1f} GiB)"
    driver = persona.primary.driver
    if disk.name.startswith("vd"):
        lines.append((1.391027, f"virtio_blk virtio2: [{disk.name}] {size}"))
    else:
        host = "2" if persona.kind != "cloud-small" else "0"
        vendor, _, model = (disk.model or "QEMU HARDDISK").partition(" ")
        shown = ("VMware  ", "Virtual disk    ") if vmware else (f"{vendor:<8}", f"{model:<16}")
        lines += [
            (1.377154, f"scsi {host}:0:0:0: Direct-Access     {shown[0]} {shown[1]} 2.5+ PQ: 0 ANSI: 5"),
            (1.391027, f"sd {host}:0:0:0: [{disk.name}] {size}"),
            (1.391044, f"sd {host}:0:0:0: [{disk.name}] Write Protect is off"),
        ]
    root = disk.partitions[0].name if disk.partitions else disk.name
    lines += [
        (1.218440, f"{'vmxnet3' if vmware else 'virtio_net'} {'0000:0b:00.0' if vmware else 'virtio0'} "
                   f"{persona.primary.name}: renamed from eth0")
        if not persona.primary.name.startswith("eth") else (1.218440, "virtio_net virtio0 eth0: MTU 1500"),
        (1.402664, f" {disk.name}: " + " ".join(part.name for part in disk.partitions)),
        (2.106392, f"EXT4-fs ({root}): mounted filesystem with ordered data mode. Quota mode: none."),
        (2.493330, "systemd[1]: Inserted module 'autofs4'"),
        (2.551973, f"systemd[1]: Detected virtualization {persona.hypervisor}."),
        (2.552004, "systemd[1]: Detected architecture x86-64."),
        (2.554118, f"systemd[1]: Hostname set to <{persona.hostname}>."),
        (2.981160, f"EXT4-fs ({root}): re-mounted. Quota mode: none."),
        (4.031775, f"8021q: adding VLAN 0 to HW filter on device {persona.primary.name}")
        if driver == "vmxnet3" else (4.031775, f"IPv6: ADDRCONF(NETDEV_CHANGE): {persona.primary.name}: link becomes "
                                               "ready"),
    ]  # fmt: skip
    if memory.swap_kb:
        swap = next(part.name for part in disk.partitions if part.fstype == "swap")
        extents = f"extents:1 across:{memory.swap_kb}k FS"
        lines.append((3.271650, f"Adding {memory.swap_kb}k swap on /dev/{swap}.  Priority:-2 {extents}"))
    return lines


def _board(persona: Persona) -> list[Line]:
    kernel, cpu = persona.kernel, persona.cpu
    total = 1 << (persona.memory.total_kb - 1).bit_length()
    freed = 1220 if kernel.machine == "mips" else 1024
    ready = persona.memory.total_kb - freed
    memory = (
        f"Memory: {ready}K/{total}K available (5754K kernel code, 576K rwdata, 712K rodata, {freed}K init, 205K bss, "
        f"{total - ready}K reserved, 0K cma-reserved{', 0K highmem' if kernel.machine != 'mips' else ''})"
    )
    base = 0 if kernel.machine == "mips" else 0x80000000
    width = 16 if kernel.machine == "mips" else 8 if total < 1 << 20 else 16
    end = base + total * 1024 - 1
    zone = f"[mem 0x{base:0{width}x}-0x{end:0{width}x}]"
    lines: list[Line] = [(0.0, kernel.banner)]
    lines += _mips(persona) if kernel.machine == "mips" else _arm(persona)
    lines += [
        (0.0, "Zone ranges:"), (0.0, f"  Normal   {zone}"), (0.0, "Movable zone start for each node"),
        (0.0, "Early memory node ranges"), (0.0, f"  node   0: {zone}"), (0.0, f"Initmem setup node 0 {zone}"),
        (0.0, f"Built 1 zonelists, mobility grouping on.  Total pages: {total // 4 * 127 // 128}"),
        (0.0, f"Kernel command line: {kernel.command_line}"),
        (0.0, f"Dentry cache hash table entries: {total // 8} (order: {4 if total < 200_000 else 5}, "
              f"{total // 2} bytes, linear)"),
        (0.0, "mem auto-init: stack:off, heap alloc:off, heap free:off"), (0.0, memory),
        (0.0, f"SLUB: HWalign={32 if kernel.machine == 'mips' else 64}, Order=0-3, MinObjects=0, CPUs={cpu.count}, "
              "Nodes=1"),
        (0.074630, "pid_max: default: 32768 minimum: 301"),
        (0.079784, f"Mount-cache hash table entries: {total // 128} (order: 0, {total // 32} bytes, linear)"),
        (0.131220, "NET: Registered protocol family 16"), (0.310482, "NET: Registered protocol family 2"),
        (0.322107, f"TCP: Hash tables configured (established {total // 128} bind {total // 128})"),
        (0.401930, "workingset: timestamp_bits=14 max_order=15 bucket_order=1"),
        (0.446213, "squashfs: version 4.0 (2009/01/31) Phillip Lougher"),
        (0.451790, "jffs2: version 2.2 (NAND) (SUMMARY) (LZMA) (RTIME) (CMODE_PRIORITY) (c) 2001-2006 Red Hat, Inc."),
    ]  # fmt: skip
    return lines + _flash(persona) + _userland(persona)


def _mips(persona: Persona) -> list[Line]:
    cpu = persona.cpu
    name = "74Kc" if "74Kc" in cpu.model_name else "24Kc"
    lpj = int(cpu.bogomips * 5000)
    return [
        (0.0, "printk: bootconsole [early0] enabled"),
        (0.0, f"CPU0 revision is: {'00019750' if name == '74Kc' else '00019374'} (MIPS {name})"),
        (0.0, f"MIPS: machine is {cpu.board}"), (0.0, f"SoC: {cpu.system_type}"),
        (0.0, "Initrd not found or empty - disabling initrd"),
        (0.0, "Primary instruction cache 64kB, VIPT, 4-way, linesize 32 bytes."),
        (0.0, "Primary data cache 32kB, 4-way, VIPT, cache aliases, linesize 32 bytes"),
        (0.0, "Writing ErrCtl register=00000000"), (0.0, "Readback ErrCtl register=00000000"),
        (0.0, "NR_IRQS: 51"), (0.0, f"CPU clock: {cpu.mhz:.3f} MHz"),
        (0.0, "clocksource: MIPS: mask: 0xffffffff max_cycles: 0xffffffff, max_idle_ns: 4932285024 ns"),
        (0.000010, f"sched_clock: 32 bits at {int(cpu.mhz / 2)}MHz, resolution 2ns, wraps every 5541893118ns"),
        (0.008260, f"Calibrating delay loop... {cpu.bogomips:.2f} BogoMIPS (lpj={lpj})"),
        (0.540118, "Serial: 8250/16550 driver, 1 ports, IRQ sharing disabled"),
        (0.552906, "printk: console [ttyS0] disabled"),
        (0.557880, "18020000.uart: ttyS0 at MMIO 0x18020000 (irq = 9, base_baud = 2500000) is a 16550A"),
        (0.566871, "printk: console [ttyS0] enabled"),
        (1.188301, "libphy: ag71xx_mdio: probed"),
        (1.837225, "ag71xx 19000000.eth eth0: Atheros AG71xx at 0xb9000000, irq 4, mode: sgmii"),
        (9.412075, "ath: EEPROM regdomain: 0x0"), (9.415962, "ath: Country alpha2 being used: US"),
        (9.424407, "ieee80211 phy0: Selected rate control algorithm 'minstrel_ht'"),
        (9.433120, f"ieee80211 phy0: {cpu.system_type.split(' ver')[0].replace('Qualcomm ', '')} mem=0xb8100000, "
                   "irq=2"),
    ]  # fmt: skip


def _arm(persona: Persona) -> list[Line]:
    cpu = persona.cpu
    clock = cpu.bogomips / 2
    count = cpu.count
    return [
        (0.0, "Booting Linux on physical CPU 0x0"),
        (0.0, "CPU: ARMv7 Processor [410fc075] revision 5 (ARMv7), cr=10c5387d"),
        (0.0, "CPU: div instructions available: patching division code"),
        (0.0, "CPU: PIPT / VIPT nonaliasing data cache, VIPT aliasing instruction cache"),
        (0.0, f"OF: fdt: Machine model: {cpu.board}"), (0.0, "Memory policy: Data cache writealloc"),
        (0.0, "percpu: Embedded 15 pages/cpu s29964 r8192 d23284 u61440"),
        (0.0, "rcu: Hierarchical RCU implementation."),
        (0.0, "NR_IRQS: 16, nr_irqs: 16, preallocated irqs: 16"),
        (0.0, f"arch_timer: cp15 timer(s) running at {clock:.2f}MHz (virt)."),
        (0.000007, f"sched_clock: 56 bits at {int(clock)}MHz, resolution 20ns, wraps every 4398046511096ns"),
        (0.008260, "Calibrating delay loop (skipped), value calculated using timer frequency.. "
                   f"{cpu.bogomips:.2f} BogoMIPS (lpj={int(cpu.bogomips * 5000)})"),
        (0.061190, "CPU: Testing write buffer coherency: ok"),
        (0.092404, "CPU0: thread -1, cpu 0, socket 0, mpidr 80000000"),
        *((0.1 + number / 100, f"CPU{number}: thread -1, cpu {number}, socket 0, mpidr 8000000{number}")
          for number in range(1, count)),
        (0.140233, f"smp: Brought up 1 node, {count} CPUs"),
        (0.140251, f"SMP: Total of {count} processors activated ({cpu.bogomips * count:.2f} BogoMIPS)."),
        (0.140262, "CPU: All CPU(s) started in SVC mode."),
        (0.560180, "msm_serial 78af000.serial: msm_serial: detected port #0"),
        (0.566871, "printk: console [ttyMSM0] enabled"),
        (1.188301, "libphy: ipq40xx_mdio: probed"),
        (1.837225, "ess_edma c080000.edma eth0: Qualcomm ESS EDMA"),
        (9.412075, "ath10k_ahb a000000.wifi: qca4019 hw1.0 target 0x01000000 chip_id 0x003b00ff sub 0000:0000"),
        (9.433120, "ath10k_ahb a000000.wifi: htt-ver 2.2 wmi-op 6 htt-op 4 cal pre-cal-file max-sta 32 raw 0 "
                   "hwcrypto 1"),
    ]  # fmt: skip


def _flash(persona: Persona) -> list[Line]:
    rows = partitions(persona)
    chip = (
        "w25q256"
        if persona.kernel.machine != "mips"
        else "gd25q128"
        if rows[-1].end > 0x900000
        else "gd25q64"
    )
    device = "spi0.0"
    lines = [(0.612331, f"spi-nor {device}: {chip} ({-(-rows[-1].end // 1024 // 1024) * 1024} Kbytes)")]
    whole = [row for row in rows if row.name != "rootfs_data"]
    at = 0.617540
    lines += [
        (at, f"{len(whole)} fixed-partitions partitions found on MTD device {device}"),
        (at + 0.006, f'Creating {len(whole)} MTD partitions on "{device}":'),
    ]
    for number, row in enumerate(whole):
        lines.append((at + 0.011 + number * 0.006, f'0x{row.start:012x}-0x{row.end:012x} : "{row.name}"'))
    at += 0.06
    rootfs = next(row for row in rows if row.name == "rootfs")
    data = next(row for row in rows if row.name == "rootfs_data")
    lines += [
        (at, f"mtd: device {rootfs.number} (rootfs) set to be root filesystem"),
        (at + 0.005, f'1 squashfs-split partitions found on MTD device {rootfs.name}'),
        (at + 0.010, f'0x{data.start - rootfs.start:012x}-0x{rootfs.end - rootfs.start:012x} : "rootfs_data"'),
        (2.010406, f"VFS: Mounted root (squashfs filesystem) readonly on device 31:{rootfs.number}."),
        (2.021710, "Freeing unused kernel memory: 1220K"),
        (2.025933, "This architecture does not have kernel memory protection."),
        (2.031706, "Run /sbin/init as init process"),
    ]  # fmt: skip
    return lines


def _userland(persona: Persona) -> list[Line]:
    lan, wan = persona.network.interfaces[1], persona.network.interfaces[2]
    port = "eth0.1" if persona.kernel.machine == "mips" else "lan1"
    lines: list[Line] = [
        (2.611820, "init: Console is alive"), (2.615467, "init: - watchdog -"),
        (3.614088, "kmodloader: loading kernel modules from /etc/modules-boot.d/*"),
        (3.640907, "kmodloader: done loading kernel modules from /etc/modules-boot.d/*"),
        (3.652113, "init: - preinit -"),
        (7.303271, "jffs2: notice: (481) jffs2_build_xattr_subsystem: complete building xattr subsystem, 0 of xdatum "
                   "(0 unchecked, 0 orphan) and 0 of xref (0 dead, 0 orphan) found."),
        (7.321560, "mount_root: switching to jffs2 overlay"),
        (7.334112, "overlayfs: upper fs does not support tmpfile."),
        (7.371904, "urandom-seed: Seeding with /etc/urandom.seed"),
        (7.450291, "procd: - early -"), (7.453620, "procd: - watchdog -"), (8.092188, "procd: - watchdog -"),
        (8.096447, "procd: - ubus -"), (8.151739, "procd: - init -"),
        (8.581026, "kmodloader: loading kernel modules from /etc/modules.d/*"),
        (9.105633, "Loading modules backported from Linux version v5.15.81-0-ge4a7232c917c"),
        (9.112466, "Backport generated by backports.git v5.15.81-1-0-g0f4e1a2d0f5b"),
        (9.631887, "kmodloader: done loading kernel modules from /etc/modules.d/*"),
        (9.702340, "urngd: v1.0.2 started."),
        (15.338071, f"{lan.name}: port 1({port}) entered blocking state"),
        (15.343419, f"{lan.name}: port 1({port}) entered disabled state"),
        (15.349025, f"device {port} entered promiscuous mode"),
        (16.420715, "eth0: link up (1000Mbps/Full duplex)"),
        (16.425210, f"{lan.name}: port 1({port}) entered blocking state"),
        (16.430501, f"{lan.name}: port 1({port}) entered forwarding state"),
        (16.446117, f"IPv6: ADDRCONF(NETDEV_CHANGE): {lan.name}: link becomes ready"),
        (17.102446, f"IPv6: ADDRCONF(NETDEV_CHANGE): {wan.name}: link becomes ready"),
        (22.708830, f"{lan.name}: port 2(wlan0) entered blocking state"),
        (22.714214, "device wlan0 entered promiscuous mode"),
        (22.990562, "IPv6: ADDRCONF(NETDEV_CHANGE): wlan0: link becomes ready"),
        (22.996871, f"{lan.name}: port 2(wlan0) entered forwarding state"),
    ]  # fmt: skip
    return lines
