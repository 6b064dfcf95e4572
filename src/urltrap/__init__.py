"""urltrap: a honeypot that turns attackers into a live, validated list of malicious URLs."""

from __future__ import annotations

__version__ = "0.1.0"
