"""Weights of a URL's spelling as they were fitted: data, with where they come from.

`bench/judge.py --fit` gives them again. They are changed by fitting anew, never by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spelling:
    """Log-odds: `prior` of a URL of which nothing is known, `weights` of each sign of `lexical.signs`."""

    prior: float
    weights: Mapping[str, float]


PROVENANCE = (
    "Logistic regression (ridge 1) over 2,637 of 8,938 labelled URLs: of URLhaus, PhishTank and attackers' commands "
    "those of half of the days before June 2021, and half of the hosts of undated ones, popular sites and links of "
    "documentations among them. List of URLs: SHA-256 c91840a9880448e9…, November 2026."
)

SHIPPED = Spelling(
    prior=0.34,
    weights={
        "address": 4.44, "address-odd-port": 0.61, "odd-port": 0.23, "ftp": 1.41, "plain-http": 1.62,
        "architecture": 0.13, "program-name": 0.99, "home-page": -3.76, "page": 0.47, "deep-name": 2.9, "www": -1.45,
        "free-hosting": 3.45, "hyphen": 0.98, "hyphens": 2.02, "digits": 1.06, "long-name": 1.57,
        "cheap-domain": 1.18, "other-domain": 0.17, "punycode": 0.01, "lure-in-name": 1.51, "lure-in-path": 1.27,
        "web-file": -0.08, "deep-path": -0.38,
    },
)  # fmt: skip
"""What `judge` takes unless it is told otherwise."""
