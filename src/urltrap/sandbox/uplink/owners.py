"""Whose a socket in a box is: the process that has it open, as the kernel's tables say."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

MAX_WORDS, MAX_WORD = 64, 1024
"""Of an argument list that is kept."""
_MAX_ENVIRONMENT = 131_072


def inode(table: str, port: int, remote: tuple[str, int]) -> str:
    """The inode of the socket that sends from `port` to `remote`, out of /proc/PID/net/{tcp,udp}[6] (proc(5)); empty
    where there is none. A socket of UDP that is connected to nobody is one for all."""
    address, number = remote
    packed = struct.unpack("=I", socket.inet_aton(address))[0]
    four = f"{packed:08X}:{number:04X}"
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or not fields[1].endswith(f":{port:04X}"):
            continue
        host, _, _ = fields[2].partition(":")
        mapped = fields[2].endswith(four) and (len(host) == 8 or host.startswith("0" * 16 + "FFFF0000"))
        if mapped or not host.strip("0"):
            return fields[9]
    return ""


def find(first: int, processes: Iterable[int], udp: bool, port: int, remote: tuple[str, int]) -> int | None:
    """The process among `processes` whose socket it is; `first`: any one of the box. None where it is gone."""
    kind = "udp" if udp else "tcp"
    number = ""
    for name in (kind, kind + "6"):
        with contextlib.suppress(OSError):
            number = number or inode(Path(f"/proc/{first}/net/{name}").read_text(), port, remote)
    if number in ("", "0"):
        return None
    wanted = f"socket:[{number}]"
    for pid in sorted(processes):  # who has it from another is younger than he is
        with contextlib.suppress(OSError):
            folder = f"/proc/{pid}/fd"
            for file in os.listdir(folder):
                with contextlib.suppress(OSError):
                    if os.readlink(f"{folder}/{file}") == wanted:
                        return pid
    return None


def words(pid: int) -> list[bytes]:
    """Its arguments, bounded; empty where it is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return [word[:MAX_WORD] for word in file.read(MAX_WORDS * MAX_WORD).rstrip(b"\0").split(b"\0")][
            :MAX_WORDS
        ]
    return []


def environment(pid: int) -> bytes:
    """Its environment as it was started with, fields ending in a zero byte; empty where it is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
        return file.read(_MAX_ENVIRONMENT)
    return b""
