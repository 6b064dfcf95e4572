"""A cell: runs one hostile command line in a throw-away environment, and tells what came out.

Started as a process of its own (`python cell.py ROOT`), root only: one JSON request per line on standard input, one
JSON answer per line on standard output. Nothing but the standard library, so that forking it is cheap.

What encloses a line: new user, mount, pid, net, ipc, uts and cgroup namespaces; user ids 0-65535 of the cell are
524288-589823 outside, so its root is nobody outside; an overlay over ROOT/tree whose upper layer is a folder that is
made for the line and removed after it (on the disk, as directory sizes and chattr are the file system's); the host's
tree is detached; the only interface is lo, and every IPv4 address is local to it, so that what connects is
refused at once; limits on processor time, file size, processes and memory; everything is killed with its init, its
init with this process, and after the wall limit.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import errno
import fcntl
import json
import os
import resource
import select
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

FIRST_ID, IDS = 524_288, 65_536
MAX_OUTPUT = 2_000_000
GRACE_SECONDS = 1.0
"""How long processes that outlive the shell may go on: their output belongs to the line."""

_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
_NEWUSER, _NEWPID, _NEWNET = 0x10000000, 0x20000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
_MNT_DETACH, _PR_SET_PDEATHSIG, _SYS_PIVOT_ROOT = 2, 1, 155
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
          "ptmx": "pts/ptmx"}  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    _checked(
        _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode()),
        f"mount {kind} on {target}",
    )


def _die_with_parent() -> None:
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def _limits() -> None:
    for name, value in (("CPU", 6), ("FSIZE", 64 << 20), ("NPROC", 400), ("CORE", 0), ("AS", 2 << 30)):
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def _join(groups: Sequence[str]) -> None:
    for group in groups:
        Path(group, "cgroup.procs").write_text(str(os.getpid()))


def _network() -> None:
    """Bring lo up and make every IPv4 address its own: `ip route add local 0.0.0.0/0 dev lo`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh22x", b"lo", 0x1 | 0x40)
        fcntl.ioctl(control, 0x8914, request)
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 255, 3, 254, 2, 0) + struct.pack(
        "=HHI", 8, 4, 1
    )
    header = struct.pack("=IHHII", 16 + len(body), 24, 0x1 | 0x4 | 0x400, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.send(header + body)
        answer = link.recv(4096)
        (failed,) = struct.unpack_from("=i", answer, 16)
        if failed:
            raise OSError(-failed, "the cell's route")


def _furnish(hostname: str, scratch: str) -> None:
    """In the new namespaces, with ROOT as working directory: build the cell's tree and make it the only one."""
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", "/tmp", "tmpfs", 0, "size=1m,mode=755")
    for name in ("lower", "rw", "new"):
        os.mkdir(f"/tmp/{name}", 0o755)
    _mount("./tree", "/tmp/lower", "", _MS_BIND)
    _mount(f"./{scratch}", "/tmp/rw", "", _MS_BIND)
    os.chdir("/tmp/new")
    layers = "lowerdir=/tmp/lower,upperdir=/tmp/rw/upper,workdir=/tmp/rw/work,userxattr"
    _mount("overlay", "/tmp/new", "overlay", 0, layers)
    os.chdir("/tmp/new")
    _mount("proc", "proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _mount("sysfs", "sys", "sysfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _mount("udev", "dev", "tmpfs", _MS_NOSUID, "size=1m,mode=755")
    for name in _DEVICES:
        Path(f"dev/{name}").touch()
        _mount(f"/dev/{name}", f"dev/{name}", "", _MS_BIND)
    for name, target in _LINKS.items():
        os.symlink(target, f"dev/{name}")
    os.mkdir("dev/pts")
    _mount("devpts", "dev/pts", "devpts", _MS_NOSUID | _MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5")
    os.mkdir("dev/shm", 0o1777)
    _mount("tmpfs", "dev/shm", "tmpfs", _MS_NOSUID | _MS_NODEV, "size=16m,mode=1777")
    _checked(_libc.syscall(_SYS_PIVOT_ROOT, b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", _MNT_DETACH), "umount of the host's tree")
    os.chdir("/")
    socket.sethostname(hostname)
    _network()


def _become(request: dict[str, Any], streams: tuple[int, int, int]) -> NoReturn:
    """The line's shell."""
    os.setsid()
    for number in range(1, signal.NSIG):
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    for target, source in enumerate(streams):
        os.dup2(source, target)
    os.closerange(3, 256)
    os.umask(0o022)
    os.chdir(request["cwd"])
    argv = [os.fsencode(word) for word in request["argv"]]
    os.execve(request["path"], argv, {os.fsencode(k): os.fsencode(v) for k, v in request["env"].items()})
    raise AssertionError("execve returned")


def _init(request: dict[str, Any], streams: tuple[int, int, int], report: int) -> NoReturn:
    """The cell's process 1: starts the shell, waits for it and a little for what it left."""
    _die_with_parent()
    _furnish(request["hostname"], request["scratch"])
    shell = os.fork()
    if shell == 0:
        try:
            _become(request, streams)
        except BaseException as error:
            os.write(2, f"cell: {error}\n".encode())
            os._exit(125)
    for fd in streams:
        os.close(fd)
    status: int | None = None
    deadline = float("inf")
    while time.monotonic() < deadline:
        try:
            pid, code = os.waitpid(-1, 0 if status is None else os.WNOHANG)
        except ChildProcessError:
            break
        if pid == shell:
            status = os.waitstatus_to_exitcode(code)
            deadline = time.monotonic() + GRACE_SECONDS
        elif pid == 0:
            time.sleep(0.01)
    os.write(report, str(status).encode())
    os._exit(0)


def _outer(
    request: dict[str, Any], streams: tuple[int, int, int], report: int, ready: int, go: int
) -> NoReturn:
    """Between this process and the cell: makes the namespaces, stays as the cell's parent."""
    os.setsid()
    _die_with_parent()
    _join(request["cgroups"])
    _limits()
    os.chdir(request["root"])
    _checked(_libc.unshare(_NEWUSER), "unshare user")
    os.write(ready, b"1")
    os.read(go, 1)
    os.setresgid(0, 0, 0)
    os.setgroups([0])
    os.setresuid(0, 0, 0)
    _die_with_parent()
    _checked(_libc.unshare(_NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS | _NEWCGROUP), "unshare")
    inner = os.fork()
    if inner == 0:
        try:
            _init(request, streams, report)
        except BaseException as error:
            os.write(report, f"! {error}".encode())
            os._exit(1)
    for fd in (*streams, report):
        os.close(fd)
    os.waitpid(inner, 0)
    os._exit(0)


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run one line; see the module's text.

    `request`: root (a folder that holds `tree`), path, argv, env, cwd, hostname, wall (seconds), cgroups (folders).
    Answer: stdout and stderr (base64), status (128 + N after signal N), `ended` ("exit", "wall", "output"), seconds.
    OSError where a cell cannot be made here.
    """
    scratch = Path(tempfile.mkdtemp(prefix="rw-", dir=request["root"]))
    try:
        for folder in (scratch, scratch / "upper", scratch / "work"):
            folder.mkdir(0o755, exist_ok=True)
            shutil.chown(folder, FIRST_ID, FIRST_ID)
        shutil.copystat(Path(request["root"], "tree"), scratch / "upper")
        return _run({**request, "scratch": scratch.name})
    finally:
        shutil.rmtree(scratch)


def _run(request: dict[str, Any]) -> dict[str, Any]:
    pipes = [os.pipe() for _ in range(6)]
    (in_r, in_w), (out_r, out_w), (err_r, err_w), (rep_r, rep_w), (ready_r, ready_w), (go_r, go_w) = pipes
    started = time.monotonic()
    outer = os.fork()
    if outer == 0:
        try:
            for fd in (in_w, out_r, err_r, rep_r, ready_r, go_w):
                os.close(fd)
            _outer(request, (in_r, out_w, err_w), rep_w, ready_w, go_r)
        except BaseException as error:
            os.write(rep_w, f"! {error}".encode())
            os._exit(1)
    for fd in (in_r, in_w, out_w, err_w, rep_w, ready_w, go_r):
        os.close(fd)
    if os.read(ready_r, 1):
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{outer}/{name}").write_text(f"0 {FIRST_ID} {IDS}")
        os.write(go_w, b"1")
    collected: dict[int, bytearray] = {out_r: bytearray(), err_r: bytearray(), rep_r: bytearray()}
    open_fds = set(collected)
    ended = "exit"
    while open_fds:
        left = started + request["wall"] - time.monotonic()
        if left <= 0:
            ended = "wall"
            break
        for fd in select.select(list(open_fds), [], [], left)[0]:
            data = os.read(fd, 65_536)
            if not data:
                open_fds.discard(fd)
            collected[fd] += data
            if len(collected[fd]) > MAX_OUTPUT:
                ended = "output"
        if ended == "output":
            break
    if ended != "exit":
        with contextlib.suppress(ProcessLookupError):
            os.kill(outer, signal.SIGKILL)
    os.waitpid(outer, 0)
    for fd in (out_r, err_r, rep_r, ready_r, go_w):
        os.close(fd)
    word = bytes(collected[rep_r]).decode()
    if word.startswith("!"):
        raise OSError(errno.EPERM, f"no cell can be made here: {word[1:].strip()}")
    code = int(word) if word.lstrip("-").isdigit() else None
    return {
        "stdout": base64.b64encode(collected[out_r][:MAX_OUTPUT]).decode(),
        "stderr": base64.b64encode(collected[err_r][:MAX_OUTPUT]).decode(),
        "status": 128 - code if code is not None and code < 0 else code,
        "ended": ended,
        "seconds": round(time.monotonic() - started, 3),
    }


def main() -> None:
    """Serve requests until the end of standard input."""
    for line in sys.stdin:
        try:
            answer = run(json.loads(line))
        except OSError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
