"""One attacker's machine: image, his overlay, a kernel; log-ins that share it; jobs that a sensor steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from urltrap.machine.api import Connection, FileSystem
from urltrap.machine.errors import SysError
from urltrap.machine.fs.image import Image
from urltrap.machine.fs.mounts import Mount
from urltrap.machine.fs.node import Node
from urltrap.machine.fs.overlay import Overlay
from urltrap.machine.fs.tree import Tree, Volume
from urltrap.machine.fs.view import FileView
from urltrap.machine.image.logs import start_records
from urltrap.machine.kernel.accounts import Account
from urltrap.machine.kernel.kernel import Kernel
from urltrap.machine.kernel.login import Login
from urltrap.machine.kernel.onlooker import Onlooker
from urltrap.machine.kernel.passwords import Crypt
from urltrap.machine.kernel.pts import PtsMount
from urltrap.machine.kernel.tty import Tty
from urltrap.machine.persona import Persona
from urltrap.machine.power import PowerPlan, booted, reborn
from urltrap.machine.proc import ProcMount, SysMount
from urltrap.machine.programs._unitboot import started
from urltrap.machine.units import known
from urltrap.model.settings import SessionLimits

_STORED = frozenset({"devtmpfs", "tmpfs", "ramfs", "ext4", "ext3", "ext2", "xfs", "btrfs", "overlay", "vfat", "jffs2",
                     "squashfs", "ubifs", "yaffs2", "cramfs"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Files:
    """The machine's own look at its files."""

    fs: FileSystem


class LoginError(Exception):
    """There is no such user on this machine: refuse the log-in."""


class MachineDownError(LoginError):
    """The machine is switched off, or starts just now: nothing answers."""


