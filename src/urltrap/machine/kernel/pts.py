"""/dev/pts: the terminals that are open."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from urltrap.machine.api import S_IFCHR, S_IFDIR
from urltrap.machine.fs.mounts import GeneratedNode, ProcessView
from urltrap.machine.kernel.tty import Tty


class PtsMount:
    """The directory of one machine's terminals."""

    __slots__ = ("_terminals",)

    device = 24
    refusal = errno.EACCES

    def __init__(self, terminals: Mapping[int, Tty]) -> None:
        self._terminals = terminals

    def lookup(self, parts: tuple[str, ...], viewer: ProcessView) -> GeneratedNode | None:
        """A terminal, or ptmx."""
        if not parts:
            return GeneratedNode(S_IFDIR | 0o755, nlink=2, inode=1, mtime=viewer.boot_time)
        if len(parts) > 1:
            return None
        if parts[0] == "ptmx":
            return GeneratedNode(S_IFCHR, rdev=(5, 2), inode=2, mtime=viewer.boot_time)
        terminal = self._terminals.get(int(parts[0])) if parts[0].isdecimal() and len(parts[0]) < 6 else None
        if terminal is None:
            return None
        return GeneratedNode(
            S_IFCHR | 0o620, uid=terminal.owner, gid=5, rdev=(136, terminal.number), inode=terminal.number + 3
        )

    def listdir(self, parts: tuple[str, ...], viewer: ProcessView) -> list[str]:
        """The numbers, and ptmx."""
        return [*(str(number) for number in sorted(self._terminals)), "ptmx"]
