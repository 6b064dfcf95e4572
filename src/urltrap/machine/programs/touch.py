# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""touch, ln, link, truncate, sync, shred."""

from __future__ import annotations

import errno
import re
from datetime import UTC, datetime

from urltrap.machine.api import Run
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen, command
from urltrap.machine.programs._paths import base_name, is_dir, join, lstat
from urltrap.machine.programs._zone import zone_of
from urltrap.machine.programs.head import size_of


def local_seconds(c: Cmd, when: datetime) -> float:
    """Unix seconds of a wall clock time on this machine."""
    naive = when.replace(tzinfo=UTC).timestamp()
    return naive - zone_of(c.p).at(naive).offset


def parse_date(c: Cmd, text: str) -> float | None:
    """What ``-d`` understands of a date: ISO forms, @SECONDS, now, and "N days ago" and kin; None otherwise."""
    text = text.strip()
    if re.fullmatch(r"@-?\d{1,12}(\.\d*)?", text):
        return float(text[1:])
    now = c.p.now()
    if text.lower() in ("", "now", "today"):
        return now
    if text.lower() in ("yesterday", "tomorrow"):
        return now + (86_400 if text.lower() == "tomorrow" else -86_400)
    units = {"sec": 1, "second": 1, "min": 60, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800,
             "fortnight": 1_209_600, "month": 2_629_746, "year": 31_556_952}  # fmt: skip
    match = re.fullmatch(r"([-+]?\d{1,9})\s*([a-z]+?)s?(\s+ago)?", text.lower())
    if match and match[2] in units:
        return now + int(match[1]) * units[match[2]] * (-1 if match[3] else 1)
    zone = text.endswith(("Z", "UTC", "GMT"))
    bare = re.sub(r"\s*(Z|UTC|GMT)$", "", text)
    for form in ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y%m%d",
                 "%Y/%m/%d %H:%M:%S", "%Y/%m/%d", "%m/%d/%Y", "%d %b %Y", "%b %d %Y", "%d %b %Y %H:%M:%S", "%a %b %d %H:%M:%S %Y",
                 "%Y%m%d %H%M%S", "%b %d, %Y"):  # fmt: skip
        try:
            found = datetime.strptime(bare, form)
            return found.replace(tzinfo=UTC).timestamp() if zone else local_seconds(c, found)
        except (ValueError, OverflowError):
            continue
    return None


def _stamp(c: Cmd, text: str) -> float | None:
    match = re.fullmatch(r"(?:(\d\d)?(\d\d))?(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d\d))?", text)
    if match is None:
        return None
    now = datetime.fromtimestamp(c.p.now(), UTC)
    year = now.year
    if match[2]:
        century = int(match[1]) if match[1] else (19 if int(match[2]) > 68 else 20)
        year = century * 100 + int(match[2])
    try:
        return local_seconds(c, datetime(year, *(int(match[n] or 0) for n in range(3, 8))))  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None


@command("touch", short="acd:fhmr:t:", bb="acd:fhmr:t:", long={"no-create": "c", "date:": "d", "no-dereference": "h", "reference:": "r",
                                            "time:": "time"})  # fmt: skip
def touch(c: Cmd) -> Run:
    """Make files, or change their times."""
    if not c.args:
        return (yield from c.usage("missing file operand" if not c.bb else ""))
    now = c.p.now()
    atime = mtime = now
    if (text := c.value("d")) is not None:
        found = parse_date(c, text)
        if found is None:
            yield from c.warn(f"invalid date '{text}'" if c.bb else f"invalid date format {c.lq(text)}")
            return 1
        atime = mtime = found
    elif (text := c.value("t")) is not None:
        found = _stamp(c, text)
        if found is None:
            yield from c.warn(f"invalid date '{text}'" if c.bb else f"invalid date format {c.lq(text)}")
            return 1
        atime = mtime = found
    elif (text := c.value("r")) is not None:
        try:
            stat = c.p.fs.stat(text)
        except SysError as problem:
            yield from c.warn(
                f"{text}: {problem.words}"
                if c.bb
                else f"failed to get attributes of {c.quoted(text)}: {problem.words}"
            )
            return 1
        atime, mtime = stat.atime, stat.mtime
    which = c.value("time") or ""
    only_a = (c.has("a") or which in ("atime", "access", "use")) and not c.has("m")
    only_m = (c.has("m") or which in ("mtime", "modify")) and not c.has("a")
    follow = not c.has("h")
    for path in c.args:
        yield from c.p.tick()
        try:
            there = lstat(c.p, path) if not follow else None
            if follow:
                try:
                    there = c.p.fs.stat(path)
                except SysError as problem:
                    if problem.errno != errno.ENOENT:
                        raise
            if there is None:
                if c.has("c", "h"):
                    continue
                c.p.fs.write(path, b"", mode=0o666 & ~c.p.umask, append=True)
                if c.has("d", "t", "r"):
                    c.p.fs.utime(path, atime, mtime)
                continue
            c.p.fs.utime(
                path, there.atime if only_m else atime, there.mtime if only_a else mtime, follow=follow
            )
        except SysError as problem:
            if c.bb:
                yield from c.fail(f"{path}: {problem.words}")
            else:
                verb = (
                    "setting times of" if problem.errno == errno.EPERM or lstat(c.p, path) else "cannot touch"
                )
                verb = "cannot touch" if problem.errno in (errno.EACCES, errno.ENOENT, errno.EROFS) else verb
                yield from c.fail(f"{verb} {c.quoted(path)}: {problem.words}")
    return c.status


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
    for target, path in pairs:
        yield from _link(c, target, path)
    return c.status


