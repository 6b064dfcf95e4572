"""cp, mv and install."""

from __future__ import annotations

import errno
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from urltrap.machine.api import Process, Run, Stat
from urltrap.machine.errors import SysError
from urltrap.machine.programs._backups import Backups, backups
from urltrap.machine.programs._choices import bad_choice
from urltrap.machine.programs._cmd import Cmd, Gen, command
from urltrap.machine.programs._paths import base_name, confirm, copy_file, is_dir, join, lstat, same_file

_CP = {
    "archive": "a", "attributes-only": "attributes-only", "backup::": "b", "copy-contents": "copy-contents",
    "dereference": "L", "force": "f", "interactive": "i", "link": "l", "no-clobber": "n", "no-dereference": "P",
    "no-target-directory": "T", "one-file-system": "x", "parents": "parents", "preserve::": "preserve",
    "no-preserve:": "no-preserve", "recursive": "R", "reflink::": "reflink", "remove-destination": "remove",
    "sparse:": "sparse", "strip-trailing-slashes": "strip", "suffix:": "S", "symbolic-link": "s",
    "target-directory:": "t", "update": "u", "verbose": "v", "context::": "Z",
}  # fmt: skip
_MV = {name: value for name, value in _CP.items() if name.rstrip(":") in (
    "backup", "force", "interactive", "no-clobber", "no-target-directory", "strip-trailing-slashes", "suffix",
    "target-directory", "update", "verbose", "context")}  # fmt: skip


def operands(c: Cmd) -> Gen:
    """(sources, target, is the target a directory) or an exit status."""
    args = list(c.args)
    folder = c.value("t")
    what = "file"
    if c.has("strip") and c.name == "mv":
        args = [each.rstrip("/") or "/" for each in args]
    if not args:
        return (yield from c.usage(f"missing {what} operand"))
    if folder is not None:
        if not is_dir(c.p, folder):
            stat = lstat(c.p, folder)
            reason = "Not a directory" if stat else "No such file or directory"
            yield from c.warn(f"target directory {c.quoted(folder)}: {reason}")
            return 1
        return args, folder, True
    if len(args) == 1:
        return (yield from c.usage(f"missing destination file operand after {c.lq(args[0])}"))
    target = args.pop()
    if c.has("T"):
        if len(args) > 1:
            return (yield from c.usage(f"extra operand {c.lq(target)}"))
        return args, target, False
    inside = is_dir(c.p, target)
    if not inside and not c.bb:
        try:
            c.p.fs.stat(target)
        except SysError as problem:
            if problem.errno not in (errno.ENOENT, errno.ELOOP, errno.EACCES):
                yield from c.warn(f"cannot stat {c.quoted(target)}: {problem.words}")
                return 1
    if len(args) > 1 and not inside:
        reason = "No such file or directory" if lstat(c.p, target) is None else "Not a directory"
        if c.bb:
            yield from c.warn(f"target '{target}' is not a directory")
        else:
            yield from c.warn(f"target {c.quoted(target)}: {reason}")
        return 1
    return args, target, inside


@dataclass(slots=True)
class _Way:
    """What one run of cp, mv or install does with what is there already, and what it made so far."""

    keep: Backups
    made: set[str] = field(default_factory=set)
    """Paths of what it made: a second source of that name is refused."""
    sources: set[tuple[int, int]] = field(default_factory=set)
    trees: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)
    """Directories that it made, with the names of the operands: they are not copied into themselves."""


def _way(c: Cmd) -> Generator[Any, Any, _Way | None]:
    keep = yield from backups(c)
    if keep is None:
        return None
    if c.has("b", "S") and c.last("nif") == "n":
        yield from c.usage("options --backup and --no-clobber are mutually exclusive")
        return None
    return _Way(keep)


_CHOICES = {
    "sparse": ("never", "auto", "always"), "reflink": ("auto", "always", "never"),
    "preserve": ("mode", "timestamps", "ownership", "links", "context", "xattr", "all"),
    "no-preserve": ("mode", "timestamps", "ownership", "links", "context", "xattr", "all"),
}  # fmt: skip


