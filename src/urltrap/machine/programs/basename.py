"""basename, dirname, readlink, realpath, pwd, which, whereis, mktemp."""

from __future__ import annotations

import errno

from urltrap.machine.api import Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.programs._paths import base_name, join, lstat


@command("basename", short="+as:z", long={"multiple": "a", "suffix:": "s", "zero": "z"})
def basename(c: Cmd) -> Run:
    """The last part of a path."""
    if not c.args:
        return (yield from c.usage("missing operand" if not c.bb else ""))
    many = c.has("a", "s")
    if not many and len(c.args) > 2:
        return (yield from c.usage(f"extra operand {c.lq(c.args[2])}"))
    suffix = c.value("s") if c.has("s") else (c.args[1] if len(c.args) == 2 and not many else "")
    for path in c.args if many else c.args[:1]:
        name = base_name(path)
        if suffix and name != suffix:
            name = name.removesuffix(suffix)
        yield from c.say(name + ("\0" if c.has("z") else "\n"))
    return 0


@command("dirname", short="+z", long={"zero": "z"})
def dirname(c: Cmd) -> Run:
    """A path without its last part."""
    if not c.args:
        return (yield from c.usage("missing operand" if not c.bb else ""))
    for path in c.args:
        bare = path.rstrip("/")
        head, slash, _ = bare.rpartition("/")
        found = (head.rstrip("/") or "/") if slash else ("/" if path.startswith("/") else ".")
        yield from c.say(found + ("\0" if c.has("z") else "\n"))
    return 0


def canonical(c: Cmd, path: str, existing: int) -> str:
    """The path without links; `existing` 2: all of it must be there, 1: all but the last, 0: nothing. SysError."""
    if not path:
        raise SysError(errno.ENOENT, path)
    try:
        return c.p.fs.realpath(path)
    except SysError as problem:
        if existing == 2 or problem.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise
    bare = path.rstrip("/")
    head, slash, last = bare.rpartition("/")
    parent = (head or "/") if slash else "."
    there = lstat(c.p, path)
    if there is not None and there.is_link:
        target = c.p.fs.readlink(path)
        return canonical(c, target if target.startswith("/") else join(parent, target), existing)
    if existing == 0:
        if last == "..":
            return canonical(c, parent, 0).rpartition("/")[0] or "/"
        return canonical(c, parent, 0) if last == "." else join(canonical(c, parent, 0), last)
    if last in (".", "..") or existing == 1:
        return join(c.p.fs.realpath(parent), last) if last not in (".", "..") else c.p.fs.realpath(path)
    return join(canonical(c, parent, 0), last)


@command("readlink", short="efmnqsvz", bb="fnv", long={
    "canonicalize": "f", "canonicalize-existing": "e", "canonicalize-missing": "m", "no-newline": "n", "quiet": "q",
    "silent": "s", "verbose": "v", "zero": "z"})  # fmt: skip
def readlink(c: Cmd) -> Run:
    """Where a link points to."""
    if not c.args:
        return (yield from c.usage("missing operand" if not c.bb else ""))
    end = "\0" if c.has("z") else "" if c.has("n") and len(c.args) == 1 else "\n"
    for path in c.args:
        try:
            mode = c.last("efm")
            found = canonical(c, path, {"e": 2, "f": 1, "m": 0}[mode]) if mode else c.p.fs.readlink(path)
        except SysError as problem:
            c.status = 1
            if c.has("v"):
                yield from c.fail(f"{c.quote(path)}: {problem.words}")
            continue
        yield from c.say(found + end)
    return c.status


@command("realpath", short="eLmPqsz", bb="", long={
    "canonicalize-existing": "e", "canonicalize-missing": "m", "logical": "L", "physical": "P", "quiet": "q",
    "relative-to:": "to", "relative-base:": "base", "strip": "s", "no-symlinks": "s", "zero": "z"})  # fmt: skip
def realpath(c: Cmd) -> Run:
    """Absolute paths without links."""
    if not c.args:
        return (yield from c.usage("missing operand" if not c.bb else ""))
    for path in c.args:
        try:
            if c.has("s"):
                found = _plain(c, path)
            else:
                found = canonical(c, path, 2 if c.has("e") or c.bb else 0 if c.has("m") else 1)
        except SysError as problem:
            c.status = 1
            if not c.has("q"):
                yield from c.fail(f"{c.quote(path)}: {problem.words}")
            continue
        if (base := c.value("to")) is not None:
            try:
                found = _relative(found, canonical(c, base, 1))
            except SysError as problem:
                yield from c.fail(f"{c.quote(base)}: {problem.words}")
                return 1
        elif (above := c.value("base")) is not None:
            top = canonical(c, above, 0)
            if found == top or found.startswith(top.rstrip("/") + "/"):
                found = _relative(found, top)
        yield from c.say(found + ("\0" if c.has("z") else "\n"))
    return c.status


def _plain(c: Cmd, path: str) -> str:
    """The absolute path, links as they are."""
    parts: list[str] = []
    for part in join(c.p.cwd, path).split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def _relative(path: str, base: str) -> str:
    one, other = [each for each in path.split("/") if each], [each for each in base.split("/") if each]
    shared = 0
    while shared < min(len(one), len(other)) and one[shared] == other[shared]:
        shared += 1
    return "/".join([".."] * (len(other) - shared) + one[shared:]) or "."


