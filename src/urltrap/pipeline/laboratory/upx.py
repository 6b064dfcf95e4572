"""UPX's own unpacker (``upx -d``) where it is installed: run apart, within limits, in a folder that is removed after.

What comes out is never executable and never executed. UPX itself is trusted with nothing: see `limited`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from urltrap.pipeline.laboratory import limited

PROGRAMS = ("upx", "upx-ucl")
"""Names that it is installed under; Debian's package is upx-ucl."""

_MEMORY = 512_000_000
_SECONDS = 10
_SMALL = 1_000_000
_RATIO = 200
_SAID = 4096
_TOO_LARGE_STATUS, _TIME_STATUS = -25, -24  # SIGXFSZ, SIGXCPU


@dataclass(frozen=True, slots=True)
class Opened:
    """What came out, or why nothing did: refused, timed-out, out-of-memory, too-large, crashed or not-started."""

    data: bytes = b""
    problem: str = ""


class Upx:
    """One installed `upx`. `seconds` of processor time (twice as long is waited), `memory` and `largest` in bytes."""

    def __init__(
        self, program: Path, seconds: int = _SECONDS, memory: int = _MEMORY, largest: int = 32_000_000
    ) -> None:
        self.program = program
        self._seconds = seconds
        self._memory = memory
        self._largest = largest

    @classmethod
    def installed(cls) -> Upx | None:
        """The one in PATH; None where there is none."""
        found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
        return cls(Path(found).resolve()) if found else None

    def open(self, packed: bytes) -> Opened:
        """The program that `packed` holds, as UPX unpacks it. Never raises for any bytes; OSError on a full disk."""
        # Small programs may be as dense as they like; of larger ones, so much of so little is a bomb.
        limit = min(self._largest, max(_SMALL, len(packed) * _RATIO))
        with tempfile.TemporaryDirectory(prefix="urltrap-upx-", ignore_cleanup_errors=True) as name:
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
                [sys.executable, "-I", "-S", limited.__file__, str(self._seconds), str(self._memory), str(limit),
                 "--", str(self.program), "-d", "-qq", "--no-progress", "-o", "unpacked", "packed"],
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


def _why(status: int | str, said: bytes) -> str:
    if status == limited.NOT_STARTED:
        return "not-started"
    if status == _TOO_LARGE_STATUS or b"File too large" in said:
        return "too-large"
    if status in (_TIME_STATUS, -9):  # the kernel's second word on processor time is SIGKILL
        return "timed-out"
    if b"out of memory" in said.lower() or b"outofmemory" in said.lower():
        return "out-of-memory"
    return "crashed" if isinstance(status, int) and status < 0 else "refused"
