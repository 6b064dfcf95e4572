"""/proc as a generated tree: the machine's files, /proc/sys, /proc/net and a directory for each process."""

from __future__ import annotations

import errno
import struct
from collections import OrderedDict

from urltrap.machine.api import S_IFDIR, S_IFLNK, S_IFREG, ProcessInfo
from urltrap.machine.fs.mounts import GeneratedNode, ProcessView
from urltrap.machine.proc import network, pids, sysctls, system

_FILE, _DIR = S_IFREG | 0o444, S_IFDIR | 0o555
_TREES_KEPT = 8
_CONSTANT = frozenset(
    {"kernel/random/boot_id", "kernel/random/uuid", "kernel/osrelease", "kernel/ostype", "kernel/version"}
)
_EMPTY_DIRS = ("acpi", "bus", "driver", "fs", "irq", "scsi", "sysvipc", "tty", "pressure")
_ROOT_ONLY = frozenset({"kmsg"})


def kcore_head() -> bytes:
    """The head of /proc/kcore: an ELF core file of the kernel's memory, of which nobody gets more than that."""
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    head = ident + struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, 7, 0, 0, 0)
    notes = struct.pack("<IIQQQQQQ", 4, 0, 0x1C8, 0, 0, 0x1FD8, 0, 0)
    return head + notes + bytes(4096 - len(head) - len(notes))


def _discard(data: bytes) -> None:
    """A setting that nothing here depends on: the kernel takes it without a word."""


class ProcMount:
    """The tree at /proc. What depends on the persona alone is made once for each and kept; one serves all machines."""

    device = 20
    refusal = errno.ENOENT

    def __init__(self) -> None:
        self._trees: OrderedDict[str, sysctls.Tree] = OrderedDict()

    def lookup(self, parts: tuple[str, ...], viewer: ProcessView) -> GeneratedNode | None:
        """The node, not following it where it is a link; None where there is none."""
        if not parts:
            return GeneratedNode(_DIR, nlink=len(viewer.processes()) + 9, mtime=viewer.boot_time)
        name = parts[0]
        if name == "self" and len(parts) == 1:
            return GeneratedNode(S_IFLNK | 0o777, target=str(viewer.pid))
        if name == "thread-self" and len(parts) == 1:
            return GeneratedNode(S_IFLNK | 0o777, target=f"{viewer.pid}/task/{viewer.pid}")
        if name == "mounts" and len(parts) == 1:
            return GeneratedNode(S_IFLNK | 0o777, target="self/mounts")
        if name == "net" and len(parts) == 1:
            return GeneratedNode(S_IFLNK | 0o777, target="self/net")
        if name.isdigit():
            row = _row(name, viewer)
            if row is None:
                return None
            if parts[1:2] == ("net",):
                return self._net(parts[2:], viewer)
            return pids.process_node(row, parts[1:], viewer)
        if name == "sys":
            return self._sysctl("/".join(parts[1:]), viewer)
        maker = system.files(viewer).get(name) if len(parts) == 1 else None
        if maker is not None:
            return GeneratedNode(S_IFREG | (0o400 if name in _ROOT_ONLY else 0o444), lambda: maker(viewer))
        if len(parts) == 1 and name in _EMPTY_DIRS:
            return GeneratedNode(_DIR)
        if parts == ("kcore",) and viewer.persona.is_server:
            return GeneratedNode(S_IFREG | 0o400, kcore_head, size=140_737_471_590_400)
        if parts == ("sysrq-trigger",):
            return GeneratedNode(S_IFREG | 0o200, b"", write=_discard)
        return None

    def listdir(self, parts: tuple[str, ...], viewer: ProcessView) -> list[str]:
        """Names in a directory that `lookup` gave."""
        if not parts:
            numbers = [str(row.pid) for row in viewer.processes()]
            fixed = {
                "self",
                "thread-self",
                "mounts",
                "net",
                "sys",
                "sysrq-trigger",
                *system.files(viewer),
                *_EMPTY_DIRS,
            }
            if viewer.persona.is_server:
                fixed.add("kcore")
            return sorted(fixed) + numbers
        if parts[0] == "sys":
            tree = self._settings(viewer)
            return tree.folders.get("/".join(parts[1:]), [])
        row = _row(parts[0], viewer)
        if row is None:
            return []
        if parts[1:] == ("net",):
            return sorted(network.FILES)
        return pids.process_names(row, parts[1:], viewer)

    def _net(self, parts: tuple[str, ...], viewer: ProcessView) -> GeneratedNode | None:
        if not parts:
            return GeneratedNode(_DIR)
        maker = network.FILES.get(parts[0])
        if maker is None or len(parts) > 1:
            return None
        return GeneratedNode(_FILE, lambda: maker(viewer))

    def _settings(self, viewer: ProcessView) -> sysctls.Tree:
        found = self._trees.get(viewer.persona.fingerprint)
        if found is None:
            found = self._trees[viewer.persona.fingerprint] = sysctls.tree_of(viewer.persona, system.SYSCTL)
            if len(self._trees) > _TREES_KEPT:
                self._trees.popitem(last=False)
        return found

    def _sysctl(self, path: str, viewer: ProcessView) -> GeneratedNode | None:
        tree = self._settings(viewer)
        if path in tree.folders:
            return GeneratedNode(_DIR, mtime=viewer.boot_time)
        if path not in tree.values:
            return None

        def shown() -> bytes:
            return sysctls.read(viewer, path, tree, system.SYSCTL)

        if path in _CONSTANT:
            return GeneratedNode(_FILE, shown)
        return GeneratedNode(S_IFREG | 0o644, shown, write=lambda data: sysctls.write(viewer, path, data))


def _row(name: str, viewer: ProcessView) -> ProcessInfo | None:
    if not name.isdigit() or len(name) > 7:
        return None
    return viewer.process_row(int(name))
