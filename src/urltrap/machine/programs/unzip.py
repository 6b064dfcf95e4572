"""unzip: Info-ZIP's and BusyBox's."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.programs._paths import confirm, join, lstat
from urltrap.machine.shell.glob import compile_pattern

_LIMIT = 64_000_000
_USAGE = """\
UnZip 6.00 of 20 April 2009, by Debian. Original by Info-ZIP.

Usage: unzip [-Z] [-opts[modifiers]] file[.zip] [list] [-x xlist] [-d exdir]
"""
_NO_END = """\
  End-of-central-directory signature not found.  Either this file is not
  a zipfile, or it constitutes one disk of a multi-part archive.  In the
  latter case the central directory and zipfile comment will be found on
  the last disk(s) of this archive.
unzip:  cannot find zipfile directory in one of {0} or
        {0}.zip, and cannot find {0}.ZIP, period.
"""


@command("unzip", short="+flnopqtTuvxzZjaCKLMVWX:P:d:", bb="lnoqpd:xj", bad=10, hint="")
def unzip(c: Cmd) -> Run:
    """Unpack zip archives."""
    p = c.p
    if not c.args:
        if c.bb:
            return (yield from c.usage())
        yield from p.out(_USAGE)
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
            else f"unzip: can't open {path}[.zip]\n"
        )
        return 9 if not c.bb else 1
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError, EOFError):
        if not c.bb:
            yield from p.out(f"Archive:  {candidate}\n")
        yield from p.err("unzip: invalid zip magic\n" if c.bb else _NO_END.replace("{0}", path))
        return 9 if not c.bb else 1
    quiet = c.has("q", "p")
    if not quiet:
        yield from c.say(f"Archive:  {candidate}\n")
    if c.has("l", "v"):
        yield from c.say("  Length      Date    Time    Name\n---------  ---------- -----   ----\n")
    total = found = 0
    missed = dict.fromkeys(wanted)
    for info in members[:20_000]:
        yield from p.tick(3)
        name = info.filename
        hits = [each for each in wanted if compile_pattern(each).matches(name)]
        if wanted and not hits:
            continue
        for each in hits:
            missed.pop(each, None)
        year, month, day, hour, minute, _ = info.date_time
        found += 1
        if c.has("l", "v"):
            total += info.file_size
            date = f"{month:02d}-{day:02d}-{year:04d}" if c.bb else f"{year:04d}-{month:02d}-{day:02d}"
            yield from c.say(f"{info.file_size:9d}  {date} {hour:02d}:{minute:02d}   {name}\n")
            continue
        yield from _unpack(c, archive, info, name, folder, quiet)
    if c.has("l", "v"):
        count = f"{found} file{'s' if found != 1 else ''}"
        line = " --------" if c.bb else "---------"
        yield from c.say(f"{line}                     -------\n{total:9d}                     {count}\n")
    for each in missed:
        yield from c.flush()
        yield from p.err(f"caution: filename not matched:  {each}\n")
        c.status = 11
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
    made = False
    for part in pieces if name.endswith("/") else pieces[:-1]:
        walked = join(walked, part) if walked else part
        if lstat(p, walked) is None and not c.has("p"):
            p.fs.mkdir(walked, 0o777 & ~p.umask)
            made = True
    if name.endswith("/"):
        if made and not quiet:
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
        verb = " extracting" if info.compress_type == zipfile.ZIP_STORED else "  inflating"
        yield from c.say(f"  inflating: {target}\n" if c.bb else f"{verb}: {target:<22}  \n")
