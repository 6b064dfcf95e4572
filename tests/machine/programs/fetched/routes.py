"""What the recorder's servers serve, and what the tests' network answers: the same bytes under the same names."""

from __future__ import annotations

from dataclasses import dataclass, field

HOST = "198.51.100.9"
"""The address of the servers: it exists only in the recorder's own network namespace."""
NAME = "drop.example"
SCRIPT = b"#!/bin/sh\necho hello\n"


@dataclass(frozen=True)
class Route:
    """One HTTP answer; `length` False leaves Content-Length out."""

    status: int = 200
    reason: str = "OK"
    body: bytes = SCRIPT
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/plain"})
    length: bool = True

    @property
    def sent(self) -> dict[str, str]:
        """The headers as they are sent."""
        return {**self.headers, **({"Content-Length": str(len(self.body))} if self.length else {})}


HTTP = {
    "/x.sh": Route(),
    "/": Route(body=b"<html>index</html>\n", headers={"Content-Type": "text/html"}),
    "/dir/a.sh": Route(),
    "/dir/b.sh": Route(body=b"second\n"),
    "/dated": Route(headers={"Content-Type": "text/plain", "Last-Modified": "Mon, 03 Feb 2020 04:05:06 GMT"}),
    "/big": Route(body=bytes(range(256)) * 800, headers={"Content-Type": "application/octet-stream"}),
    "/endless": Route(length=False),
    "/plain": Route(headers={}),
    "/gone": Route(404, "Not Found", b"gone\n"),
    "/denied": Route(403, "Forbidden", b""),
    "/broken": Route(500, "Internal Server Error", b"oops\n"),
    "/moved": Route(302, "Found", b"", {"Location": f"http://{HOST}/x.sh"}),
    "/twice": Route(301, "Moved Permanently", b"", {"Location": f"http://{HOST}/moved"}),
    "/empty": Route(body=b""),
}
FILES = {"/x.sh": SCRIPT, "/dir/y.sh": SCRIPT, "/big": bytes(range(256)) * 200}
"""What the TFTP and FTP servers hold."""
