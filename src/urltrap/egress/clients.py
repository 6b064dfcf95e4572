"""What the attacker's own client would have sent: header set and order of wget, curl and BusyBox wget.

Sources: requests of GNU wget 1.21.3, curl 7.88.1 and BusyBox 1.35 as a loopback server saw them; older wget sent the
User-Agent first and Host behind Accept-Encoding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from urltrap.model.capture import FetchRequest
from urltrap.model.url import DEFAULT_PORTS, Url

Family = Literal["wget", "curl", "busybox-wget"]

DEFAULT_USER_AGENT: dict[Family, bytes] = {
    "wget": b"Wget/1.21.3",
    "curl": b"curl/7.88.1",
    "busybox-wget": b"Wget",
}
_HOST_FIRST_SINCE = (1, 21)
_HARMLESS = frozenset(
    {
        *("accept", "accept-language", "accept-charset", "user-agent", "cache-control", "pragma", "dnt"),
        *(
            "upgrade-insecure-requests",
            "sec-fetch-dest",
            "sec-fetch-mode",
            "sec-fetch-site",
            "sec-fetch-user",
        ),
    }
)
"""Of the command's own headers only these are sent: they ask for a form of the answer, and carry no credential,
cookie, referrer, address or hidden payload. Accept-Encoding is left out so that the body is what was asked for."""
_MAX_HEADER = 1024
_VISIBLE = re.compile(r"[^\t\x20-\x7e\x80-\U0010ffff]")


def family(client: str) -> Family:
    """The client whose requests `client` sends; whatever is unknown (ours included) asks like wget."""
    name = client.lower()
    if "busybox" in name:
        return "busybox-wget"
    return "curl" if "curl" in name else "wget"


def harmless_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Those of the command's headers that are sent on, control characters taken out and lengths bounded."""
    kept: list[tuple[str, str]] = []
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1").strip()
        if name.lower() in _HARMLESS and len(kept) < 16:
            kept.append((name, _text(raw_value)))
    return kept


def effective_user_agent(request: FetchRequest) -> bytes:
    """The User-Agent that is sent: a header of the command, the client's own, or the family's default."""
    for name, value in reversed(request.headers):
        if name.strip().lower() == b"user-agent":
            return _text(value).encode()
    return _text(request.user_agent).encode() or DEFAULT_USER_AGENT[family(request.client)]


def request_headers(request: FetchRequest, url: Url) -> list[tuple[str, str]]:
    """The headers of a GET of `url`, in the order in which the client named by `request` sends them."""
    kind = family(request.client)
    agent = effective_user_agent(request).decode()
    host = ("Host", host_header(url))
    user_agent = ("User-Agent", agent)
    if kind == "curl":
        headers = [host, user_agent, ("Accept", "*/*")]
    elif kind == "busybox-wget":
        headers = [host, user_agent, ("Connection", "close")]
    else:
        rest = [("Accept", "*/*"), ("Accept-Encoding", "identity")]
        version = re.match(r"Wget/(\d+)\.(\d+)", agent)
        if version and (int(version[1]), int(version[2])) < _HOST_FIRST_SINCE:
            headers = [user_agent, *rest, host, ("Connection", "Keep-Alive")]
        else:
            headers = [host, user_agent, *rest, ("Connection", "Keep-Alive")]
    if request.probe:
        headers.append(("Range", "bytes=0-0"))
    for name, value in harmless_headers(request.headers):
        # All three replace a default in place and put what is new at the end.
        place = next((i for i, (known, _) in enumerate(headers) if known.lower() == name.lower()), None)
        if place is None:
            headers.append((name, value))
        else:
            headers[place] = (headers[place][0], value)
    return headers


def host_header(url: Url) -> str:
    """The value of Host: brackets around IPv6, the port only where it is not the scheme's."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return host if url.port == DEFAULT_PORTS[url.scheme] else f"{host}:{url.port}"


def _text(value: bytes) -> str:
    return _VISIBLE.sub("", value.decode("utf-8", "replace"))[:_MAX_HEADER].strip()
