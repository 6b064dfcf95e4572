"""Names and their addresses, and the name server that gives them out."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.wire.internet.dns import Question, answer
from urltrap.wire.internet.names import MAX_NAMES, NETWORKS, Names


def _ask(name: str, kind: str, names: Names) -> tuple[dns.message.Message, Question | None]:
    reply, question = answer(dns.message.make_query(name, kind).to_wire(), names, {"org", "net"}.__contains__)
    return dns.message.from_wire(reply), question


def test_a_name_has_one_address_in_all_boxes_of_an_installation_and_another_elsewhere() -> None:
    one = Names(b"a").address("Evil.Example.ORG.")
    assert one == Names(b"a").address("evil.example.org") != Names(b"b").address("evil.example.org")
    assert any(ip_address(one) in ip_network(each) for each in NETWORKS)


def test_addresses_are_no_two_names() -> None:
    names = Names(b"a")
    given_out = {names.address(f"n{number}.org") for number in range(2000)}
    assert len(given_out) == 2000 and all(names.name(each) for each in given_out)


def test_of_many_names_the_oldest_are_forgotten() -> None:
    names = Names(b"a")
    first = names.address("first.org")
    for number in range(MAX_NAMES):
        names.address(f"n{number}.org")
    assert names.name(first) == ""


def test_an_address_is_told_with_its_name() -> None:
    names = Names(b"a")
    reply, question = _ask("evil.org", "A", names)
    assert question == Question("evil.org", "A", names.address("evil.org"))
    assert reply.answer[0][0].to_text() == question.address
    reverse = ".".join(reversed(question.address.split("."))) + ".in-addr.arpa"
    assert _ask(reverse, "PTR", names)[0].answer[0][0].to_text() == "evil.org."
    assert _ask("1.2.0.192.in-addr.arpa", "PTR", names)[0].rcode() == dns.rcode.NXDOMAIN


def test_a_name_has_no_other_kind_of_record() -> None:
    for kind in ("AAAA", "MX", "TXT"):
        reply, _ = _ask("evil.org", kind, Names(b"a"))
        assert reply.rcode() == dns.rcode.NOERROR and not reply.answer


@pytest.mark.parametrize("name", ["evil.nosuchtop", "host", "printer.local", "x.onion", "."])
def test_names_below_no_top_level_do_not_exist(name: str) -> None:
    assert _ask(name, "A", Names(b"a"))[0].rcode() == dns.rcode.NXDOMAIN


def test_what_is_no_question_gets_no_answer() -> None:
    query = dns.message.make_query("a.org", "A")
    query.flags |= dns.flags.QR
    for data in (b"", b"\0" * 12, b"x" * 600, query.to_wire()):
        assert answer(data, Names(b"a"), lambda _: True) == (b"", None)


@given(st.binary(max_size=80), st.integers(0, 40))
def test_nothing_raises(noise: bytes, at: int) -> None:
    query = dns.message.make_query("evil.org", "A").to_wire()
    answer(query[:at] + noise + query[at:], Names(b"a"), lambda _: True)
