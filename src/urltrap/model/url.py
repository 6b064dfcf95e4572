"""The canonical form of a URL, as reputation services match it.

Scheme and host lower case, IDNA applied, odd IPv4 notations normalised, default port, credentials and fragment
dropped; path and query verbatim except that bytes which cannot stand in a request line are percent-encoded.
Host parsing is ada's (WHATWG URL standard); the path is deliberately not normalised, because URLhaus and others
match it as it was written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

import ada_url

DEFAULT_PORTS = {
    "http": 80, "https": 443, "ftp": 21, "ftps": 990, "tftp": 69, "ldap": 389, "ldaps": 636, "rmi": 1099,
    "sftp": 22, "ssh": 22, "scp": 22, "rsync": 873, "git": 9418, "ws": 80, "wss": 443, "dns": 53,
}  # fmt: skip
"""Schemes that urltrap knows, with the port that is left out of the canonical form."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):[/\\]*")
_STRIPPED = "".join(map(chr, range(0x21)))
_INNER = re.compile(r"[\t\r\n]")
# What may stand in a request line as it is: everything printable but space, quotes and angle brackets.
_PATH_SAFE = "!#$%&'()*+,-./:;=?@[]^_`{|}~\\"


class UrlError(ValueError):
    """Not a URL that could be fetched or published; the message says why."""


@dataclass(frozen=True, slots=True)
class Url:
    """A canonical URL and its parts: `host` without brackets, the effective `port`, `path` with the query."""

    text: str
    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port, as they stand in the canonical form."""
        return self.text[: len(self.text) - len(self.path)]

    def __str__(self) -> str:
        return self.text


def parse_url(raw: str | bytes, *, default_scheme: str = "http") -> Url:
    """The canonical form of `raw`, which may lack its scheme (wget's and curl's habit: `default_scheme` is taken).

    Bytes are read as UTF-8, invalid ones percent-encoded. Raises UrlError with the reason.
    Source: WHATWG URL standard for authority parsing; Spamhaus' description of URLhaus' canonical form.
    """
    text = raw.decode("utf-8", "surrogateescape") if isinstance(raw, bytes) else raw
    text = _INNER.sub("", text.strip(_STRIPPED))
    if not text:
        raise UrlError("empty")
    match = _SCHEME.match(text)
    # "host:8080/x" and "user:pw@host" look like a scheme; a real one is known or followed by slashes.
    if match and ((match[1].lower() in DEFAULT_PORTS and "/" in match[0]) or "//" in match[0]):
        scheme, rest = match[1].lower(), text[match.end() :]
    else:
        scheme, rest = default_scheme, text.lstrip("/")
    if scheme not in DEFAULT_PORTS:
        raise UrlError(f"scheme {scheme[:20]!r} is not one that names a downloadable resource")
    end = next((i for i, char in enumerate(rest) if char in "/?#\\"), len(rest))
    authority, tail = rest[:end], rest[end:]
    host, port = _parse_authority(authority, scheme)
    path = tail.split("#", 1)[0]
    if path.startswith("\\"):
        path = "/" + path[1:]
    if not path.startswith("/"):
        path = "/" + path
    path = quote(path, safe=_PATH_SAFE, errors="surrogateescape")
    shown = f"[{host}]" if ":" in host else host
    suffix = "" if port == DEFAULT_PORTS[scheme] else f":{port}"
    return Url(f"{scheme}://{shown}{suffix}{path}", scheme, host, port, path)


def canonical(raw: str | bytes, *, default_scheme: str = "http") -> str:
    """The text of `parse_url`."""
    return parse_url(raw, default_scheme=default_scheme).text


def _parse_authority(authority: str, scheme: str) -> tuple[str, int]:
    authority = authority.rpartition("@")[2]
    if not authority:
        raise UrlError("no host")
    # ada treats only special schemes' hosts as hosts, so every scheme's authority is read as http's; ws has the
    # same rules and no default port in common with an explicit one that must be kept.
    try:
        parsed = ada_url.URL(f"http://{authority}/")
    except ValueError as error:
        raise UrlError(f"the host or port cannot be parsed: {authority[:80]!r}") from error
    host = parsed.hostname
    if host.startswith("["):
        host = host[1:-1]
    if not host:
        raise UrlError("no host")
    explicit = re.search(r":([0-9]+)$", authority)
    port = int(explicit[1]) if explicit else DEFAULT_PORTS[scheme]
    if not 0 < port < 65536:
        raise UrlError(f"port out of range: {port}")
    return host, port


def defang(url: str) -> str:
    """The URL in a form that no program turns into a link: ``hxxp://198.51.100[.]7/x``."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    end = next((i for i, char in enumerate(rest) if char in "/?"), len(rest))
    authority = rest[:end].replace(".", "[.]")
    return f"{scheme.replace('tt', 'xx').replace('ftp', 'fxp')}://{authority}{rest[end:]}"
