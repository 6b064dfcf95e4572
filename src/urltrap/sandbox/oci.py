"""Boxes made by an OCI runtime (crun, runc) called directly: no daemon, no container engine.

Everything that a box needs outside of it lives in a file system in memory which only this process' own mount table
has, so what a killed process leaves is little: its boxes end by themselves, because their first process waits at a
socket whose other end is gone, and the control groups are swept when the next one starts.

What the runtime has to say goes to its log and never to an attacker: the program that it starts is our launcher
(`init.c`), which becomes the one that was asked for, or fails in the words of sshd.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from urltrap.sandbox import kernel
from urltrap.sandbox.bundle import FIRST_UID, BoxLimits, Command, config, process
from urltrap.sandbox.child import Child, spawn
from urltrap.sandbox.driver import Probe, SandboxError
from urltrap.sandbox.images import open_image, read_init
from urltrap.sandbox.init import PLACE, launched, sealed
from urltrap.sandbox.messages import readable
from urltrap.sandbox.uplink.namespace import Place, Wire, attach, missing

log = structlog.get_logger("box")

RUNTIMES = ("crun", "runc")
PID_FILE_SECONDS = 0.01
SIGNAL_ROUNDS = 4
_CGROUPS = Path("/sys/fs/cgroup")
_INIT_SECONDS = 10.0
_PF_EXITING = 0x4
"""Of the flags in /proc/PID/stat (include/linux/sched.h)."""


def probe(runtime: str) -> Probe:
    """Whether boxes can be made by this runtime here, as far as can be seen without making one."""
    if shutil.which(runtime) is None:
        return Probe(runtime, "is not installed", f"sudo apt-get install {runtime}")
    if os.geteuid() != 0:
        return Probe(
            runtime, "needs root to mount and to limit", "start urltrap as root; the sensors drop it"
        )
    if _read(Path("/proc/sys/user/max_user_namespaces")) in ("", "0"):
        return Probe(
            runtime, "this kernel allows no user namespaces", "sudo sysctl user.max_user_namespaces=15000"
        )
    if "overlay" not in _read(Path("/proc/filesystems")).split():
        return Probe(runtime, "this kernel has no overlay file system", "sudo modprobe overlay")
    return Probe(runtime, *missing())


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


@dataclass(slots=True)
class OciRunning:
    """A program in a box, with the runtime's process that waits for it."""

    files: tuple[int, ...]
    _process: Child
    _pid_file: Path
    _log: Path

    def signal(self, number: int) -> None:
        """Send a signal to the program and those that it has started in its process group.

        One by one, for the runtime is of that group: a child that is being made at this very moment may be missed.
        """
        if self._process.returncode is not None:
            return
        try:
            group = os.getpgid(int(self._pid_file.read_text()))
        except (FileNotFoundError, ValueError):
            # The runtime writes the number after it has let the program run: a quick client is quicker than that.
            asyncio.get_running_loop().call_later(PID_FILE_SECONDS, self.signal, number)
            return
        except ProcessLookupError:
            return  # it has ended meanwhile
        told = {self._process.pid}  # the runtime is in the group too, and has to wait for the end
        for _ in range(SIGNAL_ROUNDS):  # one that was forking has a child by now
            new = set(_group(group)) - told
            for pid in sorted(new):  # the oldest first: it would see its children end and go on
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            told |= new

    async def wait(self) -> int:
        """Its status."""
        status = await self._process.wait()
        if said := _read(self._log)[-300:]:  # a program that did not start: too many processes, for instance
            log.info("a program was not started in a box", reason=said)
        for suffix in (".pid", ".json", ".log"):
            self._pid_file.with_suffix(suffix).unlink(missing_ok=True)
        return status if status >= 0 else 128 - status


