"""Why a URL is kept but neither captured nor published: its host is nobody's, ours, or was cut."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from urltrap.model.sighting import UrlFlag
from urltrap.model.url import Url
from urltrap.recover.context import Context, IpAddress

_RESERVED = (".example", ".invalid", ".test", ".example.com", ".example.net", ".example.org")
_RESERVED_NAMES = {name[1:] for name in _RESERVED}
_LOCAL = (
    ".localhost",
    ".local",
    ".internal",
    ".lan",
    ".home",
    ".localdomain",
    ".home.arpa",
    ".corp",
    ".intranet",
)
_STAND_IN = re.compile(
    r"(?:x{1,3}\.){1,3}x{1,3}"
    r"|(?:your|my|the|attacker|evil|c2|remote|target|victim)?[-_.]?"
    r"(?:server|serverip|ip|ipaddress|host|hostname|domain|address|vps|site|url)[-_.]?(?:ip|name|here|address)?"
    r"|(?:your|my)[-_.]?(?:server|domain|host|site|ip|vps)[-_.a-z]*"
    r"|(?:ip|host|server|domain)\.(?:com|net|org|here)",
)
_CUT_IPV4 = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{0,3}){0,2}\.?")


@lru_cache(maxsize=4096)
def host_address(host: str) -> IpAddress | None:
    """The address that a canonical host is; None for a name."""
    if host[-1:].isalpha() and ":" not in host:
        return None  # canonical IPv4 ends in a digit
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def flags_of(url: Url, raw: bytes, context: Context, at_end: bool) -> list[UrlFlag]:
    """The flags of a URL written as `raw`; `at_end` where it stands at the very end of the text."""
    flags: list[UrlFlag] = []
    authority = re.split(rb"[/?#]", raw.partition(b"://")[2] or raw, maxsplit=1)[0].rpartition(b"@")[2]
    if (at_end and context.cut) or ("$" in raw.decode("latin-1")) or _cut_address(authority, url):
        flags.append("truncated")
    address = host_address(url.host)
    if address is not None:
        if not context.is_public_by_setting(address):
            if str(address) in context.own_addresses:
                flags.append("own-sensor")
            if not address.is_global or address.is_multicast:
                flags.append("private")
        return flags
    host = url.host.rstrip(".")
    if host in context.own_addresses:
        flags.append("own-sensor")
    if host in _RESERVED_NAMES or host.endswith(_RESERVED) or _STAND_IN.fullmatch(host):
        flags.append("placeholder")
    elif "." not in host or host.endswith(_LOCAL):
        flags.append("private")
    return flags


def _cut_address(authority: bytes, url: Url) -> bool:
    # "198.51.10" means 198.51.0.10 to inet_aton and to browsers; with no path behind it, it is rather a cut line.
    host = authority.rpartition(b":")[0] or authority
    return (
        url.path == "/" and host.isascii() and host.count(b".") in (1, 2) and bool(_CUT_IPV4.fullmatch(host))
    )
