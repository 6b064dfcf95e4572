"""chmod, chown and chgrp."""

from __future__ import annotations

import re

from urltrap.machine.api import Process, Run, Stat
from urltrap.machine.errors import SysError
from urltrap.machine.programs._accounts import group_id, login_group, user_id
from urltrap.machine.programs._cmd import APPLETS, Cmd, Gen, command, guard
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._modes import mode_text, parse_mode
from urltrap.machine.programs._paths import join, lstat
from urltrap.machine.programs._system import group_names, names
from urltrap.machine.programs.registry import program

_CHMOD = {
    "changes": "c", "quiet": "f", "silent": "f", "verbose": "v", "recursive": "R", "reference:": "reference",
    "no-preserve-root": "npr", "preserve-root": "pr",
}  # fmt: skip
_CHOWN = {**_CHMOD, "dereference": "deref", "no-dereference": "h", "from:": "from"}
_CHMOD_LONG = {
    **{each.rstrip(":"): ":" if each.endswith(":") else "" for each in _CHMOD}, "help": "", "version": "",
}  # fmt: skip
_IS_MODE = re.compile(r"-[rwxXstugo0-7]+(?:,.*)?|-[rwxXst]*[+=,].*")


def _walk(c: Cmd, path: str, stat: Stat) -> Gen:
    """The paths below (and with) `path`, a list."""
    found: list[tuple[str, Stat]] = []
    waiting = [(path, stat)]
    while waiting:
        current, info = waiting.pop()
        found.append((current, info))
        yield from c.p.tick(1)
        if not info.is_dir:
            continue
        try:
            below = c.p.fs.listdir(current)
        except SysError as problem:
            if not c.has("f"):
                yield from c.fail(f"cannot read directory {c.quoted(current)}: {problem.words}")
            continue
        for name in reversed(below):
            each = join(current, name)
            try:
                waiting.append((each, c.p.fs.stat(each, follow=False)))
            except SysError:
                continue  # gone meanwhile
    return found


def _chmod_entry(flavour: bool) -> object:
    def chmod(p: Process) -> Run:
        # A mode such as -x looks like an option: it is taken out before getopt sees it.
        args, mode = [], None
        for word in p.argv[1:]:
            if mode is None and _IS_MODE.fullmatch(word) and word not in ("-R", "-c", "-f", "-v"):
                mode = word
            else:
                args.append(word)
        try:
            found, operands = getopt(args, "cfRv", _CHMOD_LONG)
        except OptionError as problem:
            return (yield from Cmd(p, [], [], flavour).usage(str(problem)))
        opts = [(_CHMOD.get(name[2:], _CHMOD.get(name[2:] + ":", name)) if name.startswith("--") else name, value)
                for name, value in found]  # fmt: skip
        c = Cmd(p, opts, operands, flavour)
        if c.has("--version"):
            yield from p.out("chmod (GNU coreutils) 9.1\n")
            return 0
        if c.has("--help"):
            yield from p.out(f"Usage: {c.name} [OPTION]... MODE[,MODE]... FILE...\n")
            return 0
        if mode is not None:
            c.args.insert(0, mode)
        return (yield from guard(c, _chmod))

    return chmod


def _chmod(c: Cmd) -> Run:
    reference = c.value("reference")
    if not c.args:
        return (yield from c.usage("missing operand" if not c.bb else ""))
    if reference is not None:
        try:
            text = f"{c.p.fs.stat(reference).mode & 0o7777:05o}"  # five digits take marks away, too
        except SysError as problem:
            yield from c.warn(f"failed to get attributes of {c.quoted(reference)}: {problem.words}")
            return 1
        files = c.args
    else:
        text, files = c.args[0], c.args[1:]
        if parse_mode(text, 0, 0, False) is None:
            if not files and not c.bb:
                return (yield from c.usage(f"missing operand after {c.lq(text)}"))
            return (
                (yield from c.usage(f"invalid mode: {c.lq(text)}"))
                if not c.bb
                else (yield from _bad(c, text))
            )
        if not files:
            if c.bb:
                return (yield from c.usage())
            return (yield from c.usage(f"missing operand after {c.lq(text)}"))
    for path in files:
        try:
            stat = c.p.fs.stat(path)
        except SysError as problem:
            c.status = 1
            if not c.has("f"):
                yield from c.fail(_missing(c, path, problem))
            if c.has("v") and not c.bb:
                yield from c.say(f"{c.quoted(path)} could not be accessed\n")
            continue
        for each, info in (yield from _walk(c, path, stat)) if c.has("R") else [(path, stat)]:
            if not info.is_link:
                yield from _change_mode(c, each, info, text)
    return c.status


def _missing(c: Cmd, path: str, problem: SysError) -> str:
    if c.bb:
        return f"{path}: {problem.words}"
    there = lstat(c.p, path)
    if there is not None and there.is_link:
        return f"cannot operate on dangling symlink {c.quoted(path)}"
    return f"cannot access {c.quoted(path)}: {problem.words}"


def _bad(c: Cmd, text: str) -> Run:
    yield from c.p.err(f"{c.name}: invalid mode '{text}'\n")
    return 1