@command("cp", short="abdfHilLnprst:uvxPRS:TZ", long=_CP, bb="arPdRfilsLHpnuT")
def cp(c: Cmd) -> Run:
    """Copy files."""
    for name, value in c.opts:
        for word in value.split(",") if value and name in _CHOICES else ():
            if not any(choice.startswith(word) for choice in _CHOICES[name]):
                return (yield from bad_choice(c, word, f"--{name}", _CHOICES[name]))
    way = yield from _way(c)
    if way is None:
        return 1
    if c.has("s") and c.has("l"):
        return (yield from c.usage("cannot make both hard and symbolic links"))
    found = yield from operands(c)
    if isinstance(found, int):
        return found
    sources, target, inside = found
    if c.has("parents") and not inside:
        return (yield from c.usage("with --parents, the destination must be a directory"))
    for source in sources:
        if c.has("strip") and inside:
            source = source.rstrip("/") or "/"
        name = base_name(source)
        goal = join(target, source.strip("/") if c.has("parents") else name) if inside else target
        if c.has("parents") and "/" in source.strip("/"):
            yield from _parents(c, target, source.strip("/"))
        if len(sources) > 1 and (yield from _twice(c, way, source)):
            continue
        if c.has("f") and way.keep and not inside and source == goal:
            way = _Way(Backups())
            goal = (yield from _required(c)).name(c.p, goal)
        yield from _copy(c, source, goal, way, top=True)
    return c.status


def _required(c: Cmd) -> Generator[Any, Any, Backups]:
    keep = yield from backups(c)
    assert keep is not None  # the command line was read before
    return keep


def _twice(c: Cmd, way: _Way, source: str) -> Generator[Any, Any, bool]:
    """True (and a warning) where this very file was a source before."""
    stat = lstat(c.p, source)
    if stat is None:
        return False
    if (stat.device, stat.inode) in way.sources:
        what = "directory" if stat.is_dir else "file"
        yield from c.warn(f"warning: source {what} {c.quoted(source)} specified more than once")
        return True
    way.sources.add((stat.device, stat.inode))
    return False


def _parents(c: Cmd, target: str, source: str) -> Gen:
    path = target
    for part in source.split("/")[:-1]:
        path = join(path, part)
        try:
            c.p.fs.mkdir(path)
            if c.has("v"):
                yield from c.say(f"{path.removeprefix(target).lstrip('/')} -> {path}\n")
        except SysError as problem:
            if problem.errno != errno.EEXIST:
                yield from c.fail(f"cannot make directory {c.quoted(path)}: {problem.words}")


def _keeps(c: Cmd) -> bool:
    return c.has("a", "p", "preserve")


def _copies_mode(c: Cmd) -> bool:
    return "mode" not in ",".join(c.values("no-preserve")).replace("all", "mode").split(",")


