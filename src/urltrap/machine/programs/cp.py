"""cp, mv and install."""

from __future__ import annotations

import errno

from urltrap.machine.api import Run, Stat
from urltrap.machine.errors import SysError
from urltrap.machine.programs._accounts import group_id, user_id
from urltrap.machine.programs._cmd import Cmd, Gen, command
from urltrap.machine.programs._modes import parse_mode
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


def _operands(c: Cmd) -> Gen:
    """(sources, target, is the target a directory) or an exit status."""
    args = list(c.args)
    folder = c.value("t")
    what = "file"
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
    if len(args) > 1 and not inside:
        reason = "No such file or directory" if lstat(c.p, target) is None else "Not a directory"
        if c.bb:
            yield from c.warn(f"target '{target}' is not a directory")
        else:
            yield from c.warn(f"target {c.quoted(target)}: {reason}")
        return 1
    return args, target, inside


@command("cp", short="abdfHilLnprst:uvxPRS:TZ", long=_CP, bb="arPdRfilsLHpnuT")
def cp(c: Cmd) -> Run:
    """Copy files."""
    found = yield from _operands(c)
    if isinstance(found, int):
        return found
    sources, target, inside = found
    if c.has("parents") and not inside:
        return (yield from c.usage("with --parents, the destination must be a directory"))
    for source in sources:
        name = base_name(source)
        goal = join(target, source.strip("/") if c.has("parents") else name) if inside else target
        if c.has("parents") and "/" in source.strip("/"):
            yield from _parents(c, target, source.strip("/"))
        yield from _copy(c, source, goal, top=True)
    return c.status


def _parents(c: Cmd, target: str, source: str) -> Gen:
    path = target
    for part in source.split("/")[:-1]:
        path = join(path, part)
        try:
            c.p.fs.mkdir(path)
        except SysError as problem:
            if problem.errno != errno.EEXIST:
                yield from c.fail(f"cannot make directory {c.quoted(path)}: {problem.words}")


def _keeps(c: Cmd) -> bool:
    return c.has("a", "p", "preserve")


def _copy(c: Cmd, source: str, goal: str, *, top: bool, depth: int = 0) -> Gen:
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
        yield from _copy_tree(c, source, goal, stat, depth)
        return
    there = lstat(p, goal)
    if there is not None:
        if there.is_dir or (there.is_link and is_dir(p, goal) and not follow):
            yield from c.fail(f"cannot overwrite directory {c.quoted(goal)} with non-directory")
            return
        if same_file(p, source, goal) and not (c.has("l") or stat.is_link):
            yield from c.fail(f"{c.quoted(source)} and {c.quoted(goal)} are the same file")
            return
        if c.has("n") and c.last("nif") == "n":
            return
        if c.has("u") and there.mtime >= stat.mtime:
            return
        if c.last("nif") == "i" and not (yield from confirm(p, f"{c.name}: overwrite {c.quoted(goal)}? ")):
            return
    elif goal.endswith("/"):
        yield from c.fail(f"cannot create regular file {c.quoted(goal)}: Not a directory")
        return
    try:
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
    if _keeps(c) and not stat.is_link:
        yield from _preserve(c, goal, stat)
    if c.has("v"):
        yield from c.say(f"{c.quoted(source)} -> {c.quoted(goal)}\n")


def _data(c: Cmd, source: str, goal: str, stat: Stat, there: Stat | None) -> Gen:
    mode = stat.mode & 0o7777 if _keeps(c) else stat.mode & 0o777 & ~c.p.umask
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


def _copy_tree(c: Cmd, source: str, goal: str, stat: Stat, depth: int) -> Gen:
    p = c.p
    try:
        inner, outer = p.fs.realpath(source), p.fs.realpath(goal) if lstat(p, goal) else ""
        parent = p.fs.realpath(goal.rstrip("/").rpartition("/")[0] or ("/" if goal.startswith("/") else "."))
    except SysError:
        inner, outer, parent = source, goal, ""
    if depth == 0 and (outer == inner or (parent + "/").startswith(inner.rstrip("/") + "/")):
        yield from c.fail(f"cannot copy a directory, {c.quoted(source)}, into itself, {c.quoted(goal)}")
        return
    if depth > 200:
        yield from c.fail(f"cannot access {c.quoted(source)}: File name too long")
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
        names = p.fs.listdir(source)
    except SysError as problem:
        yield from c.fail(f"cannot access {c.quoted(source)}: {problem.words}")
        return
    for name in names:
        yield from _copy(c, join(source, name), join(goal, name), top=False, depth=depth + 1)
    if there is None:
        if _keeps(c):
            yield from _preserve(c, goal, stat)
        else:
            p.fs.chmod(goal, stat.mode & 0o7777 & ~p.umask)


