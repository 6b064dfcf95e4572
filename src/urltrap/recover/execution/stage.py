"""The recovery machine: a small image, one persona, made once; a fresh overlay for every run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from urltrap.machine.api import Connection, FileSystem
from urltrap.machine.fs.image import Image, ImageBuilder
from urltrap.machine.fs.program import ProgramContent
from urltrap.machine.kernel.accounts import Account, Accounts
from urltrap.machine.kernel.login import Login
from urltrap.machine.machine import Machine
from urltrap.machine.persona import generate
from urltrap.machine.programs import registry
from urltrap.model.settings import SessionLimits
from urltrap.recover.execution.programs import PROGRAMS, register
from urltrap.recover.execution.recorder import Recorder, Stage
from urltrap.recover.execution.tools import TOOLS

NOW = 1_790_000_000.0
STEPS = 60_000
"""Interpreter steps of one run: a step is about a microsecond."""
_CONNECTION = Connection("ssh", "192.0.2.7", 40_000, "192.0.2.1", 22, "root", NOW)
_FOLDERS = (
    "/tmp", "/var/tmp", "/dev/shm", "/var/run", "/run", "/mnt", "/root", "/home", "/opt", "/srv", "/etc/cron.d", "/net",
    "/etc/init.d", "/etc/cron.daily", "/etc/cron.hourly", "/var/spool/cron/crontabs", "/etc/systemd/system", "/lib",
    "/usr/lib", "/usr/local/bin", "/usr/sbin", "/sbin", "/etc/profile.d", "/root/.ssh", "/data/local/tmp", "/var/log",
    "/etc/xdg/autostart", "/usr/share", "/boot", "/proc", "/sys", "/var/www", "/var/system", "/data/local", "/userdata",
    "/var/lib", "/media", "/usr/local/sbin", "/lib/systemd/system", "/etc/rc.d/init.d", "/etc/rc.d", "/etc/cron.weekly",
    "/etc/update-motd.d", "/etc/network", "/etc/network/if-up.d", "/etc/network/if-pre-up.d", "/etc/rc.button",
    "/etc/udev/rules.d", "/etc/apt/apt.conf.d", "/root/.config", "/root/.config/fish",
    "/root/.config/autostart", *(f"/etc/rc{level}.d" for level in "0123456S"), "/etc/hotplug.d/iface",
)  # fmt: skip
_BUILTIN_LIKE = ("true", "false", "echo", "printf", "test", "[")


@cache
def image() -> Image:
    """The image: standard folders and every program that the machine or recovery knows."""
    register()
    for name, tool in TOOLS.items():
        registry.program(f"recover:{name}")(tool)
    own = {**TOOLS, **PROGRAMS}
    builder = ImageBuilder(mtime=NOW - 1_000_000)
    builder.add_standard_devices()
    for folder in _FOLDERS:
        if folder != "/dev/shm":
            builder.add_dir(folder, 0o1777)
    builder.add_file("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
    builder.add_file("/etc/group", b"root:x:0:\n")
    builder.add_file("/etc/hosts", b"127.0.0.1 localhost\n")
    # What an editor without a terminal (`sed -i`) puts something into has a line already.
    for name in ("/etc/rc.local", "/etc/rc.d/rc.local"):
        builder.add_file(name, b"#!/bin/sh -e\nexit 0\n", 0o755)
    for name in ("/root/.bashrc", "/root/.profile", "/etc/profile", "/etc/crontab", "/etc/inittab"):
        builder.add_file(name, b"#\n")
    names = sorted({*registry.load_all(), *own, *_BUILTIN_LIKE})
    for number, name in enumerate(names):
        if ":" in name or "/" in name:
            continue
        behind = f"recover:{name}" if name in own else name
        content = ProgramContent(behind, 20_000 + 64 * number, name.encode())
        builder.add_file(f"/usr/bin/{name}", content, 0o755)
        builder.add_link(f"/bin/{name}", f"/usr/bin/{name}")
    return builder.freeze()


@cache
def _limits(steps: int) -> SessionLimits:
    return SessionLimits(
        steps_per_command=steps, output_bytes=1_000_000, memory_bytes=16_000_000, overlay_bytes=6_000_000, processes=40,
        line_bytes=2_000_000,
    )  # fmt: skip


@cache
def _hashed() -> Mapping[str, tuple[str, int]]:
    """Where the shell finds every program of the image: as if it had run each before."""
    folder = image().find("/usr/bin")
    return {name: (f"/usr/bin/{name}", 1) for name in (folder.children if folder else None) or {}}


@cache
def _persona() -> dict[str, object]:
    made = dict(generate(b"recovery".ljust(32, b"."), "debian-12", NOW).__dict__)
    # Nobody lives here: tables of processes and users would only cost.
    return {**made, "residents": made["residents"][:1], "listeners": (), "users": (), "programs": _hashed()}


def _chance(below: int) -> int:
    return below // 2


_ROOT = Account("root", 0, 0, "root", "/root", "/bin/sh")
_ENVIRONMENT = {
    "SHELL": "/bin/sh", "HOME": "/root", "LOGNAME": "root", "USER": "root", "PATH": "/usr/bin", "MOTD_SHOWN": "pam",
    "SSH_CLIENT": "192.0.2.7 40000 22", "SSH_CONNECTION": "192.0.2.7 40000 192.0.2.1 22",
}  # fmt: skip
_ROWS = {
    "/etc/passwd": [["root", "x", "0", "0", "root", "/root", "/bin/sh"]],
    "/etc/group": [["root", "x", "0", ""]],
}
_ROOTS_GROUPS = (0, [0])


class _OnlyRoot(Accounts):
    """Accounts of a machine where only root lives: looking them up in files again and again would only cost."""

    __slots__ = ()

    def __init__(self) -> None:
        """There are no files to read."""

    def _lines(self, path: str) -> list[list[str]]:
        return _ROWS.get(path, [])

    def of(self, uid: int) -> Account | None:
        return None if uid else _ROOT

    def groups_of(self, uid: int) -> tuple[int, list[int]]:
        return super().groups_of(uid) if uid else _ROOTS_GROUPS


_ACCOUNTS = _OnlyRoot()


class _RootsLogin(Login):
    """A log-in with an environment that is always the same."""

    def _environment(self, env: Mapping[str, str] | None, tty: str = "") -> dict[str, str]:
        return _ENVIRONMENT


def log_in(recorder: Recorder, steps: int = STEPS) -> tuple[Machine, Login]:
    """A fresh machine with root logged in, whose programs write into `recorder`."""
    persona = Stage.model_construct(**{**_persona(), "recorder": recorder})  # type: ignore[arg-type]
    machine = Machine(image(), persona, entropy=_chance, limits=_limits(steps))
    kernel = machine.kernel
    kernel.accounts = _ACCOUNTS
    kernel.pass_time(NOW)
    return machine, _RootsLogin(kernel, machine.limits, _ROOT, _CONNECTION)


def connections(machine: Machine) -> FileSystem | None:
    """The files of a machine whose programs opened connections (each is one in /net); None where none did."""
    folder = image().find("/net")
    if folder is None or folder.number not in machine.overlay.entries:
        return None
    return machine.view(0)