def _link(c: Cmd, target: str, path: str) -> Gen:
    symbolic = c.has("s")
    kind = "symbolic link" if symbolic else "hard link"
    try:
        if not symbolic:
            try:
                stat = c.p.fs.stat(target, follow=False)
            except SysError as problem:
                yield from c.fail(
                    f"failed to access {c.quoted(target)}: {problem.words}"
                    if not c.bb
                    else f"{path}: {problem.words}"
                )
                return
            if stat.is_dir:
                yield from c.fail(f"{target}: hard link not allowed for directory")
                return
        there = lstat(c.p, path)
        if there is not None and c.has("f") and not there.is_dir:
            c.p.fs.unlink(path)
        if symbolic:
            c.p.fs.symlink(target, path)
        else:
            c.p.fs.link(target, path)
    except SysError as problem:
        shown = path.removeprefix("./") if path.startswith("./") else path
        if c.bb:
            yield from c.fail(f"{path}: {problem.words}")
        elif symbolic or problem.errno == errno.EEXIST:
            yield from c.fail(
                f"failed to create {kind} {c.quoted(path if not path.startswith('./') else shown)}: {problem.words}"
            )
        else:
            yield from c.fail(
                f"failed to create {kind} {c.quoted(path)} => {c.quoted(target)}: {problem.words}"
            )
        return
    if c.has("v"):
        yield from c.say(f"{c.quoted(path)} {'->' if symbolic else '=>'} {c.quoted(target)}\n")


@command("link")
def link(c: Cmd) -> Run:
    """Make one hard link."""
    if len(c.args) < 2:
        return (yield from c.usage("missing operand" + (f" after {c.lq(c.args[0])}" if c.args else "")))
    try:
        c.p.fs.link(c.args[0], c.args[1])
    except SysError as problem:
        yield from c.fail(
            f"cannot create link {c.quoted(c.args[1])} to {c.quoted(c.args[0])}: {problem.words}"
        )
    return c.status


@command(
    "truncate", short="cor:s:", long={"no-create": "c", "io-blocks": "o", "reference:": "r", "size:": "s"}
)
def truncate(c: Cmd) -> Run:
    """Make files a size."""
    text, reference = c.value("s"), c.value("r")
    if text is None and reference is None:
        yield from c.warn(f"you must specify either {c.lq('--size')} or {c.lq('--reference')}")
        return (yield from c.usage())
    if not c.args:
        return (yield from c.usage("missing file operand"))
    operator = text[0] if text and text[0] in "+-<>/%" else ""
    number = size_of((text or "0")[len(operator) :])
    if number is None:
        yield from c.warn(f"Invalid number: {c.lq((text or '')[len(operator) :])}")
        return 1
    if reference is not None:
        try:
            number = c.p.fs.stat(reference).size
        except SysError as problem:
            yield from c.warn(f"cannot stat {c.quoted(reference)}: {problem.words}")
            return 1
    for path in c.args:
        try:
            there = lstat(c.p, path)
            if there is None:
                if c.has("c"):
                    continue
                c.p.fs.write(path, b"", mode=0o666 & ~c.p.umask)
            size = c.p.fs.stat(path).size
            goal = {
                "": number, "+": size + number, "-": max(0, size - number), "<": min(size, number), ">": max(size, number),
                "/": size // number * number if number else size, "%": -(-size // number) * number if number else size,
            }[operator]  # fmt: skip
            if goal > 1 << 40:
                raise SysError(errno.EFBIG, path)
            c.p.fs.truncate(path, goal)
        except SysError as problem:
            verb = "failed to truncate" if problem.errno == errno.EFBIG else "cannot open"
            yield from c.fail(
                f"{verb} {c.quoted(path)}{' for writing' if verb == 'cannot open' else f' at {number} bytes'}: {problem.words}"
            )
    return c.status


@command("sync", short="df", long={"data": "d", "file-system": "f"})
def sync(c: Cmd) -> Run:
    """Write everything to the disk."""
    for path in c.args:
        try:
            c.p.fs.stat(path)
        except SysError as problem:
            yield from c.fail(f"error opening {c.quoted(path)}: {problem.words}")
    yield from c.p.sleep(0.02)
    return c.status


@command("shred", short="fn:s:uvxz", long={"force": "f", "iterations:": "n", "size:": "s", "remove::": "u", "verbose": "v", "exact": "x",
                                           "zero": "z", "random-source:": "rs"})  # fmt: skip
def shred(c: Cmd) -> Run:
    """Overwrite files."""
    if not c.args:
        return (yield from c.usage("missing file operand"))
    passes = c.value("n") or "3"
    if not passes.isdecimal():
        yield from c.warn(f"invalid number of passes: {c.lq(passes)}")
        return 1
    total = min(int(passes[:4]), 100) + (1 if c.has("z") else 0)
    for path in c.args:
        try:
            stat = c.p.fs.stat(path)
            if stat.is_dir:
                raise SysError(errno.EISDIR, path)
            for number in range(total):
                if c.has("v"):
                    kind = "000000" if c.has("z") and number == total - 1 else "random"
                    yield from c.warn(f"{path}: pass {number + 1}/{total} ({kind})...")
                yield from c.p.sleep(min(stat.size / 400e6, 5.0))
            size = min(stat.size, 1_000_000)
            c.p.fs.put(
                path,
                BytesContent(bytes(size) if c.has("z") else c.p.random_bytes(size)),
                mode=stat.mode & 0o777,
            )
            if c.has("u"):
                c.p.fs.unlink(path)
                if c.has("v"):
                    yield from c.warn(f"{path}: removed")
        except SysError as problem:
            yield from c.fail(f"{path}: failed to open for writing: {problem.words}")
    return c.status
