"""What the labels of lists mean for a verdict."""

from __future__ import annotations

from urltrap.judge.evidence import LabelKind

BENIGN: dict[LabelKind, str] = {
    "ip-check": "it tells its caller's address",
    "speed-test": "it is a speed test",
    "known-site": "it is a well-known site",
    "mirror": "it is a mirror of software distributions",
    "top-site": "it is among the most visited sites",
    "research-scanner": "it belongs to researchers who scan the internet",
    "sinkhole": "it is a sinkhole of defenders: whatever was there is gone",
    "parked": "it is parked: nothing but advertisements answers there",
    "false-positive": "a list of usual false positives names it",
}
"""Labels of hosts that never become malicious by context, and the words for it."""

SHARED: dict[LabelKind, str] = {
    "code-hosting": "code hosting", "paste": "a paste site", "shortener": "a shortener", "cdn": "a CDN",
    "file-share": "file sharing", "cloud-bucket": "cloud storage", "ipfs": "a public IPFS gateway",
    "tunnel": "a tunnel", "dynamic-dns": "dynamic DNS", "tor": "a gateway into Tor",
}  # fmt: skip
"""Labels of hosts where anybody can put files: what is said of one path says nothing of the host."""

DUAL_USE: LabelKind = "dual-use-tool"
"""A tool's own home (miners, scanners): a victim of abuse, not a distributor of malware."""
