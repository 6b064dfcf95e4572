"""BusyBox devices: routers with an OpenWrt system of the series whose BusyBox is 1.35."""

from __future__ import annotations

from urltrap.machine.persona import releases
from urltrap.machine.persona.dice import Dice
from urltrap.machine.persona.hardware import ARM_BOARDS, MIPS_BOARDS, Board
from urltrap.machine.persona.model import (
    Cpu,
    Disk,
    Dmi,
    Interface,
    Kernel,
    Kind,
    Memory,
    MountPoint,
    Network,
    Partition,
    Persona,
    Resident,
    User,
)  # fmt: skip
from urltrap.machine.persona.releases import OpenWrtRelease, openwrt_os_release
from urltrap.machine.persona.residents import DEVICE_SERVICES, kernel_threads, service_processes

DAY = 86_400.0
_PACKAGE_ARCHITECTURE = {"busybox-mips": "mips_24kc", "busybox-arm": "arm_cortex-a7_neon-vfpv4"}
_MOTD = r"""  _______                     ________        __
 |       |.-----.-----.-----.|  |  |  |.----.|  |_
 |   -   ||  _  |  -__|     ||  |  |  ||   _||   _|
 |_______||   __|_____|__|__||________||__|  |____|
          |__| W I R E L E S S   F R E E D O M
 -----------------------------------------------------
 OpenWrt {version}, {revision}
 -----------------------------------------------------
"""


def device_persona(dice: Dice, kind: Kind, fingerprint: str, now: float) -> Persona:
    """A router; `dice` is the installation's own."""
    mips = kind == "busybox-mips"
    board = dice.choice("board", MIPS_BOARDS if mips else ARM_BOARDS)
    release = dice.choice("release", releases.OPENWRT_RELEASES)
    days = dice.real("uptime days", 12.0, 140.0)
    machine = "mips" if mips else "armv7l"
    network = _network(dice.scoped("network"), board, days)
    first_pid = int(1900 + days * dice.real("pids per day", 40, 200)) % 32_000
    kernel = Kernel(
        release=release.kernel,
        version=f"#0 {'SMP ' if board.count > 1 else ''}{release.stamp}",
        builder="builder@buildhost",
        compiler=releases.OPENWRT_COMPILER[machine].replace("{revision}", release.revision),
        machine=machine,
        command_line=f"console={'ttyS0' if mips else 'ttyMSM0'},115200n8 rootfstype=squashfs,jffs2",
        modules=_modules(mips),
    )  # fmt: skip
    cpu = Cpu(
        count=board.count, model_name=board.cpu_model, mhz=board.mhz, bogomips=dice.choice("bogomips", board.bogomips),
        byte_order="big" if board.byte_order == "big" else "little", system_type=board.system_type, board=board.machine,
        vendor_id="" if mips else "ARM", flags=() if mips else
        ("half", "thumb", "fastmult", "vfp", "edsp", "neon", "vfpv3", "tls", "vfpv4", "idiva", "idivt", "vfpd32",
        "lpae", "evtstrm"),
    )  # fmt: skip
    threads = kernel_threads(dice.scoped("threads"), cpu, release.kernel, "mtd", days, first_pid)
    processes, listeners = service_processes(
        dice.scoped("services"), DEVICE_SERVICES, max(t.pid for t in threads) + dice.number("gap", 60, 220), days,
        network.interfaces[2].name,
    )  # fmt: skip
    memory = _memory(dice.scoped("memory"), board)
    disks, mounts = _flash(dice.scoped("flash"), board, memory)
    boot = round(now - days * DAY, 2)
    return Persona(
        kind=kind,
        fingerprint=fingerprint,
        hostname=board.hostname,
        domain="lan",
        distribution="openwrt",
        os_release=openwrt_os_release(release, board.target, _PACKAGE_ARCHITECTURE[kind]),
        issue="",
        motd=_MOTD.replace("{version}", release.version).replace("{revision}", release.revision),
        timezone="UTC",
        kernel=kernel,
        cpu=cpu,
        memory=memory,
        disks=disks,
        mounts=mounts,
        network=network,
        dmi=Dmi(),
        hypervisor="none",
        machine_id="",
        boot_id=dice.uuid("boot id"),
        boot_time=boot,
        installed=_built(release),
        made=round(now, 2),
        users=(
            User(name="root", uid=0, gid=0, gecos="root", home="/root", login_shell="/bin/ash", password_day=0,
                 password_hash=_md5_crypt(dice)),
        ),
        residents=(
            Resident(pid=1, ppid=0, comm="procd", argv=("/sbin/procd",), exe="/sbin/procd", rss_kb=1180, vsz_kb=1580,
                     cpu=round(days * 0.3, 2)),
            *threads,
            *processes,
        ),
        listeners=tuple(listeners),
        first_pid=first_pid,
        sshd_version="SSH-2.0-dropbear",
        busybox=f"BusyBox v1.35.0 ({release.busybox_stamp} UTC)",
        dialect="ash",
    )  # fmt: skip


