"""Debian servers and small cloud instances: hardware, kernel and services that agree with each other."""

from __future__ import annotations

from urltrap.machine.persona import hardware, releases
from urltrap.machine.persona.dice import Dice
from urltrap.machine.persona.hardware import CpuModel, Vendor
from urltrap.machine.persona.model import (
    Cpu,
    Dmi,
    Interface,
    Kernel,
    Kind,
    Memory,
    Network,
    Persona,
    Resident,
)  # fmt: skip
from urltrap.machine.persona.names import DATACENTRES, DOMAIN_ENDS, DOMAIN_STEMS, HOST_STEMS, TIMEZONES
from urltrap.machine.persona.releases import KernelRelease
from urltrap.machine.persona.residents import (
    DHCLIENT,
    SERVER_SERVICES,
    TRIXIE_UIDS,
    kernel_threads,
    service_processes,
)
from urltrap.machine.persona.storage import server_storage
from urltrap.machine.persona.users import server_users

DAY = 86_400.0


def server_persona(dice: Dice, kind: Kind, fingerprint: str, now: float) -> Persona:
    """A Debian server or a small cloud instance; `dice` is the installation's own."""
    cloud = kind == "cloud-small"
    trixie = kind == "debian-13"
    vendor = dice.choice("vendor", hardware.CLOUD_VENDORS if cloud else hardware.SERVER_VENDORS)
    days = dice.real("uptime days", 19.0, 160.0)
    boot = round(now - days * DAY, 2)
    kernels = releases.DEBIAN_13_KERNELS if trixie else releases.DEBIAN_12_KERNELS
    ready = [release for release in kernels if release.built + 2 * DAY <= boot] or [kernels[0]]
    release = dice.choice("kernel", ready[-3:])
    installed = round(max(release.built - 400 * DAY, boot - dice.real("age days", 20, 300) * DAY), 0)
    cpu = server_cpu(dice.scoped("cpu"), vendor, cloud)
    memory_mb = dice.choice("memory", hardware.CLOUD_MEMORY_MB if cloud else hardware.SERVER_MEMORY_MB)
    disk_gb = dice.choice("disk", hardware.CLOUD_DISK_GB if cloud else hardware.SERVER_DISK_GB)
    memory = server_memory(
        dice.scoped("memory"), memory_mb, 0 if cloud else dice.choice("swap", (975, 975, 1024, 2048))
    )
    disks, mounts = server_storage(dice.scoped("storage"), vendor, disk_gb, memory, cloud)
    root = next(part for disk in disks for part in disk.partitions if part.mountpoint == "/")
    network = server_network(dice.scoped("network"), vendor, days)
    interface = network.interfaces[1].name
    first_pid = int(900 + days * dice.real("pids per day", 1900, 4200))
    threads = kernel_threads(dice.scoped("threads"), cpu, release.abi, root.name, days, first_pid - 20)
    services = tuple(s for s in SERVER_SERVICES if vendor.hypervisor == "kvm" or s.comm != "qemu-ga")
    if dice.number("dhcp", 0, 1) or cloud:
        services = (DHCLIENT, *services)
    processes, listeners = service_processes(
        dice.scoped("services"), services, max(t.pid for t in threads if t.pid < 1000) + 40, days,
        interface, TRIXIE_UIDS if trixie else None,
    )  # fmt: skip
    dmi = _dmi(dice.scoped("dmi"), vendor)
    kernel = Kernel(
        release=f"{release.abi}-{'cloud-' if cloud else ''}amd64",
        version=f"#1 SMP PREEMPT_DYNAMIC Debian {release.package} ({release.day})",
        builder=releases.DEBIAN_BUILDER,
        compiler=releases.DEBIAN_13_COMPILER if trixie else releases.DEBIAN_12_COMPILER,
        machine="x86_64",
        command_line=_command_line(release, root.uuid, root.partuuid, cloud),
        modules=modules(dice, vendor, cpu, q35="Q35" in dmi.product_name or vendor.altname == "enp1s0"),
    )
    return Persona(
        kind=kind,
        fingerprint=fingerprint,
        hostname=hostname(dice, cloud),
        domain=dice.choice("domain", DOMAIN_STEMS) + dice.choice("domain end", DOMAIN_ENDS),
        distribution="debian",
        os_release=releases.DEBIAN_13_OS_RELEASE if trixie else releases.DEBIAN_12_OS_RELEASE,
        issue=f"Debian GNU/Linux {13 if trixie else 12} \\n \\l\n\n",
        motd=releases.DEBIAN_MOTD,
        timezone="Etc/UTC" if cloud else dice.choice("timezone", TIMEZONES),
        kernel=kernel,
        cpu=cpu,
        memory=memory,
        disks=disks,
        mounts=mounts,
        network=network,
        dmi=dmi,
        hypervisor=vendor.hypervisor,
        machine_id=dice.hex("machine id", 32),
        boot_id=dice.uuid("boot id"),
        boot_time=boot,
        installed=installed,
        made=round(now, 2),
        users=server_users(dice.scoped("users"), installed, cloud),
        residents=(_systemd(dice, days), *sorted((*threads, *processes), key=lambda process: process.pid)),
        listeners=tuple(listeners),
        first_pid=first_pid,
        sshd_version="SSH-2.0-OpenSSH_10.0p2 Debian-7+deb13u4"
        if trixie
        else "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10",
        busybox=(
            "BusyBox v1.37.0 (Debian 1:1.37.0-6+b9)"
            if trixie
            else "BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1)"
        ),
        dialect="bash",
    )


