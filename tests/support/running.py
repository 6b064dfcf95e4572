"""A whole running system on loopback: `urltrap up` on a fresh data folder, and real clients to attack it with."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from typer.testing import CliRunner

from urltrap.ops.cli import load_commands
from urltrap.ops.cli.common import app

T = TypeVar("T")
ENV = {
    "URLTRAP_SENSORS__SSH__LISTEN": '["127.0.0.1:0"]',
    "URLTRAP_SENSORS__TELNET__LISTEN": '["127.0.0.1:0"]',
    "URLTRAP_SENSORS__WORKERS": "1",
    "URLTRAP_SITE__LISTEN": '"127.0.0.1:0"',
    "URLTRAP_METRICS__LISTEN": '"127.0.0.1:0"',
    "URLTRAP_CREDENTIALS__ACCEPT": '["root:letmein-7"]',
    "URLTRAP_TESTING__PUBLIC_NETWORKS": '["127.0.0.0/8"]',
    "URLTRAP_PUBLISH__DELAY_MINUTES": "[0, 0]",
    "URLTRAP_SUPERVISOR__USER": "nobody",
    "URLTRAP_INTEL__ONLINE": "false",
    "URLTRAP_INTEL__KEYS__VIRUSTOTAL": "secret-of-a-provider-4f3c0ffee",
    "URLTRAP_BACKUP__TARGET_OPTIONS": '{ secret = "secret-of-a-target-5e7c0ffee" }',
    "URLTRAP_ALERTS__TARGETS": '["json://u:secret-of-an-alert-6d1c0ffee@127.0.0.1:9/"]',
    "PGPASSWORD": "secret-of-another-program-7b2c0ffee",
}
SECRETS = ("secret-of-a-provider", "secret-of-a-target", "secret-of-an-alert", "secret-of-another-program")
"""What stands in the environment of every running system and must not come out anywhere."""
PASSWORD = "letmein-7"


def eventually(question: Callable[[], T | None], what: str, seconds: float = 20.0) -> T:
    """Ask until the answer is true; the bound is generous because it is a guard, not a measurement."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = question()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"did not happen within {seconds:g} s: {what}")


class RunningTrap:
    """One `urltrap up` and what a tester needs to know of it."""

    def __init__(self, folder: Path, extra: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.env = {**os.environ, **ENV, **(extra or {}), "URLTRAP_DATA": str(folder), "COLUMNS": "200"}
        self.log = (folder.parent / f"{folder.name}.log").open("wb")
        self.cli("init", str(folder))
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "urltrap.ops", "up"], env=self.env, stdout=self.log, stderr=self.log
        )
        try:
            self.wait_ready()
        except BaseException:
            self.stop()  # whoever asked for it has nothing to stop
            raise

    def wait_ready(self) -> None:
        def ready() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"urltrap up ended: {self.log_text()[-4000:]}")
            try:
                status = self.status()
            except (FileNotFoundError, ValueError):
                return False
            mine = status["pid"] == self.process.pid
            return mine and all(state["ready"] for state in status["processes"].values())

        eventually(ready, "all processes ready", 60)

    def log_text(self) -> str:
        return Path(self.log.name).read_text(errors="replace")

    def status(self) -> Any:
        return json.loads((self.folder / "run" / "status.json").read_text())

    def _address(self, process: str, prefix: str) -> tuple[str, int]:
        for line in self.status()["processes"][process]["listen"]:
            protocol, _, where = line.rpartition(" ")
            if protocol == prefix:
                host, _, port = where.rpartition(":")
                return host, int(port)
        raise AssertionError(f"{process} does not listen as {prefix!r}: {self.status()}")

    @property
    def ssh_port(self) -> int:
        return self._address("trap-0", "ssh")[1]

    @property
    def telnet_port(self) -> int:
        return self._address("trap-0", "telnet")[1]

    @property
    def site(self) -> str:
        host, port = self._address("site", "")
        return f"http://{host}:{port}"

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.site + path, timeout=10) as answer:
            body: str = answer.read().decode()
        return body

    def cli(self, *arguments: str) -> str:
        """What a command says, run in this process: one of its own would spend most of its time on imports."""
        load_commands(list(arguments))
        done = CliRunner().invoke(app, arguments, env=self.env)
        if done.exit_code:
            said = f"urltrap {' '.join(arguments)}: {done.exit_code}: {done.output}"
            raise AssertionError(said) from done.exception
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """What a command tells machines."""
        return json.loads(self.cli(*arguments, "--json"))

    def process_of(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """A command as a process of its own, as an operator runs it, however it ends."""
        return subprocess.run(
            [sys.executable, "-m", "urltrap.ops", *arguments],
            env=self.env, input=stdin, capture_output=True, timeout=60,
        )  # fmt: skip

    def kill(self, name: str) -> int:
        """SIGKILL one process; returns its pid."""
        pid: int = self.status()["processes"][name]["pid"]
        os.kill(pid, signal.SIGKILL)
        eventually(
            lambda: (
                self.status()["processes"][name]["pid"] not in (pid, None)
                and self.status()["processes"][name]["ready"]
            ),
            f"{name} comes back",
            40,
        )
        return pid

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(25)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    # -- attacking with the real clients of Debian's openssh-client --

    def ssh_options(self) -> list[str]:
        askpass = self.folder.parent / "askpass"
        if not askpass.exists():
            askpass.write_text(f"#!/bin/sh\necho {PASSWORD}\n")
            askpass.chmod(0o700)
        self.env.update(SSH_ASKPASS=str(askpass), SSH_ASKPASS_REQUIRE="force", DISPLAY=":0")
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "GlobalKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "PubkeyAuthentication": "no",
            "NumberOfPasswordPrompts": "1",
            "BatchMode": "no",  # sftp -b would switch passwords off; the first word wins
        }
        return [part for key, value in options.items() for part in ("-o", f"{key}={value}")] + ["-F", "none"]

    def ssh(
        self, command: str, *, stdin: bytes | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["ssh", *self.ssh_options(), "-p", str(self.ssh_port), "root@127.0.0.1", command],
            env=self.env,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout,
        )


class Dropper:
    """A loopback web server with one payload; remembers what was asked and how."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.requests: list[tuple[str, dict[str, str]]] = []
        dropper = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                dropper.requests.append((self.path, dict(self.headers)))
                self.send_response(200)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Content-Length", str(len(dropper.payload)))
                self.end_headers()
                self.wfile.write(dropper.payload)

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def elf_stub(machine: int = 62) -> bytes:
    """A harmless ELF header with nothing behind it that could run."""
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little") + machine.to_bytes(2, "little")
    return head + (1).to_bytes(4, "little") + bytes(40) + b"urltrap test payload, not a program\n" * 20
