"""file: what kind of file it is."""

from __future__ import annotations

import json
import re
import struct

from urltrap.machine.api import S_IFMT, Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.fs.blockdev import device_content, uuid_text
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.shell.timeformat import strftime

_MACHINES = {
    3: "Intel 80386", 8: "MIPS, MIPS-I", 20: "PowerPC or cisco 4500", 40: "ARM, EABI5", 62: "x86-64",
    183: "ARM aarch64", 2: "SPARC", 4: "Motorola m68k, 68020", 42: "Renesas SH", 243: "UCB RISC-V", 22: "IBM S/390",
}  # fmt: skip
_MAGIC = (
    (b"BZh", "bzip2 compressed data, block size = 900k", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "XZ compressed data, checksum CRC64", "application/x-xz"),
    (
        b"PK\x03\x04",
        "Zip archive data, at least v2.0 to extract, compression method=deflate",
        "application/zip",
    ),
    (b"\x89PNG\r\n\x1a\n", "PNG image data", "image/png"),
    (b"\xff\xd8\xff", "JPEG image data", "image/jpeg"),
    (b"%PDF-", "PDF document, version 1.4", "application/pdf"),
    (b"7z\xbc\xaf\x27\x1c", "7-zip archive data, version 0.4", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "RAR archive data, v5", "application/x-rar"),
    (b"\x28\xb5\x2f\xfd", "Zstandard compressed data (v0.8+), Dictionary ID: None", "application/zstd"),
    (
        b"!<arch>\ndebian",
        "Debian binary package (format 2.0), with control.tar.xz, data compression xz",
        "application/vnd.debian.binary-package",
    ),
    (b"!<arch>\n", "current ar archive", "application/x-archive"),
    (b"MZ", "MS-DOS executable", "application/x-dosexec"),
    (b"TZif", "timezone data (fat), version 2", "application/octet-stream"),
    (b"-----BEGIN OPENSSH PRIVATE KEY", "OpenSSH private key", "text/plain"),
    (b"ssh-rsa ", "OpenSSH RSA public key", "text/plain"),
    (b"SQLite format 3\0", "SQLite 3.x database", "application/vnd.sqlite3"),
    (b"<?php", "PHP script, ASCII text", "text/x-php"),
    (b"<!DOCTYPE html", "HTML document, ASCII text", "text/html"),
    (b"<html", "HTML document, ASCII text", "text/html"),
    (b"<?xml", "XML 1.0 document, ASCII text", "text/xml"),
)


_LOOKED_AT = 65_536
"""How many bytes of a file are looked at."""


def _gzip(data: bytes) -> str:
    """RFC 1952: the name, the system and the level, and the size that stands at the end of a whole file."""
    systems = {
        0: "FAT filesystem (MS-DOS, OS/2, NT)",
        3: "Unix",
        10: "NTFS filesystem (NT)",
        7: "Apple QuickDraw",
    }
    text = "gzip compressed data"
    if len(data) < 10:
        return text
    if data[3] & 8 and (end := data.find(b"\0", 10)) > 0:
        text += f', was "{decode(data[10:end])}"'
    if moment := struct.unpack_from("<I", data, 4)[0]:
        text += f", last modified: {strftime('%a %b %e %H:%M:%S %Y', moment)}"
    text += {2: ", max compression", 4: ", max speed"}.get(data[8], "")
    if data[9] in systems:
        text += f", from {systems[data[9]]}"
    if len(data) < _LOOKED_AT:
        text += f", original size modulo 2^32 {struct.unpack_from('<I', data, len(data) - 4)[0]}"
    return text


