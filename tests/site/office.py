"""What people have done on a demo site: accounts and their log, URLs to review, an allow-list, disputes."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, update
from tests.site.auth.conftest import add_users

from urltrap.model.event import Decided
from urltrap.model.ids import new_ulid
from urltrap.store import Store, disputes
from urltrap.store.accounts import audit, users
from urltrap.store.accounts.audit import Actor
from urltrap.store.intake import ingest
from urltrap.store.queries import urls
from urltrap.store.schema import jobs, verdicts
from urltrap.store.schema import urls as url_rows

REASONS = [
    {"code": "payload.script", "text": "it serves a script (sh)", "weight": 21},
    {"code": "asked", "text": "a program in an attacker's session asked for it", "weight": 14},
    {"code": "url.odd-port", "text": "its port is unusual", "weight": 7},
    {"code": "prior", "text": "before anything is known of it", "weight": 4},
]


def furnish(store: Store, now: datetime) -> None:
    """Fill in what nobody but people make. The users' passwords are those of the tests."""
    add_users(store)
    users.set_right(store, "analyst-1", "payloads", True, now, Actor("root (command line)"))
    rows = urls.page(store, limit=40).rows
    doubted = [row for row in rows if not row.verdict.startswith("malicious")][:3] + rows[-4:]
    with store.begin() as connection:
        keys = [row.id for row in doubted]
        doubt = {"verdict": "suspicious", "confidence": 46}
        connection.execute(
            update(url_rows)
            .where(url_rows.c.key.in_(keys))
            .values(**doubt, published_at=None, publish_after=None)
        )
        connection.execute(
            update(verdicts).where(verdicts.c.url_key.in_(keys)).values(**doubt, reasons=REASONS)
        )
    made = [
        (doubted[-1].url, "leave", "a mirror, but nobody knows whose"),
        ("mirror.example.org", "allow", "the mirror that our own installer uses"),
        (".cdn.example", "allow", "the content network of the university"),
        ("192.0.2.0/28", "allow", "test machines of the network group"),
    ]
    events = [
        Decided(
            session=new_ulid(1_795_000_000_000 + number, number.to_bytes(10, "big")), seq=0,
            at=now - timedelta(hours=9 * number + 1), by="analyst-1", subject=subject, decision=decision, reason=reason,
        )
        for number, (subject, decision, reason) in enumerate(made)
    ]  # fmt: skip
    ingest(store, "site", events, (1, 1))
    with store.begin() as connection:
        connection.execute(delete(jobs).where(jobs.c.stage == "decide"))  # done: nothing else is judged here
        for event in events:
            actor = Actor("analyst-1", "203.0.113.50")
            audit.note(connection, event.at, actor, f"decision.{event.decision}", event.subject, event.reason)
        audit.note(
            connection,
            now - timedelta(minutes=8),
            Actor("(nobody)", "198.51.100.9"),
            "login.failed",
            "admin-1",
        )
        audit.note(
            connection, now - timedelta(minutes=3), Actor("analyst-1", "203.0.113.50"), "login", "analyst-1"
        )
    first = disputes.file(
        store, now - timedelta(days=2), "host", "files[.]shop[.]example", "it@shop.example",
        "Our server was broken into on Monday and has been made anew since. The file is gone.",
    )  # fmt: skip
    disputes.decide(
        store, first, "upheld", "analyst-1", "The file is gone, checked twice.", now - timedelta(days=1)
    )
    disputes.file(
        store, now - timedelta(hours=5), "url", rows[0].url.replace("http", "hxxp", 1).replace(".", "[.]"), "",
        "This is a router firmware of mine, I am no attacker!!!",
    )  # fmt: skip