def _modules(mips: bool) -> tuple[tuple[str, int, str], ...]:
    """Rows of lsmod: the radio's driver by board, then what both have."""
    radio = (
        (("ath9k", 116123, "0"), ("ath9k_common", 20480, "1 ath9k"), ("ath9k_hw", 356352, "2 ath9k,ath9k_common"),
         ("ath", 20480, "3 ath9k,ath9k_common,ath9k_hw"), ("mac80211", 528384, "1 ath9k"),
         ("cfg80211", 287744, "4 ath9k,ath9k_common,ath,mac80211"))
        if mips else
        (("ath10k_pci", 36864, "0"), ("ath10k_core", 389120, "1 ath10k_pci"), ("ath", 20480, "1 ath10k_core"),
         ("mac80211", 565248, "1 ath10k_core"), ("cfg80211", 311296, "3 ath10k_core,ath,mac80211"))
    )  # fmt: skip
    return (
        *radio, ("compat", 16384, "2 mac80211,cfg80211"), ("ppp_generic", 36864, "3 pppoe,ppp_async,pppox"),
        ("nft_chain_nat", 16384, "1"), ("nf_nat", 25600, "2 nft_nat,nft_chain_nat"),
        ("nf_conntrack", 76288, "4 nft_nat,nft_ct,nf_nat,nf_flow_table"), ("nf_tables", 155648, "120 nft_nat,nft_ct"),
        ("nf_flow_table", 28672, "1"), ("crc_ccitt", 16384, "1 ppp_async"), ("gpio_button_hotplug", 16384, "0"),
    )  # fmt: skip


def _md5_crypt(dice: Dice) -> str:
    return f"$1${dice.crypt64('salt', 8)}${dice.crypt64('hash', 21)}{'./01'[dice.number('end', 0, 3)]}"


def _built(release: OpenWrtRelease) -> float:
    from datetime import UTC, datetime

    return datetime.fromisoformat(release.busybox_stamp).replace(tzinfo=UTC).timestamp()


def _memory(dice: Dice, board: Board) -> Memory:
    total = board.memory_mb * 1024 - (5_900 + board.memory_mb * 12 + dice.number("reserved", 0, 60) * 4)
    slab = int(total * dice.real("slab", 0.12, 0.16)) // 4 * 4
    return Memory(
        total_kb=total // 4 * 4, swap_kb=0, used_kb=int(total * dice.real("used", 0.22, 0.33)) // 4 * 4,
        buffers_kb=dice.number("buffers", 500, 900) * 4, cached_kb=int(total * dice.real("cached", 0.15,
        0.22)) // 4 * 4,
        shared_kb=dice.number("shared", 40, 220) * 4, slab_kb=slab,
    )  # fmt: skip


