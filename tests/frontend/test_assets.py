"""The built scripts in a real browser, under the content security policy that the site sends."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

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
        super().end_headers()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


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
    """A page that fails the test when a script fails, the policy forbids something or another host is asked."""
    page = browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: None if local(request.url) else problems.append(request.url))
    yield page
    page.close()
    assert problems == []


def local(address: str) -> bool:
    return re.match(r"http://127\.0\.0\.1:|data:|blob:", address) is not None


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

    def chart(link: str) -> dict[str, Any]:
        return {
            "animation": False,
            "grid": {"left": 0, "right": 0, "top": 0, "bottom": 0},
            "xAxis": {"type": "category", "data": ["Mon"]},
            "yAxis": {},
            "tooltip": {"trigger": "axis"},
            "series": [{"type": "bar", "barWidth": "100%", "data": [{"value": 5, "link": link}]}],
        }

    (folder / "there.html").write_text(page_source([], "there"), "utf-8")
    for link, leads in (
        ("/there.html", "/there.html"),
        ("//other.example/", "/"),
        ("javascript:alert(1)", "/"),
    ):
        body = (
            f'<script type="application/json" id="numbers">{json.dumps(chart(link))}</script>'
            '<div data-chart="numbers" class="sized"></div>'
        )
        (folder / "index.html").write_text(page_source(["charts.js"], body), "utf-8")
        page.goto(address)
        page.wait_for_selector("[data-chart] svg path", state="attached")
        page.click("[data-chart]")
        page.wait_for_url(address + leads)


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
        "uplot",
        "world-atlas",
    ):
        assert re.search(rf"^{re.escape(name)} \d+\.\d+\.\d+ \(\S", text, re.MULTILINE)


def test_names_carry_a_hash_and_nothing_names_another_host() -> None:
    for source, built in manifest().items():
        stem, _, kind = source.rpartition(".")
        assert re.fullmatch(rf"{stem}-[A-Z0-9]{{8}}\.{kind}", built)
        assert (BUILD / built).is_file()
