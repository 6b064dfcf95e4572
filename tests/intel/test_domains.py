from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from urltrap.intel.enrich.domains import rank, registered


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("46-119-179-226.broadband.kyivstar.net", "kyivstar.net"),
        ("45-171-129-58.STOKINFO.com.br.", "stokinfo.com.br"),
        ("dynamic.example.co.uk", "example.co.uk"),
        ("ec2-13-58-97-162.us-east-2.compute.amazonaws.com", "amazonaws.com"),
        ("ntt.tokyo.ocn.ne.jp", "ocn.ne.jp"),
        ("swiftsc", ""),
        ("com.br", ""),
        ("198.51.100.7", ""),
        ("host.invalid-tld-of-nobody", ""),
        ("", ""),
        ("a b.com", ""),
        ("x" * 300 + ".com", ""),
    ],
)
def test_the_registered_domain_follows_the_public_suffix_list(host: str, domain: str) -> None:
    assert registered(host) == domain


def test_below_private_suffixes_each_customer_is_a_domain_where_asked_for() -> None:
    assert registered("evil.duckdns.org") == "duckdns.org"
    assert registered("a.evil.duckdns.org", private=True) == "evil.duckdns.org"


def test_the_ranking_of_the_earlier_run_s_hostnames(shared_data: Path) -> None:
    names = json.loads((shared_data / "seed" / "hostnames.json").read_text())
    ranked = dict(rank(names, 2000))
    assert ranked["spectrum.com"] == 46
    assert ranked["stretchoid.com"] == 44
    assert ranked["kyivstar.net"] == 37
    assert ranked["shadowserver.org"] == 21
    assert rank(names, 1) == [("hinet.net", 68)]

    # Where this differs from cutting at the last two labels: a suffix of two labels is nobody's domain, so that its
    # names belong to many, and each of these has a rank of its own here.
    cut = Counter(".".join(name.split(".")[-2:]) for name in names if "." in name)
    differ = {domain: n for domain, n in cut.items() if ranked.get(domain) != n}
    suffixes = {"com.br", "or.jp", "ne.jp", "com.cn", "net.br"}
    assert suffixes <= set(differ) and not any(suffix in ranked for suffix in suffixes)
    assert (cut["or.jp"], ranked["asahi-net.or.jp"]) == (45, 41)
    assert (cut["ne.jp"], ranked["ocn.ne.jp"]) == (39, 26)
    assert (cut["com.cn"], ranked["163data.com.cn"]) == (31, 31)
    assert sum(n for domain, n in ranked.items() if domain.endswith(".com.br")) == cut["com.br"] == 46
    # Apart from suffixes, both count the same.
    for domain in differ:
        assert domain not in ranked, domain
