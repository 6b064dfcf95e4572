"""What everyone may see, on each kind of database."""

from __future__ import annotations

import json
from datetime import timedelta

from sqlalchemy import insert, update
from tests.store.conftest import START, visit

from urltrap.store import Store
from urltrap.store.intake import ingest
from urltrap.store.queries import public
from urltrap.store.rows import url_key
from urltrap.store.schema import artifacts, captures, observations, urls, verdicts
from urltrap.store.schema_intel import leads
from urltrap.store.schema_public import publications

DAY = START.replace(hour=0, minute=0, second=0, microsecond=0)
TOLD = {
    "verdict": "malicious-observed",
    "confidence": 77,
    "reasons": ["run"],
    "delivery": "ssh wget",
    "techniques": ["T1105"],
}


def put(store: Store, name: str, **changes: object) -> str:
    url = f"http://198.51.100.9/{name}"
    key = url_key(url)
    row = {
        "key": key, "url": url, "scheme": "http", "host": "198.51.100.9", "port": 80,
        "first_seen": START, "last_seen": START,
        "sightings": 3, "sources": 2, "depth": 0, "held": False, "flags": [], "outcome": "fetched", "status": 200,
        "captured_at": START, "sha256": "a" * 64, "kind": "elf", "verdict": "malicious-observed", "confidence": 82,
        "publish_after": START, "published_at": START, "family": "elf.mirai", **changes,
    }  # fmt: skip
    with store.begin() as connection:
        connection.execute(insert(urls).values(row))
        connection.execute(
            insert(verdicts).values(
                url_key=key, verdict=row["verdict"], confidence=82, reasons=[], at=START, rules="1",
                publish_after=START, classes=json.dumps({"fp_risk": "low"}),
            )
        )  # fmt: skip
        connection.execute(
            insert(publications).values(url_key=key, after=START, first=DAY, last=DAY, told=json.dumps(TOLD))
        )
    return key


def test_only_what_came_through_the_gate_is_read(store: Store) -> None:
    key = put(store, "shown")
    put(store, "held", held=True)
    put(store, "suspicious", verdict="suspicious")
    put(store, "doubtful", confidence=40)
    put(store, "withheld", publish_after=None)
    put(store, "taken-back", published_at=None)
    late = put(store, "late")
    with store.begin() as connection:
        connection.execute(
            update(publications).where(publications.c.url_key == late).values(after=START + timedelta(days=9))
        )
        connection.execute(
            insert(artifacts).values(
                sha256="a" * 64, size=7, complete=True, first_seen=START, last_seen=START, times=1, via="capture",
                md5="m",
                sha1="s", mime="", description="", kind="elf", architecture="mips", analysis={},
            )
        )  # fmt: skip
        for n in range(2):
            connection.execute(
                insert(captures).values(
                    session=f"f{n}", seq=0, url_key=key, at=START, outcome="fetched", sha256="a" * 64, complete=True,
                    for_session="", body=b"",
                )
            )  # fmt: skip
        for provider in ("one", "two"):
            connection.execute(
                insert(observations).values(
                    provider=provider, subject_kind="url", subject_sha256=key, subject="", at=START, result="listed",
                    detail="theirs", tags=[], reference="",
                )
            )  # fmt: skip
            connection.execute(
                insert(leads).values(
                    url_key=key, provider=provider, first_seen=START, listed=DAY + timedelta(days=4), basis="stated",
                    seconds=1,
                )
            )  # fmt: skip
    found = public.read(store, START + timedelta(hours=1), 60)
    assert [url.id for url in found.urls] == [key]
    url = found.urls[0]
    assert (url.confidence, url.reasons, url.delivery, url.techniques) == (77, ["run"], "ssh wget", ["T1105"])
    assert (url.listed, url.days_first, url.sha256, url.fp_risk) == (2, 4, "a" * 64, "low")
    assert found.payloads["a" * 64].urls == [key]
    again = public.read(store, START + timedelta(hours=1), 60, known=found.known)
    assert again.urls[0] is url, "what has not changed is not made anew"
    assert public.read(store, START, 60, lambda text: "shown" in text).urls == []


def test_words_are_counted_by_the_addresses_that_tried_them(store: Store) -> None:
    for n in range(7):
        ingest(store, "w", visit(n, address=f"198.51.100.{n % 6}", logins=2), (1, n))
    counted = dict(public.tried(store, "password", 100))
    assert counted and max(counted.values()) == 6
    assert max(dict(public.tried(store, "username", 3)).values()) == 3
    total, by_country = public.address_counts(store)
    assert total == 6 and by_country == {}