def _systemd(dice: Dice, days: float) -> Resident:
    return Resident(
        pid=1, ppid=0, comm="systemd", argv=("/sbin/init",), exe="/usr/lib/systemd/systemd", state="Ss",
        rss_kb=dice.number("init rss", 2900, 3200) * 4, vsz_kb=dice.number("init vsz", 25_400, 42_300) * 4,
        cpu=round(days * dice.real("init cpu", 1.2, 2.5), 2), unit="init.scope",
    )  # fmt: skip


def hostname(dice: Dice, cloud: bool) -> str:
    """A name as small shops give: a role with a number, sometimes with a place."""
    stem = dice.choice("host stem", HOST_STEMS)
    number = dice.number("host number", 1, 40)
    if cloud:
        return f"{stem}-{dice.choice('host place', DATACENTRES)}{dice.number('host zone', 1, 3)}-{number:02d}"
    shape = dice.number("host shape", 0, 2)
    if shape == 0:
        return f"{stem}{number:02d}"
    if shape == 1:
        return f"{stem}-{dice.choice('host place', DATACENTRES)}-{number}"
    return f"{stem}-{dice.choice('host second', HOST_STEMS)}{number}"


def server_cpu(dice: Dice, vendor: Vendor, cloud: bool) -> Cpu:
    """The guest's processors; VMware shows the host's own model, so QEMU's named models are left out there."""
    models: tuple[CpuModel, ...] = hardware.SERVER_CPUS
    if vendor.hypervisor == "vmware":
        models = tuple(model for model in models if "@" in model.model_name or "-Core" in model.model_name)
    model = dice.choice("model", models)
    mhz = dice.choice("rate", model.mhz) + dice.number("jitter", 0, 9) / 1000 - 0.004
    return Cpu(
        count=dice.choice("count", (1, 2, 2) if cloud else (2, 2, 4, 4, 8)),
        model_name=model.model_name,
        vendor_id=model.vendor_id,
        family=model.family,
        model=model.model,
        stepping=model.stepping,
        microcode=model.microcode,
        mhz=round(mhz, 3),
        bogomips=int(mhz * 200) / 100,
        flags=tuple(model.flags.split()),
        bugs=tuple(model.bugs.split()),
        l1d_kb=model.l1d_kb,
        l1i_kb=model.l1i_kb,
        l2_kb=model.l2_kb,
        l3_kb=model.l3_kb,
        physical_bits=model.physical_bits,
    )


