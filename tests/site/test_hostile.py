from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from tests.site import hostile

from urltrap.store.rows import url_key

PAGES = [
    "/",
    "/?range=all",
    "/sessions",
    "/logins",
    f"/sessions/{hostile.SESSION}",
    f"/sessions/{hostile.SESSION}?after=7",
    f"/sessions/{hostile.SESSION}/replay",
    "/urls",
    f"/urls/{url_key(hostile.URL)}",
    "/artifacts",
    f"/artifacts/{hostile.SHA}",
    "/feeds",
    "/urls?family=" + quote(hostile.FAMILY),
    "/families",
    "/families/" + quote(hostile.FAMILY),
    "/campaigns",
    "/campaigns/c0",
    "/hosts/" + quote("evil.example<b>"),
    "/addresses/198.51.100.66",
    "/networks/64500",
    "/domains",
    "/domains/" + quote(hostile.DOMAIN),
    "/operations",
]
HANDLERS = re.compile(r"^on|^style$")
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class Inventory(HTMLParser):
    """Elements and attributes of a page that only an attacker would have put there."""

    def __init__(self) -> None:
        super().__init__()
        self.strange: list[str] = []
        self.links: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag in ("img", "iframe", "object", "embed", "base", "style"):
            self.strange.append(tag)
        if tag == "script" and values.get("type") != "application/json":
            self.scripts += 1
            if not (values.get("src") or "").startswith("/static/build/"):
                self.strange.append(f"script {values}")
        self.strange += [f"{tag} {name}" for name in values if HANDLERS.search(name)]
        if values.get("href"):
            self.links.append(values["href"] or "")


def inventory(page: str) -> Inventory:
    found = Inventory()
    found.feed(page)
    return found


@pytest.mark.parametrize("path", PAGES)
def test_hostile_text_becomes_neither_markup_nor_handler_nor_outside_link(
    attacked: TestClient, path: str
) -> None:
    answer = attacked.get(path)
    assert answer.status_code == 200, answer.text[:2000]
    found = inventory(answer.text)
    assert found.strange == []
    outside = {link for link in found.links if not re.match(r"/(?!/)|#|https://db-ip\.com$", link)}
    assert outside == set()
    assert found.links.count("https://db-ip.com") == 1


@pytest.mark.parametrize("path", PAGES)
def test_control_bidi_and_zero_width_characters_are_never_sent(attacked: TestClient, path: str) -> None:
    assert HIDDEN.findall(attacked.get(path).text) == []


def test_hidden_characters_are_shown_as_escapes(attacked: TestClient) -> None:
    page = attacked.get(f"/sessions/{hostile.SESSION}").text
    for shown in (r"\x1b", r"\x00", r"\u202e", r"\u2066", r"\u200b", r"\ufeff", r"\xff", r"\u0301"):
        assert shown in page
    assert "{{7*7}}" in page, "text is no template"


def test_a_line_of_a_megabyte_is_cut_and_says_so(attacked: TestClient) -> None:
    page = attacked.get(f"/sessions/{hostile.SESSION}").text
    assert len(page) < 400_000
    assert "994,014 more" in page or re.search(r"99\d,\d{3} more", page)
    assert "5,000,000 bytes in full" in page


def test_the_url_is_marked_in_the_command_that_held_it(attacked: TestClient) -> None:
    page = attacked.get(f"/sessions/{hostile.SESSION}").text
    mark = re.search(r"<mark><a href=\"(/urls/[0-9a-f]{64})\">(.*?)</a></mark>", page, re.DOTALL)
    assert mark and mark[1] == f"/urls/{url_key(hostile.URL)}"
    assert "http://evil.example/" in mark[2] and r"\u202e" in mark[2]


def test_a_span_that_does_not_fit_its_text_marks_nothing_and_breaks_nothing(attacked: TestClient) -> None:
    page = attacked.get(f"/urls/{url_key(hostile.URL)}").text
    assert page.count("<mark>") >= 1
    assert "in the payload" in page


def test_text_of_a_provider_or_server_is_as_harmless_as_an_attackers(attacked: TestClient) -> None:
    page = attacked.get(f"/urls/{url_key(hostile.URL)}").text
    assert "javascript:" not in page
    assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page


def test_a_recording_plays_though_its_size_and_bytes_are_nonsense(attacked: TestClient) -> None:
    answer = attacked.get(f"/sessions/{hostile.SESSION}/recording.cast")
    lines = answer.text.splitlines()
    assert answer.headers["content-type"].startswith("application/x-asciicast")
    assert '"width": 80' in lines[0] and '"height": 24' in lines[0]
    assert lines[1] == '[0.001, "o", "\\u20ac <b>\\ufffd"]', "a character cut in two is put together"
    assert lines[2] == '[0.004, "i", "\\u001b[A"]'


@pytest.mark.parametrize(
    "path",
    [
        "/sessions?text=%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE%00",
        "/sessions?address=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E",
        "/urls?host=%3Cscript%3E&text=%1b%5b2J",
        "/logins?username=%22%20onfocus=alert(1)%20autofocus%20x=%22",
        "/sessions?nosuch%3Cscript%3E=1",
        "/urls/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/%3Cscript%3Ealert(1)",
        "/sessions/%00%1b",
    ],
)
def test_what_stands_in_the_address_is_no_markup_either(attacked: TestClient, path: str) -> None:
    answer = attacked.get(path)
    assert answer.status_code in (200, 404, 422)
    found = inventory(answer.text)
    assert found.strange == [] and found.scripts <= 3
    assert "<script>alert" not in answer.text
    assert HIDDEN.findall(answer.text) == []
