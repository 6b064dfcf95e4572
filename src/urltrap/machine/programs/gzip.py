"""gzip, bzip2, xz and their kin."""

from __future__ import annotations

import errno
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Run, Stat
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.programs._compression import DecodeError, compress, decompress, kind_of
from urltrap.machine.programs._paths import confirm, join, lstat

_LONG = {
    "stdout": "c", "to-stdout": "c", "decompress": "d", "uncompress": "d", "force": "f", "keep": "k", "list": "l",
    "name": "N", "no-name": "n", "quiet": "q", "recursive": "r", "suffix:": "S", "test": "t", "verbose": "v",
    "fast": "1", "best": "9", "threads:": "T", "compress": "z",
}  # fmt: skip
_KINDS = {
    "gzip": "gz", "gunzip": "gz", "zcat": "gz", "bzip2": "bz2", "bunzip2": "bz2", "bzcat": "bz2", "xz": "xz",
    "unxz": "xz", "xzcat": "xz", "lzma": "lzma", "unlzma": "lzma", "lzcat": "lzma", "uncompress": "gz",
}  # fmt: skip
_SUFFIXES = {
    "gz": (".gz", ".tgz", ".z", ".Z", "-gz"),
    "bz2": (".bz2", ".bz", ".tbz2"),
    "xz": (".xz", ".lzma", ".txz"),
    "lzma": (".lzma", ".xz", ".tlz"),
}
_TARS = (".tgz", ".tbz2", ".txz", ".tlz")
_VERSIONS = {
    "gz": "gzip 1.12\n",
    "bz2": "bzip2, a block-sorting file compressor.  Version 1.0.8, 13-Jul-2019.\n",
    "xz": "xz (XZ Utils) 5.4.1\nliblzma 5.4.1\n",
    "lzma": "xz (XZ Utils) 5.4.1\nliblzma 5.4.1\n",
}
_RECOVER = """
You can use the `bzip2recover' program to attempt to recover
data from undamaged sections of corrupted files.

"""
_LIST_HEAD = "         compressed        uncompressed  ratio uncompressed_name\n"
_TERMINAL = {
    "gz": "compressed data not written to a terminal. Use -f to force compression.\nFor help, type: {0} -h\n",
    "bz2": "I won't write compressed data to a terminal.\n{0}: For help, type: `{0} --help'.\n",
    "xz": "Compressed data cannot be written to a terminal\n{0}: Try `{0} --help' for more information.\n",
    "lzma": "Compressed data cannot be written to a terminal\n{0}: Try `{0} --help' for more information.\n",
}
_LIMIT = 64_000_000
_MAX_DEPTH = 40


class _Job:
    """What one run is to do."""

    def __init__(self, c: Cmd, base: str) -> None:
        self.c = c
        self.kind = _KINDS.get(base, "gz")
        self.expand = c.has("d", "t", "l") or base.startswith(("un", "gun", "bun")) or base.endswith("cat")
        self.to_stdout = c.has("c") or base.endswith("cat")
        self.suffixes = (c.value("S") or _SUFFIXES[self.kind][0], *_SUFFIXES[self.kind])
        self.listed = False


@command(
    *_KINDS,
    short="acdfhklLnNqrtvVzS:T:e0123456789",
    package="gzip",
    version="1.12",
    long=_LONG,
    bb="cdfkqtvz0123456789",
    hint="Try `{0} --help' for more information.\n",
)
def gzip(c: Cmd) -> Run:
    """Compress or expand files."""
    base = c.name.rpartition("/")[2]
    job = _Job(c, base)
    if not c.bb and base in ("gunzip", "zcat", "uncompress"):
        c.name = "gzip"  # Debian's are scripts that run it
    if c.has("V"):
        yield from c.p.out(_VERSIONS[job.kind])
        return 0
    if not c.args and not job.expand and c.p.is_tty(1) and not c.has("f"):
        yield from c.p.err(f"{c.name}: {_TERMINAL[job.kind].replace('{0}', c.name)}")
        return 1
    for path in c.args or ["-"]:
        yield from _one(job, path, 0)
    return c.status


