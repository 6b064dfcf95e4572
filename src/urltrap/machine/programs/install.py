"""install: copy files and set their attributes."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._accounts import group_id, user_id
from urltrap.machine.programs._backups import backups
from urltrap.machine.programs._cmd import Cmd, Gen, command
from urltrap.machine.programs._modes import parse_mode
from urltrap.machine.programs._paths import base_name, copy_file, is_dir, join, lstat, same_file
from urltrap.machine.programs.cp import behind, operands


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
    keep = yield from backups(c)
    if keep is None:
        return 1
    if c.has("D") and (folder := c.value("t")):
        yield from _directories(c, folder, 0o755)
    if c.has("D") and len(c.args) == 2 and "/" in c.args[1].rstrip("/"):
        yield from _directories(c, c.args[1].rstrip("/").rpartition("/")[0], 0o755)
    found = yield from operands(c)
    if isinstance(found, int):
        return found
    sources, target, inside = found
    for source in sources:
        goal = join(target, base_name(source)) if inside else target
        if is_dir(c.p, source):
            yield from c.fail(f"omitting directory {c.quoted(source)}")
            continue
        try:
            stat = c.p.fs.stat(source)
        except SysError as problem:
            yield from c.fail(f"cannot stat {c.quoted(source)}: {problem.words}")
            continue
        if is_dir(c.p, goal):
            yield from c.fail(f"cannot overwrite directory {c.quoted(goal)} with non-directory")
            continue
        if same_file(c.p, source, goal):
            yield from c.fail(f"{c.quoted(source)} and {c.quoted(goal)} are the same file")
            continue
        try:
            if c.has("C") and _same_data(c.p, source, goal, mode):
                continue
            kept = keep.keep(c.p, goal)
            if lstat(c.p, goal) is not None:
                c.p.fs.unlink(goal)
            yield from copy_file(c.p, source, goal, 0o600)
            if owner or group:
                c.p.fs.chown(goal, uid, gid)
            c.p.fs.chmod(goal, mode)
            if c.has("p"):
                c.p.fs.utime(goal, stat.atime, stat.mtime)
        except SysError as problem:
            yield from c.fail(f"cannot create regular file {c.quoted(goal)}: {problem.words}")
            continue
        if c.has("v"):
            yield from c.say(f"{c.quoted(source)} -> {c.quoted(goal)}{behind(c, kept)}\n")
    return c.status


def _same_data(p: Process, source: str, goal: str, mode: int) -> bool:
    there = lstat(p, goal)
    return (
        there is not None
        and there.is_file
        and there.mode & 0o7777 == mode
        and there.size == p.fs.stat(source).size
        and p.fs.read(goal) == p.fs.read(source)
    )


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
