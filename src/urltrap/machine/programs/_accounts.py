"""Users and groups by name or number, as chown and find take them."""

from __future__ import annotations

from urltrap.machine.api import Process
from urltrap.machine.programs._system import account, group_names


def user_id(p: Process, name: str) -> int | None:
    """The uid of a name or a number; None where there is none."""
    fields = account(p, name)
    if fields is not None and fields[2].isdecimal():
        return int(fields[2])
    return int(name) if name.isdecimal() and name.isascii() and int(name[:20]) < 2**32 else None


def group_id(p: Process, name: str) -> int | None:
    """The gid of a name or a number; None where there is none."""
    for number, known in group_names(p).items():
        if known == name:
            return number
    return int(name) if name.isdecimal() and name.isascii() and int(name[:20]) < 2**32 else None


def login_group(p: Process, name: str) -> int | None:
    """The gid in a user's line of /etc/passwd."""
    fields = account(p, name)
    return int(fields[3]) if fields is not None and fields[3].isdecimal() else None
