"""Live outputs: every event once it is journalled, in order, to receivers that come and go."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from tests.exchange.lines import visit

from urltrap.exchange.cowrie import CowrieReader
from urltrap.exchange.outputs import Delivery, Output, OutputError, make_outputs
from urltrap.exchange.outputs.cowrie_log import CowrieLog
from urltrap.exchange.outputs.hpfeeds import Hpfeeds
from urltrap.exchange.outputs.syslog import Syslog
from urltrap.exchange.outputs.webhook import Webhook
from urltrap.journal import JournalReader, JournalWriter
from urltrap.model.event import CommandEntered, Event
from urltrap.model.output_settings import OutputSettings
from urltrap.model.settings import JournalSettings

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SESSION = "01JNX0000000000000000000AA"


def command(number: int, text: bytes = b"id") -> CommandEntered:
    return CommandEntered(session=SESSION, seq=number, at=AT, mode="exec", text=text)


class Collector:
    """An output that keeps what it gets, and refuses while it is told to."""

    name = "collector"

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.away = False
        self.recalled: Any = None

    def deliver(self, events: Any) -> None:
        if self.away:
            raise OutputError("away")
        self.events += events

    def memory(self) -> Any:
        return {"seen": len(self.events)}

    def recall(self, memory: Any) -> None:
        self.recalled = memory

    def close(self) -> None:
        pass


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[JournalWriter]:
    with JournalWriter(tmp_path / "journal", "trap-0", JournalSettings(sync_milliseconds=1)) as writer:
        yield writer


def delivery(tmp_path: Path, output: Output) -> Delivery:
    return Delivery(JournalReader(tmp_path / "journal"), output, tmp_path / "state.json")


def test_an_output_begins_with_what_is_new_and_goes_on_where_it_stood(
    tmp_path: Path, journal: JournalWriter
) -> None:
    journal.append(command(0))
    first = Collector()
    line = delivery(tmp_path, first)
    assert line.step() == 0
    journal.append_all([command(1), command(2)])
    assert line.step() == 2
    journal.append(command(3))
    second = Collector()
    assert delivery(tmp_path, second).step() == 1
    assert [event.seq for event in first.events + second.events] == [1, 2, 3]
    assert second.recalled == {"seen": 2}


def test_a_receiver_that_is_away_gets_everything_when_it_is_back(
    tmp_path: Path, journal: JournalWriter
) -> None:
    collector = Collector()
    line = delivery(tmp_path, collector)
    collector.away = True
    journal.append(command(1))
    for _ in range(2):
        with pytest.raises(OutputError):
            line.step()
    collector.away = False
    journal.append(command(2))
    assert line.step() == 2
    assert [event.seq for event in collector.events] == [1, 2]


def test_a_writer_that_comes_later_is_delivered_from_its_beginning(
    tmp_path: Path, journal: JournalWriter
) -> None:
    collector = Collector()
    line = delivery(tmp_path, collector)
    with JournalWriter(tmp_path / "journal", "trap-1", JournalSettings(sync_milliseconds=1)) as other:
        other.append(command(7))
        assert line.step() == 1


def test_a_journal_that_was_lost_and_begun_anew_is_delivered(tmp_path: Path, journal: JournalWriter) -> None:
    settings = JournalSettings(sync_milliseconds=1)
    for number in (1, 2, 3):
        with JournalWriter(tmp_path / "journal", "trap-1", settings) as other:
            other.append(command(number))
    collector = Collector()
    line = delivery(tmp_path, collector)
    line.step()
    shutil.rmtree(tmp_path / "journal" / "trap-1")
    with JournalWriter(tmp_path / "journal", "trap-1", settings) as other:
        other.append(command(9))
        assert [line.step(), line.step(), line.step()] == [0, 1, 0]
    assert [event.seq for event in collector.events] == [9]


def test_a_damaged_state_says_what_to_do(tmp_path: Path, journal: JournalWriter) -> None:
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(OutputError, match="remove it"):
        delivery(tmp_path, Collector())


def test_the_log_grows_as_cowries_and_knows_open_sessions_again(tmp_path: Path) -> None:
    reader = CowrieReader()
    events: list[Any] = [event for line in visit() for event in reader.read(line)]
    log = tmp_path / "cowrie.json"
    first, second = CowrieLog(log), CowrieLog(log)
    first.deliver(events[:4])
    log.rename(tmp_path / "cowrie.json.1")
    second.recall(json.loads(json.dumps(first.memory())))
    second.deliver(events[4:])
    written = (tmp_path / "cowrie.json.1").read_bytes() + log.read_bytes()
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line["eventid"] for line in lines] == [json.loads(line)["eventid"] for line in visit()]
    assert {line["src_ip"] for line in lines} == {"203.0.113.9"}


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        CowrieLog(tmp_path / "no" / "cowrie.json").deliver([command(1)])


@contextmanager
def server(handler: type[socketserver.BaseRequestHandler], datagrams: bool = False) -> Iterator[int]:
    kind = socketserver.ThreadingUDPServer if datagrams else socketserver.ThreadingTCPServer
    with kind(("127.0.0.1", 0), handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield running.server_address[1]
        finally:
            running.shutdown()
            thread.join()


def test_syslog_messages_are_rfc_5424_over_udp() -> None:
    got: Queue[bytes] = Queue()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            got.put(self.request[0])

    with server(Handler, datagrams=True) as port:
        output = Syslog(f"udp://127.0.0.1:{port}", "trap one")
        output.deliver([command(3, b"wget \xff")])
        message = got.get(timeout=30)
        output.close()
    head, body = message.split(b" - ", 1)
    assert head.startswith(b"<85>1 2026-03-01T12:00:00.000000Z trapone urltrap ")
    assert head.endswith(b" command.entered")
    assert json.loads(body)["seq"] == 3


def test_syslog_over_tcp_frames_messages_and_notices_a_server_that_went() -> None:
    got: Queue[bytes] = Queue()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            length = b""
            while (char := self.rfile.read(1)) not in (b" ", b""):
                length += char
            if length:
                got.put(self.rfile.read(int(length)))  # one message, then the server goes

    with server(Handler) as port:
        output = Syslog(f"tcp://127.0.0.1:{port}")
        output.deliver([command(1)])
        assert b'"seq":1' in got.get(timeout=30)
        assert output._socket is not None
        output._socket.settimeout(30)
        assert output._socket.recv(1, socket.MSG_PEEK) == b""  # it is gone now
        with pytest.raises(OutputError, match="closed the connection"):
            output.deliver([command(2)])
        output.deliver([command(2)])
        assert b'"seq":2' in got.get(timeout=30)
        output.close()


@pytest.mark.parametrize("target", ["", "127.0.0.1", "http://x", "udp://"])
def test_a_syslog_server_that_is_none_is_told(target: str) -> None:
    with pytest.raises(ValueError, match="udp://host:514"):
        Syslog(target)


def test_a_hook_gets_signed_batches_and_its_refusal_is_told_without_its_token() -> None:
    got: Queue[tuple[str, dict[str, str], bytes]] = Queue()
    answers = [200, 503]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.put((self.path, dict(self.headers), body))
            self.send_response(answers.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as hook:
        threading.Thread(target=hook.serve_forever, args=(0.02,), daemon=True).start()
        output = Webhook(f"http://127.0.0.1:{hook.server_address[1]}/in?token=abc", "s3cret")
        output.deliver([])
        output.deliver([command(1), command(2)])
        path, headers, body = got.get(timeout=30)
        with pytest.raises(OutputError) as refused:
            output.deliver([command(3)])
        hook.shutdown()
    assert path == "/in?token=abc"
    assert [event["seq"] for event in json.loads(body)] == [1, 2]
    assert headers["X-Urltrap-Signature"] == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert "503" in str(refused.value) and "abc" not in str(refused.value)
    with pytest.raises(OutputError, match="ConnectionRefusedError"):
        output.deliver([command(4)])


class Broker(socketserver.StreamRequestHandler):
    """As much of an hpfeeds broker as checks a publisher: greeting, log-in, publications, errors."""

    published: Queue[tuple[str, dict[str, Any]]]

    def handle(self) -> None:
        nonce = b"\x01\x02\x03\x04"
        self._send(1, b"\x06broker" + nonce)
        _, body = self._message()
        ident, digest = body[1 : 1 + body[0]], body[1 + body[0] :]
        if ident != b"trap" or digest != hashlib.sha1(nonce + b"s3cret", usedforsecurity=False).digest():
            self._send(0, b"accessfail")
            return
        while (message := self._message()) is not None:
            body = message[1]
            rest = body[1 + body[0] :]
            channel, data = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
            self.published.put((channel.decode(), json.loads(data)))

    def _send(self, kind: int, body: bytes) -> None:
        self.wfile.write((5 + len(body)).to_bytes(4, "big") + bytes([kind]) + body)

    def _message(self) -> Any:
        head = self.rfile.read(5)
        return (head[4], self.rfile.read(int.from_bytes(head[:4], "big") - 5)) if len(head) == 5 else None


def test_ended_sessions_are_published_to_a_broker_as_cowries_channel_has_them() -> None:
    Broker.published = Queue()
    reader = CowrieReader()
    events: list[Any] = [event for line in visit() for event in reader.read(line)]
    with server(Broker) as port:
        first = Hpfeeds(f"127.0.0.1:{port}", "trap", "s3cret", "cowrie.sessions")
        first.deliver(events[:5])
        output = Hpfeeds(f"127.0.0.1:{port}", "trap", "s3cret", "cowrie.sessions")
        output.recall(json.loads(json.dumps(first.memory())))
        output.deliver(events[5:])
        channel, session = Broker.published.get(timeout=30)
        output.close()
    assert channel == "cowrie.sessions"
    assert session["loggedin"] == ["root", "admin"]
    assert session["credentials"] == [["root", "root"]]
    assert session["urls"] == ["http://198.51.100.7/bins.sh"]
    assert (session["peerIP"], session["version"], session["hassh"]) == (
        "203.0.113.9",
        "SSH-2.0-Go",
        "0a" * 16,
    )
    assert session["unknownCommands"] == ["foo bar"]


def test_a_broker_that_refuses_the_account_is_told_and_the_session_comes_again() -> None:
    Broker.published = Queue()
    reader = CowrieReader()
    events: list[Any] = [event for line in visit() for event in reader.read(line)]
    with server(Broker) as port:
        output = Hpfeeds(f"127.0.0.1:{port}", "trap", "wrong", "cowrie.sessions")
        with pytest.raises(OutputError, match="accessfail|closed") as refused:
            output.deliver(events)
        assert "wrong" not in str(refused.value)
        output._secret = b"s3cret"
        output.deliver(events)
        assert Broker.published.get(timeout=30)[1]["peerIP"] == "203.0.113.9"
        output.close()


def test_outputs_are_made_from_the_settings_and_wrong_ones_are_told() -> None:
    assert make_outputs(OutputSettings()) == []
    all_of_them = OutputSettings.model_validate(
        {"cowrie_log": "/tmp/cowrie.json", "syslog": "udp://127.0.0.1", "webhook": "https://hook.example/x",
         "hpfeeds": "127.0.0.1:10000", "hpfeeds_ident": "a", "hpfeeds_secret": "b"}
    )  # fmt: skip
    assert [output.name for output in make_outputs(all_of_them)] == [
        "cowrie-log",
        "syslog",
        "webhook",
        "hpfeeds",
    ]
    assert all_of_them.any and not OutputSettings().any
    assert "hook.example" not in repr(all_of_them) + all_of_them.model_dump_json()
    with pytest.raises(ValueError, match="hpfeeds_secret"):
        make_outputs(OutputSettings(hpfeeds="127.0.0.1:10000"))
    with pytest.raises(ValueError, match="https://host"):
        make_outputs(OutputSettings.model_validate({"webhook": "ftp://x"}))
