"""Which lists are taken, and what being on one means.

MISP's warninglists are named by their folders. Those of clouds' address ranges are labels and no excuse: anybody
rents a machine there.
"""

from __future__ import annotations

MISP: dict[str, str] = {
    # who scans everybody and says so
    "alphastrike-research-nt-scanning": "research-scanner",
    "binaryedge-scanning": "research-scanner",
    "bitsight-scanning": "research-scanner",
    "bufferover-nt-scanning": "research-scanner",
    "censys-scanning": "research-scanner",
    "coalition-signals-intelligence-nt-scanning": "research-scanner",
    "criminalip-scanning": "research-scanner",
    "cybergreen-nt-scanning": "research-scanner",
    "cyberresilience-nt-scanning": "research-scanner",
    "cypex-nt-scanning": "research-scanner",
    "driftnet": "research-scanner",
    "f6-nt-scanning": "research-scanner",
    "fofa-scanning": "research-scanner",
    "internet-census-nt-scanning": "research-scanner",
    "intrinsec-nt-scanning": "research-scanner",
    "ipip-nt-scanning": "research-scanner",
    "modat-nt-scanning": "research-scanner",
    "modat-scanner": "research-scanner",
    "netsecscan-nt-scanning": "research-scanner",
    "onyphe-nt-scanning": "research-scanner",
    "onyphe-scanner": "research-scanner",
    "probethenet-nt-scanning": "research-scanner",
    "rapid7-nt-scanning": "research-scanner",
    "research-scanner-nt-scanning": "research-scanner",
    "shadowforce-nt-scanning": "research-scanner",
    "shadowserver": "research-scanner",
    "shadowserver-nt-scanning": "research-scanner",
    "shodan-nt-scanning": "research-scanner",
    "shodan-scanning": "research-scanner",
    "skipa-nt-scanning": "research-scanner",
    "stretchoid-nt-scanning": "research-scanner",
    "tenable-cloud-ipv4": "research-scanner",
    "tenable-cloud-ipv6": "research-scanner",
    # benign by themselves
    "whats-my-ip": "ip-check",
    "findip-host": "ip-check",
    "captive-portals": "known-site",
    "security-provider-blogpost": "known-site",
    "automated-malware-analysis": "known-site",
    "google": "known-site",
    "microsoft": "known-site",
    "apple": "known-site",
    "wikimedia": "known-site",
    "bank-website": "known-site",
    "microsoft-win10-connection-endpoints": "known-site",
    "tranco10k": "top-site",
    "cisco_top1000": "top-site",
    "sinkholes": "sinkhole",
    "parking-domain": "parked",
    "parking-domain-ns": "parked",
    "common-ioc-false-positive": "false-positive",
    "empty-hashes": "false-positive",
    "ti-falsepositives": "false-positive",
    "eicar.com": "false-positive",
    # anybody's files
    "lots-project": "file-share",
    "link-in-bio": "shortener",
    "url-shortener": "shortener",
    "dynamic-dns": "dynamic-dns",
    "public-ipfs-gateways": "ipfs",
    "akamai": "cdn",
    "cloudflare": "cdn",
    "fastly": "cdn",
    "stackpath": "cdn",
    # ranges and special addresses
    "rfc1918": "private",
    "rfc6598": "private",
    "rfc5735": "private",
    "rfc3849": "private",
    "multicast": "private",
    "ipv6-linklocal": "private",
    "public-dns-v4": "public-dns",
    "public-dns-v6": "public-dns",
    "amazon-aws": "cloud",
    "google-gcp": "cloud",
    "vpn-ipv4": "vpn",
    "vpn-ipv6": "vpn",
}
"""Folder → kind of label."""

EXACT = frozenset({"top-site", "known-site"})
"""Kinds whose lists speak of a host and not of all below it: `duckdns.org` is popular, `x.duckdns.org` is anybody's."""

MASS_SCANNERS = "maltrail-mass-scanners"
RESEARCH = "isc-research"


def kind_of(name: str) -> str:
    """The kind of label that a list gives; lists that the operator added himself and we do not know give "listed"."""
    if name in (MASS_SCANNERS, RESEARCH):
        return "research-scanner"
    return MISP.get(name, "research-scanner" if name.endswith("scanning") else "listed")
