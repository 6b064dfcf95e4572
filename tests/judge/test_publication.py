"""The publication gate: who tells one machine from others by what comes out, and how an address may be hidden."""

from __future__ import annotations

import base64
import ipaddress
import random
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from urltrap.judge import Evidence, publish_after
from urltrap.judge.publication import Policy, Publicity, blurred, enough_sources, for_everyone
from urltrap.judge.unmasking import Unmasking, looks_made_for_one

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DELAY = (30, 720)
OWN, OWN6, NAME = "192.0.2.5", "2001:db8::5", "db-replica2"

Showing = tuple[str, datetime]
"""A network, and when it showed a URL."""


def evidence_of(url: str, showings: list[Showing], secret: str = "01J") -> Evidence:
    first: dict[str, datetime] = {}
    days: dict[datetime, set[str]] = {}
    for network, at in sorted(showings, key=lambda item: item[1]):
        first.setdefault(network, at)
        days.setdefault(at.replace(hour=0, minute=0, second=0), set()).add(network)
    return Evidence(
        url=url, host="198.51.100.9", port=80, scheme="http", raw_address=True, secret=secret,
        first_seen=min(first.values()), sources=len(first), shown_first=tuple(first.values()),
        shown_days=tuple((day, len(networks)) for day, networks in days.items()),
    )  # fmt: skip


def gate(url: str, showings: list[Showing], policy: Policy, secret: str = "01J") -> Publicity | None:
    return for_everyone(evidence_of(url, showings, secret), "malicious-observed", policy)


def test_what_one_network_showed_is_for_nobody_however_often_it_did() -> None:
    alone = [("A", BEGIN + n * DAY) for n in range(50)]
    assert gate("http://198.51.100.9/bins/x86", alone, Policy(DELAY)) is None
    found = gate("http://198.51.100.9/bins/x86", [*alone, ("B", BEGIN + 3 * DAY)], Policy(DELAY))
    assert found is not None and found.first == BEGIN + 3 * DAY
    assert gate("http://198.51.100.9/x", [*alone, ("B", BEGIN)], Policy(DELAY, networks=3)) is None


def test_it_comes_out_a_secret_while_after_it_was_corroborated_and_always_the_same() -> None:
    showings = [("A", BEGIN), ("B", BEGIN + 5 * DAY)]
    secrets = [f"{n:026}" for n in range(200)]
    moments = [gate("http://198.51.100.9/x", showings, Policy(DELAY), secret).after for secret in secrets]  # type: ignore[union-attr]
    waits = [(moment - BEGIN - 5 * DAY) / timedelta(minutes=1) for moment in moments]
    assert min(waits) >= 30 and max(waits) <= 720 and len(set(waits)) == 200
    assert 300 < sum(waits) / len(waits) < 450, "spread over the whole while"
    again = gate("http://198.51.100.9/x", showings, Policy(DELAY), secrets[0])
    assert again is not None and again.after == moments[0]


def test_somebody_alone_who_shows_an_old_url_again_changes_nothing() -> None:
    natural = [("A", BEGIN), ("B", BEGIN + DAY), ("C", BEGIN + DAY)]
    before = gate("http://198.51.100.9/x", natural, Policy(DELAY))
    assert gate("http://198.51.100.9/x", [*natural, ("D", BEGIN + 9 * DAY)], Policy(DELAY)) == before
    again = [*natural, ("D", BEGIN + 9 * DAY), ("E", BEGIN + 9 * DAY)]
    later = gate("http://198.51.100.9/x", again, Policy(DELAY))
    assert later is not None and later.last == BEGIN + 9 * DAY