def _is_json(data: bytes) -> bool:
    if data.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _elf(head: bytes) -> str:
    if len(head) < 20:
        return "ELF"
    bits, little = head[4], head[5] == 1
    order = "<" if little else ">"
    kind, machine = struct.unpack_from(order + "HH", head, 16)
    name = _MACHINES.get(machine, f"*unknown arch {machine:#x}*")
    dynamic = b"/lib" in head and b"ld-" in head
    text = f"ELF {'64' if bits == 2 else '32'}-bit {'LSB' if little else 'MSB'} "
    text += {
        1: "relocatable",
        2: "executable",
        3: "pie executable" if dynamic else "shared object",
        4: "core file",
    }.get(kind, "unknown type")
    text += f", {name}, version 1 ({'GNU/Linux' if len(head) > 7 and head[7] == 3 else 'SYSV'})"
    if kind in (2, 3):
        loader = re.search(rb"/lib[\w./-]*ld-[\w.-]+", head)
        text += (
            f", dynamically linked, interpreter {loader[0].decode()}, for GNU/Linux 3.2.0"
            if dynamic and loader
            else ", statically linked"
        )
        text += ", stripped"
    return text


def describe(data: bytes, size: int) -> tuple[str, str]:
    """(description, MIME type) of a regular file's beginning."""
    if not size:
        return "empty", "inode/x-empty"
    if size == 1:
        return "very short file (no magic)", "application/octet-stream"
    if data[:4] == b"\x7fELF":
        return _elf(data), "application/x-pie-executable" if data[
            16:18
        ] == b"\3\0" else "application/x-executable"
    if data[257:262] == b"ustar":
        return "POSIX tar archive (GNU)" if data[
            257:265
        ] == b"ustar  \0" else "POSIX tar archive", "application/x-tar"
    if data[:2] == b"#!":
        line = decode(data[2:200].split(b"\n")[0]).strip()
        shell = line.split()[0].rpartition("/")[2] if line else ""
        if shell == "env" and len(line.split()) > 1:
            shell = line.split()[1]
        known = {
            "sh": ("POSIX shell script", "text/x-shellscript"),
            "bash": ("Bourne-Again shell script", "text/x-shellscript"),
            "dash": ("a /bin/dash script", "text/plain"),
            "perl": ("Perl script", "text/x-perl"),
            "python3": ("Python script", "text/x-script.python"),
            "python": ("Python script", "text/x-script.python"),
        }
        name, mime = known.get(shell, (f"a {line} script", "text/plain"))
        if name == "Perl script":
            return "Perl script text executable", mime
        return f"{name}, {_text(data) or 'data'}{' executable' if _text(data) else ''}", mime
    if data.startswith(b"\x1f\x8b"):
        return _gzip(data), "application/gzip"
    if data[:4] == b"GIF8" and len(data) >= 10:
        width, height = struct.unpack_from("<HH", data, 6)
        return f"GIF image data, version {decode(data[3:6])}, {width} x {height}", "image/gif"
    if _is_json(data):
        return "JSON text data", "application/json"
    for magic, name, mime in _MAGIC:
        if data.startswith(magic):
            return name, mime
    text = _text(data)
    if text is not None:
        return text, "text/plain"
    return "data", "application/octet-stream"


def _text(data: bytes) -> str | None:
    if re.search(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]", data):
        return None
    try:
        data.decode()
        words = "ASCII text" if data.isascii() else "Unicode text, UTF-8 text"
    except UnicodeDecodeError:
        try:
            if len(data) < _LOOKED_AT:
                raise
            data[:-3].decode()  # the last character may be cut off
            words = "Unicode text, UTF-8 text"
        except UnicodeDecodeError:
            words = "ISO-8859 text" if not re.search(rb"[\x80-\x9f]", data) else "Non-ISO extended-ASCII text"
    longest = max((len(line) for line in data.split(b"\n")), default=0)
    if longest > 300:
        words += f", with very long lines ({longest})"
    if b"\r\n" in data:
        words += (
            ", with CRLF line terminators"
            if data.count(b"\r\n") == data.count(b"\n")
            else ", with CRLF, LF line terminators"
        )
    elif b"\n" not in data:
        words += ", with no line terminators"
    return words


