"""Our short name of what a payload is: our own look at the bytes first, libmagic's opinion where that says nothing."""

from __future__ import annotations

import re

from urltrap.analysis.elf import read_elf
from urltrap.model.artifact import Analysis

HEAD_BYTES = 65_536
"""How much of a payload `analyse` wants to see."""

_ARCHIVES: tuple[tuple[int, bytes], ...] = (
    (0, b"PK\x03\x04"), (0, b"PK\x05\x06"), (0, b"\x1f\x8b"), (0, b"BZh"), (0, b"\xfd7zXZ\x00"),
    (0, b"7z\xbc\xaf\x27\x1c"), (0, b"\x28\xb5\x2f\xfd"), (0, b"Rar!\x1a\x07"), (0, b"!<arch>\n"), (257, b"ustar"),
    (0, b"070701"), (0, b"\x5d\x00\x00\x80\x00"), (0, b"\x04\x22\x4d\x18"),
)  # fmt: skip
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"\x00\x00\x01\x00")
_SHEBANG = re.compile(rb"#![ \t]*(\S{1,200})(?:[ \t]+(\S{1,200}))?")
_HTML = re.compile(
    rb"(?is)\A\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!--.{0,500}?-->\s*)?<(?:!doctype html|html|head|body|title)\b"
)
_SHELL_HINTS = re.compile(
    rb"(?m)(?:^|[;&|]\s{0,8}|\b(?:then|do|else)\s{1,8})"
    rb"(wget|curl|tftp|ftpget|chmod|chattr|busybox|rm -[rf]+|cd /|export [A-Z]+=|echo |mkdir |mv |cp |cat |ulimit|"
    rb"pkill|killall|kill -9|iptables|crontab|nohup|if \[|for [a-z_]\w{0,20} in|\./[\w.-]+|\w{1,20}=\$\()"
)
_LANGUAGES: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("php", re.compile(rb"\A\s*<\?php")),
    (
        "powershell",
        re.compile(rb"(?im)^\s*(?:\$\w+\s*=|iex\b|invoke-\w+|new-object\b|set-mppreference|param\s*\()"),
    ),
    ("batch", re.compile(rb"(?im)\A\s*@?echo off\b")),
    ("python", re.compile(rb"(?m)^(?:import \w+|from \w[\w.]* import |def \w+\(.*\):)")),
    ("perl", re.compile(rb"(?m)^(?:use strict|use IO::Socket|my [\$@%]\w+)")),
    ("javascript", re.compile(rb"(?m)^(?:const|var|let) \w+ ?= ?require\(|^function \w+\(")),
)
_INTERPRETERS = re.compile(
    rb"(?:python|perl|php|ruby|node|lua|bash|dash|ash|zsh|ksh|sh|awk|tclsh|busybox)[\d.]*"
)


def analyse(head: bytes, size: int, sha256: str, magic: tuple[str, str] = ("", "")) -> Analysis:
    """What a payload is.

    `head`: its first `HEAD_BYTES` bytes (fewer only where it is shorter); `size` of the whole in bytes; `magic`:
    libmagic's MIME type and description, empty where libmagic is not there. Never raises for any bytes.
    """
    mime, description = magic
    base = Analysis(sha256=sha256, mime=mime, description=description, kind="data")
    if size == 0:
        return base.model_copy(update={"kind": "empty"})
    elf = read_elf(head)
    if elf is not None:
        return base.model_copy(
            update={"kind": "elf", "architecture": elf.machine, "bits": elf.bits, "endian": elf.endian}
        )
    if _is_pe(head):
        return base.model_copy(update={"kind": "pe"})
    interpreter = _interpreter(head)
    if interpreter:
        return base.model_copy(update={"kind": "script", "interpreter": interpreter})
    return base.model_copy(update={"kind": _other_kind(head, mime)})


def _other_kind(head: bytes, mime: str) -> str:
    if any(head[offset : offset + len(sign)] == sign for offset, sign in _ARCHIVES):
        return "archive"
    if head.startswith(_IMAGES) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
        return "image"
    if _HTML.search(head[:2048]):
        return "html"
    if mime.startswith("image/"):
        return "image"
    if mime == "text/html":
        return "html"
    if mime in ("application/zip", "application/gzip", "application/x-tar", "application/java-archive"):
        return "archive"
    return "text" if _is_text(head) else "data"


def _is_pe(head: bytes) -> bool:
    if not head.startswith(b"MZ") or len(head) < 64:
        return False
    offset = int.from_bytes(head[60:64], "little")
    # A header that was cut off or points outside is still what a Windows loader would look at.
    return head[offset : offset + 4] == b"PE\0\0" or offset + 4 > len(head)


def _interpreter(head: bytes) -> str:
    shebang = _SHEBANG.match(head)
    if shebang:
        name = shebang[1].rpartition(b"/")[2]
        if name == b"env" and shebang[2]:
            name = shebang[2].rpartition(b"/")[2]
        return name.decode("ascii", "replace")[:40] if _INTERPRETERS.fullmatch(name) else "unknown"
    if not _is_text(head) or _HTML.search(head[:2048]):
        return ""
    for name_, pattern in _LANGUAGES[:1]:
        if pattern.search(head):
            return name_
    # Droppers often have no first line; two different shell commands make a script of a text.
    if len({hint[:6] for hint in _SHELL_HINTS.findall(head[:16_384])}) >= 2:
        return "sh"
    for name_, pattern in _LANGUAGES[1:]:
        if len(pattern.findall(head[:16_384])) >= (1 if name_ == "batch" else 2):
            return name_
    return ""


def _is_text(head: bytes) -> bool:
    sample = head[:8192]
    if b"\0" in sample:
        return False
    control = sum(byte < 32 and byte not in b"\t\n\r\f\x1b\b" for byte in sample)
    if control * 50 > len(sample):
        return False
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character cut by the end of the sample is none that is wrong.
        if error.start < len(sample) - 3:
            return sum(byte >= 128 for byte in sample) * 10 < len(sample)
    return True
