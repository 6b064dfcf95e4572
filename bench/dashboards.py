"""Every page and every listing at size: 1 million sessions, 10 million events, queries in milliseconds (p95).

`python bench/dashboards.py [--scale 1.0] [--store sqlite|postgresql] [--keep URL] [--rounds 12]` fills a store, asks
the site's pages and the command line's listings in it, and prints one JSON line per question (slowest last) and one for
all. A day of attacks is taken in as always; a hundred days are copies of it made inside the database, with other
sessions, addresses, passwords and URLs, and with the figures that intake would have kept. `--keep` names a database
that stays, and is used again when it is full already. Pages are asked for over the site's own application: the time is
that of the whole page, `sql` the part of it that statements took before their first row. Pages for everyone are
measured as their first reader has them made. What the public site reads in the background (all its URLs, each hour its
figures) answers nobody, and is printed apart, as `public_in_background_ms`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.crowd import END, fill
from fastapi.testclient import TestClient
from sqlalchemy import event, func, select

from urltrap.model.settings import Settings
from urltrap.site.app import create_app
from urltrap.site.process import keep_what_stays
from urltrap.site.public.app import create_public_app
from urltrap.site.public.pages import FIXED, Pages
from urltrap.site.public.snapshot import Source, slug
from urltrap.store import Store, open_store
from urltrap.store.queries import beliefs, campaigns, commands, gaps, intel
from urltrap.store.queries import public as everyones
from urltrap.store.schema import artifacts, events, recordings, sessions, urls

DATABASE = "urltrap_bench"


@contextmanager
def place(kind: str, keep: str) -> Iterator[str]:
    """The URL of the store to use, and whether it goes away afterwards."""
    if keep:
        yield keep
    elif kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="urltrap-bench-", dir=os.environ.get("BENCH_DIR")) as name:
            yield f"sqlite:///{name}/urltrap.db"
    else:
        from tests.support.databases import drop_database, fresh_database, server_url, stop_temporary_servers

        admin = server_url(kind)
        url = fresh_database(admin)
        try:
            yield url
        finally:
            drop_database(admin, url)
            stop_temporary_servers()


class Clock:
    """Adds up what the database takes."""

    def __init__(self, store: Store) -> None:
        self.seconds = 0.0
        self.slowest = (0.0, "")
        self._began = 0.0
        event.listen(store.engine, "before_cursor_execute", self._before)
        event.listen(store.engine, "after_cursor_execute", self._after)

    def _before(self, *_rest: Any) -> None:
        self._began = time.perf_counter()

    def _after(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        took = time.perf_counter() - self._began
        self.seconds += took
        self.slowest = max(self.slowest, (took, statement))


def some(store: Store) -> dict[str, Any]:
    """Subjects to ask about: rows in the middle, in a fixed order."""
    dice = random.Random(5)
    with store.connect() as connection:

        def pick(column: Any, table: Any, *where: Any) -> list[Any]:
            found = (
                connection.execute(select(column).select_from(table).where(*where).limit(3000))
                .scalars()
                .all()
            )
            return dice.sample(list(found), min(20, len(found)))

        rare = connection.execute(
            select(sessions.c.src_ip).order_by(sessions.c.started).limit(1)
        ).scalar_one()
        middle = END - timedelta(days=50)
        return {
            "sessions": pick(sessions.c.id, sessions, sessions.c.started >= middle),
            "recordings": pick(recordings.c.session, recordings),
            "urls": pick(urls.c.key, urls),
            "hosts": pick(urls.c.host, urls),
            "artifacts": pick(artifacts.c.sha256, artifacts),
            "addresses": [*pick(sessions.c.src_ip, sessions), rare],
            "hassh": sorted(set(pick(sessions.c.hassh, sessions))),
        }


def questions(store: Store, client: TestClient, now: datetime) -> dict[str, list[Callable[[], Any]]]:
    """Title → what to ask, again and again."""
    there = some(store)

    def get(path: str) -> Callable[[], Any]:
        def ask() -> Any:
            answer = client.get(path)
            assert answer.status_code == 200, (path, answer.status_code, answer.text[:500])
            return answer

        return ask

    def pages(path: str) -> Callable[[], Any]:
        """The list's third page, by its own links."""
        first = client.get(path)
        return get(_next_of(client, _next_of(client, path, first.text), None))

    made: dict[str, list[Callable[[], Any]]] = {}
    for span in ("24h", "7d", "30d", "all"):
        made[f"/?range={span}"] = [get(f"/?range={span}")]
    since = (now - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for path in (
        "/sessions", "/sessions?classed=probe", "/sessions?classed=brute-force", "/sessions?classed=interactive",
        "/sessions?classed=dropper", "/sessions?classed=upload", "/sessions?classed=flood", "/sessions?sensor=telnet",
        "/sessions?sensor=nothing", "/sessions?country=CN", "/sessions?country=IS", "/sessions?country=AQ",
        "/sessions?country=unknown", "/sessions?asn=64501", "/sessions?asn=64999", "/sessions?asn=65000",
        "/sessions?text=uname", "/sessions?text=rare-command-of-a-few", "/sessions?text=nobody-ever-typed-this",
        "/sessions?hassh=ffffffffffffffffffffffffffffffff", f"/sessions?since={since}", f"/sessions?until={since}",
        f"/sessions?since={since}&classed=dropper", f"/sessions?until={since}&country=IS",
        "/urls", "/urls?malicious=yes", "/urls?malicious=no", "/urls?published=yes", "/urls?published=no",
        "/urls?verdict=malicious-observed", "/urls?verdict=benign-context", "/urls?kind=elf", "/urls?kind=none",
        "/urls?text=bins", "/urls?text=nowhere-at-all",
        "/urls?sensor=ssh", "/urls?sensor=telnet", "/urls?sensor=nothing",
        "/artifacts", "/artifacts?kind=elf", "/artifacts?kind=none",
        "/logins", "/logins?username=root", "/logins?username=nobody-tried", "/logins?password=123456",
        "/logins?password=a-rare-one", "/logins?username=root&password=a-rare-one",
        "/logins?username=admin&password=123456",
        "/logins?username=oo&match=part", "/logins?password=rare&match=part", "/logins?password=never-seen&match=part",
        "/logins?accepted=yes", "/logins?accepted=no", f"/logins?since={since}", "/feeds", "/healthz",
    ):  # fmt: skip
        made[path] = [get(path)]
    for path in ("/sessions", "/urls", "/artifacts", "/logins"):
        made[f"{path} (page 3)"] = [pages(path)]
    for title, prefix, ending, name in (
        ("/sessions/ID", "/sessions/", "", "sessions"), ("/sessions/ID/replay", "/sessions/", "/replay", "recordings"),
        ("/sessions/ID/recording.cast", "/sessions/", "/recording.cast", "recordings"),
        ("/urls/KEY", "/urls/", "", "urls"), ("/urls?host=", "/urls?host=", "", "hosts"),
        ("/artifacts/SHA256", "/artifacts/", "", "artifacts"),
        ("/sessions?address=", "/sessions?address=", "", "addresses"),
        ("/sessions?hassh=", "/sessions?hassh=", "", "hassh"),
    ):  # fmt: skip
        made[title] = [get(f"{prefix}{subject}{ending}") for subject in there[name]]
    from urltrap.feeds import FORMATS

    made |= {f"/feed.{name}": [get(f"/feed.{name}")] for name in FORMATS}
    made |= {
        "urltrap gaps": [lambda: gaps.gaps(store, 40)],
        "urltrap commands": [lambda: list(commands.newest(store, 50))],
        "urltrap domains": [lambda: intel.domains(store, 40)],
        "urltrap quota": [lambda: intel.quotas(store, now)],
        "campaigns": [lambda: campaigns.largest(store, 50)],
        "beliefs": [lambda: beliefs.beliefs_lost(store, 50)],
        "about an address": [
            lambda address=address: intel.about_address(store, address) for address in there["addresses"]
        ],
        "about a URL": [lambda key=key: (intel.lead(store, key), intel.alive(store, key)) for key in there["urls"]],
    }  # fmt: skip
    return made


def for_everyone(client: TestClient, source: Source, pages: Pages) -> dict[str, list[Callable[[], Any]]]:
    """Title → what the public site answers with (`client`), or makes when a reader is the first to ask (`pages`)."""
    snapshot = source.snapshot()
    some = random.Random(5).sample(snapshot.urls, min(20, len(snapshot.urls)))

    def make(name: str) -> Callable[[], Any]:
        return lambda: pages.page(name, snapshot)

    def search(words: str) -> Callable[[], Any]:
        def ask() -> Any:
            answer = client.get("/search", params={"q": words})
            assert answer.status_code == 200, answer.text[:500]
            return answer

        return ask

    made = {f"public, made: {name}": [make(name)] for name in (*FIXED, "urls/page-2.html", "feed.csv")}
    made |= {
        "public, made: urls/ID.html": [make(f"urls/{url.id}.html") for url in some],
        "public, made: hosts/NAME.html": [make(f"hosts/{slug(url.host)}.html") for url in some],
        "public, made: api/urls/ID.json": [make(f"api/urls/{url.id}.json") for url in some],
        "public, search: a part": [search("bins")],
        "public, search: nothing": [search("nowhere-at-all")],
        "public, from the shelf": [lambda: client.get("/")],
    }
    return made


def in_background(store: Store) -> dict[str, int]:
    """Milliseconds that the public site's reading takes; nobody waits for it but whoever starts the site."""
    source = Source(store, Settings(), b"bench", lambda: END, kept=0.0)
    words: tuple[everyones.Tried, ...] = ("username", "password")
    asked: dict[str, Callable[[], Any]] = {
        "first": source.snapshot,
        "again": source.snapshot,
        "of these: addresses": lambda: everyones.address_counts(store),
        **{f"of these: {what}s": lambda what=what: everyones.tried(store, what, 200) for what in words},
    }
    found = {}
    for title, ask in asked.items():
        begin = time.perf_counter()
        ask()
        found[title] = round((time.perf_counter() - begin) * 1000)
    return found


def _next_of(client: TestClient, path: str, text: str | None) -> str:
    import html
    import re

    text = client.get(path).text if text is None else text
    found = re.findall(r'href="([^"]*[?&]cursor=[^"]*)"', text)
    if not found:
        return path
    link = html.unescape(found[-1])
    return link if link.startswith("/") else path.partition("?")[0] + link


def main() -> None:
    """Fill, ask and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="1.0: a million sessions")
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--keep", default="", help="an SQLite file's or a database's URL")
    parser.add_argument("--rounds", type=int, default=12, help="how often each question is asked")
    parser.add_argument("--only", default="", help="only questions whose title holds this")
    given = parser.parse_args()
    with place(given.store, given.keep) as url:
        store = open_store(url)
        began = time.perf_counter()
        fill(store, given.scale)
        seconds = time.perf_counter() - began
        with store.connect() as connection:
            sizes = {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (sessions, events, urls)
            }
        clock = Clock(store)
        client = TestClient(
            create_app(store, Settings(), now=lambda: END),
            base_url="http://127.0.0.1:8080",
            follow_redirects=False,
        )
        keep_what_stays()
        results = []
        background = in_background(store)
        public = create_public_app(store, Settings(), secret=b"bench", now=lambda: END)
        with TestClient(public, base_url=f"http://{Settings().public.listen}") as reader:
            public_urls = len(public.state.source.snapshot().urls)
            asks = questions(store, client, END) | for_everyone(
                reader, public.state.source, public.state.pages
            )
            for title, asked in asks.items():
                if given.only in title:
                    results.append(measure(title, asked, given.rounds, clock))
        store.close()
    results.sort(key=lambda result: result["p95_ms"])
    for result in results:
        print(json.dumps(result))
    slow = [result["question"] for result in results if result["p95_ms"] > 100]
    print(
        json.dumps(
            {"bench": "dashboards", "store": given.store, **sizes, "filled_in_seconds": round(seconds),
             "public_urls": public_urls, "public_in_background_ms": background, "questions": len(results),
             "worst_p95_ms": results[-1]["p95_ms"], "above_100_ms": slow}
        )
    )  # fmt: skip


def measure(title: str, asked: list[Callable[[], Any]], rounds: int, clock: Clock) -> dict[str, Any]:
    """Ask in turn; the first time does not count (it fills caches that a running site has)."""
    walls, sqls, cpus = [], [], []
    clock.slowest = (0.0, "")
    for number in range(max(rounds, len(asked)) + 1):
        clock.seconds = 0.0
        begin, cpu = time.perf_counter(), time.process_time()
        asked[number % len(asked)]()
        wall, used = time.perf_counter() - begin, time.process_time() - cpu
        if number:
            walls.append(wall * 1000)
            cpus.append(used * 1000)
            sqls.append(clock.seconds * 1000)
        else:
            clock.slowest = (0.0, "")
    result: dict[str, Any] = {"question": title}
    for name, values in (("median_ms", walls), ("cpu_median_ms", cpus), ("sql_median_ms", sqls)):
        result[name] = round(statistics.median(values), 1)
    result["p95_ms"] = round(statistics.quantiles(walls, n=20)[-1], 1)
    if result["p95_ms"] > 100:
        result["slowest"] = f"{clock.slowest[0] * 1000:.0f} ms: {' '.join(clock.slowest[1].split())[:300]}"
    return result


if __name__ == "__main__":
    main()
