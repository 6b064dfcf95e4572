"""The operator's pages with axe-core, with the keyboard alone, and within a budget of bytes: one browser for all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from tests.browsing import PATIENCE_MS, launched, quiet_page
from tests.site import demo
from tests.site.auth.conftest import PASSWORD
from tests.site.conftest import NOW
from tests.site.office import furnish
from tests.site.test_browser import pages_of, served

from urltrap.store import Store

AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
LOOK = """([rules]) => axe.run(document, {
    resultTypes: ["violations"], ...(rules ? {runOnly: {type: "rule", values: rules}} : {}),
}).then(found => found.violations.filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => `${one.id}: ${one.nodes.slice(0, 3).map(node => node.target.join(" ")).join(", ")}`))"""
COLOURS = ["color-contrast"]
LAYOUT = ["target-size", "scrollable-region-focusable"]
"""What a narrow window can change; everything else was asked in the wide one."""
FOCUSED = """() => {
    const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
    const marked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
    return {
        name: at.tagName, field: at.form?.matches(".filters") ? at.name : "",
        text: (at.innerText || at.getAttribute("aria-label") || at.name || "").trim(),
        seen: marked && box.width > 0 && box.height > 0 && box.right > 0 && box.bottom > 0 && box.left < innerWidth,
    };
}"""
WIDE: Any = {"width": 1360, "height": 900}
BUDGET = 400_000
"""Bytes of the overview's first load."""
LONGEST_PAGE = 100_000
"""Of which the page itself may have so many; it is not packed."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from launched()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with something of everything, and lists that are short: axe-core looks at each of their cells."""
    store = demo.fill(tmp_path_factory.mktemp("accessible") / "urltrap.db", NOW, sessions=40)
    furnish(store, NOW)
    yield store
    store.close()


@pytest.fixture(scope="module")
def site(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The site beside a data folder."""
    with served(store, b"of the installation", data=tmp_path_factory.mktemp("data")) as address:
        yield address


@pytest.fixture(scope="module")
def window(browser: Browser, site: str) -> Iterator[Page]:
    """A window with axe-core in it, in which somebody who may see everything has logged in."""
    if not AXE.is_file():
        pytest.fail(f"{AXE} is missing: `make setup-test` installs it")
    with quiet_page(browser, viewport=WIDE) as page:
        page.context.add_init_script(path=AXE)
        page.goto(f"{site}/login")
        assert looks(page) == {}
        page.get_by_label("Name").fill("admin-1")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{site}/")
        yield page


def looks(page: Page) -> dict[str, list[str]]:
    """The serious problems of a page in each look that has some."""
    found: dict[str, list[str]] = {}
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)
    for look, rules in (("light", None), ("dark", COLOURS), ("phone", LAYOUT)):
        if look == "dark":
            page.emulate_media(color_scheme="dark")
        elif look == "phone":
            page.set_viewport_size({"width": 390, "height": 844})
        if said := page.evaluate(LOOK, [rules]):
            found[look] = said
    return found


def test_no_page_has_a_serious_problem_in_any_look(window: Page, site: str, store: Store) -> None:
    found = {}
    for path in pages_of(store):
        if path == "/login" or "?" in path:
            continue  # seen before the log-in; and the same page with a filter
        window.goto(site + path)
        if problems := looks(window):
            found[path] = problems
        assert window.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert found == {}


def focused(page: Page) -> dict[str, Any]:
    """What has the focus, and whether that can be seen."""
    found: dict[str, Any] = page.evaluate(FOCUSED)
    return found


def walk(page: Page, most: int = 400) -> list[dict[str, Any]]:
    """Everything that Tab reaches from the top of the page on, in its order."""
    page.evaluate("document.activeElement?.blur()")
    found = []
    for _ in range(most):
        page.keyboard.press("Tab")
        at = focused(page)
        if at["name"] == "BODY":
            return found
        found.append(at)
    raise AssertionError(f"the focus never leaves the page: {found[-5:]}")


def test_the_keyboard_alone_reaches_the_content_the_menus_and_the_filters(window: Page, site: str) -> None:
    window.set_viewport_size(WIDE)
    window.goto(f"{site}/urls")
    reached = walk(window)
    assert [at["text"] for at in reached if not at["seen"]] == [], "what has the focus is seen, and marked"
    assert reached[0]["text"] == "Skip to the content"
    texts = [at["text"] for at in reached]
    for name in (
        "Overview",
        "Sessions",
        "URLs",
        "Review",
        "Operations",
        "admin-1",
        "Log out",
        "Narrow down by class",
    ):
        assert name in texts, name
    fields = {at["field"] for at in reached if at["field"]}
    assert {"verdict", "kind", "published", "host", "text"} <= fields
    assert texts.index("Log out") < texts.index("Filter") < texts.index("Narrow down by class")

    window.evaluate("document.activeElement?.blur()")
    window.keyboard.press("Tab")
    window.keyboard.press("Enter")
    assert focused(window)["name"] == "MAIN", "the link leads past the menu"
    window.keyboard.press("Tab")
    assert focused(window)["field"] == "verdict"

    window.locator("input[name=text]").focus()
    window.keyboard.type("bins")
    with window.expect_navigation():
        window.keyboard.press("Enter")
    assert "text=bins" in window.url
    window.locator("summary").focus()
    window.keyboard.press("Enter")
    assert window.locator("details.narrow").evaluate("element => element.open") is True


def test_a_decision_is_made_with_the_keyboard_and_never_by_the_end_of_a_note(window: Page, site: str) -> None:
    window.set_viewport_size(WIDE)
    window.goto(f"{site}/review")
    before = window.locator("form.decide").count()
    assert before >= 3
    window.locator("form.decide textarea").first.focus()
    window.keyboard.type("looks harmless")
    window.keyboard.press("Enter")
    assert window.locator("form.decide").count() == before, "Enter ends a line, and decides nothing"
    for name in ("Malicious", "Benign", "Leave"):
        window.keyboard.press("Tab")
        assert focused(window)["text"] == name
    with window.expect_navigation():
        window.keyboard.press("Enter")
    assert (
        "left as it is" in window.inner_text("main") and window.locator("form.decide").count() == before - 1
    )


def test_the_overview_is_within_its_budget_of_bytes(browser: Browser, window: Page, site: str) -> None:
    context = browser.new_context(viewport=WIDE, storage_state=window.context.storage_state())
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    wire = context.new_cdp_session(page)
    sizes: dict[str, int] = {}
    names: dict[str, str] = {}
    wire.on(
        "Network.requestWillBeSent", lambda said: names.update({said["requestId"]: said["request"]["url"]})
    )
    wire.on(
        "Network.loadingFinished",
        lambda said: sizes.update({names.get(said["requestId"], "?"): int(said["encodedDataLength"])}),
    )
    wire.send("Network.enable")
    page.goto(f"{site}/?range=7d")
    page.wait_for_selector("#map svg path", state="attached")
    page.wait_for_selector("#timeline svg path", state="attached")
    context.close()
    assert any("/static/build/map-" in name for name in sizes) and f"{site}/?range=7d" in sizes
    page_itself = sizes.pop(f"{site}/?range=7d")
    # The page grows with what attackers do, up to its lists' ends; what is loaded beside it does not.
    assert page_itself <= LONGEST_PAGE and sum(sizes.values()) <= BUDGET - LONGEST_PAGE, (page_itself, sizes)