@pytest.mark.parametrize(
    "changes",
    [{"held": True}, {"operator": True}, {"carries_own_address": True}, {"url": "http://a.cc/" + "x" * 2000}],
)
def test_what_must_not_leave_does_not_though_everybody_shows_it(changes: dict[str, object]) -> None:
    everybody = evidence_of("http://198.51.100.9/x", [(f"AS{n}", BEGIN) for n in range(9)])
    found = Evidence(**{**{name: getattr(everybody, name) for name in Evidence.__slots__}, **changes})  # type: ignore[arg-type]
    assert for_everyone(found, "malicious-confirmed", Policy(DELAY, alone=True)) is None
    assert publish_after(found, "malicious-confirmed", BEGIN, DELAY) is None
    assert for_everyone(everybody, "suspicious", Policy(DELAY)) is None


def test_feeds_for_known_readers_withhold_tokens_until_somebody_else_shows_them() -> None:
    token = "http://198.51.100.9/d/8f14e45fceea167a"
    alone = evidence_of(token, [("A", BEGIN)])
    assert publish_after(alone, "malicious-observed", BEGIN, DELAY) is None
    both = evidence_of(token, [("A", BEGIN), ("B", BEGIN + DAY)])
    assert publish_after(both, "malicious-observed", BEGIN + DAY, DELAY) == BEGIN + DAY


# --- a simulated attacker --------------------------------------------------------------------------------------------

CANDIDATES = 8
TRIALS = 400
WORDS = ("apple", "pear", "plum", "fig", "date", "lime", "kiwi", "peach")
QUIET, BUSY = "http://198.51.100.9/quiet", "http://198.51.100.9/busy"

MAKERS: dict[str, Callable[[int, random.Random], str]] = {
    "a word": lambda n, dice: f"http://203.0.113.66/{WORDS[n]}.sh",
    "a port": lambda n, dice: f"http://203.0.113.66:{8000 + n}/bins/x86",
    "a name of a host": lambda n, dice: f"http://{WORDS[n]}.evil.cc/bins/x86",
    "a random token": lambda n, dice: f"http://203.0.113.66/{dice.getrandbits(64):x}",
    "a number": lambda n, dice: f"http://203.0.113.66/x?id={7000000 + n}",
    "its address, enciphered": lambda n, dice: (
        f"http://203.0.113.66/{bytes(b ^ 90 for b in (192, 0, 2, n)).hex()}"
    ),
}


def game(dice: random.Random, policy: Policy, maker: Callable[[int, random.Random], str]) -> bool:
    """One of the candidates is a sensor. The attacker shows each a URL of its own and two that are out already, at
    times of its own, looks at everything that everyone sees, each hour for a month, and says which one it is. Whether
    that is right."""
    sensor = dice.randrange(CANDIDATES)
    secret = f"{dice.getrandbits(80):026}"
    own = [maker(n, dice) for n in range(CANDIDATES)]
    shown_at = [BEGIN + (3 + 2 * n) * DAY + timedelta(minutes=dice.randrange(600)) for n in range(CANDIDATES)]
    seen: dict[str, list[Showing]] = {
        QUIET: [("AS1", BEGIN), ("AS2", BEGIN)],
        BUSY: [(f"AS{n}", BEGIN + day * DAY) for day in range(30) for n in range(3)],
    }
    for url in (own[sensor], QUIET, BUSY):
        seen.setdefault(url, []).append(("AS666", shown_at[sensor]))
        seen[url].sort(key=lambda item: item[1])
    told: dict[tuple[str, int], Publicity | None] = {}
    scores = [0] * CANDIDATES
    before: dict[str, tuple[datetime, datetime]] = {}
    for hour in range(24 * 30):
        now = BEGIN + timedelta(hours=hour)
        visible = {}
        for url, showings in seen.items():
            so_far = bisect_right(showings, now, key=lambda item: item[1])
            if so_far and (url, so_far) not in told:
                told[url, so_far] = gate(url, showings[:so_far], policy, secret)
            found = told.get((url, so_far))
            if found is not None and found.after <= now:
                visible[url] = (found.first, found.last)
        for n in range(CANDIDATES):
            if own[n] in visible:
                scores[n] += 1000
            if visible.get(QUIET) != before.get(QUIET) and timedelta(0) < now - shown_at[n] <= DAY:
                scores[n] += 100
            if visible.get(BUSY) != before.get(BUSY) and timedelta(0) < now - shown_at[n] <= timedelta(
                hours=1
            ):
                scores[n] += 1
        before = visible
    best = max(scores)
    return dice.choice([n for n in range(CANDIDATES) if scores[n] == best]) == sensor


