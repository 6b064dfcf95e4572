"""Record what OpenSSH's sftp-server answers: ``python tests/wire/sftp/record_server.py``.

Run it as root on Debian 12. REQUESTS go to one server, in a new /tmp with the file motd ("hello") and the folder sub;
server.json keeps every reply in hexadecimal.
"""

# ruff: noqa: E501 - requests read best several on a line
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from urltrap.wire.sftp.packing import string, u32, u64

HERE = Path(__file__).resolve().parent
SETUP = "mount -t tmpfs none /tmp; cd /tmp; umask 022; ulimit -n 1024; printf hello > motd; mkdir sub; touch -d @86400 motd"
_NONE = u32(0)
_FIRST, _SECOND = string(u32(0)), string(u32(1))


def _extended(name: bytes, body: bytes) -> tuple[int, bytes]:
    return 200, string(name) + body


REQUESTS: list[tuple[int, bytes]] = [
    (16, string(b"/tmp")), (16, string(b"")), (17, string(b"/tmp/motd")), (7, string(b"/tmp/motd")), (17, string(b"/tmp/none")),
    (3, string(b"/tmp/motd") + u32(1) + _NONE), (8, _FIRST), (5, _FIRST + u64(1) + u32(3)), (5, _FIRST + u64(5) + u32(3)),
    (3, string(b"/tmp/new") + u32(2 | 8 | 16) + u32(4) + u32(0o640)), (6, _SECOND + u64(0) + string(b"abcdef")),
    _extended(b"fsync@openssh.com", _SECOND), (10, _SECOND + u32(4) + u32(0o600)), (8, _SECOND),
    _extended(b"copy-data", _FIRST + u64(1) + u64(2) + _SECOND + u64(6)), (4, _SECOND), (4, _SECOND), (4, _FIRST),
    (3, string(b"/tmp/new") + u32(1) + _NONE), (5, _FIRST + u64(0) + u32(100)), (4, _FIRST),
    (9, string(b"/tmp/new") + u32(4) + u32(0o644)), (9, string(b"/tmp/new") + u32(0x80000000) + u32(1) + string(b"a") + string(b"b")),
    (9, string(b"/tmp/none") + u32(4) + u32(0o644)), _extended(b"lsetstat@openssh.com", string(b"/tmp/new") + u32(4) + u32(0o600)),
    (14, string(b"/tmp/made") + u32(4) + u32(0o700)), (15, string(b"/tmp/made")), (14, string(b"/tmp/made") + _NONE),
    (18, string(b"/tmp/new") + string(b"/tmp/moved")), (18, string(b"/tmp/none") + string(b"/tmp/x")),
    _extended(b"posix-rename@openssh.com", string(b"/tmp/moved") + string(b"/tmp/again")),
    _extended(b"hardlink@openssh.com", string(b"/tmp/again") + string(b"/tmp/hard")), (17, string(b"/tmp/hard")),
    (20, string(b"motd") + string(b"/tmp/link")), (19, string(b"/tmp/link")), (19, string(b"/tmp/motd")),
    (13, string(b"/tmp/again")), (13, string(b"/tmp/again")), _extended(b"limits@openssh.com", b""),
    _extended(b"expand-path@openssh.com", string(b"~")), _extended(b"expand-path@openssh.com", string(b"~/x")),
    _extended(b"expand-path@openssh.com", string(b"/tmp/motd")), _extended(b"home-directory", string(b"root")),
    _extended(b"users-groups-by-id@openssh.com", string(u32(0)) + string(u32(0) + u32(0))),
    _extended(b"nothing@example.net", b""), (8, string(b"none")), (10, string(b"none") + _NONE), (12, string(b"none")),
    (6, string(b"none") + u64(0) + string(b"x")), _extended(b"fsync@openssh.com", string(b"none")),
]  # fmt: skip


def main() -> int:
    """Record."""
    if os.environ.get("RECORDING") != "1":
        inside = ["bash", "-c", f'{SETUP}; exec "$@"', "record", sys.executable, __file__]
        done = subprocess.run(
            ["unshare", "--mount", *inside],
            env={**os.environ, "RECORDING": "1"},
            stdout=subprocess.PIPE,
            check=False,
        )
        (HERE / "server.json").write_text(json.dumps(json.loads(done.stdout), indent=1) + "\n", "ascii")
        return done.returncode
    server = subprocess.Popen(
        ["/usr/lib/openssh/sftp-server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/root"
    )
    assert server.stdin is not None and server.stdout is not None
    replies = []
    for number, (kind, body) in enumerate([(1, b""), *REQUESTS]):
        packet = bytes((kind,)) + (u32(3) if kind == 1 else u32(number) + body)
        server.stdin.write(u32(len(packet)) + packet)
        server.stdin.flush()
        length = int.from_bytes(server.stdout.read(4), "big")
        replies.append(server.stdout.read(length).hex())
    server.kill()
    json.dump(replies, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
