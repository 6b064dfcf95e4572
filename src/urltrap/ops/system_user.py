"""The user that the processes become when they are started as root: one of urltrap's own.

What several services share (`nobody`) is no user to own data: whoever breaks into one of them reads it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import subprocess

from urltrap.ops.data_folder import DataFolder

SYSTEM_USER = "urltrap"
USERADD = (
    "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
    "--shell", "/usr/sbin/nologin", SYSTEM_USER,
)  # fmt: skip


class NoSuchUser(Exception):
    """The user to become does not exist; the message says how to make it."""


def target_user(name: str) -> tuple[int, int] | None:
    """(uid, gid) that root becomes, None where we are not root. `name`: as set, "" for urltrap's own.

    Raises NoSuchUser.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name or SYSTEM_USER)
    except KeyError:
        if name:
            raise NoSuchUser(
                f"supervisor.user: there is no user {name!r} on this machine; create it, or leave the setting empty"
            ) from None
        raise NoSuchUser(
            f"started as root, and there is no user {SYSTEM_USER!r} to become afterwards; make it with: "
            f"{' '.join(USERADD)} (urltrap init does so, too), or set supervisor.user to another"
        ) from None
    return entry.pw_uid, entry.pw_gid


def make_system_user() -> str:
    """Make urltrap's own user where there is none; in one sentence what was done or is to do, "" where it exists."""
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    else:
        return ""
    try:
        done = subprocess.run(USERADD, capture_output=True, text=True, timeout=60, check=False)
        problem = " ".join(done.stderr.split()) if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    if problem:
        return (
            f"the system user {SYSTEM_USER} could not be made ({problem}); make it with: {' '.join(USERADD)}"
        )
    return f"made the system user {SYSTEM_USER}, which the processes become"


def hand_over(folder: DataFolder, user: tuple[int, int]) -> None:
    """Give the data folder to the unprivileged user. Keys and settings, which root reads for him, stay root's, and so
    do backups, which have both in them, and the boxes' root file system, which has owners of its own."""
    own = {
        str(path)
        for path in (folder.keys, folder.settings, folder.persona, folder.backups, folder.root / "sandbox")
    }
    for base, folders, files in os.walk(folder.root):
        folders[:] = [name for name in folders if os.path.join(base, name) not in own]
        for place in (base, *(os.path.join(base, name) for name in files)):
            with contextlib.suppress(FileNotFoundError):  # a running trap removes files at any time
                status = os.lstat(place)
                if (status.st_uid, status.st_gid) != user and place not in own:
                    os.chown(place, *user, follow_symlinks=False)


def hand_over_at_exit(folder: DataFolder) -> None:
    """Where root runs a command on a folder that is another user's: what the command makes becomes that user's."""
    if os.geteuid() != 0:
        return
    status = folder.root.stat()
    owner = (status.st_uid, status.st_gid)

    def at_exit() -> None:
        if os.geteuid() == 0:  # some commands become the owner on their way
            hand_over(folder, owner)

    if status.st_uid:
        atexit.register(at_exit)
