"""Clients of the network against what the real ones of Debian 12 said and saved (recorded by record.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.machine.programs.fetched.record import plain, read
from tests.machine.programs.fetched.routes import FILES, HOST, HTTP, NAME
from tests.machine.programs.support import Box, reply

from urltrap.machine.effects import FetchReply
from urltrap.model.capture import FetchRequest, Hop

ROWS = json.loads(Path(__file__).with_name("lines.json").read_text("ascii"))


def network(request: FetchRequest) -> FetchReply:
    """The recorder's servers, as the fetcher would tell of them."""
    url = request.url.decode()
    parts = urlsplit(url)
    if parts.hostname not in (HOST, NAME):
        return (
            reply(request, outcome="connect-failed", address="", detail="Network is unreachable")
            if (parts.hostname or "").replace(".", "").isdigit()
            else reply(request, outcome="dns-failure")
        )
    if parts.port not in (None, 80, 21, 69):
        return reply(request, outcome="connect-failed", address=f"{HOST}:{parts.port}", detail="refused")
    if parts.scheme in ("ftp", "tftp"):
        body = FILES.get(parts.path)
        port = 21 if parts.scheme == "ftp" else 69
        if body is None:
            return reply(request, outcome="not-found", address=f"{HOST}:{port}")
        return reply(request, body, status=None, reason=b"", headers={}, address=f"{HOST}:{port}")
    hops: list[Hop] = []
    path = parts.path or "/"
    while True:
        route = HTTP.get(path, HTTP["/gone"])
        location = route.headers.get("Location")
        hops.append(Hop(url=f"http://{HOST}{path}", status=route.status, location=(location or "").encode()))
        if location is None or not request.follow_redirects:
            break
        path = urlsplit(location).path
    return reply(
        request,
        b"" if request.method == "HEAD" else route.body,
        status=route.status,
        reason=route.reason.encode(),
        headers=route.sent,
        address=f"{HOST}:80",
        hops=hops if len(hops) > 1 else [],
    )


def test_every_line_is_recorded() -> None:
    assert [row["line"] for row in ROWS] == read()


@pytest.mark.parametrize("row", ROWS, ids=[row["line"][:70] for row in ROWS])
def test_a_client_says_and_saves_what_the_recorded_one_did(row: dict[str, Any]) -> None:
    box = Box(network=network)
    result = box.run("mkdir /tmp/s; cd /tmp/s; export LC_ALL=C TZ=UTC HOME=/root;" + row["line"])
    assert plain(result.out.decode("latin-1")) == row["out"]
    assert plain(result.err.decode("latin-1")) == row["err"]
    assert result.status == row["status"]
    listed = box.run("cd /tmp/s && find . -type f -printf '%P %s\\n'").out.decode().splitlines()
    assert {name: int(size) for name, _, size in (line.rpartition(" ") for line in listed)} == row["files"]
