"""The allow-list: what can stand on it, and which hosts it is about."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from urltrap.model.decisions import BadEntry, allow_entry
from urltrap.store.decisions import AllowList, Made

AT = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (" Files.Example.ORG. ", "files.example.org"),
        (".example.org", ".example.org"),
        ("files[.]example[.]org", "files.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("2001:db8::/48", "2001:db8::/48"),
    ],
)
def test_an_entry_is_kept_in_one_form(text: str, entry: str) -> None:
    assert allow_entry(text) == entry == allow_entry(entry)


@pytest.mark.parametrize(
    "text",
    ["", ".", "com", ".com", "..example.org", "http://example.org/x", "a b.example", "*.example.org", "192.0.2.7/24",
     "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/16", "192.0.2", "1.2.3.4.5", "ex\0ample.org", "<b>.example", "a" * 300 + ".b",
     "-a.example", "example.org/path", "ünd..example", "\ud800.example"],
)  # fmt: skip
def test_what_can_be_no_entry_is_refused_with_what_can(text: str) -> None:
    with pytest.raises(BadEntry, match=r"for example|too large"):
        allow_entry(text)


def test_a_list_is_about_hosts_domains_addresses_and_networks() -> None:
    entries = ("files.example.org", ".example.net", "192.0.2.7", "198.51.100.0/24", "2001:db8::/48")
    allowed = AllowList.of({entry: Made(entry, "allow", "ada", AT, "") for entry in entries})
    for host, entry in {
        "files.example.org": "files.example.org", "a.files.example.org": "", "example.org": "",
        "example.net": ".example.net", "a.b.example.net": ".example.net", "badexample.net": "",
        "192.0.2.7": "192.0.2.7", "192.0.2.8": "", "198.51.100.200": "198.51.100.0/24",
        "[2001:db8::5]": "2001:db8::/48", "2001:db8:1::5": "", "files.example.org.": "files.example.org",
    }.items():  # fmt: skip
        assert allowed.entry_of(host) == entry, host
    assert AllowList.of({}).entry_of("files.example.org") == ""
