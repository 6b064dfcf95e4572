"""The laboratory as the pipeline sees it: bytes in, an analysis or a reason out, whatever the payload does."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import structlog

from urltrap.model.artifact import Analysis
from urltrap.pipeline.laboratory.bench import Looked, load_rules, rules_version
from urltrap.pipeline.laboratory.child import OUT_OF_MEMORY

LARGEST = 32_000_000
"""Bytes of a payload that are looked at; of a larger one the beginning."""

_MEMORY = 700_000_000
_SECONDS = 20
_START_SECONDS = 60.0
_PAYLOADS = 500
_LARGEST_ANSWER = 64_000_000
_CHUNK = 1 << 16

log = structlog.get_logger("urltrap.pipeline")


class Examiner(Protocol):
    """Says what a payload is."""

    @property
    def version(self) -> str:
        """Version of the analysis with the rules as they are now."""
        ...

    def examine(self, data: bytes, size: int, sha256: str) -> Looked:
        """The analysis of a payload, or why there is none. Never raises for any bytes."""
        ...

    def close(self) -> None:
        """Let go of what is held."""
        ...


class LaboratoryError(RuntimeError):
    """The laboratory's process cannot be started; the message says why. No payload is to blame."""


class _Gone(Exception):
    """The process ended, or did not answer in time."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Laboratory:
    """One process at a time, started when needed, replaced after a failure and after many payloads.

    `folder`: the operator's rules (may be absent). `memory` in bytes, `seconds` of processor time per payload;
    twice as long is waited. Belongs to one thread.
    """

    def __init__(self, folder: Path | None, memory: int = _MEMORY, seconds: int = _SECONDS) -> None:
        self._folder = folder
        self._memory = memory
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._served = 0
        self._stamp: object = None
        self._version: tuple[object, str] | None = None

    @property
    def version(self) -> str:
        """Version of the analysis with the rules as they are now: other rules in the folder, other version."""
        stamp = _stamp(self._folder)
        if self._version is None or self._version[0] != stamp:
            self._version = (stamp, rules_version(load_rules(self._folder)[0]))
        return self._version[1]

    def examine(self, data: bytes, size: int, sha256: str) -> Looked:
        """The analysis of a payload's first bytes; a crash or a time-out is the outcome of that payload alone.

        Raises LaboratoryError where no process can be started.
        """
        process = self._ready()
        asked = json.dumps({"size": size, "sha256": sha256, "length": len(data)}).encode()
        try:
            answer = _converse(process, len(asked).to_bytes(8, "big") + asked + data, 2.0 * self._seconds)
        except _Gone as gone:
            problem = gone.problem
            if process.poll() == OUT_OF_MEMORY:
                problem = "out-of-memory"
            elif process.poll() is not None and process.returncode == -24:  # SIGXCPU
                problem = "timed-out"
            self.close()
            log.warning("analysis.failed", sha256=sha256, problem=problem)
            return Looked(None, problem)
        self._served += 1
        return Looked(Analysis.model_validate(answer))

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def _ready(self) -> subprocess.Popen[bytes]:
        stamp = _stamp(self._folder)
        if self._process is not None and (
            self._process.poll() is not None or self._served >= _PAYLOADS or stamp != self._stamp
        ):
            self.close()
        if self._process is None:
            self._stamp = stamp
            self._process = self._start()
        return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        self._served = 0
        process = subprocess.Popen(
            [sys.executable, "-m", "urltrap.pipeline.laboratory.child", str(self._folder or ""),
             str(self._memory), str(self._seconds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, close_fds=True,
            env=_environment(),
        )  # fmt: skip
        try:
            said = _converse(process, b"", _START_SECONDS)
        except _Gone as gone:
            process.kill()
            process.wait()
            raise LaboratoryError(
                f"the process that looks at payloads did not start ({gone.problem}, status {process.returncode}); "
                "`python -m urltrap.pipeline.laboratory.child '' 700000000 20 </dev/null` shows why"
            ) from gone
        for source, reason in said["rules_errors"]:
            log.warning(
                "rules.unusable", file=source, reason=ascii(reason)[:300], do="the other rules are in use"
            )
        return process


def _environment() -> dict[str, str]:
    """What Python needs to find its modules, and nothing else: no address, no password, no key."""
    kept = {
        name: os.environ[name] for name in ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG") if name in os.environ
    }
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1"}


def _stamp(folder: Path | None) -> object:
    """Changes whenever a rules file of the operator does."""
    if folder is None or not folder.is_dir():
        return None
    found = []
    for path in sorted([*folder.rglob("*.yar"), *folder.rglob("*.yara")]):
        try:
            state = path.stat()
        except OSError:
            continue  # went away between listing and looking: the next look sees that
        found.append((str(path), state.st_mtime_ns, state.st_size))
    return tuple(found)


def _converse(process: subprocess.Popen[bytes], question: bytes, seconds: float) -> dict[str, Any]:
    """Write the question while reading the answer, so that neither side can make the other wait for ever."""
    assert process.stdin is not None and process.stdout is not None
    deadline = time.monotonic() + seconds
    pending = memoryview(question)
    answer = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if pending:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        while len(answer) < 8 or len(answer) < 8 + int.from_bytes(answer[:8], "big"):
            left = deadline - time.monotonic()
            if left <= 0:
                process.kill()
                process.wait()
                raise _Gone("timed-out")
            for key, _ in selector.select(left):
                if key.fileobj is process.stdout:
                    chunk = os.read(process.stdout.fileno(), _CHUNK)
                    answer += chunk
                    if not chunk or (
                        len(answer) >= 8 and int.from_bytes(answer[:8], "big") > _LARGEST_ANSWER
                    ):
                        _wait(process)
                        raise _Gone("crashed")
                else:
                    pending = _write(process, pending)
                    if not pending:
                        selector.unregister(process.stdin)
    return dict(json.loads(answer[8:]))


def _write(process: subprocess.Popen[bytes], pending: memoryview) -> memoryview:
    assert process.stdin is not None
    try:
        return pending[os.write(process.stdin.fileno(), pending[: 1 << 20]) :]
    except BlockingIOError:
        return pending
    except BrokenPipeError as error:
        _wait(process)
        raise _Gone("crashed") from error


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Its exit status says why it went; one that lives on although its pipe is closed is ended."""
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
