"""DNS for enrichment and reputation: with time-outs, asking the operator's resolvers or a provider's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.reversename

from urltrap.intel.errors import Unavailable

TIMEOUT = 4.0


@dataclass(frozen=True, slots=True)
class Records:
    """An answer: its code, the texts of the records asked for, whether the server offers recursion (RA)."""

    code: str
    values: tuple[str, ...] = ()
    recursion: bool = True

    @property
    def missing(self) -> bool:
        """The name does not exist."""
        return self.code == "NXDOMAIN"


class Resolver:
    """Asks servers (``ADDRESS`` or ``ADDRESS:PORT``; none given: this machine's) over UDP, by TCP where cut."""

    def __init__(self, servers: Sequence[str] = (), timeout: float = TIMEOUT) -> None:
        self._servers = [split_server(server) for server in servers] or None
        self._timeout = timeout

    async def ask(self, name: str, kind: str, server: str = "") -> Records:
        """The records of a kind (A, AAAA, PTR, TXT). Unavailable where no server answers, or answers with SERVFAIL
        or REFUSED: that is no "does not exist"."""
        try:
            question = dns.message.make_query(name, kind, use_edns=True)
        except (dns.exception.DNSException, UnicodeError, ValueError) as error:
            raise Unavailable(f"{kind}: this is no name that DNS can be asked for") from error
        servers = [split_server(server)] if server else self._known()
        last = "no DNS server is configured"
        for host, port in servers:
            try:
                answer, _ = await dns.asyncquery.udp_with_fallback(
                    question, host, timeout=self._timeout, port=port
                )
            except (dns.exception.DNSException, OSError, EOFError) as error:
                last = f"no DNS answer ({type(error).__name__})"
                continue
            code = dns.rcode.to_text(answer.rcode())
            if code not in ("NOERROR", "NXDOMAIN"):
                last = f"the DNS server answers {code}"
                continue
            return Records(code, _values(answer, kind), bool(answer.flags & dns.flags.RA))
        raise Unavailable(last)

    def _known(self) -> Sequence[tuple[str, int]]:
        if self._servers is None:
            try:
                system = dns.resolver.Resolver(configure=True)
            except dns.resolver.NoResolverConfiguration:
                return ()
            self._servers = [(str(server), system.port) for server in system.nameservers]
        return self._servers


def split_server(server: str) -> tuple[str, int]:
    """``ADDRESS``, ``ADDRESS:PORT`` or ``[ADDRESS]:PORT`` as address and port."""
    if server.startswith("["):
        host, _, rest = server[1:].partition("]")
        return host, int(rest.lstrip(":") or 53)
    if server.count(":") == 1:
        host, _, port = server.partition(":")
        return host, int(port)
    return server, 53


def reverse_name(address: str) -> str:
    """The name below which an address's PTR stands."""
    return dns.reversename.from_address(address).to_text()


def _values(answer: dns.message.Message, kind: str) -> tuple[str, ...]:
    wanted = dns.rdatatype.from_text(kind)
    found = []
    for rrset in answer.answer:
        if rrset.rdtype != wanted:
            continue
        for item in rrset:
            if wanted == dns.rdatatype.TXT:
                found.append(b"".join(item.strings).decode("ascii", "replace"))
            else:
                found.append(item.to_text())
    return tuple(found[:64])
