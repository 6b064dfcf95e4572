"""Requests of all kinds, whole and in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.wire.internet.http import Requests, is_request, response_head

_GET = b"GET /a?b HTTP/1.1\r\nHost: x.example:81\r\nUser-Agent: Wget\r\n\r\n"
_POST = b"POST /p HTTP/1.1\nHost: x.example\nContent-Length: 5\n\nhello"
_CHUNKS = (
    b"PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
)


def test_requests_come_out_whole_whatever_the_pieces() -> None:
    stream = _GET + _POST + _CHUNKS + _GET
    for size in (1, 2, 7, len(stream)):
        reader = Requests()
        found = [
            request
            for start in range(0, len(stream), size)
            for request in reader.receive(stream[start : start + size])
        ]
        assert [(each.method, each.target, each.body) for each in found] == [
            ("GET", b"/a?b", b""), ("POST", b"/p", b"hello"), ("PUT", b"/c", b"abcde"), ("GET", b"/a?b", b""),
        ]  # fmt: skip
        assert not reader.broken


@pytest.mark.parametrize(
    ("head", "where", "url"),
    [
        (b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n", ("http", "192.0.2.1", 80), b"http://a.example/x"),
        (b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n", ("http", "n", 8080), b"http://a.example:8080/x"),
        (b"GET /x HTTP/1.1\r\nHost: a.example:9\r\n\r\n", ("http", "n", 8080), b"http://a.example:9/x"),
        (b"GET /x HTTP/1.0\r\n\r\n", ("https", "a.example", 443), b"https://a.example/x"),
        (b"GET x\r\n\r\n", ("http", "2001:db8::1", 80), b"http://[2001:db8::1]/x"),
        (b"GET http://b.example/y HTTP/1.1\r\nHost: c\r\n\r\n", ("http", "d", 80), b"http://b.example/y"),
    ],
)
def test_the_url_is_what_the_client_means(head: bytes, where: tuple[str, str, int], url: bytes) -> None:
    (request,) = Requests().receive(head)
    assert request.url(*where) == url


def test_a_body_is_counted_and_its_beginning_kept() -> None:
    (request,) = Requests().receive(b"POST / HTTP/1.1\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9000)
    assert (request.size, len(request.body)) == (9000, 4096)


def test_a_client_that_waits_for_leave_to_send_is_told_apart() -> None:
    reader = Requests()
    assert reader.receive(b"PUT / HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n") == []
    assert reader.expects


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\n\n",
        b"GET\r\n\r\n",
        b"G" * 40_000,
        b"P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\n",
    ],
)
def test_what_is_no_request_breaks_it_once_and_for_all(data: bytes) -> None:
    reader = Requests()
    assert reader.receive(data) == [] and reader.broken
    assert reader.receive(_GET) == []


def test_a_beginning_is_known_by_its_first_letters() -> None:
    assert is_request(b"GET /") and is_request(b"GE") and not is_request(b"\x16\x03") and not is_request(b"")


def test_a_head_has_no_line_ends_but_its_own() -> None:
    head = response_head(200, b"O\r\nK", [(b"X", b"a\r\nSet-Cookie: b")], 3, True)
    assert (
        head
        == b"HTTP/1.1 200 O  K\r\nX: a  Set-Cookie: b\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n"
    )


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_nothing_raises(pieces: list[bytes]) -> None:
    reader = Requests()
    for request in [each for piece in pieces for each in reader.receive(piece)]:
        request.url("http", "h", 1)
