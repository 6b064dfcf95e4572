"""The built scripts in a real browser, under the content security policy that the site sends."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from tests.browsing import launched, quiet_page

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "src" / "urltrap" / "site" / "static" / "build"

CAST = '{"version": 2, "width": 40, "height": 5}\n[0.0, "o", "$ wget malware"]\n[0.1, "o", "\\r\\nsaved"]\n'
CHART = {
    "xAxis": {"type": "category", "data": ["Mon", "Tue"]},
    "yAxis": {},
    "series": [{"type": "bar", "data": [3, 5]}, {"type": "line", "data": [1, 2]}],
}
POLICY = "; ".join(
    ("default-src 'self'", "style-src 'self'", "script-src 'self' 'wasm-unsafe-eval'", "img-src 'self' data:")
)


def manifest() -> dict[str, str]:
    return json.loads((BUILD / "manifest.json").read_text("utf-8"))


def page_source(scripts: list[str], body: str) -> str:
    names = manifest()
    tags = "".join(f'<script type="module" src="build/{names[name]}"></script>' for name in scripts)
    return (
        f'<!doctype html><html lang="en"><title>test</title><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="sizes.css">'
        f'<link rel="stylesheet" href="build/{names["app.css"]}">'
        f"{body}{tags}</html>"
    )


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        # Two tests may write the same name within the second that a date of a file tells apart.
        self.send_header("Cache-Control", "no-store")
        super().end_headers()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from launched()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that is served on loopback, with the built assets in it, and its address."""
    (tmp_path / "build").symlink_to(BUILD)
    (tmp_path / "sizes.css").write_text(".sized { width: 600px; height: 320px }", "utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with quiet_page(browser) as page:
        yield page


def test_a_chart_is_drawn_from_the_json_beside_it(site: tuple[Path, str], page: Page) -> None:
    folder, address = site
    body = (
        f'<script type="application/json" id="numbers">{json.dumps(CHART)}</script>'
        '<div data-chart="numbers" class="sized"></div>'
    )
    (folder / "index.html").write_text(page_source(["charts.js"], body), "utf-8")
    page.goto(address)
    page.wait_for_selector("[data-chart] svg path", state="attached")
    assert "Tue" in page.text_content("[data-chart] svg")


def test_a_chart_in_an_area_without_size_is_drawn_when_it_gets_one(
    site: tuple[Path, str], page: Page
) -> None:
    folder, address = site
    body = (
        '<script type="application/json" id="counts">{"FR": 7}</script>'
        '<section hidden><div data-map="counts" class="sized"></div></section>'
    )
    (folder / "index.html").write_text(page_source(["map.js"], body), "utf-8")
    page.goto(address)
    assert page.locator("[data-map] svg").count() == 0
    page.evaluate("document.querySelector('section').hidden = false")
    page.wait_for_selector("[data-map] svg path", state="attached")


def test_a_bar_leads_to_the_path_that_it_carries_and_never_to_another_host(
    site: tuple[Path, str], page: Page
) -> None:
    folder, address = site
    links = [
        "//other.example/",
        "/\\other.example/",
        "javascript:alert(1)",
        "https://other.example/",
        "/there.html",
    ]
    chart = {
        "animation": False,
        "grid": {"left": 0, "right": 0, "top": 0, "bottom": 0},
        "xAxis": {"type": "category", "data": links},
        "yAxis": {},
        "tooltip": {"trigger": "axis"},
        "series": [
            {"type": "bar", "barWidth": "100%", "data": [{"value": 5, "link": link} for link in links]}
        ],
    }
    body = (
        f'<script type="application/json" id="numbers">{json.dumps(chart)}</script>'
        '<div data-chart="numbers" class="sized"></div>'
    )
    (folder / "index.html").write_text(page_source(["charts.js"], body), "utf-8")
    (folder / "there.html").write_text(page_source([], "there"), "utf-8")
    # The browser tells where it is about to go within the click itself, so there is nothing to wait for.
    page.add_init_script(
        "window.leaving = [];"
        "navigation.addEventListener('navigate', event => {"
        "  leaving.push(event.destination.url);"
        "  if (!event.destination.url.endsWith('/there.html')) event.preventDefault();"
        "})"
    )
    page.goto(address)
    page.wait_for_selector("[data-chart] svg path", state="attached")
    box = page.locator("[data-chart]").bounding_box()
    assert box is not None

    def click(bar: int) -> None:
        page.mouse.click(box["x"] + box["width"] * (bar + 0.5) / len(links), box["y"] + box["height"] - 20)

    for bar in range(len(links) - 1):
        click(bar)
        assert page.evaluate("leaving") == [], links[bar]
    click(len(links) - 1)
    page.wait_for_url(address + "/there.html")


def test_a_chart_changes_its_colours_with_the_scheme(site: tuple[Path, str], page: Page) -> None:
    folder, address = site
    body = (
        f'<script type="application/json" id="numbers">{json.dumps(CHART)}</script>'
        '<div data-chart="numbers" class="sized"></div>'
    )
    (folder / "index.html").write_text(page_source(["charts.js"], body), "utf-8")
    page.emulate_media(color_scheme="light")
    page.goto(address)
    page.wait_for_selector("[data-chart] svg path[fill='#0d7f8a']", state="attached")
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("[data-chart] svg path[fill='#3fb3be']", state="attached")


def test_countries_are_named_in_the_readers_language(site: tuple[Path, str], page: Page) -> None:
    folder, address = site
    body = '<p data-country="DE">DE</p><p data-country="XX">XX</p><p data-country="d&lt;">d&lt;</p>'
    (folder / "index.html").write_text(page_source(["app.js"], body), "utf-8")
    page.goto(address)
    page.wait_for_function("() => document.querySelector('p').textContent === 'Germany'")
    assert page.locator("p").all_inner_texts() == ["Germany", "XX", "d<"]


def test_the_map_knows_countries_by_their_two_letters(site: tuple[Path, str], page: Page) -> None:
    folder, address = site
    body = (
        '<script type="application/json" id="counts">{"FR": 7, "BR": 2}</script>'
        '<div data-map="counts" class="sized"></div>'
    )
    (folder / "index.html").write_text(page_source(["map.js"], body), "utf-8")
    page.goto(address)
    page.wait_for_selector("[data-map] svg path", state="attached")
    fills = page.eval_on_selector_all(
        "[data-map] svg path", "paths => paths.map(path => path.getAttribute('fill'))"
    )
    colours = {fill for fill in fills if fill and fill != "none"}
    assert len(fills) > 150
    assert len(colours) >= 3, "two countries with counts stand out from all others"


def test_a_recording_is_played(site: tuple[Path, str], page: Page) -> None:
    folder, address = site
    (folder / "session.cast").write_text(CAST, "utf-8")
    (folder / "index.html").write_text(
        page_source(["replay.js"], '<div data-replay="session.cast" class="sized"></div>'), "utf-8"
    )
    page.goto(address)
    page.wait_for_selector("[data-replay] .ap-player")
    page.click("[data-replay] .ap-player")
    page.wait_for_function("() => document.querySelector('.ap-player')?.innerText.includes('saved')")


def test_htmx_replaces_parts_without_inline_styles_or_eval(site: tuple[Path, str], page: Page) -> None:
    folder, address = site
    (folder / "part.html").write_text("<b>new</b>", "utf-8")
    (folder / "index.html").write_text(
        page_source(["app.js"], '<div id="part" hx-get="part.html" hx-trigger="load">old</div>'), "utf-8"
    )
    page.goto(address)
    page.wait_for_selector("#part b")
    assert page.inner_text("#part") == "new"


def test_every_bundled_package_has_its_licence_beside_it() -> None:
    text = (BUILD / "LICENSES.txt").read_text("utf-8")
    for name in (
        "asciinema-player",
        "d3-geo",
        "echarts",
        "htmx.org",
        "topojson-client",
        "world-atlas",
    ):
        assert re.search(rf"^{re.escape(name)} \d+\.\d+\.\d+ \(\S", text, re.MULTILINE)


def test_names_carry_a_hash_and_nothing_names_another_host() -> None:
    for source, built in manifest().items():
        stem, _, kind = source.rpartition(".")
        assert re.fullmatch(rf"{stem}-[A-Z0-9]{{8}}\.{kind}", built)
        assert (BUILD / built).is_file()
