"""From a path to a node: links, mounts, permissions and Linux' limits, without recursion."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import Protocol

from urltrap.machine.api import S_IFDIR, S_IFLNK, S_IFMT, Stat
from urltrap.machine.errors import SysError
from urltrap.machine.fs.image import Image
from urltrap.machine.fs.mounts import GeneratedNode, Mount, ProcessView
from urltrap.machine.fs.node import Node
from urltrap.machine.fs.overlay import Overlay

NAME_MAX = 255
PATH_MAX = 4096
_LINKS_MAX = 40
_FOLDERS_MAX = 256
_STEPS_OF_A_WALK = 12


class Who(ProcessView, Protocol):
    """The process on whose behalf a path is walked: its directory, identity and what generated trees show it."""

    groups: list[int]
    umask: int

    def random_bytes(self, length: int) -> bytes: ...
    def work(self, steps: int) -> None: ...
    def earn(self, steps: int) -> None: ...


class Spot:
    """Where a path leads: the directory it is in (`parent`, `name`) and what is there (`node` or `generated`; neither
    where the last component does not exist). `path` is absolute and without links. `mount` where it is generated."""

    __slots__ = ("generated", "mount", "name", "names", "node", "parent", "parts")

    def __init__(
        self,
        parent: Node | None,
        names: list[str],
        node: Node | None,
        generated: GeneratedNode | None,
        mount: Mount | None,
        parts: tuple[str, ...],
    ) -> None:
        self.parent = parent
        self.names = names
        self.name = names[-1] if names else ""
        self.node = node
        self.generated = generated
        self.mount = mount
        self.parts = parts

    @property
    def path(self) -> str:
        """The absolute path."""
        return "/" + "/".join(self.names)

    @property
    def exists(self) -> bool:
        """True where something is there."""
        return self.node is not None or self.generated is not None

    @property
    def is_dir(self) -> bool:
        """True for a directory, stored or generated."""
        mode = self.node.mode if self.node else self.generated.mode if self.generated else 0
        return mode & S_IFMT == S_IFDIR


class _Level:
    __slots__ = ("generated", "mount", "name", "node")

    def __init__(
        self, name: str, node: Node | None, generated: GeneratedNode | None, mount: Mount | None
    ) -> None:
        self.name = name
        self.node = node
        self.generated = generated
        self.mount = mount


def may(who: Who, mode: int, uid: int, gid: int, want: int) -> bool:
    """True where `who` may do `want` (4 read, 2 write, 1 execute or search) with something of these owners."""
    if who.uid == 0:
        return not want & 1 or mode & S_IFMT == S_IFDIR or bool(mode & 0o111)
    if who.uid == uid:
        bits = mode >> 6
    elif who.gid == gid or gid in who.groups:
        bits = mode >> 3
    else:
        bits = mode
    return bits & want == want


class Walker:
    """The tree of one machine as paths see it: image, overlay over it, generated trees at their points."""

    __slots__ = ("_covers", "_folders", "_point_parents", "_points", "image", "overlay")

    def __init__(self, image: Image, overlay: Overlay, mounts: Mapping[str, Mount]) -> None:
        self.image = image
        self.overlay = overlay
        self._points: dict[tuple[int, str], Mount] = {}
        for path, mount in mounts.items():
            head, _, name = path.rpartition("/")
            parent = image.find(head)
            if parent is not None:
                self._points[parent.number, name] = mount
        self._folders: dict[str, tuple[tuple[int, ...], list[Node], list[str]]] = {}
        self._covers: dict[str, int] = {}
        self._point_parents = frozenset(number for number, _ in self._points)

    def node(self, number: int) -> Node:
        """The node of a number as it is now."""
        return self.overlay.nodes.get(number) or self.image.nodes[number]

    def own(self, node: Node) -> Node:
        """The node in a form that may be changed."""
        mine = self.overlay.nodes.get(node.number)
        if mine is None:
            if node.number >= len(self.image.nodes):
                return node  # unlinked but still open: it lives as long as its users
            mine = node.copy()
            self.overlay.adopt(mine)
        return mine

    def child(self, parent: Node, name: str) -> Node | None:
        """What a stored directory holds under a name."""
        changed = self.overlay.entries.get(parent.number)
        if changed is not None:
            number = changed.get(name)
            if number is not None:
                return self.node(number) if number >= 0 else None
        if parent.number < len(self.image.nodes):
            number = (self.image.nodes[parent.number].children or {}).get(name)
            if number is not None:
                return self.node(number)
        return None

    def names(self, directory: Node) -> list[str]:
        """Names in a stored directory: those of the image first, then new ones in the order of their making."""
        base: Mapping[str, int] = {}
        if directory.number < len(self.image.nodes):
            base = self.image.nodes[directory.number].children or {}
        changed = self.overlay.entries.get(directory.number)
        if not changed:
            return list(base)
        found = [name for name in base if changed.get(name, 0) >= 0]
        found += [name for name, number in changed.items() if number >= 0 and name not in base]
        return found

    def walk(self, who: Who, path: str, *, follow: bool = True) -> Spot:
        """Where `path` leads, seen from the process' directory. The last component may be missing (`Spot.exists`).

        SysError ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG.
        """
        if not path:
            raise SysError(errno.ENOENT, path)
        if len(path) >= PATH_MAX:
            raise SysError(errno.ENAMETOOLONG, path)
        who.work(_STEPS_OF_A_WALK)
        spot = self._stored(who, path, follow)
        if spot is not None:
            if spot.node is not None:
                who.earn(_STEPS_OF_A_WALK)
            return spot
        todo = path.split("/")
        todo.reverse()
        must_be_dir = todo[0] in ("", ".")
        free = 0  # components of the working directory: nobody needs permission for where he is
        if path[0] != "/":
            here = [name for name in who.cwd.split("/") if name]
            here.reverse()
            free = len(here)
            todo += here
        root = _Level("", self.node(0), None, None)
        levels: list[_Level] = [root]
        links = 0
        missing = ""
        while todo:
            name = todo.pop()
            if not name or name == ".":
                if not _directory(levels[-1]):
                    raise SysError(errno.ENOTDIR, path)
                continue
            here_level = levels[-1]
            if not _directory(here_level):
                raise SysError(errno.ENOTDIR, path)
            if free > 0:
                free -= 1
            elif not self._may_search(who, here_level):
                raise SysError(errno.EACCES, path)
            if name == "..":
                if len(levels) > 1:
                    levels.pop()
                continue
            if len(name) > NAME_MAX // 4 and len(name.encode("utf-8", "surrogateescape")) > NAME_MAX:
                raise SysError(errno.ENAMETOOLONG, path)
            level = self._step(who, levels, name)
            if level is None:
                if any(part and part != "." for part in todo):
                    raise SysError(errno.ENOENT, path)
                missing = name
                break
            target = _link_target(level)
            more = any(todo)
            if target is not None and (follow or more or must_be_dir):
                if level.generated is not None and level.generated.fd is not None and not more:
                    levels.append(level)
                    break
                links += 1
                if links > _LINKS_MAX:
                    raise SysError(errno.ELOOP, path)
                if not target:
                    raise SysError(errno.ENOENT, path)
                pieces = target.split("/")
                pieces.reverse()
                todo += pieces
                if target[0] == "/":
                    levels = [root]
                continue
            levels.append(level)
        if not missing:
            who.earn(_STEPS_OF_A_WALK)
        return self._spot(levels, missing, must_be_dir, path)

    def _stored(self, who: Who, path: str, follow: bool) -> Spot | None:
        """The same for the common case: everything on the way is stored, may be searched and is there (the last
        component may be missing). None for whatever else, errors included: `walk` goes step by step then."""
        nodes, entries, shared = self.overlay.nodes, self.overlay.entries, self.image.nodes
        count = len(shared)
        root = nodes.get(0) or shared[0]
        own_free = links = at = 0
        folder = ""
        if path[0] == "/":
            folder, _, last = path.rpartition("/")
            known = self._folders.get(folder)
            if (
                known is not None
                and nodes.keys().isdisjoint(known[0])
                and entries.keys().isdisjoint(known[0])
            ):
                chain, names, parts = known[1].copy(), known[2].copy(), [last]
                folder = ""
            else:
                chain, names, parts = [root], [""], path.split("/")
        else:
            here = [name for name in who.cwd.split("/") if name]
            own_free = len(here)
            chain, names, parts = [root], [""], here + path.split("/")
        if parts[-1] in ("", "."):
            follow = True
        end = len(parts)
        trusted = who.uid == 0
        passed: list[int] = []
        while at < end:
            name = parts[at]
            at += 1
            here_node = chain[-1]
            if not name or name == ".":
                if here_node.mode & S_IFMT != S_IFDIR:
                    return None
                continue
            number = here_node.number
            if here_node.mode & S_IFMT != S_IFDIR or len(name) > NAME_MAX // 4:
                return None
            passed.append(number)
            if own_free > 0:
                own_free -= 1
            elif not trusted and not may(who, here_node.mode, here_node.uid, here_node.gid, 1):
                return None
            if name == "..":
                if len(chain) > 1:
                    chain.pop()
                    names.pop()
                continue
            if number in self._point_parents and (number, name) in self._points:
                return None
            changed = entries.get(number)
            found = changed.get(name) if changed is not None else None
            if found is None and number < count:
                children = shared[number].children
                found = children.get(name) if children is not None else None
            if found is None or found < 0:
                if at < end:
                    return None
                names.append(name)
                return Spot(here_node, names[1:], None, None, None, ())
            node = nodes.get(found) or shared[found]
            if node.mode & S_IFMT == S_IFLNK and (follow or at < end):
                links += 1
                passed.append(found)
                if links > _LINKS_MAX or not node.target:
                    return None
                if at == end:
                    folder = ""  # where the last component leads says nothing of its folder
                parts = node.target.split("/") + parts[at:]
                at, end = 0, len(parts)
                if node.target[0] == "/":
                    chain, names = [root], [""]
                continue
            names.append(name)
            if self._covers:
                top = self._covers.get("/".join(names))
                node = node if top is None else self.node(top)
            elif at == end and folder and len(passed) > 2:
                self._learn(folder, passed, chain, names[:-1])
            chain.append(node)
        return Spot(chain[-2] if len(chain) > 1 else None, names[1:], chain[-1], None, None, ())

    def _learn(self, folder: str, passed: list[int], chain: list[Node], names: list[str]) -> None:
        """Remember where a folder's path leads, as long as nothing on the way to it is changed; only what everybody may
        pass, and what is the image's."""
        count = len(self.image.nodes)
        if max(passed) >= count or not all(node.mode & 0o001 for node in chain):
            return
        if self.overlay.nodes.keys().isdisjoint(passed) and self.overlay.entries.keys().isdisjoint(passed):
            if len(self._folders) >= _FOLDERS_MAX:
                self._folders.clear()
            self._folders[folder] = (tuple(passed), chain.copy(), names.copy())

    def _spot(self, levels: list[_Level], missing: str, must_be_dir: bool, path: str) -> Spot:
        names = [level.name for level in levels[1:]]
        last = levels[-1]
        if missing:
            names.append(missing)
            return Spot(
                last.node, names, None, None, last.mount, (*_parts(levels), missing) if last.mount else ()
            )
        if must_be_dir and not _directory(last) and len(levels) > 1:
            raise SysError(errno.ENOTDIR, path)
        parent = levels[-2].node if len(levels) > 1 else None
        return Spot(
            parent, names, last.node, last.generated, last.mount, _parts(levels) if last.mount else ()
        )

    def _step(self, who: Who, levels: list[_Level], name: str) -> _Level | None:
        here = levels[-1]
        if here.mount is not None:
            found = here.mount.lookup((*_parts(levels), name), who)
            return None if found is None else _Level(name, None, found, here.mount)
        assert here.node is not None
        mount = self._points.get((here.node.number, name))
        if mount is not None:
            top = mount.lookup((), who)
            if top is not None:
                return _Level(name, None, top, mount)
        node = self.child(here.node, name)
        if node is not None and self._covers:
            covered = self._covers.get("/".join([*(level.name for level in levels), name]))
            node = node if covered is None else self.node(covered)
        return None if node is None else _Level(name, node, None, None)

    def _may_search(self, who: Who, level: _Level) -> bool:
        if who.uid == 0:
            return True
        at: Node | GeneratedNode | None = level.node or level.generated
        assert at is not None
        return may(who, at.mode, at.uid, at.gid, 1)