class OciBox:
    """One box: an overlay over the image in a file system of its own, and the runtime's container on it."""

    def __init__(self, driver: OciDriver, id: str) -> None:
        self.id = id
        self.folder = driver.folder / id
        self.upper = self.folder / "w" / "u"
        self._driver = driver
        self.devices: int | None = None
        self._life: socket.socket | None = None
        self.pid = 0
        self.wire: Wire | None = None
        self._first: int | None = None
        self._numbers = 0

    def make(self) -> None:
        """Mount and start; blocks for some tens of milliseconds. OSError or SandboxError where it fails."""
        driver, folder, id = self._driver, self.folder, self.id
        writable, root = folder / "w", folder / "root"
        writable.mkdir(parents=True)
        root.mkdir()
        for each, mode in ((folder, 0o711), (root, 0o755)):  # whatever this process' umask is
            each.chmod(mode)
        owner = f"uid={FIRST_UID},gid={FIRST_UID},mode=755"
        limits = driver.limits
        kernel.mount_tmpfs(str(writable), f"size={limits.disk_bytes},nr_inodes={limits.files},{owner}")
        for name in ("u", "k"):
            (writable / name).mkdir()
            os.chown(writable / name, FIRST_UID, FIRST_UID)
            (writable / name).chmod(0o755)
        # Names relative to the working directory: the options are shown inside, and no name of ours is to be there.
        kernel.mount_overlay(str(root), f"lowerdir=p:i,upperdir={id}/w/u,workdir={id}/w/k")
        first = Command([PLACE, PLACE, *driver.residents], {})
        body = config(str(root), driver.hostname, first, limits, f"{driver.cgroup}/{id}")
        (folder / "config.json").write_text(json.dumps(body))
        pid_file = folder / "first.pid"
        self._life, theirs = socket.socketpair()
        with theirs:
            driver.call(
                "create", "--bundle", str(folder), "--pid-file", str(pid_file), id, stdin=theirs.fileno()
            )
        pid = int(pid_file.read_text())
        self.pid, self._first = pid, os.pidfd_open(pid)
        if driver.place is not None:  # before anything runs in it
            self.wire = attach(pid, driver.place)
        driver.call("start", id)
        self._life.settimeout(_INIT_SECONDS)
        if not self._life.recv(1):
            raise SandboxError("the first process of a box ended at once")
        # Opened before anybody is in it: a folder that cannot become another one later.
        self.devices = os.open(f"/proc/{pid}/root/dev", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    @property
    def alive(self) -> bool:
        """Whether its first process runs, and is not just ending: it ends when all others of the box have."""
        if self._first is None or select.select([self._first], [], [], 0)[0]:
            return False
        fields = _read(Path(f"/proc/{self.pid}/stat")).rpartition(")")[2].split()
        return len(fields) > 6 and not int(fields[6]) & _PF_EXITING

    def processes(self) -> list[int]:
        """All that run in it, as the host numbers them."""
        for group in _groups(f"{self._driver.cgroup}/{self.id}".lstrip("/")):
            if listed := _read(group / "cgroup.procs"):
                return [int(pid) for pid in listed.split()]
        return []

    async def run(self, command: Command) -> OciRunning:
        """Start a program; SandboxError where the runtime refuses."""
        self._numbers += 1
        base = self.folder / f"x{self._numbers}"
        description, pid_file = base.with_suffix(".json"), base.with_suffix(".pid")
        try:
            description.write_text(json.dumps(process(launched(command))))
        except OSError as error:
            raise SandboxError(
                f"a program cannot be described to {self._driver.name}: {error.strerror}"
            ) from error
        words = base.with_suffix(".log")
        kept = "4" if command.terminal is None else "1"
        arguments = ["--log", str(words), "exec", "--preserve-fds", kept, "--process", str(description)]
        arguments += ["--pid-file", str(pid_file)]
        if command.terminal is None:
            ours, theirs = _three_pipes()
            try:
                runtime = self._driver.spawn(*arguments, self.id, more=theirs)
            except OSError as error:
                _close(ours)
                raise SandboxError(f"{self._driver.name} cannot be started: {error.strerror}") from error
            finally:
                _close(theirs)
            return OciRunning(ours, runtime, pid_file, words)
        console = base.with_suffix(".sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(console))
            listener.listen(1)
            listener.setblocking(False)
            try:
                runtime = self._driver.spawn(*arguments, "--console-socket", str(console), self.id)
                async with asyncio.timeout(10):
                    master = await _terminal_of(runtime, listener)
            except TimeoutError as error:
                runtime.kill()
                raise SandboxError(f"{self._driver.name} gave no terminal in time") from error
            except OSError as error:
                raise SandboxError(f"{self._driver.name} cannot be started: {error.strerror}") from error
            finally:
                console.unlink()
        return OciRunning((master,), runtime, pid_file, words)

    async def destroy(self) -> None:
        """End everything in it and leave nothing behind."""
        await asyncio.to_thread(self._destroy)

    def _destroy(self) -> None:
        if self._life is not None:
            self._life.close()
            self._life = None
        if self.wire is not None:
            self.wire.close()
            self.wire = None
        for file in (self.devices, self._first):
            if file is not None:
                os.close(file)
        self.devices = self._first = None
        try:
            self._driver.call("delete", "--force", self.id, check=False)
        finally:
            kernel.unmount(str(self.folder / "root"))
            kernel.unmount(str(self.folder / "w"))
            shutil.rmtree(self.folder, ignore_errors=True)
            if self._driver.plain_groups is not None:
                shutil.rmtree(self._driver.plain_groups / self.id, ignore_errors=True)


class OciDriver:
    """Makes boxes over the image `image` and the persona's layer `layer` (uid-shifted trees).

    Takes the process over: it gets a mount table and a working directory of its own, so this belongs into a process
    that does nothing else, before any thread is started. `residents`: the processes that show in each box, as the first
    process takes them (`init.residents`). `place`: how each box stands in its network; without one it has no link.
    `folder` is hidden under a file system in memory; `cgroup` is
    the name of this installation's group of control groups.
    """

    def __init__(
        self,
        runtime: str,
        image: Path,
        layer: Path,
        folder: Path,
        cgroup: str,
        hostname: str,
        limits: BoxLimits,
        residents: Sequence[str],
        place: Place | None = None,
    ) -> None:
        found = shutil.which(runtime)
        if found is None:
            raise SandboxError(f"{runtime} is not installed: apt-get install {runtime}")
        self.name = runtime
        self.folder = folder
        self.cgroup = f"/{cgroup}"
        self.hostname = hostname
        # What we show ourselves is not the attacker's to pay for.
        self.limits = replace(limits, processes=limits.processes + len(residents) + 1)
        self.residents = residents
        self.place = place
        self._command = [found, "--root", str(folder / "state")]
        sweep(cgroup)
        folder.mkdir(parents=True, exist_ok=True)
        program = read_init(image)
        self._launcher = sealed(program)
        _place_init(layer, program)
        kernel.private_mounts()
        # Only what is opened in this mount table can be mounted in it; it stays open, for the tree to stay.
        self._image = open_image(image)
        # crun of Debian 12 refuses a hybrid of both versions of control groups; version 1 alone it takes.
        self.plain_groups: Path | None = None
        if (_CGROUPS / "unified").is_dir() and not (_CGROUPS / "cgroup.controllers").exists():
            kernel.unmount(str(_CGROUPS / "unified"))
            # It makes plain folders with plain files there all the same: each goes with its box, the rest with us.
            kernel.mount_tmpfs(str(_CGROUPS / "unified"), "size=1m")
            self.plain_groups = _CGROUPS / "unified" / cgroup
        kernel.mount_tmpfs(str(folder), "mode=711,size=16m")
        os.chdir(folder)
        for name, source in (("i", f"/proc/self/fd/{self._image}"), ("p", str(layer))):
            (folder / name).mkdir()
            kernel.bind(source, str(folder / name))

    async def create(self, id: str) -> OciBox:
        """A running box; SandboxError where it cannot be had."""
        box = OciBox(self, id)
        try:
            await asyncio.to_thread(box.make)
        except (OSError, SandboxError) as error:
            await box.destroy()
            raise SandboxError(f"a box cannot be made by {self.name}: {error}") from error
        return box

    def close(self) -> None:
        """Remove the control groups; boxes that are still there end."""
        sweep(self.cgroup.lstrip("/"))

    def call(self, *arguments: str, stdin: int | None = None, check: bool = True) -> None:
        """Run the runtime to its end. What it starts keeps its descriptors: they lead nowhere, and its words go to a
        file that it opens itself."""
        log = self.folder / f"log-{arguments[-1]}"
        try:
            done = subprocess.run(
                [*self._command, "--log", str(log), *arguments],
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
                timeout=30,
            )
        except subprocess.TimeoutExpired as error:
            raise SandboxError(f"{self.name} {arguments[0]} does not end") from error
        said = _read(log)[-300:]
        log.unlink(missing_ok=True)
        if check and done.returncode:
            raise SandboxError(f"{self.name} {arguments[0]}: {said or done.returncode}")

    def spawn(self, *arguments: str, more: Sequence[int] = ()) -> Child:
        """Start the runtime and leave it running; its descriptors are the launcher (3) and `more` (from 4 on).

        It has nothing to say to: some of its words go to standard error besides its log.
        """
        with open(os.devnull, "r+b", buffering=0) as nothing:
            return spawn([*self._command, *arguments], (*(nothing.fileno(),) * 3, self._launcher, *more))


def sweep(cgroup: str, patience: float = 5.0) -> None:
    """Kill what runs in this installation's control groups and remove them: what a killed process left."""
    end = time.monotonic() + patience
    while groups := list(_groups(cgroup)):
        for group in groups:
            for pid in _read(group / "cgroup.procs").split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            with contextlib.suppress(OSError):  # its processes are still dying
                group.rmdir()
        if time.monotonic() > end:
            raise SandboxError(f"control groups of an earlier run stay busy: {groups[0]}")
        time.sleep(0.005)


def _groups(cgroup: str) -> Iterator[Path]:
    """Control groups of this name and below, the deepest first, in every hierarchy."""
    for top in [_CGROUPS / cgroup, *_CGROUPS.glob(f"*/{cgroup}")]:
        # A plain folder with plain files in it cannot be removed as a group is.
        if top.is_dir() and os.statvfs(top).f_blocks == 0:
            for folder, _, _ in os.walk(top, topdown=False):
                yield Path(folder)


def _group(group: int) -> list[int]:
    """The processes of a process group."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.getpgid(int(name)) == group:
                    found.append(int(name))
    return found


def _place_init(layer: Path, program: bytes) -> None:
    """Put it where the runtime finds it; in each box it is gone by the time that somebody looks."""
    place = layer / PLACE.lstrip("/")
    place.write_bytes(program)
    place.chmod(0o755)
    os.chown(place, FIRST_UID, FIRST_UID)


def _three_pipes() -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    (in_r, in_w), (out_r, out_w), (err_r, err_w) = os.pipe(), os.pipe(), os.pipe()
    return (in_w, out_r, err_r), (in_r, out_w, err_w)


def _close(files: tuple[int, ...]) -> None:
    for file in files:
        os.close(file)


async def _terminal_of(runtime: Child, listener: socket.socket) -> int:
    """The terminal's master; that of one which is hung up already, where the runtime ends without giving any."""
    given = asyncio.ensure_future(_terminal(listener))
    ended = asyncio.ensure_future(runtime.wait())
    try:
        await asyncio.wait({given, ended}, return_when=asyncio.FIRST_COMPLETED)
        if given.done():
            return given.result()
    finally:
        given.cancel()
        ended.cancel()
    master, slave = os.openpty()
    os.close(slave)
    return master


async def _terminal(listener: socket.socket) -> int:
    """The terminal's master that the runtime sends (OCI: console socket)."""
    connection, _ = await asyncio.get_running_loop().sock_accept(listener)
    with connection:
        await readable(connection)
        size = array.array("i").itemsize
        _, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(size))
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            return array.array("i", data[:size])[0]
    raise SandboxError("the runtime sent no terminal")