def _change_mode(c: Cmd, path: str, stat: Stat, text: str) -> Gen:
    old = stat.mode & 0o7777
    new = parse_mode(text, old, c.p.umask, stat.is_dir)
    assert new is not None  # checked before
    try:
        c.p.fs.chmod(path, new)
    except SysError as problem:
        c.status = 1
        if not c.has("f"):
            yield from c.fail(
                f"{path}: {problem.words}"
                if c.bb
                else f"changing permissions of {c.quoted(path)}: {problem.words}"
            )
        return
    if c.has("v") or (c.has("c") and old != new):
        before, after = mode_text(stat.mode)[1:], mode_text(stat.mode & ~0o7777 | new)[1:]
        shown = c.quoted(path)
        if old == new:
            yield from c.say(f"mode of {shown} retained as {old:04o} ({before})\n")
        else:
            yield from c.say(f"mode of {shown} changed from {old:04o} ({before}) to {new:04o} ({after})\n")


program("chmod")(_chmod_entry(False))  # type: ignore[arg-type]
APPLETS["chmod"] = _chmod_entry(True)  # type: ignore[assignment]


@command("chown", short="cfhHLPRv", long=_CHOWN, bb="RhLHPcvf")
def chown(c: Cmd) -> Run:
    """Change owners."""
    return (yield from _own(c, False))


@command("chgrp", short="cfhHLPRv", long=_CHOWN, bb="RhLHPcvf")
def chgrp(c: Cmd) -> Run:
    """Change groups."""
    return (yield from _own(c, True))


def _own(c: Cmd, group_only: bool) -> Run:
    reference = c.value("reference")
    if not c.args or (reference is None and len(c.args) < 2):
        if c.bb:
            return (yield from c.usage())
        return (yield from c.usage("missing operand" + (f" after {c.quoted(c.args[0])}" if c.args else "")))
    uid, gid = -1, -1
    if reference is not None:
        try:
            stat = c.p.fs.stat(reference)
        except SysError as problem:
            yield from c.warn(f"failed to get attributes of {c.quoted(reference)}: {problem.words}")
            return 1
        uid, gid = (-1 if group_only else stat.uid), stat.gid
        files = c.args
    else:
        text, files = c.args[0], c.args[1:]
        found = _ids(c, text, group_only)
        if isinstance(found, str):
            yield from c.warn(found)
            return 1
        uid, gid = found
    users, groups = names(c.p), group_names(c.p)
    only: tuple[int, int] | str = (-1, -1)
    if (wanted := c.value("from")) is not None:
        only = _ids(c, wanted, False)
        if isinstance(only, str):
            yield from c.warn(only)
            return 1
    for path in files:
        try:
            stat = c.p.fs.stat(path, follow=not c.has("h") and not c.has("R"))
        except SysError as problem:
            c.status = 1
            if not c.has("f"):
                yield from c.fail(
                    f"{path}: {problem.words}" if c.bb else f"cannot access {c.quoted(path)}: {problem.words}"
                )
            continue
        for each, info in (yield from _walk(c, path, stat)) if c.has("R") else [(path, stat)]:
            if only[0] not in (-1, info.uid) or only[1] not in (-1, info.gid):
                continue
            try:
                c.p.fs.chown(each, uid, gid, follow=not (c.has("h") or info.is_link))
            except SysError as problem:
                c.status = 1
                what = "group" if group_only else "ownership"
                if not c.has("f"):
                    yield from c.fail(
                        f"{each}: {problem.words}"
                        if c.bb
                        else f"changing {what} of {c.quoted(each)}: {problem.words}"
                    )
                continue
            if c.has("v", "c"):
                yield from _owned(c, each, info, uid, gid, group_only, users, groups)
    return c.status


def _owned(
    c: Cmd,
    path: str,
    stat: Stat,
    uid: int,
    gid: int,
    group_only: bool,
    users: dict[int, str],
    groups: dict[int, str],
) -> Gen:
    def label(user: int, group: int) -> str:
        name = groups.get(group, str(group))
        return name if group_only else users.get(user, str(user)) + (f":{name}" if gid >= 0 else "")

    old = label(stat.uid, stat.gid)
    new = label(uid if uid >= 0 else stat.uid, gid if gid >= 0 else stat.gid)
    what = "group" if group_only else "ownership"
    if old == new:
        if c.has("v"):
            yield from c.say(f"{what} of {c.quoted(path)} retained as {old}\n")
    else:
        yield from c.say(f"changed {what} of {c.quoted(path)} from {old} to {new}\n")


def _ids(c: Cmd, text: str, group_only: bool) -> tuple[int, int] | str:
    if group_only:
        gid = group_id(c.p, text)
        return (
            (-1, gid)
            if gid is not None
            else (f"unknown group {text}" if c.bb else f"invalid group: {c.lq(text)}")
        )
    separator = ":" if ":" in text else "." if "." in text and user_id(c.p, text) is None else ""
    user, _, group = text.partition(separator) if separator else (text, "", "")
    uid, gid = -1, -1
    if user:
        found = user_id(c.p, user)
        if found is None:
            return f"unknown user {user}" if c.bb else f"invalid user: {c.lq(text)}"
        uid = found
        if separator and not group:
            gid = login_group(c.p, user) or 0
    if group:
        found = group_id(c.p, group)
        if found is None:
            return f"unknown group {group}" if c.bb else f"invalid group: {c.lq(text)}"
        gid = found
    return uid, gid
