# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""gzip, bzip2, xz and their kin; unzip."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.programs._compression import DecodeError, compress, decompress, kind_of
from urltrap.machine.programs._paths import confirm, join, lstat
from urltrap.machine.shell.glob import compile_pattern

_LONG = {"stdout": "c", "to-stdout": "c", "decompress": "d", "uncompress": "d", "force": "f", "keep": "k", "list": "l", "name": "N", "no-name": "n", "quiet": "q",
         "recursive": "r", "suffix:": "S", "test": "t", "verbose": "v", "fast": "1", "best": "9", "threads:": "T", "compress": "z"}  # fmt: skip
_KINDS = {"gzip": "gz", "gunzip": "gz", "zcat": "gz", "bzip2": "bz2", "bunzip2": "bz2", "bzcat": "bz2", "xz": "xz", "unxz": "xz", "xzcat": "xz",
          "lzma": "xz", "unlzma": "xz", "lzcat": "xz", "uncompress": "gz"}  # fmt: skip
_SUFFIXES = {
    "gz": (".gz", ".tgz", ".z", ".Z", "-gz"),
    "bz2": (".bz2", ".bz", ".tbz2"),
    "xz": (".xz", ".lzma", ".txz"),
}
_LIMIT = 64_000_000


@command(
    *_KINDS,
    short="acdfhklLnNqrtvVzS:T:e0123456789",
    package="gzip",
    version="1.12",
    long=_LONG,
    bb="cdfkqtvz0123456789",
)
def gzip(c: Cmd) -> Run:
    """Compress or expand files."""
    base = c.name.rpartition("/")[2]
    kind = _KINDS.get(base, "gz")
    expand = (
        c.has("d", "t", "l") or base.startswith("un") or base.endswith("cat") or base in ("bunzip2", "gunzip")
    )
    to_stdout = c.has("c") or base.endswith("cat")
    if not c.bb and base in ("gunzip", "zcat", "uncompress"):
        c.name = "gzip"  # Debian's are scripts that run it
    if c.has("V"):
        yield from c.p.out(
            {
                "gz": "gzip 1.12\n",
                "bz2": "bzip2, a block-sorting file compressor.  Version 1.0.8, 13-Jul-2019.\n",
                "xz": "xz (XZ Utils) 5.4.1\nliblzma 5.4.1\n",
            }[kind]
        )
        return 0
    if not c.args and not expand and c.p.is_tty(1) and not c.has("f"):
        yield from c.p.err(f"{c.name}: compressed data not written to a terminal. Use -f to force compression.\nFor help, type: {c.name} -h\n" if kind == "gz" else
                           f"{c.name}: I won't write compressed data to a terminal.\n{c.name}: For help, type: `{c.name} --help'.\n")  # fmt: skip
        return 1
    for path in c.args or ["-"]:
        yield from _one(c, path, kind, expand, to_stdout or path == "-")
    return c.status


