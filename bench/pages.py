"""How soon a page stands in a real browser over a full store, and how much of it comes over the wire.

`python bench/pages.py URL [--rounds 3]`, where URL is the store's (`bench/dashboards.py --keep URL` makes one of a
million sessions). Each page is loaded in a fresh Chromium context, that is without a cache, on the same machine: the
moment of the first byte and the first contentful paint in milliseconds (of the first load, which may find nothing in
the database's cache, and the median and slowest of the others), and kB transferred. Bars: the first paint at most 1 s,
400 kB for the overview, 100 kB for each page for everyone. A table on the standard error, then one JSON line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.crowd import END
from playwright.sync_api import Browser
from sqlalchemy import select
from tests.browsing import PATIENCE_MS, launched, serving

from urltrap.model.settings import Settings
from urltrap.site.app import create_app
from urltrap.site.process import keep_what_stays
from urltrap.site.public.app import create_public_app
from urltrap.site.public.snapshot import slug
from urltrap.store import open_store
from urltrap.store.queries import artifacts, sessions, urls
from urltrap.store.schema import recordings

PAINT_MS, OVERVIEW_KB, PUBLIC_KB = 1000, 400, 100
_TIMES = """() => new Promise(resolve => new PerformanceObserver(list => {
  const paint = list.getEntriesByName("first-contentful-paint")[0];
  if (paint) resolve([performance.getEntriesByType("navigation")[0].responseStart, paint.startTime]);
}).observe({type: "paint", buffered: true}))"""


def load(browser: Browser, address: str) -> tuple[float, float, float]:
    """First byte and first paint in ms, and kB that came, of one page and what belongs to it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    came: list[float] = []
    wire.on("Network.loadingFinished", lambda event: came.append(event["encodedDataLength"]))
    page.goto(address, wait_until="load")
    first_byte, painted = page.evaluate(_TIMES)
    page.wait_for_timeout(300)  # scripts of the page may still ask for more
    context.close()
    return first_byte, painted, sum(came) / 1000


def measure(browser: Browser, base: str, path: str, most_kb: int | None, rounds: int) -> dict[str, Any]:
    """One page, loaded again and again."""
    found = [load(browser, base + path) for _ in range(rounds + 1)]
    later = found[1:]
    result = {
        "page": path,
        "first_load_ms": round(found[0][1]),
        "first_byte_ms": round(statistics.median(row[0] for row in later)),
        "paint_ms": round(statistics.median(row[1] for row in later)),
        "slowest_paint_ms": round(max(row[1] for row in later)),
        "kb": round(max(row[2] for row in found), 1),
    }
    result["met"] = max(row[1] for row in found) <= PAINT_MS and (most_kb is None or result["kb"] <= most_kb)
    return result


def operators_pages(store: Any) -> list[str]:
    """Lists and, of each kind, one that is in the store."""
    newest = urls.page(store, limit=1).rows[0]
    with store.connect() as connection:
        recorded = connection.execute(select(recordings.c.session).limit(1)).scalar()
    found = [
        "/", "/?range=7d", "/?range=30d", "/?range=all", "/sessions", "/sessions?classed=dropper", "/logins", "/urls",
        "/urls?malicious=yes", f"/urls/{newest.id}", f"/hosts/{newest.host}", "/artifacts", "/campaigns", "/families",
        "/domains", "/review", "/operations", "/feeds", f"/sessions/{sessions.page(store, limit=1).rows[0].id}",
    ]  # fmt: skip
    payloads = artifacts.page(store, None, None, 1).rows
    found += [f"/artifacts/{row.artifact.sha256}" for row in payloads]
    return [*found, f"/sessions/{recorded}/replay"] if recorded else found


def measure_all(url: str, rounds: int) -> dict[str, Any]:
    """Every page of both sites."""
    store = open_store(url)
    results: list[dict[str, Any]] = []

    def tell(result: dict[str, Any]) -> None:
        results.append(result)
        print("{page:<48.48} {first_load_ms:>6} {first_byte_ms:>6} {paint_ms:>6} {slowest_paint_ms:>6} {kb:>7}".format(
            **result), "" if result["met"] else " MISSED", file=sys.stderr)  # fmt: skip

    print(
        f"{'page':<48} {'first':>6} {'byte':>6} {'paint':>6} {'worst':>6} {'kB':>7}   (ms)", file=sys.stderr
    )
    settings = Settings.model_validate({"public": {"enabled": True}})
    launch = contextmanager(launched)
    with launch() as browser:
        app = create_app(store, settings, now=lambda: END, listen="127.0.0.1:0")
        keep_what_stays()
        with serving(app) as base:
            for path in operators_pages(store):
                tell(measure(browser, base, path, OVERVIEW_KB if path == "/" else None, rounds))
        public = create_public_app(store, settings, secret=b"bench", now=lambda: END, listen="127.0.0.1:0")
        with serving(public) as base:
            snapshot = public.state.source.snapshot()
            paths = ["/", "/urls.html", "/browse.html", "/hosts.html", "/payloads.html", "/families.html",
                     "/statistics.html", "/feeds.html", "/methodology.html", "/search?q=bins"]  # fmt: skip
            if snapshot.urls:
                one = snapshot.urls[len(snapshot.urls) // 2]
                paths += [f"/urls/{one.id}.html", f"/hosts/{slug(one.host)}.html"]
            for path in paths:
                tell(measure(browser, base, path, PUBLIC_KB, rounds))
    public_urls = len(snapshot.urls)
    store.close()
    return {
        "bench": "pages", "public_urls": public_urls, "slowest_paint_ms": max(
            max(row["first_load_ms"], row["slowest_paint_ms"]) for row in results),
        "overview_kb": results[0]["kb"], "missed": [row["page"] for row in results if not row["met"]],
        "pages": results,
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", help="the store's URL")
    parser.add_argument("--rounds", type=int, default=3, help="loads of each page after the first")
    given = parser.parse_args()
    print(json.dumps(measure_all(given.store, given.rounds)))


if __name__ == "__main__":
    main()