@pytest.mark.parametrize("kind", MAKERS)
def test_who_shows_each_machine_a_url_of_its_own_finds_the_sensor_no_better_than_by_chance(kind: str) -> None:
    dice = random.Random(f"gate {kind}")
    trials = TRIALS // len(MAKERS) + 1
    right = sum(game(dice, Policy(DELAY), MAKERS[kind]) for _ in range(trials))
    expected = trials / CANDIDATES
    spread = (expected * (1 - 1 / CANDIDATES)) ** 0.5
    assert abs(right - expected) < 3.5 * spread, f"{right} of {trials} right, {expected:.1f} by chance"


def test_the_same_attacker_finds_it_where_one_network_is_enough() -> None:
    """What the operator is told of `single_source = "age"`; and that the game can be won."""
    dice = random.Random("control")
    assert sum(game(dice, Policy(DELAY, alone=True), MAKERS["a word"]) for _ in range(10)) == 10
    assert sum(game(dice, Policy(DELAY, networks=1), MAKERS["a random token"]) for _ in range(10)) == 10


def test_aged_urls_that_look_like_tokens_are_withheld_all_the_same() -> None:
    dice = random.Random("aged")
    policy = Policy(DELAY, alone=True)
    right = sum(game(dice, policy, MAKERS["a random token"]) for _ in range(64))
    assert right < 8 + 3.5 * (8 * 7 / 8) ** 0.5


# --- how an address may be hidden ------------------------------------------------------------------------------------


def percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


PACKED = ipaddress.ip_address(OWN).packed
NUMBER = int(ipaddress.ip_address(OWN))
B64 = base64.b64encode
HIDDEN = {
    "plain": OWN, "dashes": "192-0-2-5", "underscores": "ec2_192_0_2_5", "zeros": "192.000.002.005",
    "joined": "192000002005", "slashes": "192/0/2/5", "fields": "a=192&b=0&c=2&d=5", "hex": PACKED.hex(),
    "upper hex": PACKED.hex().upper(), "0x": hex(NUMBER), "number": str(NUMBER), "octal": f"{NUMBER:o}",
    "octal octets": "0300.0.02.05", "hex octets": "0xc0.0x0.0x2.0x5", "within hex": f"deadbeef{PACKED.hex()}0011",
    "little endian": PACKED[::-1].hex(), "base64": B64(OWN.encode()).decode(), "lost case": "mtkyljaumi41",
    "base64 behind": B64(b"x" + OWN.encode()).decode(), "base64 between": B64(b"id=" + OWN.encode() + b";").decode(),
    "base64 of bytes": B64(PACKED).decode(), "base64 of hex": B64(PACKED.hex().encode()).decode(),
    "base64 twice": B64(B64(OWN.encode())).decode(), "base32": base64.b32encode(OWN.encode()).decode(),
    "percent": percent(OWN), "percent twice": quote(percent(OWN)), "percent thrice": quote(quote(percent(OWN))),
    "hex of text": OWN.encode().hex(), "backwards": OWN[::-1], "reverse": "5.2.0.192.in-addr.arpa",
    "mapped": f"::ffff:{OWN}", "v6": OWN6, "v6 whole": ipaddress.ip_address(OWN6).exploded.replace(":", "-"),
    "v6 hex": ipaddress.ip_address(OWN6).packed.hex(), "v6 percent": OWN6.replace(":", "%3a"), "name": NAME.upper(),
    "name in base64": B64(NAME.encode()).decode(), "name in hex": NAME.encode().hex(), "name backwards": NAME[::-1],
}  # fmt: skip


