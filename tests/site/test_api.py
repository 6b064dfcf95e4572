"""The API: the same rows as the pages, typed; cursors, tags, problems; its manual."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.site import hostile
from tests.site.conftest import client_of

from urltrap.model.settings import Settings
from urltrap.model.views import SessionDetail, UrlDetail, UrlPage
from urltrap.store import Store

API = "/api/v1"


def ask(client: TestClient, path: str, status: int = 200) -> Any:
    answer = client.get(API + path)
    assert answer.status_code == status, answer.text[:500]
    expected = "application/json" if status == 200 else "application/problem+json"
    assert answer.headers["content-type"] == expected
    return answer.json()


def whole_list(client: TestClient, path: str, limit: int) -> list[Any]:
    rows: list[Any] = []
    cursor = ""
    while True:
        body = ask(client, f"{path}?limit={limit}{cursor}")
        assert len(body["rows"]) <= limit
        rows += body["rows"]
        if body["next"] is None:
            return rows
        cursor = f"&cursor={body['next']}"


@pytest.mark.parametrize("path", ["/urls", "/sessions", "/artifacts", "/logins"])
def test_a_list_read_in_pieces_is_the_list(filled: TestClient, path: str) -> None:
    pieces = whole_list(filled, path, 7)
    assert pieces == whole_list(filled, path, 1000)
    assert len(pieces) > 14


def test_rows_are_those_of_the_models(filled: TestClient) -> None:
    page = UrlPage.model_validate(ask(filled, "/urls?malicious=yes"))
    assert page.rows and all(row.verdict.startswith("malicious-") for row in page.rows)
    detail = UrlDetail.model_validate(ask(filled, f"/urls/{page.rows[0].id}"))
    assert detail.row == page.rows[0]
    assert detail == UrlDetail.model_validate(ask(filled, f"/urls/{page.rows[0].id[:12]}"))
    by_itself = filled.get(f"{API}/lookup", params={"url": detail.row.url})
    assert UrlDetail.model_validate(by_itself.json()) == detail
    session = SessionDetail.model_validate(ask(filled, f"/sessions/{detail.sightings[0].sighting.session}"))
    assert detail.row.url in [sighting.recovered.url for sighting in session.sightings]


def test_everything_that_a_row_names_can_be_asked_for(filled: TestClient) -> None:
    for row in ask(filled, "/urls?limit=100")["rows"]:
        assert ask(filled, f"/hosts/{row['host']}")["host"] == row["host"]
        if row["sha256"]:
            assert ask(filled, f"/artifacts/{row['sha256']}")["row"]["artifact"]["sha256"] == row["sha256"]
        if row["campaign"]:
            assert ask(filled, f"/campaigns/{row['campaign']}")["row"]["id"] == row["campaign"]
    for row in ask(filled, "/sessions?limit=20")["rows"]:
        assert ask(filled, f"/addresses/{row['src_ip']}")["address"] == row["src_ip"]
        assert ask(filled, f"/networks/{row['asn']}")["asn"] == row["asn"]
    for row in ask(filled, "/domains"):
        assert len(ask(filled, f"/domains/{row['domain']}")) == row["addresses"]
    assert {row["name"] for row in ask(filled, "/families")} == {
        row["family"] for row in whole_list(filled, "/urls", 1000) if row["family"]
    }


def test_figures_agree_with_lists(filled: TestClient) -> None:
    counters = ask(filled, "/counters")
    assert counters["sessions"] == len(whole_list(filled, "/sessions", 1000))
    assert counters["urls"] == len(whole_list(filled, "/urls", 1000))
    assert sum(point["sessions"] for point in ask(filled, "/timeline?range=all")) == counters["sessions"]
    assert sum(row["sessions"] for row in ask(filled, "/countries?range=all")) == counters["sessions"]
    assert len(ask(filled, "/top/password?range=all&limit=3")) == 3


def test_what_has_not_changed_is_not_sent_again(filled: TestClient) -> None:
    first = filled.get(f"{API}/urls?limit=3")
    tag = first.headers["etag"]
    for header in (tag, f'"x", W/{tag}', "*"):
        again = filled.get(f"{API}/urls?limit=3", headers={"If-None-Match": header})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = filled.get(f"{API}/urls?limit=2", headers={"If-None-Match": tag})
    assert other.status_code == 200 and other.headers["etag"] != tag


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/urls?limit=0", 422, "limit"),
        ("/urls?verdikt=x", 422, "verdikt"),
        ("/urls?cursor=nonsense", 422, "cursor"),
        ("/facets?cursor=%C2%9C", 422, "cursor"),
        (f"/lookup?url={'x' * 5401}", 422, "5400"),
        ("/hosts/a%0Ab/observations", 404, "openapi.json"),
        ("/urls/00000000", 404, "no such URL"),
        ("/urls/00000000", 404, f"{API}/urls lists"),
        ("/urls/%00", 422, "id"),
        ("/lookup?url=%00", 404, "no such URL"),
        ("/sessions/00000000000000000000000000", 404, "no such session"),
        ("/artifacts/ffffffff", 404, "no such artifact"),
        ("/hosts/none.invalid", 404, "no such host"),
        ("/hosts/%00", 404, "no such host"),
        ("/addresses/192.0.2.200", 404, "no such address"),
        ("/networks/4294967296", 422, "asn"),
        ("/domains/none.invalid", 404, "no such domain"),
        ("/campaigns/c0000000", 404, "no such campaign"),
        ("/top/nothing", 422, "what"),
        ("/urls?since=12345", 422, "2026-11-24T04:00:00Z"),
        ("/artifacts/%0Aab", 404, "openapi.json"),
        ("/nothing", 404, "openapi.json"),
    ],
)
def test_what_is_wrong_is_a_problem_that_says_what_to_do(
    filled: TestClient, path: str, status: int, says: str
) -> None:
    body = ask(filled, path, status)
    assert body["status"] == status
    assert says in f"{body['detail']} {body['errors']}"


def test_writing_is_refused(filled: TestClient) -> None:
    answer = filled.post(f"{API}/urls")
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["allow"] == "GET"


def test_an_error_of_ours_is_a_problem_too(filled_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr("urltrap.store.queries.urls.page", broken)
    answer = client_of(filled_store, Settings()).get(f"{API}/urls")
    assert answer.status_code == 500
    assert answer.json()["title"] == "Internal Server Error"
    assert "secret" not in answer.text


def test_attackers_bytes_come_whole(attacked: TestClient) -> None:
    tries = ask(attacked, "/logins")["rows"]
    whole = {"base64": base64.b64encode(hostile.EVIL).decode()}
    assert {"username": whole, "password": whole}.items() <= tries[-1].items()
    for row in ask(attacked, "/sessions")["rows"]:
        assert ask(attacked, f"/sessions/{row['id']}")["summary"]["id"] == row["id"]


def test_the_description_names_every_answer(filled: TestClient) -> None:
    described = ask(filled, "/openapi.json")
    assert described["openapi"].startswith("3.")
    for path, methods in described["paths"].items():
        (operation,) = methods.values()
        assert operation["description"], path
        answers = operation["responses"]
        assert answers["200"]["content"]["application/json"]["schema"], path
        for code in set(answers) - {"200"}:
            assert list(answers[code]["content"]) == ["application/problem+json"], (path, code)
    named = set(re.findall(r'#/components/schemas/(\w+)"', str(described).replace("'", '"')))
    assert named <= set(described["components"]["schemas"])


def test_the_manual_shows_every_address(filled: TestClient) -> None:
    page = filled.get("/api")
    assert page.status_code == 200
    for path in ask(filled, "/openapi.json")["paths"]:
        assert f"GET {API}{path}<" in page.text
    assert "malicious-confirmed | " in page.text