def _copy(c: Cmd, source: str, goal: str, way: _Way, *, top: bool, depth: int = 0) -> Gen:
    p = c.p
    yield from p.tick(2)
    recursive = c.has("R", "r", "a")
    follow = c.has("L") or (not c.has("P", "d", "a", "R", "r")) or (c.has("H") and top and not c.has("P"))
    try:
        stat = p.fs.stat(source, follow=follow)
    except SysError as problem:
        if c.bb:
            yield from c.fail(f"can't stat '{source}': {problem.words}")
        else:
            yield from c.fail(f"cannot stat {c.quoted(source)}: {problem.words}")
        return
    if stat.is_dir:
        if not recursive:
            if c.bb:
                yield from c.fail(f"omitting directory '{source}'")
            else:
                yield from c.fail(f"-r not specified; omitting directory {c.quoted(source)}")
            return
        yield from _copy_tree(c, source, goal, way, stat, depth)
        return
    there = lstat(p, goal)
    if there is not None:
        if there.is_dir or (there.is_link and is_dir(p, goal) and not follow):
            yield from c.fail(f"cannot overwrite directory {c.quoted(goal)} with non-directory")
            return
        if same_file(p, source, goal) and not (c.has("l") or stat.is_link):
            yield from c.fail(f"{c.quoted(source)} and {c.quoted(goal)} are the same file")
            return
        if top and goal in way.made and way.keep.control != "numbered":
            yield from c.fail(f"will not overwrite just-created {c.quoted(goal)} with {c.quoted(source)}")
            return
        if way.keep.is_source(p, source, goal):
            words = f"backing up {c.quoted(goal)} might destroy source;  {c.quoted(source)} not copied"
            yield from c.fail(words)
            return
        if c.has("n") and c.last("nif") == "n":
            return
        if there.is_link and not way.keep and not c.has("remove") and stat.is_file and not _leads(p, goal):
            yield from c.fail(f"not writing through dangling symlink {c.quoted(goal)}")
            return
        if c.has("u") and there.mtime >= stat.mtime:
            return
        if c.last("nif") == "i" and not (yield from confirm(p, f"{c.name}: overwrite {c.quoted(goal)}? ")):
            return
    elif goal.endswith("/"):
        yield from c.fail(f"cannot create regular file {c.quoted(goal)}: Not a directory")
        return
    if c.has("s") and not source.startswith("/") and "/" in goal.removeprefix("./"):
        yield from c.fail(f"{goal}: can make relative symbolic links only in current directory")
        return
    kept = ""
    try:
        kept = way.keep.keep(p, goal)
        if kept:
            there = None
        if (
            there is not None
            and (c.has("remove") or stat.is_link or c.has("s", "l"))
            and c.has("f", "a", "remove", "d", "P", "R", "r")
        ):
            p.fs.unlink(goal)
            there = None
        if c.has("s"):
            p.fs.symlink(source, goal)
        elif c.has("l"):
            p.fs.link(source, goal)
        elif stat.is_link:
            p.fs.symlink(p.fs.readlink(source), goal)
        elif not stat.is_file and recursive:
            p.fs.mknod(goal, stat.mode, stat.rdev)
        else:
            yield from _data(c, source, goal, stat, there)
    except SysError as problem:
        what = "create regular file" if there is None else "open"
        if problem.path == source and there is None:
            yield from c.fail(f"cannot open {c.quoted(source)} for reading: {problem.words}")
        elif c.bb:
            yield from c.fail(f"can't create '{goal}': {problem.words}")
        else:
            yield from c.fail(f"cannot {what} {c.quoted(goal)}: {problem.words}" if there is None else
                              f"cannot create regular file {c.quoted(goal)}: {problem.words}")  # fmt: skip
        return
    way.made.add(goal)
    if _keeps(c) and not stat.is_link:
        yield from _preserve(c, goal, stat)
    if c.has("v"):
        yield from c.say(f"{c.quoted(source)} -> {c.quoted(goal)}{behind(c, kept)}\n")


def behind(c: Cmd, kept: str) -> str:
    """What -v says of a backup."""
    return f" (backup: {c.quoted(kept)})" if kept else ""


def _leads(p: Process, path: str) -> bool:
    try:
        p.fs.stat(path)
    except SysError:
        return False
    return True


def _data(c: Cmd, source: str, goal: str, stat: Stat, there: Stat | None) -> Gen:
    mode = stat.mode & 0o7777 if _keeps(c) else stat.mode & 0o777 & ~c.p.umask
    if not _copies_mode(c):
        mode = 0o666 & ~c.p.umask
    if c.has("attributes-only"):
        if there is None:
            c.p.fs.write(goal, b"", mode=mode)
        return
    try:
        yield from copy_file(c.p, source, goal, mode)
    except SysError:
        if not c.has("f") or there is None or not c.p.fs.access(source, 4):
            raise
        c.p.fs.unlink(goal)
        yield from copy_file(c.p, source, goal, mode)


def _preserve(c: Cmd, goal: str, stat: Stat) -> Gen:
    try:
        if c.p.uid == 0:
            c.p.fs.chown(goal, stat.uid, stat.gid)
        c.p.fs.chmod(goal, stat.mode & 0o7777)
        c.p.fs.utime(goal, stat.atime, stat.mtime)
    except SysError as problem:
        yield from c.fail(f"preserving times for {c.quoted(goal)}: {problem.words}")


def _copy_tree(c: Cmd, source: str, goal: str, way: _Way, stat: Stat, depth: int) -> Gen:
    p = c.p
    if depth > 200:
        yield from c.fail(f"cannot access {c.quoted(source)}: File name too long")
        return
    if (stat.device, stat.inode) in way.trees:
        first, last = way.trees[stat.device, stat.inode]
        yield from c.fail(f"cannot copy a directory, {c.quoted(first)}, into itself, {c.quoted(last)}")
        return
    there = lstat(p, goal)
    if there is not None and not is_dir(p, goal):
        yield from c.fail(
            f"cannot overwrite non-directory {c.quoted(goal)} with directory {c.quoted(source)}"
        )
        return
    try:
        if there is None:
            p.fs.mkdir(goal, stat.mode & 0o777 | 0o700)
            if c.has("v"):
                yield from c.say(f"{c.quoted(source)} -> {c.quoted(goal)}\n")
    except SysError as problem:
        yield from c.fail(f"cannot create directory {c.quoted(goal)}: {problem.words}")
        return
    try:
        if depth == 0:
            made = p.fs.stat(goal)
            if (made.device, made.inode) == (stat.device, stat.inode):
                words = f"cannot copy a directory, {c.quoted(source)}, into itself, {c.quoted(goal)}"
                yield from c.fail(words)
                return
            way.trees[made.device, made.inode] = source, goal
        names = p.fs.listdir(source)
    except SysError as problem:
        yield from c.fail(f"cannot access {c.quoted(source)}: {problem.words}")
        return
    for name in names:
        yield from _copy(c, join(source, name), join(goal, name), way, top=False, depth=depth + 1)
    if there is None:
        if _keeps(c):
            yield from _preserve(c, goal, stat)
        else:
            p.fs.chmod(goal, stat.mode & 0o7777 & ~p.umask)


