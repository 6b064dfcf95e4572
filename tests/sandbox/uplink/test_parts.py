"""Parts of the uplink that need no box: whose a socket is, which client asks, the authority."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from urltrap.sandbox.uplink.authority import Authority, hash_name
from urltrap.sandbox.uplink.downloads import client_of
from urltrap.sandbox.uplink.owners import environment, find, words
from urltrap.sandbox.uplink.process import top_levels


def test_a_socket_is_found_with_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            found = find(os.getpid(), [os.getpid()], False, client.getsockname()[1], server.getsockname())
        assert found == os.getpid() and words(found)[0] and b"PATH=" in environment(found)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        assert find(os.getpid(), [os.getpid()], True, port, ("198.51.100.9", 53)) == os.getpid()
    assert find(os.getpid(), [os.getpid()], True, port, ("198.51.100.9", 53)) is None


@pytest.mark.parametrize(
    ("argv", "agent", "client"),
    [
        ([b"/usr/bin/wget", b"http://x"], b"Wget/1.21.3", "wget"), ([b"c"], b"curl/7.88.1", "curl"),
        ([b"busybox", b"wget"], b"Wget", "busybox-wget"), ([b"/tmp/.x/bot"], b"Mozilla/5.0", "bot"),
        ([b"busybox", b"tftp"], b"", "busybox-tftp"), ([], b"", "wget"),
    ],
)  # fmt: skip
def test_a_client_is_what_it_says_else_its_name(argv: list[bytes], agent: bytes, client: str) -> None:
    assert client_of(argv, agent) == client


def test_an_authority_is_made_once_and_its_servers_are_believed(tmp_path: Path) -> None:
    authority = Authority.of(tmp_path)
    assert Authority.of(tmp_path).pem == authority.pem
    assert [each.name for each in tmp_path.iterdir()] == ["sandbox-ca.pem"]
    assert (tmp_path / "sandbox-ca.pem").stat().st_mode & 0o777 == 0o600
    for name in ("evil.example", "198.51.100.9"):
        assert _shakes_hands(authority, name)


def _shakes_hands(authority: Authority, name: str) -> bool:
    trusting = ssl.create_default_context(cadata=authority.pem.decode())
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    server = authority.context(name).wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.version() == "TLSv1.3" and server.version() == "TLSv1.3"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_authority_has_the_name_that_openssl_looks_for(tmp_path: Path) -> None:
    authority = Authority.of(tmp_path)
    said = subprocess.run(
        ["openssl", "x509", "-noout", "-hash"], input=authority.pem, capture_output=True, check=True
    )
    assert hash_name(authority.certificate) == said.stdout.decode().strip() + ".0"


def test_the_top_levels_are_the_worlds() -> None:
    assert {"org", "de", "xn--p1ai"} <= top_levels() and "nosuchtop" not in top_levels()
