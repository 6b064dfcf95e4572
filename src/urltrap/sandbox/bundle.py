"""The ``config.json`` of a box: what an OCI runtime is told, as pure data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from urltrap.sandbox.syscalls import seccomp

FIRST_UID = 524_288
"""Where the user ids of a box begin on the host (Debian's first free range for subordinate ids)."""
UIDS = 65_536

CAPABILITIES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP",
    "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
)  # fmt: skip
"""What root has in a box, within its user namespace alone: nothing of the network's configuration, no raw sockets."""

MASKED = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware",
    "/sys/devices/virtual/powercap",
)  # fmt: skip
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@dataclass(frozen=True, slots=True)
class BoxLimits:
    """What one box may use: bytes, processes, a share of the processors (1.0: one of them), files."""

    memory_bytes: int
    processes: int
    processors: float
    disk_bytes: int
    files: int


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run in a box; `terminal` is (columns, rows) or None for three pipes."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    uid: int = 0
    gid: int = 0
    groups: Sequence[int] = ()
    folder: str = "/"
    terminal: tuple[int, int] | None = None


def process(command: Command) -> dict[str, Any]:
    """The ``process`` of the specification: this program, without a way to more rights than it starts with."""
    capabilities = list(CAPABILITIES) if command.uid == 0 else []
    body: dict[str, Any] = {
        "terminal": command.terminal is not None,
        "user": {"uid": command.uid, "gid": command.gid, "additionalGids": list(command.groups)},
        "args": list(command.argv),
        "env": [f"{name}={value}" for name, value in command.environment.items()],
        "cwd": command.folder,
        "capabilities": {
            "bounding": list(CAPABILITIES),
            "effective": capabilities,
            "permitted": capabilities,
        },
        "rlimits": [
            {"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 4096},
            {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
        ],
        "noNewPrivileges": True,
    }
    if command.terminal is not None:
        columns, rows = command.terminal
        body["consoleSize"] = {"width": columns, "height": rows}
    return body


def config(root: str, hostname: str, init: Command, limits: BoxLimits, cgroup: str) -> dict[str, Any]:
    """The whole file. `root`: absolute path of the mounted tree; `cgroup`: path within the cgroup hierarchy.

    All namespaces are the box's own; the network namespace has no link but loopback until
    `uplink.namespace.attach` gives it one.
    """
    period = 100_000
    identity = [{"containerID": 0, "hostID": FIRST_UID, "size": UIDS}]
    quiet = ["nosuid", "noexec", "nodev"]
    return {
        "ociVersion": "1.0.2",
        "process": process(init),
        "root": {"path": root, "readonly": False},
        "hostname": hostname,
        "mounts": [
            _mount("/proc", "proc", quiet),
            _mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=1m"], source="udev"),
            _mount(
                "/dev/pts",
                "devpts",
                ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
            ),
            _mount("/dev/shm", "tmpfs", ["nosuid", "nodev", "mode=1777", "size=16m"]),
            _mount("/dev/mqueue", "mqueue", quiet),
            _mount("/sys", "sysfs", [*quiet, "ro"]),
        ],
        "linux": {
            "namespaces": [
                {"type": kind} for kind in ("pid", "ipc", "uts", "mount", "cgroup", "network", "user")
            ],
            "uidMappings": identity,
            "gidMappings": identity,
            "cgroupsPath": cgroup,
            "resources": {
                "devices": [{"allow": False, "access": "rwm"}],
                "memory": {"limit": limits.memory_bytes, "swap": limits.memory_bytes},
                "pids": {"limit": limits.processes},
                "cpu": {"period": period, "quota": max(1000, int(period * limits.processors))},
            },
            "seccomp": seccomp(),
            "maskedPaths": list(MASKED),
            "readonlyPaths": list(READ_ONLY),
        },
    }


def _mount(where: str, kind: str, options: Sequence[str], source: str = "") -> dict[str, Any]:
    return {"destination": where, "type": kind, "source": source or kind, "options": list(options)}
