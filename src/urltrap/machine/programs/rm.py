"""rm, rmdir and unlink."""

from __future__ import annotations

import errno

from urltrap.machine.api import Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._choices import bad_choice
from urltrap.machine.programs._cmd import Cmd, Gen, command
from urltrap.machine.programs._modes import kind_words
from urltrap.machine.programs._paths import base_name, confirm, join

_LONG = {
    "force": "f", "interactive::": "interactive", "one-file-system": "x", "no-preserve-root": "no-preserve-root",
    "preserve-root::": "preserve-root", "recursive": "r", "dir": "d", "verbose": "v",
}  # fmt: skip


_WHEN = ("never no none", "once", "always yes")


@command("rm", short="firRIdv", long=_LONG, bb="firR")
def rm(c: Cmd) -> Run:
    """Remove files and directories."""
    if not c.args:
        if c.has("f"):
            return 0
        if c.bb:
            return (yield from c.usage())
        return (yield from c.usage("missing operand"))
    asked = c.value("interactive")
    if asked and not any(asked in each.split() for each in _WHEN):
        return (yield from bad_choice(c, asked, "--interactive", _WHEN))
    if c.has("I") and (len(c.args) > 3 or c.has("r", "R")):
        times = f"{len(c.args)} argument{'s' if len(c.args) > 1 else ''}"
        how = " recursively" if c.has("r", "R") else ""
        if not (yield from confirm(c.p, f"{c.name}: remove {times}{how}? ")):
            return 0
    for path in c.args:
        yield from _remove(c, path)
    return c.status


def _remove(c: Cmd, path: str) -> Gen:
    p = c.p
    recursive = c.has("r", "R")
    name = base_name(path)
    try:
        stat = p.fs.stat(path, follow=False)
    except SysError as problem:
        if not (c.has("f") and problem.errno in (errno.ENOENT, errno.ENOTDIR)):
            yield from c.fail(f"{_verb(c)} {c.quoted(path)}: {problem.words}")
        return
    if stat.is_dir:
        if not recursive and not c.has("d"):
            if c.bb:
                yield from c.fail(f"'{path}' is a directory")
            else:
                yield from c.fail(f"cannot remove {c.quoted(path)}: Is a directory")
            return
        if name in (".", ".."):
            if c.bb:
                yield from c.fail(f"'{path}' is a directory" if not recursive else "can't remove '.' or '..'")
            else:
                yield from c.fail(f"refusing to remove '.' or '..' directory: skipping {c.quoted(path)}")
            return
        if recursive and not c.bb and not c.has("no-preserve-root") and _is_root(c, path):
            same = "" if path == "/" else " (same as '/')"
            yield from c.fail(f"it is dangerous to operate recursively on {c.quoted(path)}{same}")
            yield from c.warn("use --no-preserve-root to override this failsafe")
            return
        if recursive:
            yield from remove_tree(c, path)
        else:
            try:
                p.fs.rmdir(path)
                yield from _told(c, path, True)
            except SysError as problem:
                yield from c.fail(f"cannot remove {c.quoted(path)}: {problem.words}")
        return
    yield from _unlink(c, path)


def _verb(c: Cmd) -> str:
    return "can't remove" if c.bb else "cannot remove"


def _is_root(c: Cmd, path: str) -> bool:
    try:
        return c.p.fs.realpath(path) == "/"
    except SysError:
        return False


def _told(c: Cmd, path: str, folder: bool) -> Gen:
    if c.has("v"):
        yield from c.say(f"removed {'directory ' if folder else ''}{c.quoted(path)}\n")


