"""Writes pictures of the site for everyone into docs/screenshots/: light, dark and on a phone.

`make screenshots`, or `python docs/screenshots_public.py [FOLDER]`. As screenshots.py, over the same invented attacks.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import screenshots  # noqa: E402
from tests.browsing import launched, serving  # noqa: E402
from tests.site import demo  # noqa: E402
from tests.site.public import showing  # noqa: E402

from urltrap.site.public.app import create_public_app  # noqa: E402
from urltrap.site.public.snapshot import Snapshot, Source  # noqa: E402


def main(arguments: list[str]) -> int:
    """Write the pictures; 0 on success."""
    target = Path(arguments[0]) if arguments else ROOT / "docs" / "screenshots"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        store = demo.fill(Path(folder) / "urltrap.db", screenshots.NOW, sessions=900)
        showing.publish(store, screenshots.NOW)
        showing.share_a_payload(store)
        app = create_public_app(
            store, showing.SETTINGS, secret=showing.SECRET, now=lambda: screenshots.NOW, listen="127.0.0.1:0"
        )
        source: Source = app.state.source
        with serving(app) as address:
            for browser in launched():
                screenshots.take(browser, address, pages(source.snapshot()), target)
        store.close()
    return 0


def pages(snapshot: Snapshot) -> dict[str, str]:
    """Name of the picture → path of the page."""
    url = next(url for url in snapshot.urls if url.family and url.sha256 and url.days_first)
    return {
        "public-home": "/",
        "public-urls": "/urls.html",
        "public-url": f"/urls/{url.id}.html",
        "public-browse": "/browse.html",
        "public-host": f"/hosts/{next(iter(snapshot.by_host))}.html",
        "public-payload": f"/payloads/{url.sha256}.html",
        "public-campaigns": "/campaigns.html",
        "public-campaign": f"/campaigns/{next(iter(snapshot.campaigns))}.html",
        "public-statistics": "/statistics.html",
        "public-feeds": "/feeds.html",
        "public-methodology": "/methodology.html",
        "public-dispute": "/dispute",
        "public-search": "/search?q=198.51.100.23",
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
