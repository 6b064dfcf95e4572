"""Users and groups as /etc/passwd, /etc/group and /etc/shadow of the machine say: what the attacker changes counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from urltrap.machine.errors import SysError
from urltrap.machine.fs.content import PagedContent
from urltrap.machine.fs.view import FileView


@dataclass(frozen=True, slots=True)
class Account:
    """One line of /etc/passwd."""

    name: str
    uid: int
    gid: int
    gecos: str
    home: str
    shell: str


class Accounts:
    """Reads the files each time they are asked, as `passwd` may have been run; those of the image are parsed once."""

    __slots__ = ("_files",)

    def __init__(self, files: FileView) -> None:
        self._files = files

    def _lines(self, path: str) -> list[list[str]]:
        try:
            content = self._files.content(path)
        except SysError:
            return []  # the attacker removed it: nobody has a name then
        parsed = self._files.tree.image.parsed
        known = parsed.get(path)
        if known is not None and known[0] is content:
            return known[1]
        text = content.read(0, 1_000_000).decode("utf-8", "surrogateescape")
        rows = [line.split(":") for line in text.split("\n") if line and line[0] != "#"]
        if not isinstance(content, PagedContent):
            parsed[path] = (content, rows)
        return rows

    def __iter__(self) -> Iterator[Account]:
        """Every account with numbers that are some."""
        for row in self._lines("/etc/passwd"):
            if len(row) >= 7 and row[2].isdecimal() and row[3].isdecimal():
                yield Account(row[0], int(row[2]), int(row[3]), row[4], row[5] or "/", row[6] or "/bin/sh")

    def find(self, name: str) -> Account | None:
        """The account of a name."""
        return next((account for account in self if account.name == name), None)

    def of(self, uid: int) -> Account | None:
        """The account of a uid."""
        return next((account for account in self if account.uid == uid), None)

    def name_of(self, uid: int) -> str:
        """The name of a uid; its number where it has none."""
        account = self.of(uid)
        return account.name if account is not None else str(uid)

    def groups_of(self, uid: int) -> tuple[int, list[int]]:
        """(primary group, all groups) of a uid."""
        account = self.of(uid)
        if account is None:
            return uid, [uid]
        groups = [account.gid]
        for row in self._lines("/etc/group"):
            if len(row) >= 4 and row[3] and row[2].isdecimal() and account.name in row[3].split(","):
                groups.append(int(row[2]))
        return account.gid, list(dict.fromkeys(groups))

    def password_hash(self, name: str) -> str | None:
        """The second field of /etc/shadow (or of /etc/passwd where that holds it); None for an unknown user."""
        for row in self._lines("/etc/shadow"):
            if row[0] == name and len(row) >= 2:
                return row[1]
        for row in self._lines("/etc/passwd"):
            if row[0] == name and len(row) >= 2 and row[1] not in ("x", "*"):
                return row[1]
        return None