def _one(c: Cmd, path: str, kind: str, expand: bool, to_stdout: bool) -> Generator[Any, Any, None]:
    p = c.p
    real = path
    if path != "-" and expand and lstat(p, path) is None and not path.endswith(_SUFFIXES[kind]):
        real = path + _SUFFIXES[kind][0]
    try:
        data = yield from c.load(real)
    except SysError as problem:
        if problem.errno == 21:
            yield from c.p.err(
                f"{c.name}: {path} is a directory -- ignored\n"
                if kind == "gz"
                else f"{c.name}: {path}: Is a directory, skipping\n"
            )
            c.status = max(c.status, 2 if kind == "gz" else 1)
            return
        if kind == "bz2" and not c.bb:
            yield from c.fail(f"Can't open input file {path}: {problem.words}.")
        else:
            yield from c.fail(f"{real if not c.bb else path}: {problem.words}")
        return
    yield from p.tick(1 + len(data) // 1024)
    shown = "stdin" if path == "-" else path
    if expand:
        try:
            out, _ = decompress(data, _LIMIT)
            if kind_of(data) != kind and not (kind == "xz" and kind_of(data) == "lzma"):
                raise DecodeError("not in gzip format")
        except DecodeError as problem:
            if to_stdout and problem.partial:
                yield from c.put(problem.partial)
            if c.has("f") and to_stdout and not kind_of(data):
                yield from c.put(data)
                return
            yield from _complain(c, kind, shown, str(problem))
            return
        if c.has("t"):
            return
        if c.has("l"):
            ratio = 100 - 100 * len(data) / max(1, len(out))
            yield from c.say(
                f"         compressed        uncompressed  ratio uncompressed_name\n{len(data):19d} {len(out):19d} {ratio:5.1f}% {path.removesuffix('.gz')}\n"
            )
            return
        target = next(
            (
                real.removesuffix(each) + (".tar" if each in (".tgz", ".tbz2", ".txz") else "")
                for each in _SUFFIXES[kind]
                if real.endswith(each)
            ),
            "",
        )
        if not target and not to_stdout:
            yield from c.fail(f"{path}: unknown suffix -- ignored", 2 if kind == "gz" else 1)
            return
    else:
        if path.endswith(_SUFFIXES[kind][0]) and not to_stdout and not c.has("f"):
            yield from c.fail(
                f"{path} already has {_SUFFIXES[kind][0]} suffix -- unchanged"
                if kind == "gz"
                else f"Input file {path} already has {_SUFFIXES[kind][0]} suffix.",
                2,
            )
            return
        out = compress(data, kind, p.now(), "" if path == "-" or c.has("n") else path.rpartition("/")[2])
        target = path + (c.value("S") or _SUFFIXES[kind][0])
    if to_stdout:
        yield from c.put(out)
        return
    stat = p.fs.stat(real)
    if lstat(p, target) is not None and not c.has("f"):
        if kind == "gz" and p.is_tty(0):
            if not (
                yield from confirm(
                    p, f"{c.name}: {target} already exists; do you wish to overwrite (y or n)? "
                )
            ):
                yield from p.err("\tnot overwritten\n")
                c.status = 2
                return
        elif kind == "gz":
            yield from c.fail(f"{target} already exists;\tnot overwritten", 2)
            return
        else:
            yield from c.fail(
                f"Output file {target} already exists." if kind == "bz2" else f"{target}: File exists"
            )
            return
    p.fs.write(target, out, mode=stat.mode & 0o777)
    p.fs.utime(target, stat.atime, stat.mtime)
    if not c.has("k"):
        p.fs.unlink(real)
    if c.has("v"):
        yield from p.err(
            f"{path}:\t{100 - 100 * len(out) / max(1, len(data)):5.1f}% -- replaced with {target}\n"
        )


def _complain(c: Cmd, kind: str, shown: str, words: str) -> Generator[Any, Any, None]:
    yield from c.flush()
    c.status = max(c.status, 1)
    if c.bb:
        yield from c.p.err(f"{c.name}: invalid magic\n")
    elif kind == "gz":
        yield from c.p.err(f"\n{c.name}: {shown}: {words}\n")
    elif kind == "bz2":
        c.status = 2
        yield from c.p.err(f"{c.name}: {'(stdin)' if shown == 'stdin' else shown} is not a bzip2 file.\n")
    else:
        yield from c.p.err(
            f"{c.name}: {'(stdin)' if shown == 'stdin' else shown}: File format not recognized\n"
        )


@command("unzip", short="+flnopqtTuvxzZjaCKLMVWX:P:d:", bb="lnoqpd:xj", bad=10, hint="")
def unzip(c: Cmd) -> Run:
    """Unpack zip archives."""
    p = c.p
    if not c.args:
        if c.bb:
            return (yield from c.usage())
        yield from p.out(
            "UnZip 6.00 of 20 April 2009, by Debian. Original by Info-ZIP.\n\nUsage: unzip [-Z] [-opts[modifiers]] file[.zip] [list] [-x xlist] [-d exdir]\n"
        )
        return 10
    path = c.args[0]
    wanted = list(c.args[1:])
    folder = c.value("d") or ""
    if "-d" in wanted and wanted.index("-d") + 1 < len(wanted):
        at = wanted.index("-d")
        folder = wanted[at + 1]
        del wanted[at : at + 2]
    for candidate in (path, path + ".zip"):
        try:
            data = yield from c.load(candidate)
            break
        except SysError:
            continue
    else:
        yield from p.err(
            f"unzip:  cannot find or open {path}, {path}.zip or {path}.ZIP.\n"
            if not c.bb
            else f"unzip: can't open {path}.zip\n"
        )
        return 9 if not c.bb else 1
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError, EOFError):
        if not c.bb:
            yield from p.out(f"Archive:  {candidate}\n")
        yield from p.err("  End-of-central-directory signature not found.  Either this file is not\n  a zipfile, or it constitutes one disk of a multi-part archive.\n"
                         f"unzip:  cannot find zipfile directory in one of {path} or\n        {path}.zip, and cannot find {path}.ZIP, period.\n" if not c.bb
                         else "unzip: invalid zip magic\n")  # fmt: skip
        return 9 if not c.bb else 1
    quiet = c.has("q", "p")
    if not quiet:
        yield from c.say(f"Archive:  {candidate}\n")
    if c.has("l", "v"):
        yield from c.say("  Length      Date    Time    Name\n---------  ---------- -----   ----\n")
    total = 0
    for info in members[:20_000]:
        yield from p.tick(3)
        name = info.filename
        if wanted and not any(compile_pattern(each).matches(name) for each in wanted):
            continue
        year, month, day, hour, minute, _ = info.date_time
        if c.has("l", "v"):
            total += info.file_size
            yield from c.say(
                f"{info.file_size:9d}  {year:04d}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}   {name}\n"
            )
            continue
        yield from _unpack(c, archive, info, name, folder, quiet)
    if c.has("l", "v"):
        yield from c.say(
            f"---------                     -------\n{total:9d}                     {len(members)} file{'s' if len(members) != 1 else ''}\n"
        )
    return c.status


