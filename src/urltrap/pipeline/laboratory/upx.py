"""UPX's own unpacker (``upx -d``) where it is installed: run apart, within limits, in a folder that is removed after.

What comes out is never executable and never executed. UPX itself is trusted with nothing: see `limited`. The folders
stand where the operator's virus scanner was told not to look; what a killed process left there is removed at the start.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from urltrap.pipeline.laboratory import limited

PROGRAMS = ("upx", "upx-ucl")
"""Names that it is installed under; Debian's package is upx-ucl."""

UNCONFINED = (
    "this kernel gives an unpacker neither Landlock (Linux 5.13 and newer) nor seccomp, so that nothing would hold it "
    "back: payloads are analysed without unpacking them"
)

_MEMORY = 512_000_000
_SECONDS = 10
_SMALL = 1_000_000
_RATIO = 200
_SAID = 4096
_TOO_LARGE_STATUS, _TIME_STATUS = -25, -24  # SIGXFSZ, SIGXCPU


@dataclass(frozen=True, slots=True)
class Opened:
    """What came out, or why nothing did: refused, timed-out, out-of-memory, too-large, crashed, not-started or
    not-confined."""

    data: bytes = b""
    problem: str = ""


class Upx:
    """One installed `upx`. `seconds` of processor time (twice as long is waited), `memory` and `largest` in bytes.

    `scratch`: the folder in which it works, made where it is missing; `readable`: what it may read besides its work,
    itself and libraries.
    """

    def __init__(
        self,
        program: Path,
        scratch: Path,
        seconds: int = _SECONDS,
        memory: int = _MEMORY,
        largest: int = 32_000_000,
        readable: tuple[Path, ...] = (),
    ) -> None:
        self.program = program
        self._scratch = scratch
        self._seconds = seconds
        self._memory = memory
        self._largest = largest
        self._readable = readable

    @classmethod
    def installed(cls, scratch: Path) -> Upx | None:
        """The one in PATH; None where there is none."""
        found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
        return cls(Path(found).resolve(), scratch) if found else None

    def confined(self) -> bool:
        """Whether this kernel holds a program back at all; where it does not, nothing is unpacked."""
        command = self._command(_SMALL, ["/nonexistent"])
        done = subprocess.run(
            command, cwd="/", env={}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            check=False, timeout=30,
        )  # fmt: skip
        return done.returncode == limited.NOT_STARTED

    def sweep(self) -> int:
        """Remove what processes that were killed left behind; how many folders. Nothing while anybody unpacks."""
        if not self._scratch.is_dir():
            return 0
        with _lock(self._scratch, fcntl.LOCK_EX | fcntl.LOCK_NB) as alone:
            left = list(self._scratch.iterdir()) if alone else []
            for path in left:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        return len(left)

    def open(self, packed: bytes) -> Opened:
        """The program that `packed` holds, as UPX unpacks it. Never raises for any bytes; OSError on a full disk."""
        # Small programs may be as dense as they like; of larger ones, so much of so little is a bomb.
        limit = min(self._largest, max(_SMALL, len(packed) * _RATIO))
        self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (
            _lock(self._scratch, fcntl.LOCK_SH),
            tempfile.TemporaryDirectory(prefix="upx-", dir=self._scratch, ignore_cleanup_errors=True) as name,
        ):
            folder = Path(name)
            (folder / "packed").touch(0o600)
            (folder / "packed").write_bytes(packed)
            status, said = self._run(folder, limit)
            if status == "timed-out":
                return Opened(problem="timed-out")
            out = folder / "unpacked"
            if status == 0 and out.is_file() and not out.is_symlink():
                with out.open("rb") as file:
                    data = file.read(limit)
                if len(data) == limit:  # it was cut there
                    return Opened(problem="too-large")
                return Opened(data) if data else Opened(problem="refused")
        return Opened(problem=_why(status, said))

    def _run(self, folder: Path, limit: int) -> tuple[int | str, bytes]:
        """Exit status, or "timed-out", and the first bytes of what it said."""
        said = folder / "said"
        with said.open("wb") as words:
            process = subprocess.Popen(
                self._command(
                    limit, [str(self.program), "-d", "-qq", "--no-progress", "-o", "unpacked", "packed"]
                ),
                cwd=folder, env={}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=words, close_fds=True,
                start_new_session=True,
            )  # fmt: skip
        status: int | str
        try:
            status = process.wait(2.0 * self._seconds)
        except subprocess.TimeoutExpired:
            status = "timed-out"
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        with said.open("rb") as words:
            return status, words.read(_SAID)

    def _command(self, limit: int, command: list[str]) -> list[str]:
        return [
            sys.executable, "-I", "-S", limited.__file__, str(self._seconds), str(self._memory), str(limit),
            *(str(path) for path in self._readable), "--", *command,
        ]  # fmt: skip


@contextmanager
def _lock(folder: Path, how: int) -> Iterator[bool]:
    """The lock on a folder while it is used; whether it was to be had (without LOCK_NB it is waited for)."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(opened, how)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(opened)


def _why(status: int | str, said: bytes) -> str:
    if status == limited.NOT_STARTED:
        return "not-started"
    if status == limited.NOT_CONFINED:
        return "not-confined"
    if status == _TOO_LARGE_STATUS or b"File too large" in said:
        return "too-large"
    if status in (_TIME_STATUS, -9):  # the kernel's second word on processor time is SIGKILL
        return "timed-out"
    if b"out of memory" in said.lower() or b"outofmemory" in said.lower():
        return "out-of-memory"
    return "crashed" if isinstance(status, int) and status < 0 else "refused"
