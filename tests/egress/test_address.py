"""The address policy: what may be contacted, and every way of hiding what may not."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

import pytest

from urltrap.egress.address import AddressPolicy, wrapped_ipv4
from urltrap.egress.interfaces import own_addresses, parse_fib_trie, parse_if_inet6

POLICY = AddressPolicy()


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "185.199.108.133", "2606:4700:4700::1111", "2a00:1450::1"]
)
def test_a_public_address_may_be_contacted(address: str) -> None:
    assert POLICY.refusal(address) is None
    assert POLICY.allows(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.0.1", "169.254.1.1",
        "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1", "192.88.99.1", "198.18.0.1",
        "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "::", "::1", "100::1", "2001:db8::1", "2001:2::1", "2001:10::1", "3fff::1", "5f00::1", "fc00::1", "fd12::1",
        "fe80::1", "fec0::1", "ff02::1", "ff0e::1", "4000::1", "1::1",
    ],
)  # fmt: skip
def test_a_special_address_is_refused(address: str) -> None:
    assert POLICY.refusal(address)


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "fd20:ce::254"],
)
def test_a_metadata_service_is_refused_by_name(address: str) -> None:
    assert POLICY.refusal(address) == "a cloud's metadata service"


@pytest.mark.parametrize(
    ("address", "kind", "inner"),
    [
        ("::ffff:127.0.0.1", "IPv4-mapped", "127.0.0.1"),
        ("::ffff:8.8.8.8", "IPv4-mapped", "8.8.8.8"),
        ("::ffff:0:10.0.0.1", "IPv4-translated", "10.0.0.1"),
        ("::127.0.0.1", "IPv4-compatible", "127.0.0.1"),
        ("64:ff9b::a9fe:a9fe", "NAT64", "169.254.169.254"),
        ("64:ff9b:1:7f00:0:100::", "local NAT64", "127.0.0.1"),
        ("64:ff9b:1::127.0.0.1", "local NAT64", "127.0.0.1"),
        ("2002:7f00:1::", "6to4", "127.0.0.1"),
        ("2002:0808:0808::1", "6to4", "8.8.8.8"),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", "Teredo", "127.0.0.1"),
        ("2606:4700::5efe:10.0.0.1", "ISATAP", "10.0.0.1"),
        ("2606:4700::200:5efe:10.0.0.1", "ISATAP", "10.0.0.1"),
    ],
)
def test_an_ipv4_address_wrapped_in_ipv6_is_refused_and_named(address: str, kind: str, inner: str) -> None:
    assert wrapped_ipv4(IPv6Address(address)) == (kind, IPv4Address(inner))
    reason = POLICY.refusal(address)
    assert reason is not None
    assert reason.startswith(f"{kind} form of {inner}")


def test_a_public_network_of_the_tests_is_let_in_only_as_it_is_written() -> None:
    policy = AddressPolicy(public_networks=["127.0.0.0/8"])
    assert policy.allows("127.0.0.1")
    for wrapped in ("::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::"):
        assert not policy.allows(wrapped)
    assert not policy.allows("10.0.0.1")
    assert not policy.allows("169.254.169.254")


def test_an_address_of_this_machine_is_refused_though_public() -> None:
    policy = AddressPolicy(public_networks=["9.9.9.0/24"]).with_own([ipaddress.ip_address("8.8.8.8")])
    assert policy.refusal("8.8.8.8") == "an address of this machine"
    assert policy.allows("9.9.9.9"), "the test networks stay let in"


def test_a_network_that_the_settings_refuse_is_refused() -> None:
    policy = AddressPolicy(refused_networks=["8.8.0.0/16", "2606:4700::/32"])
    assert policy.refusal("8.8.4.4") == "in a network that the settings refuse"
    assert policy.refusal("2606:4700::1") == "in a network that the settings refuse"
    assert policy.allows("1.1.1.1")


@pytest.mark.parametrize(
    "text", ["fe80::1%eth0", "2606:4700::1%1", "example.com", "", "1.2.3", "0x7f.1", "127.1"]
)
def test_what_has_a_scope_or_is_no_address_is_refused(text: str) -> None:
    assert AddressPolicy(public_networks=["::/0", "0.0.0.0/0"]).refusal(text)


def test_a_network_that_cannot_be_parsed_is_an_error_at_start() -> None:
    with pytest.raises(ValueError, match="not-a-network"):
        AddressPolicy(public_networks=["not-a-network"])


def test_no_address_that_the_registries_call_special_gets_through() -> None:
    for number in range(0, 1 << 32, 65_537 * 13):
        address = IPv4Address(number)
        if not address.is_global:
            assert not POLICY.allows(address), address


def test_the_machines_own_addresses_are_read_from_the_kernels_tables() -> None:
    trie = "Main:\n  +-- 0.0.0.0/0\n     |-- 198.51.100.0\n        /24 link UNICAST\n"
    trie += (
        "     |-- 198.51.100.7\n        /32 host LOCAL\n     |-- 198.51.100.255\n        /32 link BROADCAST\n"
    )
    assert parse_fib_trie(trie) == {IPv4Address("198.51.100.7")}
    assert parse_if_inet6("20010db8000000000000000000000001 02 40 00 80 eth0\n") == {
        IPv6Address("2001:db8::1")
    }


def test_a_machine_without_these_tables_has_no_own_addresses(tmp_path: object) -> None:
    from pathlib import Path

    assert own_addresses(Path(str(tmp_path))) == frozenset()
