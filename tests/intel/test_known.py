from __future__ import annotations

import pytest

from urltrap.intel.known import KnownHosts, ListError, shipped


@pytest.mark.parametrize(
    ("host", "kinds"),
    [
        ("ifconfig.me", ["ip-check"]),
        ("IFCONFIG.ME.", ["ip-check"]),
        ("evil.ifconfig.me", []),
        ("raw.githubusercontent.com", ["code-hosting"]),
        ("githubusercontent.com.evil.cc", []),
        ("notgithub.com", []),
        ("bucket.s3.amazonaws.com", ["cdn"]),
        ("checkip.amazonaws.com", ["ip-check", "cdn"]),
        ("speedtest.tele2.net", ["speed-test"]),
        ("test-debit.free.fr", ["speed-test"]),
        ("get.docker.com", ["mirror"]),
        ("198.51.100.9", []),
        ("", []),
    ],
)
def test_a_host_has_the_labels_of_its_name_and_of_the_domains_that_take_what_is_below(
    host: str, kinds: list[str]
) -> None:
    assert [label.kind for label in shipped().labels(host)] == kinds


@pytest.mark.parametrize("line", ["ip-check", "nonsense x.y", "ip-check a b"])
def test_a_line_that_cannot_be_read_is_named(line: str) -> None:
    with pytest.raises(ListError, match="mine, line 2"):
        KnownHosts(f"# comment\n{line}\n", "mine")
