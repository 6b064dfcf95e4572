"""Disks, partitions and mounts of servers; the figures of df, lsblk, blkid, fstab and /proc/mounts come from here."""

from __future__ import annotations

from urltrap.machine.persona.dice import Dice
from urltrap.machine.persona.hardware import Vendor
from urltrap.machine.persona.model import Disk, Memory, MountPoint, Partition

_PSEUDO_BEFORE = (
    ("sysfs", "/sys", "sysfs", "rw,nosuid,nodev,noexec,relatime"),
    ("proc", "/proc", "proc", "rw,nosuid,nodev,noexec,relatime"),
)
_PSEUDO_AFTER = (
    ("securityfs", "/sys/kernel/security", "securityfs", "rw,nosuid,nodev,noexec,relatime"),
    ("cgroup2", "/sys/fs/cgroup", "cgroup2", "rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot"),
    ("pstore", "/sys/fs/pstore", "pstore", "rw,nosuid,nodev,noexec,relatime"),
    ("bpf", "/sys/fs/bpf", "bpf", "rw,nosuid,nodev,noexec,relatime,mode=700"),
    ("systemd-1", "/proc/sys/fs/binfmt_misc", "autofs",
     "rw,relatime,fd=30,pgrp=1,timeout=0,minproto=5,maxproto=5,direct,pipe_ino={pipe}"),
    ("mqueue", "/dev/mqueue", "mqueue", "rw,nosuid,nodev,noexec,relatime"),
    ("hugetlbfs", "/dev/hugepages", "hugetlbfs", "rw,relatime,pagesize=2M"),
    ("debugfs", "/sys/kernel/debug", "debugfs", "rw,nosuid,nodev,noexec,relatime"),
    ("tracefs", "/sys/kernel/tracing", "tracefs", "rw,nosuid,nodev,noexec,relatime"),
    ("fusectl", "/sys/fs/fuse/connections", "fusectl", "rw,nosuid,nodev,noexec,relatime"),
    ("configfs", "/sys/kernel/config", "configfs", "rw,nosuid,nodev,noexec,relatime"),
)  # fmt: skip


def server_storage(
    dice: Dice, vendor: Vendor, gigabytes: int, memory: Memory, cloud: bool
) -> tuple[tuple[Disk, ...], tuple[MountPoint, ...]]:
    """One disk of `gigabytes` (GiB): ext4 root, with swap (installer's layout) or an EFI partition (cloud image's)."""
    name = vendor.disk
    major = 254 if name.startswith("vd") else 8
    size = gigabytes * 1024 * 1024
    used = int(dice.real("used", 1.7, 5.5) * 1024 * 1024)
    if cloud:
        root_size = size - 128 * 1024 - 1
        partitions = (
            Partition(name=f"{name}1", minor=1, start_sector=262144, size_kb=root_size - 17, fstype="ext4",
                      uuid=dice.uuid("root"), partuuid=dice.uuid("root part"), mountpoint="/"),
            Partition(name=f"{name}14", minor=14, start_sector=2048, size_kb=3072, fstype="", uuid="",
                      partuuid=dice.uuid("bios part")),
            Partition(name=f"{name}15", minor=15, start_sector=8192, size_kb=126976, fstype="vfat",
                      uuid=dice.hex("efi", 8).upper()[:4] + "-" + dice.hex("efi b", 4).upper(),
                      partuuid=dice.uuid("efi part"), mountpoint="/boot/efi"),
        )  # fmt: skip
        root_kb = partitions[0].size_kb
    else:
        label = dice.hex("disk label", 8)
        extended = memory.swap_kb + 1025
        root_kb = (size - extended - 1024) // 1024 * 1024
        start = 2048 + root_kb * 2 + 2046
        partitions = (
            Partition(name=f"{name}1", minor=1, start_sector=2048, size_kb=root_kb, fstype="ext4",
                      uuid=dice.uuid("root"), partuuid=f"{label}-01", mountpoint="/"),
            Partition(name=f"{name}2", minor=2, start_sector=start, size_kb=1, fstype="", uuid="",
                      partuuid=f"{label}-02"),
            Partition(name=f"{name}5", minor=5, start_sector=start + 2, size_kb=memory.swap_kb + 4, fstype="swap",
                      uuid=dice.uuid("swap"), partuuid=f"{label}-05", mountpoint="[SWAP]"),
        )  # fmt: skip
    disk = Disk(
        name=name,
        major=major,
        minor=0,
        size_kb=size,
        model=vendor.disk_model,
        serial="drive-scsi0" if name == "sda" and vendor.hypervisor == "kvm" else "",
        rotational=bool(dice.number("rotational", 0, 2)) or name == "vda",
        partitions=partitions,
    )
    mounts = _mounts(dice, partitions[0].name, root_kb, used, memory, cloud, name)
    return (disk,), mounts