def _network(dice: Dice, board: Board, days: float) -> Network:
    prefix = dice.choice("oui", board.oui)
    tail = [int(dice.hex(f"mac {n}", 2), 16) for n in range(3)]
    mac = f"{prefix}:{tail[0]:02x}:{tail[1]:02x}:{tail[2] & 0xF0:02x}"
    wan_mac = f"{prefix}:{tail[0]:02x}:{tail[1]:02x}:{(tail[2] & 0xF0) + 1:02x}"
    rx, tx = (
        int(days * dice.number("rx", 400_000, 3_000_000)),
        int(days * dice.number("tx", 200_000, 1_500_000)),
    )
    outside = f"100.{dice.number('cgn', 64, 127)}.{dice.number('third', 0, 255)}"
    return Network(
        interfaces=(
            Interface(name="lo", index=1, mac="00:00:00:00:00:00", mtu=65536, address="127.0.0.1", prefix=8,
                      rx_packets=int(days * 90), tx_packets=int(days * 90), rx_bytes=int(days * 9000),
                      tx_bytes=int(days * 9000)),
            Interface(name="br-lan", index=7, mac=mac, address="192.168.1.1", prefix=24, rx_packets=tx, tx_packets=rx,
                      rx_bytes=tx * 170, tx_bytes=rx * 890),
            Interface(name="eth0.2" if board.byte_order == "big" else "wan", index=8, mac=wan_mac,
                      address=f"{outside}.{dice.number('host', 10, 240)}", prefix=24, rx_packets=rx, tx_packets=tx,
                      rx_bytes=rx * 880, tx_bytes=tx * 160),
        ),
        gateway=f"{outside}.1",
        gateway_mac="00:00:5e:00:01:" + dice.hex("gateway mac", 2),
        dns=("127.0.0.1",),
        search="lan",
    )  # fmt: skip


def _flash(dice: Dice, board: Board, memory: Memory) -> tuple[tuple[Disk, ...], tuple[MountPoint, ...]]:
    size = board.flash_mb * 1024
    kernel, rootfs = 1728, 2816
    overlay = size - 256 - kernel - rootfs - 64
    names = (("mtdblock0", 128), ("mtdblock1", kernel), ("mtdblock2", size - 256 - kernel), ("mtdblock3", overlay),
             ("mtdblock4", 64))  # fmt: skip
    disks = tuple(
        Disk(name=name, major=31, minor=number, size_kb=kb, rotational=False,
             partitions=() if number != 3 else (
                 Partition(name=name, minor=number, start_sector=0, size_kb=kb, fstype="jffs2", uuid="",
                 mountpoint="/overlay"),
             ))
        for number, (name, kb) in enumerate(names)
    )  # fmt: skip
    used = dice.number("overlay used", 300, min(overlay - 400, 1200))
    half = memory.total_kb // 2
    tmp_used = dice.number("tmp", 90, 900)
    mounts = (
        MountPoint(source="/dev/root", point="/rom", fstype="squashfs", options="ro,relatime", size_kb=rootfs - 256,
                   used_kb=rootfs - 256, available_kb=0),
        MountPoint(source="proc", point="/proc", fstype="proc", options="rw,nosuid,nodev,noexec,noatime"),
        MountPoint(source="sysfs", point="/sys", fstype="sysfs", options="rw,nosuid,nodev,noexec,noatime"),
        MountPoint(source="cgroup2", point="/sys/fs/cgroup", fstype="cgroup2",
                   options="rw,nosuid,nodev,noexec,relatime,nsdelegate"),
        MountPoint(source="tmpfs", point="/tmp", fstype="tmpfs", options="rw,nosuid,nodev,noatime", size_kb=half,
                   used_kb=tmp_used, available_kb=half - tmp_used),
        MountPoint(source="/dev/mtdblock3", point="/overlay", fstype="jffs2", options="rw,noatime", size_kb=overlay,
                   used_kb=used, available_kb=overlay - used),
        MountPoint(source="overlayfs:/overlay", point="/", fstype="overlay", size_kb=overlay, used_kb=used,
                   available_kb=overlay - used,
                   options="rw,noatime,lowerdir=/,upperdir=/overlay/upper,workdir=/overlay/work"),
        MountPoint(source="tmpfs", point="/dev", fstype="tmpfs", options="rw,nosuid,noexec,noatime,size=512k,mode=755",
                   size_kb=512, available_kb=512),
        MountPoint(source="devpts", point="/dev/pts", fstype="devpts",
                   options="rw,nosuid,noexec,noatime,mode=600,ptmxmode=000"),
        MountPoint(source="debugfs", point="/sys/kernel/debug", fstype="debugfs", options="rw,noatime"),
    )  # fmt: skip
    return disks, mounts
