"""What clients that would connect elsewhere share. Nothing is ever connected.

What is named is told to the journal as a forward that was asked for.
"""

from __future__ import annotations

import re

from urltrap.machine.api import Process, encode
from urltrap.machine.programs._system import text_of
from urltrap.machine.reach import PATIENCE
from urltrap.model.event import ForwardAsked

__all__ = ["ADDRESS", "PATIENCE", "port_of", "service_name", "told"]

ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:]+")


def told(p: Process, host: str, port: int, data: bytes = b"") -> None:
    """Journal where a client wanted to connect to."""
    p.fact(
        ForwardAsked,
        direction="direct",
        host=encode(host),
        port=port,
        origin_host=encode(p.argv[0].rpartition("/")[2]),
        first_bytes=data[:4096],
    )


def port_of(text: str) -> int | None:
    """A port by number or name; None where it is none."""
    names = {"http": 80, "https": 443, "ssh": 22, "telnet": 23, "ftp": 21, "smtp": 25, "domain": 53}
    if text in names:
        return names[text]
    return int(text) if text.isdecimal() and text.isascii() and 0 < int(text[:6]) < 65_536 else None


def service_name(p: Process, port: int, protocol: str = "tcp") -> str:
    """A port's name in /etc/services; "?" where it has none."""
    for line in text_of(p, "/etc/services").splitlines():
        words = line.partition("#")[0].split()
        if len(words) > 1 and words[1] == f"{port}/{protocol}":
            return words[0]
    return "?"