def _mounts(
    dice: Dice, root: str, root_kb: int, used: int, memory: Memory, cloud: bool, disk: str
) -> tuple[MountPoint, ...]:
    # ext4's own structures take about 1.6 %, 5 % of the rest stay reserved for root.
    inodes = root_kb // 16 // 8192 * 8192
    overhead = inodes * 256 // 1024 + 66_000 + root_kb // 800
    size = root_kb - overhead
    half = memory.total_kb // 2 // 4 * 4
    udev = half - dice.number("udev", 6000, 9000) * 4
    tenth = memory.total_kb // 10 // 4 * 4
    out = [MountPoint(source=s, point=p, fstype=t, options=o) for s, p, t, o in _PSEUDO_BEFORE]
    out += [
        MountPoint(source="udev", point="/dev", fstype="devtmpfs", size_kb=udev, used_kb=0, available_kb=udev,
                   options=f"rw,nosuid,relatime,size={udev}k,nr_inodes={udev // 4},mode=755,inode64", inodes=udev // 4,
                   inodes_used=dice.number("dev nodes", 390, 430)),
        MountPoint(source="devpts", point="/dev/pts", fstype="devpts",
                   options="rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=000"),
        MountPoint(source="tmpfs", point="/run", fstype="tmpfs", size_kb=tenth, used_kb=(run := dice.number("run",
        110, 260) * 4),
                   available_kb=tenth - run, inodes=memory.total_kb // 8, inodes_used=dice.number("run nodes", 540,
                   780),
                   options=f"rw,nosuid,nodev,noexec,relatime,size={tenth}k,mode=755,inode64"),
        MountPoint(source=f"/dev/{root}", point="/", fstype="ext4", size_kb=size, used_kb=used,
                   available_kb=size - used - root_kb // 20, inodes=inodes,
                   inodes_used=dice.number("inodes used", 29_000, 61_000),
                   options="rw,relatime,discard,errors=remount-ro" if cloud else "rw,relatime,errors=remount-ro"),
    ]  # fmt: skip
    out += [
        MountPoint(
            source=s, point=p, fstype=t, options=o.replace("{pipe}", str(dice.number("pipe", 9000, 14000)))
        )
        for s, p, t, o in _PSEUDO_AFTER[:1]
    ]
    out += [
        MountPoint(source="tmpfs", point="/dev/shm", fstype="tmpfs", options="rw,nosuid,nodev,inode64", size_kb=half,
                   available_kb=half, inodes=memory.total_kb // 8, inodes_used=1),
        MountPoint(source="tmpfs", point="/run/lock", fstype="tmpfs", size_kb=5120, available_kb=5120,
                   inodes=memory.total_kb // 8, inodes_used=3,
                   options="rw,nosuid,nodev,noexec,relatime,size=5120k,inode64"),
    ]  # fmt: skip
    out += [
        MountPoint(
            source=s, point=p, fstype=t, options=o.replace("{pipe}", str(dice.number("pipe", 9000, 14000)))
        )
        for s, p, t, o in _PSEUDO_AFTER[1:]
    ]
    if cloud:
        out.append(
            MountPoint(source=f"/dev/{disk}15", point="/boot/efi", fstype="vfat", size_kb=126678, used_kb=11840,
                       available_kb=114838, options="rw,relatime,fmask=0022,dmask=0022,codepage=437,iocharset=ascii,"
                       "shortname=mixed,utf8,errors=remount-ro")
        )  # fmt: skip
    runtime = memory.total_kb // 10 // 4 * 4
    out.append(
        MountPoint(source="tmpfs", point="/run/user/0", fstype="tmpfs", size_kb=runtime, available_kb=runtime,
                   options=f"rw,nosuid,nodev,relatime,size={runtime}k,nr_inodes={runtime // 4},mode=700,inode64",
                   inodes=runtime // 4, inodes_used=22)
    )  # fmt: skip
    return tuple(out)