def _parts(levels: Sequence[_Level]) -> tuple[str, ...]:
    mount = levels[-1].mount
    below = [level.name for level in levels if level.mount is mount]
    return tuple(below[1:])  # the first is the mount point itself


def _directory(level: _Level) -> bool:
    at = level.node or level.generated
    return at is not None and at.mode & S_IFMT == S_IFDIR


def _link_target(level: _Level) -> str | None:
    at = level.node or level.generated
    return at.target if at is not None and at.mode & S_IFMT == S_IFLNK else None


def generated_stat(spot: Spot, who: Who) -> Stat:
    """What stat(2) answers for a node of a generated tree."""
    node, mount = spot.generated, spot.mount
    assert node is not None and mount is not None
    when = who.now() if node.mtime is None else node.mtime
    inode = node.inode or 4_026_531_840 + hash_name("/".join(spot.parts))
    # links of /proc and /sys have size 0, as everything in there
    return Stat(
        node.mode,
        node.size,
        node.uid,
        node.gid,
        when,
        when,
        when,
        inode,
        node.nlink,
        node.rdev,
        0,
        mount.device,
    )


def hash_name(text: str) -> int:
    """A small stable number for a name (Python's own hash differs from process to process)."""
    value = 0
    for letter in text:
        value = (value * 131 + ord(letter)) % 65_521
    return value