@pytest.mark.parametrize("way", HIDDEN)
@pytest.mark.parametrize("place", ["http://evil.cc/x?id={}", "http://evil.cc/{}/x.sh", "http://{}.evil.cc/x"])
def test_an_address_or_a_name_of_ours_is_found_however_it_is_written(way: str, place: str) -> None:
    assert Unmasking([OWN, OWN6], [NAME]).carries(place.format(HIDDEN[way]))


@pytest.mark.parametrize(
    "url",
    [
        "http://198.51.100.9/bins/x86", "http://evil.cc/8UsA.sh", "http://192.0.2.55/x", "http://1192.0.2.5/",
        "http://192.0.25/", "http://192.10.2.5/x", "http://evil.cc/id/32212259", "http://evil.cc/db-replica22",
        "http://evil.cc/c0000206", "http://evil.cc/%41%42%43", "http://evil.cc/" + "A" * 5000,
    ],
)  # fmt: skip
def test_others_addresses_and_words_are_left_alone(url: str) -> None:
    assert not Unmasking([OWN, OWN6], [NAME]).carries(url)


def test_loopback_and_short_names_tell_nothing() -> None:
    nothing = Unmasking(["127.0.0.1", "::1", "0.0.0.0", "", "nonsense"], ["pc", ""])
    assert not nothing.carries("http://127.0.0.1/pc") and not Unmasking().carries("http://192.0.2.5/")


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.cc/d/8f14e45fceea167a", "http://evil.cc/x?id=7716253", "http://k3jd92ms8.evil.cc/x",
        "http://evil.cc/550e8400-e29b-41d4-a716-446655440000", "http://evil.cc/aGVsbG8gd29ybGQ", "http://evil.cc/a%41",
        "http://evil.cc/{hostname}", "http://evil.cc/" + "a/" * 1000,
    ],
)  # fmt: skip
def test_tokens_look_like_tokens(url: str) -> None:
    assert looks_made_for_one(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://198.51.100.9/bins/x86_64", "http://evil.cc/8UsA.sh", "http://evil.cc/ohshit.sh", "http://evil.cc/bins/mirai.arm7",
        "http://198.51.100.9:8080/jaws", "http://evil.cc/wp-content/uploads/sora.mips", "http://evil.cc/Mozi.m",
        "http://evil.cc/c3pool/setup_c3pool_miner.sh", "ftp://198.51.100.9/pub/update.tar.gz", "http://evil.cc/",
        "http://evil.cc/xmrig/releases/download/v6.21.0/xmrig-6.21.0-linux-static-x64.tar.gz",
    ],
)  # fmt: skip
def test_names_that_people_choose_do_not(url: str) -> None:
    assert not looks_made_for_one(url)


def test_figures_do_not_show_one_more() -> None:
    changed = sum(
        blurred(n, b"secret", "addresses") != blurred(n + 1, b"secret", "addresses")
        for n in range(10_000, 20_000)
    )
    assert changed == 10, "one in a thousand, and nobody knows which"
    assert blurred(9, b"s", "x") == 0 and blurred(10, b"s", "x") == 10
    assert all(n - 2 * 10 ** (len(str(n)) - 2) <= blurred(n, b"s", "x") <= n for n in range(100, 5000))
    steps = {
        next(n for n in range(2000, 2101) if blurred(n, s, "x") != blurred(n - 1, s, "x"))
        for s in (b"a", b"b", b"c", b"d")
    }
    assert len(steps) > 1, "where a figure steps is another place on each installation"


def test_how_many_sources_are_enough_is_a_secret_few_more_than_the_least() -> None:
    least = {next(n for n in range(20) if enough_sources(n, 5, b"secret", f"name {m}")) for m in range(200)}
    assert least == {5, 6, 7, 8, 9}