@command("pwd", short="LP", long={"logical": "L", "physical": "P"})
def pwd(c: Cmd) -> Run:
    """The current directory."""
    if c.args and not c.bb:
        yield from c.warn("ignoring non-option arguments")
    logical = c.p.env.get("PWD", "")
    if c.last("LP") == "L" and logical.startswith("/"):
        try:
            if c.p.fs.realpath(logical) == c.p.fs.realpath("."):
                yield from c.say(logical + "\n")
                return 0
        except SysError:
            pass  # a stale PWD: the real one is shown
    yield from c.say(c.p.cwd + "\n")
    return 0


def find_in_path(c: Cmd, name: str) -> list[str]:
    """All executables of a name in PATH."""
    if "/" in name:
        places = [name]
    else:
        places = [join(folder or ".", name) for folder in c.p.env.get("PATH", "/bin:/usr/bin").split(":")]
    found = []
    for place in places:
        try:
            if c.p.fs.stat(place).is_file and c.p.fs.access(place, 1):
                found.append(place)
        except SysError:
            continue  # not there
    return found


@command("which", short="+as0123456789bcdefghijklmnopqrtuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", bb="a", bad=2)
def which(c: Cmd) -> Run:
    """Where a command is: a shell script of debianutils, whose getopts complains."""
    if not c.bb and (wrong := next((name for name, _ in c.opts if name not in ("a", "s")), "")):
        yield from c.p.err(f"Illegal option -{wrong}\n")
        yield from c.p.out(f"Usage: /usr/bin/{c.name.rpartition('/')[2]} [-a] args\n")
        return 2
    if not c.args:
        if c.bb:
            return (yield from c.usage())
        return 1
    for name in c.args:
        found = find_in_path(c, name)
        if not found:
            c.status = 1
        if not c.has("s"):
            yield from c.say("".join(f"{place}\n" for place in (found if c.has("a") else found[:1])))
    return c.status


_BINARY = ("/usr/bin", "/usr/sbin", "/usr/lib", "/bin", "/sbin", "/etc", "/lib", "/usr/local/bin", "/usr/local/sbin",
           "/usr/games", "/usr/include", "/usr/local", "/usr/share")  # fmt: skip
_MANUAL = tuple(f"/usr/share/man/man{section}" for section in range(1, 9))


@command("whereis", short="+bmsB:M:S:flu", bb=False, package="util-linux", version="2.38.1")
def whereis(c: Cmd) -> Run:
    """Where the program, source and manual of a name are."""
    if not c.args:
        yield from c.p.err(f"{c.name}: not enough arguments\nTry '{c.name} --help' for more information.\n")
        return 1
    for name in c.args:
        bare = base_name(name)
        found = []
        seen = set()
        for folder in _BINARY if not c.has("m") or c.has("b") else ():
            for ending in ("", ".conf", ".so"):
                place = join(folder, bare + ending)
                stat = lstat(c.p, place)
                if stat is not None and (real := c.p.fs.realpath(folder) + "/" + bare + ending) not in seen:
                    seen.add(real)
                    if folder not in ("/bin", "/sbin", "/lib"):
                        found.append(place)
        for folder in _MANUAL if not c.has("b") or c.has("m") else ():
            place = f"{folder}/{bare}.{folder[-1]}.gz"
            if lstat(c.p, place) is not None:
                found.append(place)
        yield from c.say(f"{bare}:{''.join(' ' + each for each in found)}\n")
    return 0


@command(
    "mktemp",
    short="dp:qtu",
    bb="dp:qtu",
    long={"directory": "d", "tmpdir::": "tmpdir", "quiet": "q", "dry-run": "u", "suffix:": "suffix"},
)
def mktemp(c: Cmd) -> Run:
    """Make a file or directory with a new name."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    template = c.args[0] if c.args else "tmp.XXXXXXXXXX"
    if len(c.args) > 1:
        return (yield from c.usage("too many templates"))
    folder = c.value("p") or c.value("tmpdir")
    if folder is None and (not c.args or c.has("t", "tmpdir")):
        folder = c.p.env.get("TMPDIR") or "/tmp"
    if folder == "":
        folder = c.p.env.get("TMPDIR") or "/tmp"
    suffix = c.value("suffix") or ""
    if not suffix and "X" in template and not template.endswith("X") and not c.bb:
        at = template.rindex("X") + 1
        template, suffix = template[:at], template[at:]
    count = len(template) - len(template.rstrip("X"))
    if count < 3:
        yield from c.warn(f"too few X's in template {c.lq(template + suffix)}")
        return 1
    stem = template[: len(template) - count]
    for _ in range(50):
        name = stem + "".join(letters[c.p.random(62)] for _ in range(count)) + suffix
        path = join(folder, name) if folder is not None else name
        if lstat(c.p, path) is not None:
            continue
        try:
            if c.has("u"):
                pass
            elif c.has("d"):
                c.p.fs.mkdir(path, 0o700)
            else:
                c.p.fs.write(path, b"", mode=0o600)
        except SysError as problem:
            if not c.has("q"):
                kind = "directory" if c.has("d") else "file"
                shown = join(folder, template + suffix) if folder is not None else template + suffix
                yield from c.warn(f"failed to create {kind} via template {c.lq(shown)}: {problem.words}")
            return 1
        yield from c.say(path + "\n")
        return 0
    return 1
