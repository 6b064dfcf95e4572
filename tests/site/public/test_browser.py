"""The public site in a real browser: nothing runs, nothing overflows, the keyboard is enough, and little is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Response
from tests.browsing import launched, quiet_page, serving
from tests.site import hostile
from tests.site.conftest import NOW
from tests.site.public.showing import SECRET, SETTINGS, share_a_payload
from tests.site.test_accessibility import AXE, COLOURS, LOOK

from urltrap.site.public.app import create_public_app
from urltrap.site.public.snapshot import Snapshot, Source, slug
from urltrap.store import Store
from urltrap.store.rows import url_key

SIZES = {"desktop": (1360, 900), "phone": (390, 844)}
BUDGET = 100_000


@contextmanager
def served(store: Store) -> Iterator[str]:
    """The public site on a free loopback port."""
    with serving(create_public_app(store, SETTINGS, secret=SECRET, now=lambda: NOW)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from launched()


@pytest.fixture(scope="module")
def shown_store(shown_store: Store) -> Store:
    """The store that is shown, with a campaign in it."""
    share_a_payload(shown_store)
    return shown_store


@pytest.fixture(scope="module")
def site(shown_store: Store) -> Iterator[str]:
    with served(shown_store) as address:
        yield address


def paths(snapshot: Snapshot) -> list[str]:
    url = next(url for url in snapshot.urls if url.family and url.sha256)
    return [
        "/", "/urls.html", f"/urls/{url.id}.html", "/browse.html", f"/hosts/{slug(url.host)}.html", "/payloads.html",
        f"/payloads/{url.sha256}.html", f"/families/{slug(url.family)}.html", "/statistics.html", "/feeds.html",
        "/methodology.html", "/dispute", "/search?q=bins", "/hosts.html", "/campaigns.html",
        f"/campaigns/{next(iter(snapshot.campaigns))}.html",
    ]  # fmt: skip


def test_every_page_is_quiet_and_fits_its_window(browser: Browser, site: str, snapshot: Snapshot) -> None:
    with quiet_page(browser) as page:
        for path in paths(snapshot):
            page.goto(site + path)
            for size, (width, height) in SIZES.items():
                page.set_viewport_size({"width": width, "height": height})
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, size)
            assert page.locator("script").count() == 0


@pytest.mark.parametrize("path", ["/", "/statistics.html"])
def test_a_first_visit_loads_little(browser: Browser, site: str, path: str) -> None:
    answers: list[Response] = []
    with quiet_page(browser) as page:
        page.on("response", lambda answer: answers.append(answer))
        page.goto(site + path)
        sizes = [answer.request.sizes() for answer in answers]
    loaded = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)
    assert 20_000 < loaded <= BUDGET, f"{loaded:,} bytes"


def test_hostile_text_does_nothing_and_breaks_no_page(browser: Browser, evil_store: Store) -> None:
    source = Source(evil_store, SETTINGS, SECRET, lambda: NOW)
    names = [
        f"/urls/{url_key(hostile.URL)}.html",
        "/",
        "/urls.html",
        "/browse.html",
        "/families.html",
        "/hosts.html",
        "/campaigns.html",
    ]
    names += [f"/families/{name}.html" for name in source.snapshot().by_family]
    with served(evil_store) as address, quiet_page(browser, viewport={"width": 390, "height": 844}) as page:
        for name in names:
            page.goto(address + name)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, name


def test_the_keyboard_alone_finds_a_url(browser: Browser, site: str) -> None:
    with quiet_page(browser) as page:
        page.goto(site + "/")
        reach(page, "INPUT")
        page.keyboard.type("hxxp://198[.]51[.]100[.]23/bins/mips")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search?q=*")
        reach(page, "A", "bins/mips")
        page.keyboard.press("Enter")
        page.wait_for_url("**/urls/*.html")
        assert "Confidence" in page.inner_text("main")


def reach(page: Page, tag: str, text: str = "") -> None:
    """Press Tab until such an element has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        at = page.evaluate("[document.activeElement.tagName, document.activeElement.innerText]")
        if at[0] == tag and text in (at[1] or ""):
            return
    raise AssertionError(f"no {tag} with {text!r} is reached")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_problem(browser: Browser, site: str, snapshot: Snapshot, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed here (tests/site/axe)")
    with quiet_page(
        browser, color_scheme=scheme, bypass_csp=True, viewport={"width": 1360, "height": 900}
    ) as page:
        wanted = (
            paths(snapshot)
            if scheme == "light"
            else ["/", paths(snapshot)[2], "/statistics.html", "/dispute"]
        )
        for path in wanted:
            page.goto(site + path)
            page.add_script_tag(path=str(AXE))
            assert page.evaluate(LOOK, [COLOURS if scheme == "dark" else None]) == [], path
