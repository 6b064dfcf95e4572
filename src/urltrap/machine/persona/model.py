"""The identity that a machine claims: every figure that two programs could contradict each other about, once."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from urltrap.machine.persona.releases import DEBIAN_12_TOOLS, DEBIAN_13_TOOLS, ToolVersions
from urltrap.model.base import Model

Kind = Literal["debian-12", "debian-13", "busybox-mips", "busybox-arm", "cloud-small"]
"""The machines that can be claimed; each one's answers were captured from a real one."""


class Kernel(Model):
    """The kernel. `version` is what ``uname -v`` prints, `compiler` the middle of /proc/version."""

    release: str
    version: str
    builder: str
    compiler: str
    machine: str
    command_line: str
    modules: tuple[tuple[str, int, str], ...] = ()

    @property
    def banner(self) -> str:
        """The line of /proc/version, without its newline."""
        return f"Linux version {self.release} ({self.builder}) ({self.compiler}) {self.version}"


class Cpu(Model):
    """The processors, all alike. Caches in KiB, `mhz` as cpuinfo shows it; empty texts where the kind has none."""

    count: int = Field(ge=1)
    sockets: int = Field(default=1, ge=1)
    model_name: str
    vendor_id: str = ""
    family: int = 0
    model: int = 0
    stepping: int = 0
    microcode: str = ""
    mhz: float
    bogomips: float
    flags: tuple[str, ...] = ()
    bugs: tuple[str, ...] = ()
    l1d_kb: int = 32
    l1i_kb: int = 32
    l2_kb: int = 0
    l3_kb: int = 0
    physical_bits: int = 40
    virtual_bits: int = 48
    byte_order: Literal["little", "big"] = "little"
    system_type: str = ""
    board: str = ""


class Memory(Model):
    """Main memory in KiB: what the kernel counts, and what was in use when the machine had settled."""

    total_kb: int
    swap_kb: int
    used_kb: int
    buffers_kb: int
    cached_kb: int
    shared_kb: int
    slab_kb: int
    swap_used_kb: int = 0

    @property
    def free_kb(self) -> int:
        """MemFree when the machine had settled."""
        return self.total_kb - self.used_kb - self.buffers_kb - self.cached_kb - self.slab_kb


class Partition(Model):
    """A partition, or a flash partition of a device. Sizes in KiB; `uuid` of the file system in it."""

    name: str
    minor: int
    start_sector: int
    size_kb: int
    fstype: str
    uuid: str
    partuuid: str = ""
    mountpoint: str = ""


class Disk(Model):
    """A disk with its partitions in order."""

    name: str
    major: int
    minor: int
    size_kb: int
    model: str = ""
    serial: str = ""
    rotational: bool = True
    partitions: tuple[Partition, ...] = ()


class MountPoint(Model):
    """One line of /proc/mounts; sizes in KiB are what df shows (`used_kb` at the persona's making)."""

    source: str
    point: str
    fstype: str
    options: str
    size_kb: int = 0
    used_kb: int = 0
    available_kb: int = 0
    inodes: int = 0
    inodes_used: int = 0


class Interface(Model):
    """A network interface. `address` is the one behind NAT; see `network.addressing` for the one to show."""

    name: str
    index: int
    mac: str
    mtu: int = 1500
    address: str = ""
    prefix: int = 24
    altname: str = ""
    driver: str = ""
    link_local: str = ""
    rx_bytes: int = 0
    rx_packets: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0


class Network(Model):
    """Addresses, router and resolvers of the machine."""

    interfaces: tuple[Interface, ...]
    gateway: str
    gateway_mac: str
    dns: tuple[str, ...]
    search: str = ""


class User(Model):
    """An account that the installation has beside those of the distribution; `password_day` counts from 1970."""

    name: str
    uid: int
    gid: int
    gecos: str = ""
    home: str
    login_shell: str
    password_hash: str
    password_day: int
    groups: tuple[str, ...] = ()


class Resident(Model):
    """A process that runs since the start. Memory in KiB, `cpu` in seconds, `after` seconds after boot."""

    pid: int
    ppid: int
    comm: str
    argv: tuple[str, ...] = ()
    exe: str = ""
    user: str = "root"
    uid: int = 0
    state: str = "S"
    nice: int = 0
    rss_kb: int = 0
    vsz_kb: int = 0
    cpu: float = 0.0
    after: float = 0.0
    tty: str = "?"
    unit: str = ""


class Listener(Model):
    """A socket that a resident listens on; `address` "0.0.0.0", "127.0.0.1", "::" or "::1"."""

    protocol: Literal["tcp", "udp", "tcp6", "udp6"]
    address: str
    port: int
    pid: int
    fd: int
    uid: int = 0
    inode: int


class Dmi(Model):
    """What the firmware says; all empty on devices without one."""

    sys_vendor: str = ""
    product_name: str = ""
    product_version: str = ""
    product_uuid: str = ""
    product_serial: str = ""
    bios_vendor: str = ""
    bios_version: str = ""
    bios_date: str = ""
    chassis_vendor: str = ""
    board_name: str = ""
    board_vendor: str = ""


class Persona(Model):
    """One machine's identity: made once from a seed, kept in the data folder, never the same on two installations.

    Times are unix seconds; `made` is the moment for which counters (traffic, processor time) were drawn.
    `fingerprint` is a secret-free digest of the seed from which further stable detail (hashes, file bytes, log
    lines) is drawn.
    """

    kind: Kind
    fingerprint: str = Field(pattern=r"^[0-9a-f]{64}$")
    hostname: str
    domain: str
    distribution: str
    os_release: str
    issue: str
    motd: str
    timezone: str
    kernel: Kernel
    cpu: Cpu
    memory: Memory
    disks: tuple[Disk, ...]
    mounts: tuple[MountPoint, ...]
    network: Network
    dmi: Dmi
    hypervisor: str
    machine_id: str
    boot_id: str
    boot_time: float
    installed: float
    made: float
    users: tuple[User, ...]
    residents: tuple[Resident, ...]
    listeners: tuple[Listener, ...]
    first_pid: int
    sshd_version: str
    busybox: str
    dialect: Literal["bash", "ash"]

    @property
    def fqdn(self) -> str:
        """Host name with domain."""
        return f"{self.hostname}.{self.domain}" if self.domain else self.hostname

    def grown(self, counter: float, boot_time: float, now: float) -> float:
        """A counter that stood at `counter` when the persona was made, as it stands at `now` after a start at
        `boot_time`: it grows evenly with the uptime."""
        return counter * max(1.0, now - boot_time) / max(1.0, self.made - self.boot_time)

    @property
    def is_server(self) -> bool:
        """True for the Debian kinds, false for BusyBox devices."""
        return not self.kind.startswith("busybox")

    @property
    def tools(self) -> ToolVersions:
        """Versions of the release's programs (a device's are never told; Debian 12's stand in)."""
        return DEBIAN_13_TOOLS if self.kind == "debian-13" else DEBIAN_12_TOOLS

    @property
    def distro_name(self) -> str:
        """PRETTY_NAME of os-release."""
        for line in self.os_release.splitlines():
            if line.startswith("PRETTY_NAME="):
                return line.partition("=")[2].strip("\"'")
        return self.distribution

    @property
    def root(self) -> MountPoint:
        """The mount at /."""
        return next(mount for mount in reversed(self.mounts) if mount.point == "/")

    @property
    def primary(self) -> Interface:
        """The interface that leads outside: a server's only one, a router's last."""
        return self.network.interfaces[-1]