@command(
    "file",
    short="bcCdEf:F:hiklLm:nNprsSzZ0e:P:",
    bb=False,
    package="file",
    version="5.44",
    hint="",
    long={
        "brief": "b",
        "mime": "i",
        "mime-type": "mt",
        "mime-encoding": "me",
        "dereference": "L",
        "no-dereference": "h",
        "separator:": "F",
        "no-pad": "N",
        "special-files": "s",
        "uncompress": "z",
    },
)
def file(c: Cmd) -> Run:
    """What kind of files they are."""
    if not c.args:
        yield from c.p.err(
            "Usage: file [-bcCdEhikLlNnprsSvzZ0] [--apple] [--extension] [--mime-encoding]\n"
            "            [--mime-type] [-e <testname>] "
            "[-F <separator>]  [-f <namefile>]\n            [-m <magicfiles>] [-P <parameter=value>] "
            "[--exclude-quiet]\n            <file> ...\n"
            "       file -C [-m <magicfiles>]\n       file [--help]\n"
        )
        return 1
    width = max(len(path) for path in c.args)
    separator = c.value("F") or ":"
    for path in c.args:
        if path == "-":
            data = yield from c.p.read(0, _LOOKED_AT)
            text, mime = describe(data, len(data))
        else:
            text, mime = _one(c, path)
        if c.has("mt", "i", "me"):
            charset = (
                "binary"
                if "text" not in text and not mime.startswith(("text", "inode/x-empty"))
                else "us-ascii"
                if "ASCII" in text
                else "utf-8"
            )
            text = mime if c.has("mt") else charset if c.has("me") else f"{mime}; charset={charset}"
        shown = "/dev/stdin" if path == "-" else path
        pad = "" if c.has("N", "b") else " " * (width - len(path))
        yield from c.say(f"{text}\n" if c.has("b") else f"{shown}{separator} {pad}{text}\n")
        yield from c.p.tick(4)
    return 0


def _medium(head: bytes) -> str:
    """What is on a disk or a partition, by its first two pages."""
    if head[1080:1082] == b"\x53\xef":
        features = "(needs journal recovery) (extents) (64bit) (large files) (huge files)"
        return f"Linux rev 1.0 ext4 filesystem data, UUID={uuid_text(head[1128:1144])}, {features}"
    if head[4086:4096] == b"SWAPSPACE2":
        pages = int.from_bytes(head[1028:1032], "little")
        return (f"Linux swap file, 4k page size, little endian, version 1, size {pages} pages, 0 bad pages, no label, "
                f"UUID={uuid_text(head[1036:1052])}")  # fmt: skip
    if head[510:512] == b"\x55\xaa":
        maker = head[3:11].decode("latin-1").rstrip() if head[:2] == b"\xeb\x3c" else ""
        return "DOS/MBR boot sector" + (f', code offset 0x3c+2, OEM-ID "{maker}"' if maker else "")
    return "data"


def _one(c: Cmd, path: str) -> tuple[str, str]:
    p = c.p
    try:
        found = p.fs.stat(path, follow=c.has("L"))
    except SysError as problem:
        return f"cannot open `{path}' ({problem.words})", "cannot open"
    kind = found.mode & S_IFMT
    if found.is_dir:
        return ("sticky, directory" if found.mode & 0o1000 else "directory"), "inode/directory"
    if found.is_link:
        target = p.fs.readlink(path)
        try:
            p.fs.stat(path)
        except SysError:
            return f"broken symbolic link to {target}", "inode/symlink"
        return f"symbolic link to {target}", "inode/symlink"
    if kind in (0o020000, 0o060000):
        name = "character" if kind == 0o020000 else "block"
        content = device_content(p.persona, found.rdev) if name == "block" and c.has("s") else None
        if content is not None:
            if not p.fs.access(path, 4):
                return f"cannot open `{path}' (Permission denied)", "cannot open"
            return _medium(content.read(0, 8192)), "application/octet-stream"
        return (
            f"{name} special ({found.rdev[0]}/{found.rdev[1]})",
            f"inode/{name[:4] if name == 'character' else 'block'}device",
        )
    if kind == 0o010000:
        return "fifo (named pipe)", "inode/fifo"
    if kind == 0o140000:
        return "socket", "inode/socket"
    try:
        data = p.fs.content(path).read(0, _LOOKED_AT)
    except SysError:
        return "regular file, no read permission", "inode/x-unreadable"
    bits = "".join(word for bit, word in ((0o4000, "setuid, "), (0o2000, "setgid, ")) if found.mode & bit)
    text, mime = describe(data, found.size)
    return bits.removesuffix(", ") + (" " if bits else "") + text if bits else text, mime
