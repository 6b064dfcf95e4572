"""Scripts and styles: kept by browsers for ever, sent packed to those who take that; pages are never packed."""

from __future__ import annotations

import gzip

import pytest
from fastapi.testclient import TestClient

from urltrap.site.assets import BUILD, Assets


@pytest.mark.parametrize("name", ["app.js", "app.css"])
def test_a_kept_file_comes_packed_to_who_takes_it_and_plain_to_who_does_not(
    filled: TestClient, name: str
) -> None:
    path = Assets().path(name)
    plain = filled.get(path, headers={"Accept-Encoding": "identity"})
    packed = filled.get(path, headers={"Accept-Encoding": "br, gzip;q=0.8"})
    assert "content-encoding" not in plain.headers and packed.headers["content-encoding"] == "gzip"
    assert plain.content == packed.content == (BUILD / path.rpartition("/")[2]).read_bytes()
    sent = int(packed.headers["content-length"])
    assert sent < len(plain.content) / 2 and sent == len(gzip.compress(plain.content, 9, mtime=0))
    for answer in (plain, packed):
        assert answer.headers["vary"] == "Accept-Encoding" and "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-type"] == plain.headers["content-type"]
        assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert plain.headers["etag"] != packed.headers["etag"]


@pytest.mark.parametrize("accepted", ["", "gzip;q=0", "gzip; q=0.000", "br", "xgzip", "*"])
def test_who_does_not_name_it_gets_no_packed_file(filled: TestClient, accepted: str) -> None:
    answer = filled.get(Assets().path("app.js"), headers={"Accept-Encoding": accepted})
    assert answer.status_code == 200 and "content-encoding" not in answer.headers


def test_pages_are_not_packed_for_they_hold_a_secret_beside_what_others_chose(filled: TestClient) -> None:
    answer = filled.get("/", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers


def test_a_file_that_is_not_there_is_not_found_and_not_kept(filled: TestClient) -> None:
    answer = filled.get("/static/build/none.js", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 404 and "immutable" not in answer.headers["cache-control"]
