# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""file: what kind of file it is."""

from __future__ import annotations

import re
import struct

from urltrap.machine.api import S_IFMT, Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command

_MACHINES = {3: "Intel 80386", 8: "MIPS, MIPS-I", 20: "PowerPC or cisco 4500", 40: "ARM, EABI5", 62: "x86-64", 183: "ARM aarch64", 2: "SPARC", 4: "Motorola m68k, 68020",
             42: "Renesas SH", 243: "UCB RISC-V", 22: "IBM S/390"}  # fmt: skip
_MAGIC = (
    (b"\x1f\x8b", "gzip compressed data", "application/gzip"), (b"BZh", "bzip2 compressed data, block size = 900k", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "XZ compressed data, checksum CRC64", "application/x-xz"), (b"PK\x03\x04", "Zip archive data, at least v2.0 to extract, compression method=deflate", "application/zip"),
    (b"\x89PNG\r\n\x1a\n", "PNG image data", "image/png"), (b"GIF89a", "GIF image data, version 89a", "image/gif"), (b"\xff\xd8\xff", "JPEG image data", "image/jpeg"),
    (b"%PDF-", "PDF document, version 1.4", "application/pdf"), (b"7z\xbc\xaf\x27\x1c", "7-zip archive data, version 0.4", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "RAR archive data, v5", "application/x-rar"), (b"\x28\xb5\x2f\xfd", "Zstandard compressed data (v0.8+), Dictionary ID: None", "application/zstd"),
    (b"!<arch>\ndebian", "Debian binary package (format 2.0), with control.tar.xz, data compression xz", "application/vnd.debian.binary-package"),
    (b"!<arch>\n", "current ar archive", "application/x-archive"), (b"MZ", "MS-DOS executable", "application/x-dosexec"), (b"TZif", "timezone data (fat), version 2", "application/octet-stream"),
    (b"-----BEGIN OPENSSH PRIVATE KEY", "OpenSSH private key", "text/plain"), (b"ssh-rsa ", "OpenSSH RSA public key", "text/plain"),
    (b"SQLite format 3\0", "SQLite 3.x database", "application/vnd.sqlite3"), (b"<?php", "PHP script, ASCII text", "text/x-php"), (b"<!DOCTYPE html", "HTML document, ASCII text", "text/html"),
    (b"<html", "HTML document, ASCII text", "text/html"), (b"<?xml", "XML 1.0 document, ASCII text", "text/xml"),
)  # fmt: skip


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
        known = {"sh": ("POSIX shell script", "text/x-shellscript"), "bash": ("Bourne-Again shell script", "text/x-shellscript"), "dash": ("a /bin/dash script", "text/plain"),
                 "perl": ("Perl script", "text/x-perl"), "python3": ("Python script", "text/x-script.python"), "python": ("Python script", "text/x-script.python")}  # fmt: skip
        name, mime = known.get(shell, (f"a {line} script", "text/plain"))
        return f"{name}, {_text(data) or 'data'}{' executable' if _text(data) else ''}".replace(
            " text executable", " text executable"
        ), mime
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
        words = (
            "ASCII text"
            if data.isascii()
            else "Unicode text, UTF-8 text"
            if data.decode() is not None
            else ""
        )
    except UnicodeDecodeError:
        try:
            words = "Unicode text, UTF-8 text" if data[:-3].decode(errors="strict") is not None else ""
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


@command("file", short="bcCdEf:F:hiklLm:nNprsSzZ0e:P:", bb=False, package="file", version="5.44", hint="", long={"brief": "b", "mime": "i", "mime-type": "mt", "mime-encoding": "me",
         "dereference": "L", "no-dereference": "h", "separator:": "F", "no-pad": "N", "special-files": "s", "uncompress": "z"})  # fmt: skip
def file(c: Cmd) -> Run:
    """What kind of files they are."""
    if not c.args:
        yield from c.p.err("Usage: file [-bcCdEhikLlNnprsSvzZ0] [--apple] [--extension] [--mime-encoding]\n            [--mime-type] [-e <testname>] "
                           "[-F <separator>]  [-f <namefile>]\n            [-m <magicfiles>] [-P <parameter=value>] [--exclude-quiet]\n            <file> ...\n"
                           "       file -C [-m <magicfiles>]\n       file [--help]\n")  # fmt: skip
        return 1
    width = max(len(path) for path in c.args)
    separator = c.value("F") or ":"
    for path in c.args:
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
        pad = "" if c.has("N", "b") else " " * (width - len(path))
        yield from c.say(f"{text}\n" if c.has("b") else f"{path}{separator} {pad}{text}\n")
        yield from c.p.tick(4)
    return 0


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
        return (
            f"{name} special ({found.rdev[0]}/{found.rdev[1]})",
            f"inode/{name[:4] if name == 'character' else 'block'}device",
        )
    if kind == 0o010000:
        return "fifo (named pipe)", "inode/fifo"
    if kind == 0o140000:
        return "socket", "inode/socket"
    try:
        data = p.fs.content(path).read(0, 65_536)
    except SysError:
        return "regular file, no read permission", "inode/x-unreadable"
    bits = "".join(word for bit, word in ((0o4000, "setuid, "), (0o2000, "setgid, ")) if found.mode & bit)
    text, mime = describe(data, found.size)
    return bits.removesuffix(", ") + (" " if bits else "") + text if bits else text, mime
