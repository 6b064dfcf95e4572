"""The few Linux calls that boxes need and Python's library lacks: private mounts, and swapping two names."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_libc = ctypes.CDLL(None, use_errno=True)


def private_mounts() -> None:
    """Give this process a mount table of its own: what it mounts from here on is seen by nobody else and goes with it.

    Call it before any thread is started. OSError where the process lacks CAP_SYS_ADMIN.
    """
    _check(_libc.unshare(_CLONE_NEWNS), "unshare")
    _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "mount --make-rprivate /")


def mount_tmpfs(where: str, options: str) -> None:
    """A file system in memory, without devices and set-user-id programs."""
    _mount("tmpfs", where, "tmpfs", _MS_NOSUID | _MS_NODEV, options)


def mount_overlay(where: str, options: str) -> None:
    """An overlay; `options` as in mount(8): lowerdir, upperdir, workdir."""
    _mount("overlay", where, "overlay", _MS_NODEV, options)


def bind(source: str, where: str) -> None:
    """The folder `source` under a second name."""
    _mount(source, where, "", _MS_BIND, "")


def unmount(where: str) -> None:
    """Take a mount away, now or when it is not used any more; nothing happens where there is none."""
    if _libc.umount2(os.fsencode(where), _MNT_DETACH):
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOENT):
            raise OSError(number, os.strerror(number), where)


def exchange(one: Path, other: Path) -> None:
    """Swap what two paths of one file system name, in one step. OSError where the kernel or the system cannot."""
    result = _libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    _check(result, f"exchange {one} and {other}")


def _mount(source: str, where: str, kind: str, flags: int, options: str) -> None:
    result = _libc.mount(os.fsencode(source), os.fsencode(where), kind.encode(), flags, os.fsencode(options))
    _check(result, f"mount {kind} on {where}")


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