class Machine:
    """A machine of one attacker. Single-threaded: step one of its jobs at a time.

    `entropy(n)` gives a number below n; `boot_time` in unix seconds (the overlay's or the persona's where None).
    `mounts` are generated trees by path; /proc and /sys of the persona where None. `crypt` is crypt(3) for yescrypt and
    the like; without it changed passwords are hashed as $6$.
    """

    def __init__(
        self,
        image: Image,
        persona: Persona,
        overlay: Overlay | None = None,
        *,
        entropy: Callable[[int], int],
        boot_time: float | None = None,
        mounts: Mapping[str, Mount] | None = None,
        limits: SessionLimits | None = None,
        crypt: Crypt | None = None,
    ) -> None:
        self.limits = limits or SessionLimits()
        self.overlay = overlay or Overlay(image, max_bytes=self.limits.overlay_bytes)
        self._image = image
        self._installed = persona
        self._entropy = entropy
        self._crypt = crypt
        self._mounts: Mapping[str, Mount] = (
            {"/proc": ProcMount(), "/sys": SysMount()} if mounts is None else mounts
        )
        self.kernel = self._started(persona.boot_time if boot_time is None else boot_time)

    @property
    def persona(self) -> Persona:
        """Who it says it is, since its last start."""
        return self.kernel.persona

    def _started(self, boot_time: float) -> Kernel:
        again = self.overlay.boot_time
        boot = boot_time if again is None else again
        persona = self._installed if again is None else reborn(self._installed, again)
        terminals: dict[int, Tty] = {}
        trees: dict[str, Mount] = {"/dev/pts": PtsMount(terminals), **self._mounts}
        tree = Tree(self._image, self.overlay, trees, volumes(persona))
        return Kernel(tree, persona, self._entropy, boot, terminals, self._crypt)

    def down_until(self, now: float) -> float | None:
        """When it answers again (unix seconds), where it is switched off or starting at `now`; else None."""
        plan = self.overlay.power
        return plan.back if plan is not None and plan.at <= now < plan.back else None

    def _start_again(self, plan: PowerPlan) -> None:
        """What a start does: memory file systems are empty, the records of who came and went tell of it."""
        self.kernel.go_down()
        for path in volatile(self._installed):
            node = self._image.find(path)
            if node is not None:
                self.overlay.revert(node.number)
        self.overlay.power = None
        self.overlay.units.clear()
        self.overlay.left.clear()
        self.overlay.settings.clear()
        self.overlay.runtime.clear()
        self.overlay.boot_time = booted(plan)
        self.kernel = self._started(self.overlay.boot_time)
        self.kernel.pass_time(plan.back)
        if self._installed.is_server:
            self._start_units(self.overlay.boot_time)
        if self._installed.is_server:
            records = start_records(self._installed.kernel.release, plan.at, self.overlay.boot_time)
            try:
                self.view(0).write("/var/log/wtmp", records, append=True)
            except SysError:
                pass  # he removed it or filled the disk: a start leaves no record then

    def _start_units(self, boot: float) -> None:
        files = Files(self.view(0))
        for unit, run, row in started(files, boot, self.kernel.next_pid):
            known(self.overlay.units, unit)
            self.overlay.units[unit] = run
            if row is not None:
                self.overlay.left[row.pid] = row

    def login(self, user: str, connection: Connection, now: float, password: bytes | None = None) -> Login:
        """Let a user in, with the password that opened; everybody who is in is seen by ``who``. LoginError where
        /etc/passwd does not know him or the machine is down."""
        plan = self.overlay.power
        if plan is not None and now >= plan.back:
            self._start_again(plan)
        elif plan is not None and now >= plan.at:
            raise MachineDownError(f"the machine is down until {plan.back:.0f}")
        self.kernel.pass_time(now)
        account = self.account(user)
        if account is None:
            raise LoginError(f"no user {user!r} in /etc/passwd of this machine")
        if password is not None:
            self.kernel.passwords.typed(user, password)
        return Login(self.kernel, self.limits, account, connection)

    def account(self, user: str) -> Account | None:
        """What /etc/passwd says of a user."""
        return self.kernel.accounts.find(user)

    def view(self, uid: int, changed: Callable[[str, Node, bool], None] | None = None) -> FileSystem:
        """The file tree as a user sees it outside of a process (SFTP). Relative paths start at his home directory.

        `changed` is told (path, node, about to be lost) of every change; it may be left out where the caller journals
        what it writes itself.
        """
        account = self.kernel.accounts.of(uid)
        gid, groups = self.kernel.accounts.groups_of(uid)
        who = Onlooker(self.kernel, uid, cwd=account.home if account is not None else "/", gid=gid)
        who.groups = groups
        return FileView(self.kernel.tree, who, changed or (lambda path, node, lost: None))

    def pass_time(self, now: float) -> None:
        """Set the clock without running anything, before using `view`."""
        self.kernel.pass_time(now)

    def check_password(self, user: str, password: bytes) -> bool:
        """True where this is the user's password on this machine (``chpasswd`` changes it).

        Locked, empty and unknown ones are False.
        """
        return self.kernel.passwords.opens(user, password)

    def authorized_keys(self, user: str) -> list[str]:
        """The lines of the user's authorized_keys that hold a key."""
        account = self.account(user)
        if account is None:
            return []
        try:
            data = self.view(0).read(f"{account.home}/.ssh/authorized_keys", 1_000_000)
        except SysError:
            return []
        lines = data.decode("utf-8", "surrogateescape").splitlines()
        return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]

    def kept(self, now: float) -> bytes:
        """The overlay as bytes, for his next visit (`Overlay.loads`)."""
        return self.overlay.dumps(now)


def volatile(persona: Persona) -> list[str]:
    """The folders that are empty, or as the image has them, after a start (Debian 12's /tmp: tmpfiles.d/tmp.conf)."""
    found = {mount.point for mount in persona.mounts if mount.fstype in ("tmpfs", "devtmpfs", "ramfs")}
    return sorted(found | ({"/tmp"} if persona.is_server else set()))


def _root_device(persona: Persona) -> int:
    """st_dev of the root file system: the partition's number, or that of an overlay on a device."""
    part = next((part for disk in persona.disks for part in disk.partitions if part.mountpoint == "/"), None)
    return persona.disks[0].major << 8 | part.minor if part is not None else 0x0E


def volumes(persona: Persona) -> dict[str, Volume]:
    """The stored file systems of a persona by mount point, each with a device number of its own."""
    root = _root_device(persona)
    found = {"/": Volume(root)}
    for number, mount in enumerate(persona.mounts):
        if mount.fstype in _STORED:
            device = root if mount.point == "/" else 0x15 + number
            options = f",{mount.options},"
            found[mount.point] = Volume(device, ",ro," in options, ",noexec," in options)
    return found
