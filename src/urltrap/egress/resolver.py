"""Names to addresses, once per request: our own questions, without search domains, /etc/hosts or a system cache."""

from __future__ import annotations

import ipaddress
from typing import Protocol

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

from urltrap.egress.address import IpAddress

_INNER = frozenset(
    ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "localdomain")
)
_INNER_SUFFIXES = ("home.arpa",)
_NEVER = frozenset(("invalid", "onion", "alt"))
_MAX_ADDRESSES = 16


class NameNotResolved(Exception):
    """The name has no address, or its servers did not say; the message says which."""


class NameRefused(Exception):
    """The name belongs to a network of somebody's own (RFC 6761, 6762, 8375): it is not asked for."""


class Resolver(Protocol):
    """What the fetcher needs of DNS."""

    async def resolve(self, host: str, timeout: float) -> list[IpAddress]:
        """The addresses of `host`, IPv4 first; NameNotResolved where there is none within `timeout` seconds."""
        ...


class DnsResolver:
    """The system's name servers (``/etc/resolv.conf``), asked directly."""

    def __init__(self) -> None:
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def resolve(self, host: str, timeout: float) -> list[IpAddress]:
        """The addresses of `host`, IPv4 first; NameNotResolved where there is none within `timeout` seconds."""
        try:
            if self._resolver is None:
                # Read when first needed: a machine that only records needs no name server.
                self._resolver = dns.asyncresolver.Resolver()
            name = dns.name.from_text(host)  # absolute: no search domain is ever tried
            answers = await self._resolver.resolve_name(name, lifetime=timeout)
        except dns.resolver.NXDOMAIN as error:
            raise NameNotResolved("the name does not exist") from error
        except dns.resolver.NoAnswer as error:
            raise NameNotResolved("the name has no address") from error
        except dns.resolver.NoResolverConfiguration as error:
            self._resolver = None
            raise NameNotResolved("this machine has no name server: see /etc/resolv.conf") from error
        except (dns.exception.Timeout, dns.resolver.NoNameservers) as error:
            raise NameNotResolved("no name server answered") from error
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise NameNotResolved(f"the name cannot be asked for: {type(error).__name__}") from error
        found = sorted(
            {ipaddress.ip_address(text) for text in answers.addresses()}, key=lambda ip: ip.version
        )
        return found[:_MAX_ADDRESSES]


def literal(host: str) -> IpAddress | None:
    """The address that `host` (canonical) is, or None where it is a name. ValueError on an address with a scope."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise ValueError("an address with a scope")
    return address


def check_name(host: str) -> str:
    """The name to ask for: without its trailing dot. NameRefused or NameNotResolved where it is not to be asked for."""
    name = host.rstrip(".").lower()
    labels = name.split(".")
    if not name or len(name) > 253 or any(not label or len(label) > 63 for label in labels):
        raise NameNotResolved("not a host name")
    if labels[-1] in _NEVER:
        raise NameNotResolved(f"names under .{labels[-1]} do not exist in DNS")
    if len(labels) == 1 or labels[-1] in _INNER or name.endswith(_INNER_SUFFIXES):
        raise NameRefused("a name of somebody's own network")
    return name


async def addresses_of(host: str, resolver: Resolver, timeout: float) -> list[IpAddress]:
    """The addresses of a URL's host: itself, or what the one question to `resolver` says (never empty)."""
    try:
        address = literal(host)
    except ValueError as error:
        raise NameRefused(str(error)) from error
    if address is not None:
        return [address]
    found = await resolver.resolve(check_name(host), timeout)
    if not found:
        raise NameNotResolved("the name has no address")
    return found