def server_memory(dice: Dice, megabytes: int, swap_megabytes: int) -> Memory:
    """Memory as a guest of `megabytes` counts it (the kernel keeps some for itself), on a settled machine."""
    reserved = 22_000 + megabytes * 1024 // 64 + dice.number("reserved", 0, 9000)
    total = (megabytes * 1024 - reserved) // 4 * 4
    share = total - 180_000
    cached = int(share * dice.real("cached", 0.32, 0.55)) // 4 * 4
    buffers = int(share * dice.real("buffers", 0.015, 0.06)) // 4 * 4
    slab = int(min(share * 0.12, 160_000) * dice.real("slab", 0.5, 1.0)) // 4 * 4
    used = 150_000 + int(share * dice.real("used", 0.03, 0.12)) // 4 * 4
    swap = swap_megabytes * 1024 - 4 if swap_megabytes else 0
    return Memory(
        total_kb=total,
        swap_kb=swap,
        used_kb=used,
        buffers_kb=buffers,
        cached_kb=cached,
        shared_kb=dice.number("shared", 120, 1800) * 4,
        slab_kb=slab,
        swap_used_kb=dice.number("swap used", 0, 9000) * 4 if swap else 0,
    )


def server_network(dice: Dice, vendor: Vendor, days: float) -> Network:
    """A server behind NAT: one private address, the router at its network's start."""
    third, fourth = dice.number("third", 0, 250), dice.number("host", 10, 240)
    base = dice.choice(
        "base", (f"10.{dice.number('second', 0, 254)}", "192.168", f"172.{dice.number('b', 20, 31)}")
    )
    mac = vendor.oui[dice.number("oui", 0, len(vendor.oui) - 1)]
    mac += "".join(":" + dice.hex(f"mac {n}", 2) for n in range(6 - len(mac.split(":"))))
    packets_in = int(days * dice.number("rx", 90_000, 900_000))
    packets_out = int(packets_in * dice.real("tx", 0.4, 0.9))
    lo_packets = int(days * dice.number("lo", 40, 900))
    lo_bytes = lo_packets * dice.number("lo size", 70, 160)
    return Network(
        interfaces=(
            Interface(name="lo", index=1, mac="00:00:00:00:00:00", mtu=65536, address="127.0.0.1", prefix=8,
                      rx_packets=lo_packets, tx_packets=lo_packets, rx_bytes=lo_bytes, tx_bytes=lo_bytes),
            Interface(name=vendor.interface, index=2, mac=mac, address=f"{base}.{third}.{fourth}", prefix=24,
                      altname=vendor.altname, driver=vendor.driver, link_local=link_local(mac), rx_packets=packets_in,
                      rx_bytes=packets_in * dice.number("rx size", 110, 420), tx_packets=packets_out,
                      tx_bytes=packets_out * dice.number("tx size", 90, 300)),
        ),
        gateway=f"{base}.{third}.1",
        gateway_mac=dice.choice("router", ("00:00:5e:00:01", "d4:04:ff:7a:11", "e4:8d:8c:20:5b", "fc:bd:67:09:30"))
        + ":" + dice.hex("gateway mac", 2),
        dns=dice.choice("dns", (("1.1.1.1", "8.8.8.8"), ("9.9.9.9", "1.1.1.1"), ("8.8.8.8", "8.8.4.4"),
                                (f"{base}.{third}.1",))),
    )  # fmt: skip


def link_local(mac: str) -> str:
    """The IPv6 link-local address that the kernel makes of a MAC (EUI-64, RFC 4291 appendix A)."""
    parts = [int(part, 16) for part in mac.split(":")]
    parts[0] ^= 2
    words = (
        (parts[0] << 8) | parts[1],
        (parts[2] << 8) | 0xFF,
        0xFE00 | parts[3],
        (parts[4] << 8) | parts[5],
    )
    return "fe80::" + ":".join(f"{word:x}" for word in words)