@command("mv", short="bfint:uvS:TZ", long=_MV, bb="fintT")
def mv(c: Cmd) -> Run:
    """Move or rename."""
    way = yield from _way(c)
    if way is None:
        return 1
    found = yield from operands(c)
    if isinstance(found, int):
        return found
    sources, target, inside = found
    for source in sources:
        goal = join(target, base_name(source)) if inside else target
        yield from _move(c, source, goal, way)
    return c.status


def _move(c: Cmd, source: str, goal: str, way: _Way) -> Gen:
    p = c.p
    yield from p.tick(2)
    try:
        stat = p.fs.stat(source, follow=False)
    except SysError as problem:
        verb = "can't rename" if c.bb else "cannot stat"
        yield from c.fail(f"{verb} {c.quoted(source)}: {problem.words}")
        return
    there = lstat(p, goal)
    if there is not None:
        if (there.device, there.inode) == (stat.device, stat.inode) and stat.inode:
            yield from c.fail(f"{c.quoted(source)} and {c.quoted(goal)} are the same file")
            return
        if goal in way.made and way.keep.control != "numbered":
            yield from c.fail(f"will not overwrite just-created {c.quoted(goal)} with {c.quoted(source)}")
            return
        if way.keep.is_source(p, source, goal):
            words = f"backing up {c.quoted(goal)} might destroy source;  {c.quoted(source)} not moved"
            yield from c.fail(words)
            return
        last = c.last("nif")
        if last == "n":
            return
        if c.has("u") and there.mtime >= stat.mtime:
            return
        refused = (
            not there.is_link and p.uid != 0 and not p.fs.access(goal, 2) and p.is_tty(0) and last != "f"
        )
        if (last == "i" or refused) and not (
            yield from confirm(p, f"{c.name}: overwrite {c.quoted(goal)}? ")
        ):
            return
        if there.is_dir and not stat.is_dir:
            yield from c.fail(f"cannot overwrite directory {c.quoted(goal)} with non-directory")
            return
        if stat.is_dir and not there.is_dir:
            yield from c.fail(
                f"cannot overwrite non-directory {c.quoted(goal)} with directory {c.quoted(source)}"
            )
            return
    kept = ""
    try:
        kept = way.keep.keep(p, goal)
        p.fs.rename(source, goal)
    except SysError as problem:
        if problem.errno == errno.EXDEV:
            yield from _across(c, source, goal, stat)
        elif problem.errno == errno.EINVAL:
            yield from c.fail(f"cannot move {c.quoted(source)} to a subdirectory of itself, {c.quoted(goal)}")
        elif c.bb:
            yield from c.fail(f"can't rename '{source}': {problem.words}")
        else:
            yield from c.fail(f"cannot move {c.quoted(source)} to {c.quoted(goal)}: {problem.words}")
        if problem.errno != errno.EXDEV:
            return
    way.made.add(goal)
    if c.has("v"):
        yield from c.say(f"renamed {c.quoted(source)} -> {c.quoted(goal)}{behind(c, kept)}\n")


def _across(c: Cmd, source: str, goal: str, stat: Stat) -> Gen:
    from urltrap.machine.programs.rm import remove_tree

    helper = Cmd(c.p, [("a", ""), ("f", "")], [], c.bb)
    helper.name = c.name
    yield from _copy(helper, source, goal, _Way(Backups()), top=True)
    yield from helper.flush()
    c.status = max(c.status, helper.status)
    if not helper.status:
        if stat.is_dir:
            yield from remove_tree(c, source)
        else:
            c.p.fs.unlink(source)