def _unlink(c: Cmd, path: str) -> Gen:
    p = c.p
    yield from p.tick(1)
    stat = p.fs.stat(path, follow=False)
    ask = c.last("fi") == "i" or c.value("interactive") in ("always", "yes")
    protected = not stat.is_link and not c.has("f") and p.is_tty(0) and not p.fs.access(path, 2)
    if ask or protected:
        kind = kind_words(stat)
        what = f"remove write-protected {kind}" if protected else f"remove {kind}"
        if not (yield from confirm(p, f"{c.name}: {what} {c.quoted(path)}? ")):
            return
    try:
        p.fs.unlink(path)
    except SysError as problem:
        yield from c.fail(f"{_verb(c)} {c.quoted(path)}: {problem.words}")
        return
    yield from _told(c, path, False)


def remove_tree(c: Cmd, path: str) -> Gen:
    """Remove a directory with everything in it, deepest first; complaints are printed, the rest goes on."""
    p = c.p
    waiting: list[tuple[str, bool]] = [(path, False)]
    failed: set[str] = set()
    while waiting:
        current, seen = waiting.pop()
        yield from p.tick(2)
        if seen:
            if current in failed:
                failed.add(current.rpartition("/")[0])
                continue
            if (
                c.last("fi") == "i"
                and not p.fs.listdir(current)
                and not (yield from confirm(p, f"{c.name}: remove directory {c.quoted(current)}? "))
            ):
                continue
            if c.last("fi") == "i" and p.fs.listdir(current):
                continue  # something in it was to stay
            try:
                p.fs.rmdir(current)
            except SysError as problem:
                failed.add(current.rpartition("/")[0])
                yield from c.fail(f"{_verb(c)} {c.quoted(current)}: {problem.words}")
                continue
            yield from _told(c, current, True)
            continue
        try:
            names = p.fs.listdir(current)
        except SysError as problem:
            yield from c.fail(f"cannot remove {c.quoted(current)}: {problem.words}")
            continue
        if (
            c.last("fi") == "i"
            and names
            and not (yield from confirm(p, f"{c.name}: descend into directory {c.quoted(current)}? "))
        ):
            continue
        waiting.append((current, True))
        for name in names:
            below = join(current, name)
            try:
                stat = p.fs.stat(below, follow=False)
            except SysError:
                continue  # gone meanwhile
            if stat.is_dir:
                waiting.append((below, False))
            else:
                try:
                    before = c.status
                    c.status = 0
                    yield from _unlink(c, below)
                    if c.status:
                        failed.add(current)
                    c.status = max(before, c.status)
                except SysError:
                    continue  # gone meanwhile


@command(
    "rmdir", short="pv", bb="p", long={"ignore-fail-on-non-empty": "ignore", "parents": "p", "verbose": "v"}
)
def rmdir(c: Cmd) -> Run:
    """Remove empty directories."""
    if not c.args:
        return (yield from c.usage("missing operand" if not c.bb else ""))
    for path in c.args:
        current = path
        while current:
            if c.has("v"):
                yield from c.say(f"{c.name}: removing directory, {c.quoted(current)}\n")
            try:
                c.p.fs.rmdir(current)
            except SysError as problem:
                if c.has("ignore") and problem.errno == errno.ENOTEMPTY:
                    break
                if c.bb:
                    yield from c.fail(f"'{current}': {problem.words}")
                else:
                    what = "failed to remove directory" if current != path else "failed to remove"
                    yield from c.fail(f"{what} {c.quoted(current)}: {problem.words}")
                break
            if not c.has("p"):
                break
            current = current.rstrip("/").rpartition("/")[0]
    return c.status


@command("unlink")
def unlink(c: Cmd) -> Run:
    """Remove one file."""
    if len(c.args) != 1:
        return (yield from c.usage("missing operand" if not c.args else f"extra operand {c.lq(c.args[1])}"))
    try:
        if c.p.fs.stat(c.args[0], follow=False).is_dir:
            raise SysError(errno.EISDIR, c.args[0])
        c.p.fs.unlink(c.args[0])
    except SysError as problem:
        yield from c.fail(f"cannot unlink {c.quoted(c.args[0])}: {problem.words}")
    return c.status
