"""/etc/passwd, /etc/shadow and /etc/group as the account programs change them."""

from __future__ import annotations

from collections.abc import Callable

from urltrap.machine.api import Process, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._system import Reader


def rows(p: Process, path: str) -> list[list[str]]:
    """The lines of a colon-separated database as fields; read as the program's owner where it is set-uid."""
    try:
        text = decode(p.owner_fs.read(path))
    except SysError:
        return []
    return [line.split(":") for line in text.splitlines() if line]


def row(p: Process, path: str, name: str) -> list[str] | None:
    """One entry by name."""
    return next((fields for fields in rows(p, path) if fields[0] == name), None)


def save(p: Process, path: str, entries: list[list[str]]) -> None:
    """Write a database back, with the mode that it had. SysError EACCES for other users than root, unless the program
    is set-uid."""
    mode = 0o640 if path.endswith("shadow") else 0o644
    p.owner_fs.write(path, encode("".join(":".join(fields) + "\n" for fields in entries)), mode=mode)


def change(p: Process, path: str, name: str, edit: Callable[[list[str]], None]) -> bool:
    """Edit one entry in place; False where there is none."""
    entries = rows(p, path)
    found = next((fields for fields in entries if fields[0] == name), None)
    if found is None:
        return False
    edit(found)
    save(p, path, entries)
    return True


def set_hash(p: Process, name: str, hashed: str) -> bool:
    """Put a password hash into /etc/shadow, changed today; False where the user has no entry."""
    today = str(int(p.now() // 86_400))

    def edit(fields: list[str]) -> None:
        fields[1] = hashed
        if len(fields) > 2:
            fields[2] = today

    return change(p, "/etc/shadow", name, edit)


def remove(p: Process, path: str, name: str) -> None:
    """Take an entry away."""
    entries = rows(p, path)
    kept = [fields for fields in entries if fields[0] != name]
    if len(kept) != len(entries):
        save(p, path, kept)


def free_number(p: Process, path: str, low: int, high: int = 60_000) -> int:
    """The number after the highest in use between the bounds."""
    taken = [int(fields[2]) for fields in rows(p, path) if len(fields) > 2 and fields[2].isdigit()]
    return max([number for number in taken if low <= number <= high], default=low - 1) + 1


def exists(p: Reader, path: str) -> bool:
    """True where a path is there."""
    try:
        p.fs.stat(path, follow=False)
    except SysError:
        return False
    return True


def copy_tree(p: Process, source: str, target: str, uid: int, gid: int, mode: int = 0o700) -> None:
    """The skeleton of a home directory with its new owner."""
    if not exists(p, target):
        p.fs.mkdir(target, mode)
    p.fs.chown(target, uid, gid)
    if not exists(p, source):
        return
    for name in p.fs.listdir(source):
        if p.fs.stat(f"{source}/{name}").is_file:
            p.fs.write(f"{target}/{name}", p.fs.read(f"{source}/{name}"))
            p.fs.chown(f"{target}/{name}", uid, gid)


def remove_tree(p: Process, path: str) -> None:
    """A directory with everything in it; nothing happens where there is none."""
    if not exists(p, path):
        return
    if p.fs.stat(path, follow=False).is_dir:
        for name in p.fs.listdir(path):
            remove_tree(p, f"{path}/{name}")
        p.fs.rmdir(path)
    else:
        p.fs.unlink(path)


def join_groups(p: Process, user: str, wanted: list[str], *, append: bool) -> None:
    """Make a user a member of groups; without `append` of no others."""
    entries = rows(p, "/etc/group")
    for fields in entries:
        if len(fields) < 4:
            continue
        members = [name for name in fields[3].split(",") if name]
        if fields[0] in wanted and user not in members:
            members.append(user)
        elif fields[0] not in wanted and not append and user in members:
            members.remove(user)
        fields[3] = ",".join(members)
    save(p, "/etc/group", entries)


def leave_group(p: Process, user: str, group: str) -> bool:
    """Take a user out of a group; False where he was not in it."""
    entry = row(p, "/etc/group", group)
    members = entry[3].split(",") if entry is not None and len(entry) > 3 else []
    if user not in members:
        return False
    members.remove(user)
    return change(p, "/etc/group", group, lambda fields: fields.__setitem__(3, ",".join(members)))
