"""The live outputs, read by the programs that people run to receive them: rsyslog and an hpfeeds broker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.exchange.lines import visit
from tests.support.waiting import free_port, until, until_listening

from urltrap.exchange.cowrie import CowrieReader
from urltrap.exchange.outputs.hpfeeds import Hpfeeds
from urltrap.exchange.outputs.syslog import Syslog
from urltrap.model.event import CommandEntered

PEERS = Path(sys.prefix) / "peers"
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@contextmanager
def running(command: list[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_rsyslog_reads_our_messages(tmp_path: Path, scheme: str) -> None:
    program = shutil.which("rsyslogd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("rsyslogd is not installed (Debian: rsyslog)")
    port, received = free_port(), tmp_path / "received"
    configuration = tmp_path / "rsyslog.conf"
    configuration.write_text(
        f'module(load="im{scheme}")\n'
        f'input(type="im{scheme}" port="{port}" address="127.0.0.1")\n'
        f'template(name="ours" type="string" string="%app-name% %msgid% %msg%\\n")\n'
        f'*.* action(type="omfile" file="{received}" template="ours")\n'
    )
    command = [program, "-n", "-f", str(configuration), "-i", str(tmp_path / "pid")]
    event = CommandEntered(
        session="01JNX0000000000000000000AA", seq=1, at=AT, mode="exec", text="wget é\n".encode()
    )
    with running(command) as process:
        until_listening(port, process, datagrams=scheme == "udp")
        output = Syslog(f"{scheme}://127.0.0.1:{port}", "trap")
        output.deliver([event, event.model_copy(update={"seq": 2})])
        until(lambda: received.exists() and len(received.read_text("utf-8").splitlines()) == 2, process)
        output.close()
    first, second = received.read_text("utf-8").splitlines()
    name, kind, text = first.split(" ", 2)
    assert (name, kind) == ("urltrap", "command.entered")
    assert json.loads(text)["text"] == "wget é\n"
    assert json.loads(second.split(" ", 2)[2])["seq"] == 2


def test_an_hpfeeds_broker_passes_our_sessions_on(tmp_path: Path) -> None:
    if not (PEERS / "hpfeeds").is_dir():
        pytest.skip("the hpfeeds broker is not installed (make setup-test)")
    port = free_port()
    accounts = {
        "HPFEEDS_TRAP_SECRET": "s", "HPFEEDS_TRAP_PUBCHANS": "cowrie.sessions",
        "HPFEEDS_READER_SECRET": "r", "HPFEEDS_READER_SUBCHANS": "cowrie.sessions",
    }  # fmt: skip
    broker = [sys.executable, "-m", "hpfeeds.scripts.broker", "--bind", f"127.0.0.1:{port}", "--auth", "env"]
    received = tmp_path / "received"
    subscriber = [sys.executable, "-c", SUBSCRIBER, str(port), str(received)]
    reader = CowrieReader()
    events: list[Any] = [event for line in visit() for event in reader.read(line)]
    with running(broker, PYTHONPATH=str(PEERS), **accounts) as process:
        until_listening(port, process)
        with running(subscriber, PYTHONPATH=str(PEERS)) as reading:
            until(lambda: received.exists(), reading)
            output = Hpfeeds(f"127.0.0.1:{port}", "trap", "s", "cowrie.sessions")
            output.deliver(events)
            until(lambda: bool(received.read_text()), reading)
            output.close()
    ident, channel, payload = received.read_text().split(" ", 2)
    assert (ident, channel) == ("trap", "cowrie.sessions")
    assert json.loads(payload)["loggedin"] == ["root", "admin"]


SUBSCRIBER = """
import asyncio, sys
from pathlib import Path
from hpfeeds.asyncio import ClientSession

async def main(port, received):
    async with ClientSession("127.0.0.1", port, "reader", "r") as client:
        client.subscribe("cowrie.sessions")
        await client.when_connected
        received.touch()
        async for ident, channel, payload in client:
            received.write_text(f"{ident} {channel} {payload.decode()}")

asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
"""