def modules(dice: Dice, vendor: Vendor, cpu: Cpu, *, q35: bool = False) -> tuple[tuple[str, int, str], ...]:
    """Rows of lsmod (name, size, "count users"), newest first, as such a guest has loaded them."""
    amd = cpu.vendor_id == "AuthenticAMD"
    rows = [
        ("nft_compat", 20480, "2"), ("nf_tables", 311296, "23 nft_compat"), ("nfnetlink", 20480,
        "2 nft_compat,nf_tables"),
        ("tcp_diag", 16384, "0"), ("inet_diag", 24576, "1 tcp_diag"),
        ("intel_rapl_msr", 20480, "0"), ("intel_rapl_common", 32768, "1 intel_rapl_msr"),
        *((("kvm_amd", 155648, "0"), ("ccp", 118784, "1 kvm_amd"), ("kvm", 1142784, "1 kvm_amd")) if amd else ()),
        ("ghash_clmulni_intel", 16384, "0"), ("sha512_ssse3", 49152, "0"), ("sha512_generic", 16384, "1 sha512_ssse3"),
        ("aesni_intel", 393216, "0"), ("crypto_simd", 16384, "1 aesni_intel"),
        ("cryptd", 28672, "2 crypto_simd,ghash_clmulni_intel"), ("qxl", 73728, "0") if not dice.number("qxl", 0, 1)
        else ("bochs", 16384, "0"),
        ("drm_kms_helper", 212992, "3"), ("pcspkr", 16384, "0"), ("virtio_balloon", 28672, "0"), ("button", 24576, "0"),
        ("serio_raw", 20480, "0"), ("evdev", 28672, "3"), ("joydev", 28672, "0"), ("drm", 614400, "4 drm_kms_helper"),
        ("fuse", 176128, "1"), ("loop", 32768, "0"), ("efi_pstore", 16384, "0"), ("configfs", 57344, "1"),
        ("qemu_fw_cfg", 20480, "0"), ("ip_tables", 36864, "0"), ("x_tables", 61440, "2 nft_compat,ip_tables"),
        ("autofs4", 53248, "2"), ("ext4", 983040, "1"), ("crc16", 16384, "1 ext4"), ("mbcache", 16384, "1 ext4"),
        ("jbd2", 167936, "1 ext4"), ("crc32c_generic", 16384, "0"), ("hid_generic", 16384, "0"),
        ("usbhid", 65536, "0"), ("hid", 159744, "2 usbhid,hid_generic"), ("sd_mod", 65536, "2"), ("t10_pi", 16384,
        "1 sd_mod"),
        ("ata_generic", 16384, "0"), ("virtio_net", 73728, "0"), ("net_failover", 20480, "1 virtio_net"),
        ("failover", 16384, "1 net_failover"), ("ata_piix", 45056, "0"), ("uhci_hcd", 61440, "0"),
        ("libata", 401408, "2 ata_piix,ata_generic"), ("ehci_hcd", 102400, "0"), ("crct10dif_pclmul", 16384, "1"),
        ("virtio_blk", 24576, "2"), ("psmouse", 184320, "0"), ("usbcore", 348160, "3 ehci_hcd,usbhid,uhci_hcd"),
        ("scsi_mod", 286720, "2 sd_mod,libata"), ("crc32c_intel", 24576, "2"), ("virtio_pci", 24576, "0"),
        ("virtio_pci_legacy_dev", 16384, "1 virtio_pci"), ("virtio_pci_modern_dev", 20480, "1 virtio_pci"),
        ("virtio", 16384, "4 virtio_balloon,virtio_pci,virtio_blk,virtio_net"), ("virtio_ring", 53248, "4"),
        ("i2c_piix4", 28672, "0"), ("usb_common", 16384, "3 usbcore,ehci_hcd,uhci_hcd"), ("floppy", 90112, "0"),
    ]  # fmt: skip
    if vendor.hypervisor == "vmware":
        rows = [row for row in rows if "virtio" not in row[0] and row[0] not in ("qemu_fw_cfg", "qxl", "bochs",
        "failover",
                                                                                 "net_failover", "floppy")]  # fmt: skip
        rows[:0] = [("vmw_balloon", 28672, "0"), ("vmw_vmci", 98304, "1"), ("vmwgfx", 385024, "1")]
        rows += [("vmw_pvscsi", 32768, "2"), ("vmxnet3", 81920, "0")]
    if vendor.hypervisor == "kvm" and vendor.disk.startswith("sd"):
        swap = {"virtio_blk": ("virtio_scsi", 24576, "2")}
        rows = [
            swap.get(row[0], (row[0], row[1], row[2].replace("virtio_blk", "virtio_scsi"))) for row in rows
        ]
        rows = [
            (name, size, "3 virtio_scsi,sd_mod,libata" if name == "scsi_mod" else by)
            for name, size, by in rows
        ]
    if q35:
        swap = {"ata_piix": ("ahci", 49152, "0"), "ata_generic": ("libahci", 49152, "1 ahci"),
                "libata": ("libata", 401408, "2 libahci,ahci"), "i2c_piix4": ("i2c_i801", 36864, "0")}  # fmt: skip
        rows = [swap.get(row[0], row) for row in rows if row[0] != "floppy"]
    return tuple(rows)


