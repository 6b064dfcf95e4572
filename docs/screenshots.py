"""Writes docs/screenshots/: every page of the site over invented attacks, light, dark and on a phone.

`make screenshots`, or `python docs/screenshots.py [FOLDER]`. Needs chromium and the packages of the tests. Those that
the manual shows are kept in the repository, the others are for looking at after a change.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page, StorageState  # noqa: E402
from tests.browsing import launched, serving  # noqa: E402
from tests.site import demo  # noqa: E402
from tests.site.auth.conftest import PASSWORD  # noqa: E402
from tests.site.office import furnish  # noqa: E402

from urltrap.model.settings import Settings  # noqa: E402
from urltrap.site.app import create_app  # noqa: E402
from urltrap.store import Store, breakers, disputes, lookups, windows  # noqa: E402
from urltrap.store.accounts import keys  # noqa: E402
from urltrap.store.accounts.audit import Actor  # noqa: E402
from urltrap.store.backups import update_backup_state  # noqa: E402
from urltrap.store.queries import artifacts, intel, sessions, urls  # noqa: E402

NOW = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)
TALLEST = 2400
"""Pixels after which a picture is cut: a list looks the same further down."""
LOOKS = {
    "light": {"viewport": {"width": 1360, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1360, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}


def main(arguments: list[str]) -> int:
    """Write the pictures; 0 on success."""
    target = Path(arguments[0]) if arguments else ROOT / "docs" / "screenshots"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        store = demo.fill(data / "urltrap.db", NOW, sessions=900)
        operate(store, data)
        furnish(store, NOW)
        keys.add(store, "siem", ["read", "feeds"], 60, NOW - timedelta(days=40), Actor("root (command line)"))
        with served(store, data) as address:
            for browser in launched():
                take(browser, address, pages(store), target, log_in(browser, address))
        store.close()
    return 0


def pages(store: Store) -> dict[str, str]:
    """Name of the picture → path of the page."""
    session = next(row for row in sessions.page(store).rows if row.urls and row.commands > 2)
    url = next(row for row in urls.page(store).rows if row.family and row.campaign and row.sightings > 3)
    artifact = next(row for row in artifacts.page(store, "elf").rows if row.times > 1)
    (domain, _), *_ = intel.busiest_domains(store, 1)
    recorded = next(
        row for row in sessions.page(store, limit=500).rows
        if (found := sessions.detail(store, row.id, limit=1)) and found.recorded
    )  # fmt: skip
    return {
        "overview": "/?range=7d",
        "sessions": "/sessions",
        "session": f"/sessions/{session.id}",
        "replay": f"/sessions/{recorded.id}/replay",
        "logins": "/logins",
        "urls": "/urls?role=payload",
        "url": f"/urls/{url.id}",
        "artifacts": "/artifacts",
        "artifact": f"/artifacts/{artifact.artifact.sha256}",
        "campaigns": "/campaigns",
        "campaign": f"/campaigns/{url.campaign}",
        "families": "/families",
        "family": f"/families/{quote(url.family)}",
        "host": f"/hosts/{quote(url.host)}",
        "address": f"/addresses/{session.src_ip}",
        "network": f"/networks/{session.asn}",
        "domains": "/domains",
        "domain": f"/domains/{quote(domain)}",
        "review": "/review",
        "allow-list": "/allow-list",
        "disputes": "/disputes",
        "dispute": f"/disputes/{disputes.page(store, 'open')[0][0].id}",
        "operations": "/operations",
        "feeds": "/feeds",
        "api": "/api",
        "account": "/account",
        "users": "/users",
        "audit": "/audit",
        "login": "/login",
    }


def operate(store: Store, data: Path) -> None:
    """What the other processes would say of themselves."""
    (data / "run").mkdir()
    listens = {"trap-0": ["ssh 0.0.0.0:2222", "telnet 0.0.0.0:2323"], "site": ["127.0.0.1:8080"]}
    (data / "run" / "status.json").write_text(
        json.dumps(
            {
                "pid": 1,
                "processes": {
                    name: {
                        "pid": 7, "ready": True, "since": (NOW - timedelta(days=9)).timestamp(), "restarts": 0,
                        "listen": listens.get(name, []),
                    }
                    for name in ("trap-0", "fetcher", "pipeline", "site", "backup")
                },
            }
        )
    )  # fmt: skip
    update_backup_state(
        data, last_at=NOW - timedelta(minutes=20), verified_at=NOW - timedelta(minutes=19),
        verified_whole_at=NOW - timedelta(hours=7), copied_at=NOW - timedelta(minutes=1),
    )  # fmt: skip
    with store.begin() as connection:
        windows.declare(connection, "virustotal", {"minute": 4, "day": 500})
        windows.learn(connection, "virustotal", "day", NOW, most=500, used=212)
        lookups.want(
            connection, [lookups.Question("virustotal", "host", f"{n}.example") for n in range(17)], NOW
        )
        windows.declare(connection, "otx", {"day": 10_000})
        breakers.refused(connection, "otx", NOW, "the key is missing or not accepted (HTTP 403)", "x")


@contextmanager
def served(store: Store, data: Path) -> Iterator[str]:
    """The site on a free loopback port, its clock standing still."""
    with serving(create_app(store, Settings(), now=lambda: NOW, data=data, secret=b"x")) as address:
        yield address


def log_in(browser: Browser, address: str) -> StorageState:
    """The cookie of the admin."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/login")
    page.get_by_label("Name").fill("admin-1")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{address}/")
    state = context.storage_state()
    context.close()
    return state


def take(
    browser: Browser, address: str, paths: dict[str, str], target: Path, state: StorageState | None = None
) -> None:
    """One picture of each page in each look, by whom `state` has logged in; of the log-in by nobody."""
    for look, options in LOOKS.items():
        context = browser.new_context(storage_state=state, **options)  # type: ignore[arg-type]
        context.set_default_timeout(100_000)
        page = context.new_page()
        for name, path in paths.items():
            if name == "login":
                context.clear_cookies()
            page.goto(address + path)
            settle(page)
            height = min(TALLEST, page.evaluate("document.documentElement.scrollHeight"))
            page.screenshot(
                path=target / f"{name}-{look}.png",
                full_page=True,
                clip={"x": 0, "y": 0, "width": options["viewport"]["width"], "height": height},  # type: ignore[index]
            )
        context.close()


def settle(page: Page) -> None:
    """Wait until everything that draws has drawn."""
    for selector in ("[data-chart]", "[data-map]"):
        if page.locator(selector).count():
            page.wait_for_selector(f"{selector} svg path", state="attached")
    if page.locator("[data-replay]").count():
        page.wait_for_selector(".ap-player")
        page.click(".ap-player")
        page.wait_for_function("() => document.querySelector('.ap-player').innerText.includes('saved')")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
