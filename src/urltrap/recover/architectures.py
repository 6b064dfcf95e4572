"""Names of processors, as droppers put them into URLs; those that a text names where the victim's own is unknown.

Two vocabularies are in use: that of Mirai's build script and that of the cross compilers it was built with.
"""

from __future__ import annotations

import re

from urltrap.recover.ask import END, GAP, MARK

MIRAI = (
    "mips", "mpsl", "arm", "arm5", "arm6", "arm7", "x86", "x86_64", "i586", "i686", "ppc", "sh4", "m68k", "spc", "arc",
)  # fmt: skip
COMPILERS = (
    "mips", "mipsel", "armv4l", "armv5l", "armv6l", "armv7l", "aarch64", "x86_64", "i486", "i586", "i686", "powerpc",
    "sh4", "m68k", "sparc", "arc",
)  # fmt: skip
OTHERS = (
    "mipsle", "mips64", "arm4", "arm8", "arm64", "armv5", "armv6", "armv7", "x64", "amd64", "i386", "386", "ppc440fp",
    "powerpc-440fp",
)  # fmt: skip
KERNELS = (
    "x86_64",
    "aarch64",
    "i686",
    "armv7l",
    "armv6l",
    "armv5tel",
    "mips",
    "mips64",
    "ppc",
    "ppc64le",
    "riscv64",
)
"""What ``uname -m`` says on machines that attackers reach, the most frequent first."""

_TOKEN = re.compile(
    rb"(?i)(?<![A-Za-z0-9_])("
    + b"|".join(
        re.escape(name.encode())
        for name in sorted(
            {*MIRAI, *COMPILERS, *OTHERS, *KERNELS, "armv8l", "armv7", "s390x"}, key=len, reverse=True
        )
    )
    + rb")(?![A-Za-z0-9_])"
)
_ASKED = re.compile(
    f"{MARK}(?:/bin/|/usr/bin/)?(?:uname{GAP}-(?:m|p|i|mp)|uname{GAP}--machine|arch)(?:{END}|\\Z)".encode()
)
_MOST = 24


def asks_for_processor(raw: bytes) -> bool:
    """Whether the unknown part of what was asked for is the processor's name, and nothing else is unknown."""
    return MARK.encode() in raw and MARK.encode() not in _ASKED.sub(b"", raw)


def named(text: bytes) -> list[bytes]:
    """The processors that a text names, each once, as they stand there."""
    return list(dict.fromkeys(match[1] for match in _TOKEN.finditer(text)))[:_MOST]


def filled(raw: bytes, processor: bytes) -> bytes:
    """What was asked for with the name of one processor put in."""
    return _ASKED.sub(processor, raw)
