from __future__ import annotations

from pathlib import Path

import pytest
import structlog
from fastapi.testclient import TestClient
from tests.site.conftest import client_of

from urltrap.model.settings import Settings, SiteSettings
from urltrap.site.security import Hosts
from urltrap.store import StoreUnavailable, open_store
from urltrap.store.queries import sessions as session_queries

PATHS = [
    "/",
    "/sessions",
    "/urls",
    "/feeds",
    "/feed.csv",
    "/healthz",
    "/nothing",
    "/sessions?x=1",
    "/static/icon.svg",
]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_forbids_what_is_foreign_and_sets_no_cookie(filled: TestClient, path: str) -> None:
    headers = filled.get(path).headers
    policy = headers["content-security-policy"]
    assert (
        "default-src 'self'" in policy
        and "object-src 'none'" in policy
        and "frame-ancestors 'none'" in policy
    )
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "noindex" in headers["x-robots-tag"]
    assert "set-cookie" not in headers and "server" not in headers


def test_the_page_with_the_player_alone_may_run_webassembly(attacked: TestClient) -> None:
    from tests.site.hostile import SESSION

    policy = attacked.get(f"/sessions/{SESSION}/replay").headers["content-security-policy"]
    assert "script-src 'self' 'wasm-unsafe-eval'" in policy and "unsafe-inline" not in policy
    assert "wasm" not in attacked.get(f"/sessions/{SESSION}").headers["content-security-policy"]


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:9", "[::1]:8080", "localhost."])
def test_loopback_names_are_answered(filled: TestClient, host: str) -> None:
    assert filled.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8080",
        "192.0.2.1",
        "[::1",
        "[::1]x",
        "a:b",
        "",
    ],
)
def test_a_name_that_was_made_to_point_here_is_turned_away(filled: TestClient, host: str) -> None:
    answer = filled.get("/sessions", headers={"Host": host})
    assert answer.status_code == 421
    assert "localhost" in answer.text and "<" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_address_that_is_listened_on_is_answered() -> None:
    assert Hosts("192.0.2.7:80").allow("192.0.2.7")
    assert not Hosts("192.0.2.7:80").allow("192.0.2.8")
    assert Hosts("trap.example:8080").allow("trap.example:8080")
    assert Hosts("[2001:db8::7]:80").allow("[2001:db8::7]:80")
    everywhere = Hosts("0.0.0.0:8080")
    assert everywhere.allow("192.0.2.9:8080") and not everywhere.allow("evil.example")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_pages_are_only_read(filled: TestClient, method: str) -> None:
    answer = filled.request(method, "/sessions")
    assert answer.status_code == 405 and "GET" in answer.text


def test_head_is_answered_without_a_body(filled: TestClient) -> None:
    answer = filled.head("/urls")
    assert answer.status_code == 200 and answer.content == b""


def test_files_with_a_hash_in_their_name_may_be_kept(filled: TestClient) -> None:
    page = filled.get("/").text
    style = page.split('rel="stylesheet" href="')[1].split('"')[0]
    answer = filled.get(style)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/css")
    assert filled.get("/").headers["cache-control"] == "private, no-cache"


def test_no_documentation_that_loads_foreign_scripts_is_served(filled: TestClient) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert filled.get(path).status_code == 404


def test_a_store_that_does_not_answer_is_a_page_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(str(tmp_path / "urltrap.db"))
    client = client_of(store)

    def away() -> None:
        raise StoreUnavailable("the database cannot be opened (<b>disk</b>). Check store.url.")

    monkeypatch.setattr(store, "connect", away)
    for path in ("/", "/sessions", "/urls/0123456789", "/artifacts", "/feed.txt", "/feeds"):
        answer = client.get(path)
        assert answer.status_code == 503 and answer.headers["retry-after"] == "5"
        assert "Check store.url" in answer.text and "<b>disk" not in answer.text
    assert client.get("/healthz").status_code == 503
    assert client.get("/healthz").json()["ok"] is False
    store.close()


def test_an_error_of_ours_is_a_page_without_its_inside(
    filled: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(session_queries, "page", broken)
    with structlog.testing.capture_logs() as logs:
        answer = filled.get("/sessions")
    assert answer.status_code == 500
    assert [(entry["event"], entry["path"]) for entry in logs] == [("page failed", "/sessions")]
    assert "This page failed" in answer.text and "secret detail" not in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_the_advice_on_empty_pages_names_the_ports_of_the_settings(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "urltrap.db"))
    settings = Settings.model_validate(
        {"sensors": {"ssh": {"listen": ["192.0.2.5:22"]}, "telnet": {"enabled": False}}}
    )
    page = client_of(store, settings).get("/sessions").text
    assert "ssh -p 22 root@192.0.2.5" in page and "telnet" not in page.split("<pre>")[1]
    store.close()


def test_settings_may_name_another_listen_address(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "urltrap.db"))
    client = client_of(store, Settings(site=SiteSettings(listen="192.0.2.7:8080")))
    assert client.get("/healthz", headers={"Host": "192.0.2.7:8080"}).status_code == 200
    assert client.get("/healthz", headers={"Host": "192.0.2.8:8080"}).status_code == 421
    store.close()
