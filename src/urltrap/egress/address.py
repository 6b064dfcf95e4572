"""Which addresses may be contacted: the public internet, and nothing that wraps or hides something else.

Sources: IANA's special-purpose address registries (RFC 6890 and its successors) through `ipaddress`; RFC 6598
(CGNAT), RFC 2544/5180 (benchmarking), RFC 4291 §2.5.5 (compatible and mapped), RFC 6052/8215 (NAT64), RFC 3056
(6to4), RFC 4380 (Teredo), RFC 5214 (ISATAP), and the cloud providers' metadata addresses.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            "169.254.169.254",  # AWS, Azure, GCP, DigitalOcean, OpenStack …
            "169.254.170.2",  # AWS ECS task credentials
            "169.254.170.23",  # AWS EKS pod identity
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",  # GCP
            "100.100.100.200",  # Alibaba
            "168.63.129.16",  # Azure's wire server: a globally routed address that answers inside every VM
            "192.0.0.192",  # Oracle, older
        ),
    )
)

_REFUSED: tuple[tuple[str, IpNetwork], ...] = tuple(
    (reason, ipaddress.ip_network(network))
    for network, reason in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "IETF protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "AS112"),
        ("192.52.193.0/24", "AMT relays"),
        ("192.88.99.0/24", "6to4 relays"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "AS112"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("100::/64", "discard only"),
        ("2001::/23", "IETF protocol assignments"),
        ("2001:db8::/32", "documentation"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fc00::/7", "unique local"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)

_GLOBAL_UNICAST_6 = IPv6Network("2000::/3")
_WRAPPERS: tuple[tuple[str, IPv6Network], ...] = (
    ("IPv4-mapped", IPv6Network("::ffff:0:0/96")),
    ("IPv4-translated", IPv6Network("::ffff:0:0:0/96")),
    ("IPv4-compatible", IPv6Network("::/96")),
    ("NAT64", IPv6Network("64:ff9b::/96")),
    ("local NAT64", IPv6Network("64:ff9b:1::/48")),
    ("6to4", IPv6Network("2002::/16")),
    ("Teredo", IPv6Network("2001::/32")),
)


class AddressPolicy:
    """Says whether an address may be contacted.

    `public_networks` (``testing.public_networks``) are let in whatever they are, but only as they are written: a
    loopback network does not let its IPv4-mapped forms in. `own` are this machine's addresses and `refused_networks`
    what the operator wants untouched; both are refused. Raises ValueError on a network that cannot be parsed.
    """

    def __init__(
        self,
        *,
        public_networks: Iterable[str] = (),
        refused_networks: Iterable[str] = (),
        own: Iterable[IpAddress] = (),
    ) -> None:
        self._public = tuple(ipaddress.ip_network(text, strict=False) for text in public_networks)
        self._refused = tuple(ipaddress.ip_network(text, strict=False) for text in refused_networks)
        self._own = frozenset(own)

    def with_own(self, own: Iterable[IpAddress]) -> AddressPolicy:
        """The same policy for a machine whose interfaces have the addresses `own`."""
        policy = AddressPolicy()
        policy._public, policy._refused, policy._own = self._public, self._refused, frozenset(own)
        return policy

    def refusal(self, address: IpAddress | str) -> str | None:
        """Why `address` must not be contacted, or None where it may be. What is no address is refused."""
        if isinstance(address, str):
            try:
                address = ipaddress.ip_address(address)
            except ValueError:
                return "not an IP address"
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            return "has a scope: it means something on this machine only"
        if any(address in network for network in self._public):
            return None
        if address in self._own:
            return "an address of this machine"
        if any(address in network for network in self._refused):
            return "in a network that the settings refuse"
        return _special(address)

    def allows(self, address: IpAddress | str) -> bool:
        """True where `address` may be contacted."""
        return self.refusal(address) is None


def _special(address: IpAddress) -> str | None:
    if address in _METADATA:
        return "a cloud's metadata service"
    for reason, network in _REFUSED:
        if address in network and (not isinstance(address, IPv6Address) or wrapped_ipv4(address) is None):
            return reason
    if isinstance(address, IPv6Address):
        wrapped = wrapped_ipv4(address)
        if wrapped is not None:
            kind, inner = wrapped
            return f"{kind} form of {inner} ({_special(inner) or 'public, but wrapped'})"
        if address not in _GLOBAL_UNICAST_6:
            return "not global unicast"
    # The registries grow: what this interpreter's copy calls special is refused too.
    if not address.is_global or address.is_reserved or address.is_multicast:
        return "not globally reachable"
    return None


def wrapped_ipv4(address: IPv6Address) -> tuple[str, IPv4Address] | None:
    """The kind of wrapping and the IPv4 address that an IPv6 address carries, or None where it carries none."""
    number = int(address)
    for kind, network in _WRAPPERS:
        if address not in network or number <= 1:
            continue
        if kind == "6to4":
            return kind, IPv4Address(number >> 80 & 0xFFFFFFFF)
        if kind == "Teredo":
            return kind, IPv4Address(~number & 0xFFFFFFFF)
        if kind == "local NAT64":
            # RFC 6052 §2.2: with a /48 prefix the IPv4 address stands around the reserved octet 64..71; operators
            # may use a longer prefix, where it is the last 32 bits. Whichever is special is the one to name.
            around = IPv4Address((number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF)
            last = IPv4Address(number & 0xFFFFFFFF)
            return kind, around if int(around) and _special(around) else last
        return kind, IPv4Address(number & 0xFFFFFFFF)
    if number >> 32 & 0xFDFFFFFF == 0x00005EFE:
        return "ISATAP", IPv4Address(number & 0xFFFFFFFF)
    return None
