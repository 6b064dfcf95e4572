"""Each page in a real browser: nothing fails, nothing is forbidden, nothing overflows, and what draws is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page
from tests.browsing import PATIENCE_MS, launched, quiet_page, serving
from tests.site import hostile
from tests.site.auth.conftest import PASSWORD, add_users
from tests.site.conftest import NOW
from tests.store.conftest import visit

from urltrap.model.settings import Settings
from urltrap.site.app import create_app
from urltrap.store import Store, disputes, open_store
from urltrap.store.intake import ingest
from urltrap.store.queries import artifacts, intel, sessions, urls

WIDTHS = {"desktop": (1360, 900), "phone": (390, 844)}


@contextmanager
def served(store: Store, secret: bytes | None = None, data: Path | None = None) -> Iterator[str]:
    """The site on a free loopback port."""
    with serving(create_app(store, Settings(), now=lambda: NOW, secret=secret, data=data)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from launched()


@pytest.fixture(scope="module")
def believable(filled_store: Store) -> Iterator[str]:
    with served(filled_store) as address:
        yield address


@pytest.fixture(scope="module")
def hostile_site(hostile_store: Store) -> Iterator[str]:
    with served(hostile_store) as address:
        yield address


@contextmanager
def window(browser: Browser, size: str = "desktop", scheme: str = "light") -> Iterator[Page]:
    """A quiet page of that size and colour scheme."""
    width, height = WIDTHS[size]
    with quiet_page(browser, viewport={"width": width, "height": height}, color_scheme=scheme) as page:
        yield page


def pages_of(store: Store) -> list[str]:
    """Every page; the fifth is that of a session."""
    session = next(row for row in sessions.page(store).rows if row.commands > 1)
    url = next(row for row in urls.page(store).rows if row.family and row.campaign)
    artifact = artifacts.page(store).rows[0].artifact.sha256
    (domain, _), *_ = intel.busiest_domains(store, 1)
    return [
        "/", "/?range=30d", "/sessions", "/logins", f"/sessions/{session.id}", "/urls", f"/urls/{url.id}", "/artifacts",
        f"/artifacts/{artifact}", "/feeds", "/api", "/urls?role=payload", "/families", f"/families/{quote(url.family)}",
        "/campaigns", f"/campaigns/{url.campaign}", f"/hosts/{quote(url.host)}", f"/addresses/{session.src_ip}",
        f"/networks/{session.asn}", "/domains", f"/domains/{quote(domain)}", "/operations",
        "/login", "/account", "/audit", "/users", "/review", "/review?state=left", "/allow-list", "/disputes",
        *(f"/disputes/{one.id}" for one in disputes.page(store)[0][:1]),
    ]  # fmt: skip


def assert_fits(page: Page, address: str) -> None:
    """Loads a page on a phone, and widens the window: each must hold it."""
    for size in ("phone", "desktop"):
        width, height = WIDTHS[size]
        page.set_viewport_size({"width": width, "height": height})
        if size == "phone":
            page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (address, size)


def test_every_page_is_quiet_and_fits_its_window(
    browser: Browser, believable: str, filled_store: Store
) -> None:
    with window(browser) as page:
        for path in pages_of(filled_store):
            assert_fits(page, believable + path)


def test_every_hostile_page_is_quiet_and_fits_its_window(
    browser: Browser, hostile_site: str, hostile_store: Store
) -> None:
    paths = pages_of(hostile_store)
    paths[4] = f"/sessions/{hostile.SESSION}"
    with window(browser) as page:
        for path in paths:
            assert_fits(page, hostile_site + path)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_timeline_and_map_are_drawn_and_lead_to_the_sessions(
    browser: Browser, believable: str, scheme: str
) -> None:
    with window(browser, scheme=scheme) as page:
        page.goto(believable + "/?range=7d")
        page.wait_for_selector("#timeline svg path", state="attached")
        page.wait_for_selector("#map svg path", state="attached")
        assert page.locator("#map svg path").count() > 150
        assert "ssh" in (page.text_content("#timeline svg") or "")
        page.hover("#timeline")
        page.hover("#map")
        fills = page.eval_on_selector_all(
            "#map svg path", "paths => paths.map(path => path.getAttribute('fill'))"
        )
        assert len({fill for fill in fills if fill and fill != "none"}) >= 3


def test_a_bar_of_the_timeline_is_a_link(browser: Browser, believable: str) -> None:
    with window(browser) as page:
        page.goto(believable + "/?range=30d")
        page.wait_for_selector("#timeline svg path", state="attached")
        box = page.locator("#timeline").bounding_box()
        assert box is not None
        # The last day of the month holds most of the sessions; its bar stands at the right edge, above the axis.
        with page.expect_navigation():
            page.mouse.click(box["x"] + box["width"] - 38, box["y"] + box["height"] - 32)
        assert "/sessions?sensor=" in page.url and "until=" in page.url
        assert page.locator("tbody tr").count() > 0


def test_a_country_on_the_map_is_a_link(browser: Browser, believable: str) -> None:
    with window(browser) as page:
        page.goto(believable + "/?range=all")
        page.wait_for_selector("#map svg path", state="attached")
        shades = page.locator("#map svg path").evaluate_all(
            "paths => paths.map(path => [getComputedStyle(path).fill, path.getBoundingClientRect()])"
            ".map(([fill, box]) => [fill, box.x + box.width / 2, box.y + box.height / 2])"
        )
        darkest = next(shade for shade in shades if shade[0] == "rgb(10, 90, 99)")
        with page.expect_navigation():
            page.mouse.click(darkest[1], darkest[2])
        assert page.url.endswith("/sessions?country=CN")


def test_a_recording_plays(browser: Browser, hostile_site: str) -> None:
    with window(browser) as page:
        page.goto(f"{hostile_site}/sessions/{hostile.SESSION}/replay")
        page.wait_for_selector(".ap-player")
        page.click(".ap-player")
        page.wait_for_function("() => document.querySelector('.ap-player')?.innerText.includes('bye')")


def test_an_open_overview_shows_an_attack_without_a_reload(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from urltrap.store import open_store

    store = open_store(str(tmp_path_factory.mktemp("live") / "urltrap.db"))
    with served(store) as address, window(browser) as page:
        page.goto(address)
        assert "Nothing yet" in page.inner_text("#live")
        page.evaluate("window.stayed = true")
        with page.expect_response(lambda response: response.url.endswith("/?range=24h")):
            ingest(store, "w", visit(1, b"uname -a", at=NOW.replace(minute=1)), (1, 1))
        page.wait_for_selector("#live table.list tbody a[href^='/sessions/']")
        page.wait_for_function("() => document.querySelector('#timeline')?.textContent.includes('ssh')")
        assert page.evaluate("window.stayed") is True
        page.goto("about:blank")
    store.close()


def test_pages_work_without_javascript(browser: Browser, believable: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(believable)
    page.click("text=30d")
    page.click("nav >> text=Sessions")
    page.select_option("select[name=classed]", "dropper")
    page.click("button")
    assert "classed=dropper" in page.url
    page.click("tbody tr >> nth=0 >> a >> nth=0")
    assert "What happened" in page.inner_text("main")
    context.close()


def test_a_browser_logs_in_sets_up_codes_and_logs_out(browser: Browser, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "urltrap.db"))
    add_users(store)
    with served(store, b"of the installation") as address, window(browser, "phone") as page:
        page.goto(f"{address}/urls")
        page.get_by_label("Name").fill("analyst-1")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{address}/urls")
        page.get_by_role("link", name="analyst-1").click()
        page.locator('form[action="/account/codes"] input[name=password]').fill(PASSWORD)
        page.get_by_role("button", name="Set up").click()
        page.get_by_role("img", name="QR code").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(f"{address}/login")
    store.close()