def _one(job: _Job, path: str, depth: int) -> Generator[Any, Any, None]:
    c, p, kind = job.c, job.c.p, job.kind
    real = path
    if path != "-" and job.expand and lstat(p, path) is None and not path.endswith(job.suffixes):
        real = path + job.suffixes[0] if kind == "gz" else path
    try:
        if kind == "gz" and c.has("r") and path != "-" and p.fs.stat(real).is_dir and depth < _MAX_DEPTH:
            for name in p.fs.listdir(real):
                yield from _one(job, join(real, name), depth + 1)
            return
        data = yield from c.load(real, _LIMIT)
    except SysError as problem:
        yield from _unreadable(job, path, real, problem)
        return
    yield from p.tick(1 + len(data) // 1024)
    if not job.expand:
        yield from _compress(job, path, data)
        return
    if (
        kind == "gz"
        and not _suffix(job, real)
        and path != "-"
        and not job.to_stdout
        and not c.has("t", "l", "f")
    ):
        said = f"{path}: unknown suffix - ignored" if c.bb else f"{path}: unknown suffix -- ignored"
        yield from c.fail(said, 1 if c.bb else 2)
        return
    yield from _expand(job, path, real, data)


def _unreadable(job: _Job, path: str, real: str, problem: SysError) -> Generator[Any, Any, None]:
    c, kind = job.c, job.kind
    if problem.errno == errno.EISDIR:
        c.status = max(c.status, 2 if kind == "gz" else 1)
        if kind == "gz" and not c.has("q"):
            yield from c.p.err(f"{c.name}: {path} is a directory -- ignored\n")
        elif kind == "bz2":
            yield from c.p.err(f"{c.name}: Input file {path} is a directory.\n")
        elif kind != "gz":
            yield from c.p.err(f"{c.name}: {path}: {problem.words}, skipping\n")
    elif kind == "bz2" and not c.bb:
        yield from c.fail(f"Can't open input file {path}: {problem.words}.")
    else:
        yield from c.fail(f"{path if c.bb else real}: {problem.words}")


def _suffix(job: _Job, name: str) -> str:
    return next((each for each in job.suffixes if name.endswith(each)), "")


def _expand(job: _Job, path: str, real: str, data: bytes) -> Generator[Any, Any, None]:
    c, kind = job.c, job.kind
    try:
        found = kind_of(data)
        if found != kind and {found, kind} != {"xz", "lzma"}:
            short = len(data) < 2 and data[:1] != b"\x1f" and path != "-"
            raise DecodeError("unexpected end of file" if short and kind == "gz" else "not in gzip format")
        out, _ = decompress(data, _LIMIT)
    except DecodeError as problem:
        if job.to_stdout and c.has("f") and not kind_of(data):
            yield from c.put(data)
            return
        if job.to_stdout:
            yield from c.put(problem.partial)
        yield from _complain(job, "stdin" if path == "-" else path, str(problem))
        return
    if c.has("t"):
        if c.has("v"):
            yield from c.p.err(f"{path}:\t OK\n")
    elif c.has("l"):
        yield from _list(job, real, data, out)
    elif job.to_stdout or path == "-":
        yield from c.put(out)
    else:
        suffix = _suffix(job, real)
        target = real.removesuffix(suffix) + (".tar" if suffix in _TARS else "") if suffix else f"{real}.out"
        if not suffix and kind != "bz2":
            yield from c.fail(f"{path}: Filename has an unknown suffix, skipping")
            return
        if not suffix:
            yield from c.warn(f"Can't guess original name for {path} -- using {target}")
        yield from _replace(job, real, target, out)


def _list(job: _Job, real: str, data: bytes, out: bytes) -> Generator[Any, Any, None]:
    """A line of ``gzip -l``; the header, the name in it and the trailer do not count."""
    name = data.find(b"\0", 10) - 9 if data[3] & 8 else 0
    ratio = 100 - 100 * (len(data) - 18 - name) / max(1, len(out))
    if not job.listed:
        yield from job.c.say(_LIST_HEAD)
    job.listed = True
    yield from job.c.say(f"{len(data):19d} {len(out):19d} {ratio:5.1f}% {real.removesuffix('.gz')}\n")


def _compress(job: _Job, path: str, data: bytes) -> Generator[Any, Any, None]:
    c, kind = job.c, job.kind
    suffix = job.suffixes[0]
    if path.endswith(suffix) and not job.to_stdout and not c.has("f"):
        if kind == "gz":
            yield from c.fail(f"{path} already has {suffix} suffix -- unchanged", 2)
        elif kind == "bz2":
            yield from c.fail(f"Input file {path} already has {suffix} suffix.")
        else:
            yield from c.fail(f"{path}: File already has `{suffix}' suffix, skipping")
        return
    out = compress(data, kind, c.p.now(), "" if path == "-" or c.has("n") else path.rpartition("/")[2])
    if job.to_stdout or path == "-":
        yield from c.put(out)
    else:
        yield from _replace(job, path, path + suffix, out)


def _replace(job: _Job, real: str, target: str, out: bytes) -> Generator[Any, Any, None]:
    """Write a file in the place of another one, unless it is there already."""
    c, p = job.c, job.c.p
    stat = p.fs.stat(real)
    if lstat(p, target) is not None and not c.has("f") and not (yield from _overwrites(job, target)):
        return
    p.fs.write(target, out, mode=stat.mode & 0o777)
    p.fs.utime(target, stat.atime, stat.mtime)
    if not c.has("k"):
        p.fs.unlink(real)
    if c.has("v"):
        yield from _told(job, real, target, stat, len(out))


def _told(job: _Job, real: str, target: str, stat: Stat, size: int) -> Generator[Any, Any, None]:
    small, large = sorted((stat.size, size))
    done = "created" if job.c.has("k") else "replaced with"
    yield from job.c.p.err(f"{real}:\t{100 - 100 * small / max(1, large):5.1f}% -- {done} {target}\n")


def _overwrites(job: _Job, target: str) -> Generator[Any, Any, bool]:
    """Whether a file that is there may go."""
    c, kind = job.c, job.kind
    if kind == "gz" and c.p.is_tty(0):
        question = f"{c.name}: {target} already exists; do you wish to overwrite (y or n)? "
        if (yield from confirm(c.p, question)):
            return True
        yield from c.p.err("\tnot overwritten\n")
        c.status = 2
    elif kind == "gz":
        yield from c.fail(f"{target} already exists;\tnot overwritten", 2)
    else:
        yield from c.fail(
            f"Output file {target} already exists." if kind == "bz2" else f"{target}: File exists"
        )
    return False


def _complain(job: _Job, shown: str, words: str) -> Generator[Any, Any, None]:
    c, kind = job.c, job.kind
    yield from c.flush()
    c.status = max(c.status, 1)
    name = "(stdin)" if shown == "stdin" else shown
    if c.bb:
        yield from c.p.err(f"{c.name}: invalid magic\n")
    elif kind == "gz":
        yield from c.p.err(f"\n{c.name}: {shown}: {words}\n")
    elif kind == "bz2" and c.has("t"):
        c.status = 2
        yield from c.p.err(f"{c.name}: {name}: bad magic number (file not created by bzip2)\n{_RECOVER}")
    elif kind == "bz2":
        c.status = 2
        if shown != "stdin" and not job.to_stdout and not _suffix(job, shown):
            yield from c.p.err(f"{c.name}: Can't guess original name for {shown} -- using {shown}.out\n")
        yield from c.p.err(f"{c.name}: {name} is not a bzip2 file.\n")
    else:
        yield from c.p.err(f"{c.name}: {name}: File format not recognized\n")