@command("mv", short="bfint:uvS:TZ", long=_MV, bb="fintT")
def mv(c: Cmd) -> Run:
    """Move or rename."""
    found = yield from _operands(c)
    if isinstance(found, int):
        return found
    sources, target, inside = found
    for source in sources:
        goal = join(target, base_name(source)) if inside else target
        yield from _move(c, source, goal)
    return c.status


def _move(c: Cmd, source: str, goal: str) -> Gen:
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
    try:
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
    if c.has("v"):
        yield from c.say(f"renamed {c.quoted(source)} -> {c.quoted(goal)}\n")


def _across(c: Cmd, source: str, goal: str, stat: Stat) -> Gen:
    from urltrap.machine.programs.rm import remove_tree

    helper = Cmd(c.p, [("a", ""), ("f", "")], [], c.bb)
    helper.name = c.name
    yield from _copy(helper, source, goal, top=True)
    yield from helper.flush()
    c.status = max(c.status, helper.status)
    if not helper.status:
        if stat.is_dir:
            yield from remove_tree(c, source)
        else:
            c.p.fs.unlink(source)


@command("install", short="bcCdDg:m:o:pst:TvS:Z", long={
    "backup::": "b", "compare": "C", "directory": "d", "group:": "g", "mode:": "m", "owner:": "o",
    "preserve-timestamps": "p", "strip": "s", "strip-program:": "sp", "suffix:": "S", "target-directory:": "t",
    "no-target-directory": "T", "verbose": "v", "context::": "Z"}, bb="cdDsp:o:g:m:t:")  # fmt: skip
def install(c: Cmd) -> Run:
    """Copy files and set their attributes."""
    mode = parse_mode(c.value("m") or "755", 0, 0, False)
    if mode is None:
        yield from c.warn(f"invalid mode {c.lq(c.value('m') or '')}")
        return 1
    owner, group = c.value("o"), c.value("g")
    uid = user_id(c.p, owner) if owner else -1
    gid = group_id(c.p, group) if group else -1
    if uid is None or gid is None:
        yield from c.warn(
            f"invalid {'user' if uid is None else 'group'} {c.lq((owner if uid is None else group) or '')}"
        )
        return 1
    if c.has("d"):
        if not c.args:
            return (yield from c.usage("missing file operand"))
        for path in c.args:
            yield from _directories(c, path, mode)
        return c.status
    if c.has("D") and len(c.args) == 2 and "/" in c.args[1].rstrip("/"):
        yield from _directories(c, c.args[1].rstrip("/").rpartition("/")[0], 0o755)
    found = yield from _operands(c)
    if isinstance(found, int):
        return found
    sources, target, inside = found
    for source in sources:
        goal = join(target, base_name(source)) if inside else target
        if is_dir(c.p, source):
            yield from c.fail(f"omitting directory {c.quoted(source)}")
            continue
        try:
            c.p.fs.stat(source)
        except SysError as problem:
            yield from c.fail(f"cannot stat {c.quoted(source)}: {problem.words}")
            continue
        try:
            if lstat(c.p, goal) is not None:
                c.p.fs.unlink(goal)
            yield from copy_file(c.p, source, goal, 0o600)
            if owner or group:
                c.p.fs.chown(goal, uid, gid)
            c.p.fs.chmod(goal, mode)
        except SysError as problem:
            yield from c.fail(f"cannot create regular file {c.quoted(goal)}: {problem.words}")
            continue
        if c.has("v"):
            yield from c.say(f"{c.quoted(source)} -> {c.quoted(goal)}\n")
    return c.status


def _directories(c: Cmd, path: str, mode: int) -> Gen:
    walked = "/" if path.startswith("/") else ""
    for part in [each for each in path.split("/") if each]:
        walked = join(walked, part) if walked else part
        if is_dir(c.p, walked):
            continue
        try:
            c.p.fs.mkdir(walked, mode)
            c.p.fs.chmod(walked, mode)
            if c.has("v"):
                yield from c.say(f"{c.name}: creating directory {c.quoted(walked)}\n")
        except SysError as problem:
            yield from c.fail(f"cannot create directory {c.quoted(walked)}: {problem.words}")
            return
