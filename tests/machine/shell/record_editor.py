"""Record what the line editors of bash and BusyBox send to a terminal: ``python tests/machine/shell/record_editor.py``.

Run it as root on Debian 12. Each session types into a new shell on a terminal of 80 columns, in a folder with the files
alpha1, alpha2, beta, sub/ and 120 in many/; editor.json keeps for every piece of keys what came back (as Latin-1).
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

HERE = Path(__file__).resolve().parent
START = b"PS1='P$ '; history -c; clear\r"
SETUP = "cd /tmp/w; touch alpha1 alpha2 beta; mkdir -p sub many; touch many/f{100..219}"
# One session a line: what is typed at once, between bars, with Python's escapes.
BOTH = r"""
one two three|\x1bb|\x1bb|\x1bf|\x1bd|\x1b\x7f|\x19|\x05|\x17|\x19|\x15
abcdef|\x02|\x02|\x06|\x04|\x1b[3~|\x04|\x1b[H|\x1b[F|\x1b[1~|\x1b[4~|\x01|\x02|\x7f|\x1b[C|\x1b[D|\x0b|\x19|\x19|\x15
ab|\x14|cd|\x02|\x14|\x01|\x14|\x15|\x14|\x15|\x08|\x17|\x0b
xy z|\x02\x02|in|\x0c|\x15|\x19|\x0b|\x03
echo one\r|echo two\r|\x10|\x10|\x10|\x0e|\x0e|\x0e|typed|\x1b[A|\x1b[B|\x15|x \x1b.|\x15|\x1bOA|\x1bOB
echo one\r|true nothing\r|\x12|o|n|\x7f|e|zzz|\x07|\x12|ech|\x12|\x1b[C|\x15|\x12|one|\r
cat al|\t|\t|\t|1\t|\x15|cat be\t|\x02\x02x|\x15|\x0b|cat su\t|\t|\x15|cat zz\t|\x15|cat \t\t|\x15
cat ./al\t|\x15|cat sub/../be\t|\x15|x\x02cat sub/../be\t|\x15
cat alpha x\x1b[D\x1b[D|\t|\t|\x05|\x1b[D|\x0b|b\t|\x03|ls\x1b[D\x0c|\x04|\x04|\x15
cat many/f\t|\t|n|\x15|cat many/f\t\t|y|\x15
cat be x\x1b[D\x1b[D|\t|\x05|\x15|cat su x\x1b[D\x1b[D|\t|\x05|\x15
"""
OF_BASH = r"""
a\x1b[200~b c\x1b[201~d|\x01|\x1b[200~p\x1b[201~|\x15|\x1b[15~|\x1b[1;5C|\x1bz|\x1b[Z|q\x15
echo a b\r|\x1b[200~two lines\x1b[201~|\x15|x\x1b.\x1bb\x1bd|\x19\x19|\x1b[5D\x1b[5C|\x15
"""


def keys(sessions: str) -> list[list[bytes]]:
    """The pieces of each session."""
    return [
        [piece.encode("ascii").decode("unicode_escape").encode("latin-1") for piece in line.split("|")]
        for line in sessions.strip("\n").split("\n")
    ]


def opened(command: list[str]) -> tuple[int, subprocess.Popen[bytes]]:
    """A program on a new terminal: the master's descriptor and the program."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp/w",
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
        "HISTFILE": "/dev/null",
    }
    done = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, cwd="/tmp/w", env=environment, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(slave)
    return master, done


def answer(master: int) -> bytes:
    """What comes until the program is quiet."""
    found = b""
    while select.select([master], [], [], 0.25)[0]:
        try:
            piece = os.read(master, 65_536)
        except OSError:
            break
        if not piece:
            break
        found += piece
    return found


def record(command: list[str], start: bytes, typed: str) -> list[list[list[str]]]:
    """All sessions with one shell."""
    sessions = []
    for pieces in keys(typed):
        subprocess.run(["bash", "-c", f"rm -rf /tmp/w; mkdir /tmp/w; {SETUP}"], check=True)
        master, done = opened(command)
        answer(master)
        os.write(master, start)
        answer(master)
        rows = []
        for piece in pieces:
            os.write(master, piece)
            rows.append([piece.decode("latin-1"), answer(master).decode("latin-1")])
        sessions.append(rows)
        done.kill()
        done.wait()
        os.close(master)
    return sessions


def main() -> int:
    """Record both editors in a mount namespace of its own."""
    if os.environ.get("RECORDING") != "1":
        with tempfile.TemporaryDirectory() as folder:
            inside = ["bash", "-c", 'mount --bind "$0" /tmp && exec "$@"', folder, sys.executable, __file__]
            done = subprocess.run(
                ["unshare", "--mount", *inside],
                env={**os.environ, "RECORDING": "1"},
                stdout=subprocess.PIPE,
                check=False,
            )
        found = json.loads(done.stdout)
        (HERE / "editor.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "ascii")
        return done.returncode
    ash = START.replace(b"history -c; ", b"")
    bash = record(["bash", "--norc", "-i"], START, BOTH + OF_BASH.lstrip())
    json.dump({"bash": bash, "ash": record(["busybox", "ash", "-i"], ash, BOTH)}, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
