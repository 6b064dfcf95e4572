"""ln and link."""

from __future__ import annotations

import errno
from collections.abc import Generator
from posixpath import relpath
from typing import Any

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._backups import Backups, backups
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.programs._paths import base_name, confirm, is_dir, join, lstat


@command("ln", short="bdfFiLnPrsS:t:Tv", bb="sfnbtvTS:", long={
    "symbolic": "s", "force": "f", "interactive": "i", "logical": "L", "no-dereference": "n", "physical": "P",
    "relative": "r", "suffix:": "S", "target-directory:": "t", "no-target-directory": "T", "verbose": "v",
    "backup::": "b", "directory": "d"})  # fmt: skip
def ln(c: Cmd) -> Run:
    """Make links."""
    args = list(c.args)
    if not args:
        return (yield from c.usage("missing file operand" if not c.bb else ""))
    folder = c.value("t")
    if folder is None and len(args) > 1:
        last = args[-1]
        stat = lstat(c.p, last)
        plain_link = c.has("n") and stat is not None and stat.is_link
        if is_dir(c.p, last) and not c.has("T") and not plain_link:
            folder = args.pop()
        elif len(args) > 2:
            yield from c.warn(
                f"target {c.quoted(last)}: {'Not a directory' if stat else 'No such file or directory'}"
            )
            return 1
    elif folder is None:
        folder = "."
    if folder is not None:
        pairs = [
            (each, join(folder, base_name(each)) if folder != "." or c.has("t") else "./" + base_name(each))
            for each in args
        ]
    else:
        pairs = [(args[0], args[1])]
    keep = yield from backups(c)
    if keep is None:
        return 1
    made: set[str] = set()
    for target, path in pairs:
        if path in made:
            yield from c.fail(f"will not overwrite just-created {c.quoted(path)} with {c.quoted(target)}")
            continue
        if (yield from _link(c, target, path, keep)):
            made.add(path)
    return c.status


def _relative(p: Process, target: str, path: str) -> str:
    """`target` as seen from the folder of `path`."""
    folder = p.fs.realpath(path.rstrip("/").rpartition("/")[0] or ("/" if path.startswith("/") else "."))
    parent, _, name = target.rstrip("/").rpartition("/")
    goal = join(p.fs.realpath(parent or ("/" if target.startswith("/") else ".")), name)
    return relpath(goal, folder)


def _link(c: Cmd, target: str, path: str, keep: Backups) -> Generator[Any, Any, bool]:
    """Make one link; True where it is made."""
    symbolic = c.has("s")
    if not symbolic:
        try:
            stat = c.p.fs.stat(target, follow=c.last("LP") == "L")
        except SysError as problem:
            words = f"failed to access {c.quoted(target)}" if not c.bb else path
            yield from c.fail(f"{words}: {problem.words}")
            return False
        if stat.is_dir:
            yield from c.fail(f"{target}: hard link not allowed for directory")
            return False
    kept = ""
    try:
        there = lstat(c.p, path)
        if there is not None and (c.has("f", "i") or keep):
            if there.is_dir:
                yield from c.fail(f"{path}: cannot overwrite directory")
                return False
            source = lstat(c.p, target)
            if (
                source is not None
                and (source.device, source.inode) == (there.device, there.inode)
                and (target == path or not symbolic)
            ):
                yield from c.fail(f"{c.quoted(target)} and {c.quoted(path)} are the same file")
                return False
            if c.last("fi") == "i" and not (yield from confirm(c.p, f"{c.name}: replace {c.quoted(path)}? ")):
                return False
            kept = keep.keep(c.p, path)
            if not kept:
                c.p.fs.unlink(path)
        if symbolic:
            c.p.fs.symlink(_relative(c.p, target, path) if c.has("r") else target, path)
        else:
            c.p.fs.link(c.p.fs.realpath(target) if c.last("LP") == "L" else target, path)
    except SysError as problem:
        if c.bb:
            yield from c.fail(f"{path}: {problem.words}")
        elif symbolic and target:
            yield from c.fail(f"failed to create symbolic link {c.quoted(path)}: {problem.words}")
        elif symbolic:
            yield from c.fail(
                f"failed to create symbolic link {c.quoted(path)} -> {c.quoted(target)}: {problem.words}"
            )
        elif problem.errno == errno.EEXIST:
            yield from c.fail(f"failed to create hard link {c.quoted(path)}: {problem.words}")
        else:
            words = f"failed to create hard link {c.quoted(path)} => {c.quoted(target)}"
            yield from c.fail(f"{words}: {problem.words}")
        return False
    if c.has("v"):
        behind = f"{c.quoted(kept)} ~ " if kept else ""
        yield from c.say(f"{behind}{c.quoted(path)} {'->' if symbolic else '=>'} {c.quoted(target)}\n")
    return True


@command("link")
def link(c: Cmd) -> Run:
    """Make one hard link."""
    if len(c.args) < 2:
        return (yield from c.usage("missing operand" + (f" after {c.lq(c.args[0])}" if c.args else "")))
    if len(c.args) > 2:
        return (yield from c.usage(f"extra operand {c.lq(c.args[2])}"))
    try:
        c.p.fs.link(c.args[0], c.args[1])
    except SysError as problem:
        yield from c.fail(
            f"cannot create link {c.quoted(c.args[1])} to {c.quoted(c.args[0])}: {problem.words}"
        )
    return c.status
