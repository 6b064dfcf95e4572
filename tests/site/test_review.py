"""What people decide on the site: written to the journal and the log, shown with who and why, refused to others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update
from tests.site import demo
from tests.site.auth.conftest import House, add_users, cheap_hashes, token_in
from tests.site.conftest import NOW

from urltrap.journal import BEGINNING, JournalReader, JournalWriter
from urltrap.model.decisions import WRITER
from urltrap.model.event import Decided
from urltrap.model.settings import Settings
from urltrap.store import Store, decisions, disputes, open_store
from urltrap.store.accounts import audit
from urltrap.store.intake import ingest
from urltrap.store.queries import urls
from urltrap.store.schema import urls as url_rows

assert cheap_hashes  # a fixture


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = demo.fill(tmp_path_factory.mktemp("review") / "urltrap.db", NOW, sessions=60)
    add_users(store)
    with store.begin() as connection:
        some = [row.id for row in urls.page(store, limit=6).rows]
        connection.execute(update(url_rows).where(url_rows.c.key.in_(some)).values(verdict="suspicious"))
    yield store
    store.close()


@pytest.fixture
def office(filled: Store, tmp_path: Path) -> Iterator[House]:
    """The site beside its data folder."""
    house = House(filled, data=tmp_path)
    yield house
    if house.app is not None:
        house.app.state.site.desk.close()


def form(client: TestClient, page: str, path: str, **fields: str) -> Any:
    """Send a form that stands on a page."""
    return client.post(path, data={"token": token_in(client.get(page).text), **fields})


def journal(office: House) -> list[Decided]:
    """What was decided, as the pipeline reads it, which takes it in."""
    assert office.data is not None
    if not (office.data / "journal").is_dir():
        return []
    with JournalReader(office.data / "journal") as reader:
        found = reader.read(WRITER, BEGINNING, 100)
    ingest(office.store, f"site of {office.data}", [event for _, event in found], found[-1][0])
    return [event for _, event in found if isinstance(event, Decided)]


def suspicious(store: Store) -> list[Any]:
    return decisions.queue(store, limit=1000).rows


def test_an_analyst_decides_about_a_suspicious_url_and_it_leaves_the_queue(office: House) -> None:
    client = office.logged_in("analyst-1")
    row = suspicious(office.store)[0]
    page = client.get("/review").text
    assert (
        f'action="/urls/{row.id}/decision"' in page
        and 'href="http' not in page.split("<main")[1].split("<footer")[0]
    )
    answer = form(
        client,
        "/review",
        f"/urls/{row.id}/decision",
        decision="leave",
        note=" nothing\0 <b>there</b> ",
        back="/review",
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/review")
    page = client.get("/review").text
    assert "left as it is" in page and f'action="/urls/{row.id}/decision"' not in page, (
        "it waits for the pipeline"
    )
    (event,) = journal(office)
    assert (event.by, event.subject, event.decision, event.reason) == (
        "analyst-1", row.url, "leave", "nothing <b>there</b>",
    )  # fmt: skip
    assert f'action="/urls/{row.id}/decision"' not in client.get("/review").text
    office.later(minutes=1)
    assert f"/urls/{row.id}" in client.get("/review?state=left").text
    page = client.get(f"/urls/{row.id}").text
    assert (
        "left as it is" in page
        and "analyst-1</bdi>, <time" in page
        and "&lt;b&gt;there" in page
        and "Withdraw" in page
    )
    noted = [(entry.who, entry.action, entry.subject) for entry in audit.page(office.store)[0]]
    assert ("analyst-1", "decision.leave", row.url) in noted


def test_a_decision_leads_nowhere_else_and_must_be_one(office: House) -> None:
    client = office.logged_in("analyst-1")
    row = suspicious(office.store)[0]
    path = f"/urls/{row.id}/decision"
    assert form(client, "/review", path, decision="burn").status_code == 422
    assert form(client, "/review", "/urls/0000000000/decision", decision="benign").status_code == 404
    away = form(client, "/review", path, decision="leave", back="//evil.example")
    assert away.headers["location"] == "/"
    assert form(client, "/review", path, decision="withdrawn").headers["location"] == f"/urls/{row.id}"
    assert "as soon as the pipeline" in client.get(f"/urls/{row.id}").text
    assert client.get(path).headers["location"] == f"/urls/{row.id}"
    assert [event.decision for event in journal(office)] == ["leave", "withdrawn"]
    assert "as soon as the pipeline" not in client.get(f"/urls/{row.id}").text, "it has read it"


def test_a_viewer_decides_nothing_and_is_told_which_role_does(office: House) -> None:
    viewer = office.logged_in("viewer-1")
    row = suspicious(office.store)[0]
    token = token_in(viewer.get("/account").text)
    for path in (f"/urls/{row.id}/decision", "/allow-list", "/allow-list/remove", "/disputes/x"):
        answer = viewer.post(path, data={"token": token, "decision": "benign"})
        assert answer.status_code == 403 and "the role analyst" in answer.text
    page = viewer.get(f"/urls/{row.id}").text
    assert "What people decided" not in page and 'href="/review"' not in page


def test_the_allow_list_takes_entries_with_a_reason_and_lets_them_go(office: House) -> None:
    client = office.logged_in("analyst-1")
    wrong = form(client, "/allow-list", "/allow-list", entry="http://x.example/<i>", note="y")
    assert wrong.status_code == 422 and "no host, .domain, address or exact network" in wrong.text
    assert "<i>" not in wrong.text.split("<main")[1]
    assert "Say why" in form(client, "/allow-list", "/allow-list", entry="files.example.org", note=" ").text
    assert form(client, "/allow-list", "/allow-list", entry=".Example.org", note="ours").status_code == 303
    journal(office)
    page = client.get("/allow-list").text
    assert "[.]example[.]org" in page and "the domain and all below" in page and "analyst-1" in page
    assert "not on the list" in form(client, "/allow-list", "/allow-list/remove", entry="other.example").text
    assert form(client, "/allow-list", "/allow-list/remove", entry=".example.org").status_code == 303
    assert "taken off" in client.get("/allow-list").text, "until the pipeline has read it"
    assert [event.decision for event in journal(office)] == ["allow", "disallow"]
    assert "Nothing is allowed by hand" in client.get("/allow-list").text


def test_a_dispute_is_answered_and_what_follows_is_decided(office: House) -> None:
    client = office.logged_in("analyst-1")
    row = urls.page(office.store).rows[0]
    defanged = row.url.replace("http", "hxxp", 1).replace(".", "[.]")
    hostile = "<script>alert(1)</script>\x1b[31m"
    id_ = disputes.file(office.store, office.now, "url", defanged, "<i>me</i>", f"it is ours {hostile}")
    page = client.get("/disputes?state=open").text
    assert id_ in page and "<script>alert" not in page and "\x1b" not in page
    page = client.get(f"/disputes/{id_}").text
    assert f"/urls/{row.id}" in page, "what it is about is found, however it was written"
    assert "[[.]]" not in page, "what was defanged is not defanged again"
    path = f"/disputes/{id_}"
    assert form(client, path, path, state="upheld", note=" ").status_code == 422
    assert form(client, path, path, state="maybe", note="x").status_code == 422
    assert form(client, path, path, state="upheld", note="x", follows="drop").status_code == 422
    assert journal(office) == [], "nothing follows from what was refused"
    assert form(client, path, path, state="upheld", note="it is theirs", follows="benign").status_code == 303
    (event,) = journal(office)
    assert (event.subject, event.decision) == (row.url, "benign") and id_ in event.reason
    found = disputes.find(office.store, id_)
    assert found is not None and (found.state, found.decided_by, found.answer) == (
        "upheld",
        "analyst-1",
        "it is theirs",
    )
    assert "it is theirs" in client.get(path).text
    assert form(client, path, path, state="open").status_code == 303
    assert disputes.count_open(office.store) == 1
    assert form(client, path, path, state="refused", note="no").status_code == 303
    noted = {entry.action for entry in audit.page(office.store)[0]}
    assert {"dispute.upheld", "dispute.open", "dispute.refused"} <= noted
    assert client.get("/disputes/01ARZ3NDEKTSV4RRFFQ69G5FAV").status_code == 404
    assert form(client, path, "/disputes/none", state="open").status_code == 404
    for none in ("none", "%00", "%F0%9F%98%80", "0" * 5000):
        assert client.get(f"/disputes/{none}").status_code == 404


def test_a_dispute_about_a_host_may_put_it_on_the_allow_list_and_one_about_nothing_may_not(
    office: House,
) -> None:
    client = office.logged_in("analyst-1")
    host = f"/disputes/{disputes.file(office.store, office.now, 'host', 'files[.]example[.]net', '', 'x')}"
    other = f"/disputes/{disputes.file(office.store, office.now, 'other', 'files.example.net', '', 'x')}"
    assert form(client, other, other, state="upheld", note="ok", follows="allow").status_code == 422
    assert form(client, host, host, state="upheld", note="ok", follows="allow").status_code == 303
    assert [(event.subject, event.decision) for event in journal(office)] == [("files.example.net", "allow")]


def test_a_site_that_cannot_write_decisions_says_why(office: House, filled: Store) -> None:
    far = House(filled)
    client = far.logged_in("analyst-1")
    row = suspicious(filled)[0]
    page = client.get("/review").text
    assert "no data folder" in page and "/decision" not in page
    assert "/decision" not in client.get(f"/urls/{row.id}").text
    answer = form(client, "/account", f"/urls/{row.id}/decision", decision="benign")
    assert answer.status_code == 503 and "Nothing was decided" in answer.text
    assert office.data is not None
    with JournalWriter(office.data / "journal", WRITER, Settings().journal):
        client = office.logged_in("analyst-1")
        answer = form(client, "/review", f"/urls/{row.id}/decision", decision="benign")
        assert answer.status_code == 503 and "Nothing was decided" in answer.text


def test_hostile_urls_do_nothing_in_the_queue(tmp_path: Path) -> None:
    from tests.site import hostile

    store = hostile.fill(tmp_path / "urltrap.db", NOW)
    add_users(store)
    page = House(store, data=tmp_path).logged_in("analyst-1").get("/review").text
    assert "<script>alert" not in page and "\x1b" not in page and "\u202e" not in page
    store.close()


def test_the_store_is_left_open_for_reading_while_nothing_is_decided(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "urltrap.db"))
    house = House(store, data=tmp_path)
    assert house.client().get("/review").status_code == 200
    assert not (tmp_path / "journal").exists(), "a site that only shows makes no journal"
    store.close()


def test_programs_read_what_the_pages_of_analysts_show(office: House) -> None:
    ask = office.logged_in("analyst-1").get
    queue = ask("/api/v1/review?limit=2").json()
    waiting = decisions.queue(office.store).rows
    assert [row["id"] for row in queue["rows"]] == [row.id for row in waiting[:2]]
    following = ask(f"/api/v1/review?limit=2&cursor={queue['next']}").json()
    assert [row["id"] for row in following["rows"]] == [row.id for row in waiting[2:4]]
    client = office.logged_in("analyst-1")
    url = waiting[-1]
    form(client, "/allow-list", "/allow-list", entry=".programs.example", note="asked by programs")
    form(client, f"/urls/{url.id}", f"/urls/{url.id}/decision", decision="leave", note="seen")
    journal(office)
    entries = ask("/api/v1/allow-list").json()
    assert ("allow", ".programs.example", "analyst-1") in [
        (row["decision"], row["subject"], row["by"]) for row in entries
    ]
    (made, *_) = ask(f"/api/v1/urls/{url.id}/decisions").json()
    assert (made["decision"], made["reason"]) == ("leave", "seen")
    assert ask("/api/v1/urls/00000000/decisions").status_code == 404


def test_programs_read_disputes_one_by_one_and_in_pieces(office: House) -> None:
    filed = [
        disputes.file(office.store, office.now, "url", f"http://a.example/{number}", "me", "it is mine")
        for number in range(3)
    ]
    ask = office.logged_in("analyst-1").get
    page = ask("/api/v1/disputes?limit=2&state=open").json()
    rest = ask(f"/api/v1/disputes?state=open&cursor={page['next']}").json()
    found = [row["id"] for row in page["rows"] + rest["rows"]]
    assert len(page["rows"]) == 2 and set(filed) <= set(found) and len(found) == len(set(found))
    one = ask(f"/api/v1/disputes/{filed[0]}").json()
    assert (one["subject"], one["contact"], one["state"]) == ("http://a.example/0", "me", "open")
    assert ask("/api/v1/disputes/00000000000000000000000000").status_code == 404
    assert office.logged_in("viewer-1").get(f"/api/v1/disputes/{filed[0]}").status_code == 403


def test_programs_read_how_the_trap_is_doing(office: House) -> None:
    ask = office.logged_in("analyst-1").get
    names = {row["sensor"] for row in ask("/api/v1/operations/sensors").json()}
    assert names and names <= {"ssh", "telnet"}
    for what in ("stages", "journals", "providers"):
        assert ask(f"/api/v1/operations/{what}").status_code == 200