def _unpack(
    c: Cmd, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, folder: str, quiet: bool
) -> Generator[Any, Any, None]:
    p = c.p
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    if not parts:
        return
    target = join(folder, "/".join(parts)) if folder else "/".join(parts)
    walked = "/" if target.startswith("/") else ""
    pieces = [each for each in target.split("/") if each]
    for part in pieces if name.endswith("/") else pieces[:-1]:
        walked = join(walked, part) if walked else part
        if lstat(p, walked) is None and not c.has("p"):
            p.fs.mkdir(walked, 0o777 & ~p.umask)
    if name.endswith("/"):
        if not quiet:
            yield from c.say(f"   creating: {target}/\n")
        return
    if info.flag_bits & 1:
        yield from c.p.err(f"   skipping: {name}  unable to get password\n")
        c.status = 82
        return
    try:
        with archive.open(info) as member:
            data = member.read(_LIMIT)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError, RuntimeError, zlib.error):
        yield from c.p.err(f"   skipping: {name}  unsupported compression method\n")
        c.status = 81
        return
    yield from p.tick(1 + len(data) // 1024)
    if c.has("p"):
        yield from c.put(data)
        return
    there = lstat(p, target) is not None and not c.has("o")
    question = f"replace {target}? [y]es, [n]o, [A]ll, [N]one, [r]ename: "
    if there and (c.has("n") or not (yield from confirm(p, question))):
        return
    mode = info.external_attr >> 16 & 0o777
    p.fs.write(target, data, mode=mode or 0o666 & ~p.umask)
    if not quiet:
        verb = "extracting" if info.compress_type == zipfile.ZIP_STORED else " inflating"
        yield from c.say(f" {verb}: {target}  \n" if verb == "extracting" else f"  inflating: {target}  \n")