def _command_line(release: KernelRelease, uuid: str, partuuid: str, cloud: bool) -> str:
    if cloud:
        options = f"root=PARTUUID={partuuid} ro console=tty0 console=ttyS0,115200"
        return f"BOOT_IMAGE=/boot/vmlinuz-{release.abi}-cloud-amd64 {options}"
    return f"BOOT_IMAGE=/boot/vmlinuz-{release.abi}-amd64 root=UUID={uuid} ro quiet"


def _dmi(dice: Dice, vendor: Vendor) -> Dmi:
    version, date = dice.choice("bios", vendor.bios_versions)
    product = dice.choice("product", vendor.product_names)
    identity = dice.uuid("product")
    serial = ""
    if vendor.hypervisor == "vmware":
        digits = identity.replace("-", "")
        pairs = [digits[at : at + 2] for at in range(0, 32, 2)]
        serial = "VMware-" + " ".join(pairs[:8]) + "-" + " ".join(pairs[8:])
    elif vendor.sys_vendor == "Hetzner":
        serial = str(dice.number("serial", 21_000_000, 71_000_000))
    elif vendor.sys_vendor != "QEMU":
        serial = identity
    chipset = "pc-i440fx-" if "PIIX" in product else "pc-q35-"
    product_version = {
        "QEMU": chipset + dice.choice("machine", ("7.2", "8.1", "9.0")),
        "VMware, Inc.": "None",
        "Hetzner": "20171111",
        "OpenStack Foundation": "19.3.2",
        "Alibaba Cloud": "pc-i440fx-2.1",
    }[vendor.sys_vendor]
    board = {"VMware, Inc.": "440BX Desktop Reference Platform", "Alibaba Cloud": "Alibaba Cloud ECS"}
    return Dmi(
        sys_vendor=vendor.sys_vendor,
        product_name=product,
        product_version=product_version,
        product_uuid=identity,
        product_serial=serial,
        bios_vendor=vendor.bios_vendor,
        bios_version=version,
        bios_date=date,
        chassis_vendor=vendor.chassis_vendor,
        board_name=board.get(vendor.sys_vendor, ""),
        board_vendor={"VMware, Inc.": "Intel Corporation"}.get(vendor.sys_vendor, ""),
    )  # fmt: skip
