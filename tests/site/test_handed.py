from __future__ import annotations

from datetime import timedelta

from fastapi.testclient import TestClient
from tests.site.conftest import NOW

from urltrap.model.submission import Submission
from urltrap.model.views import UrlFilter
from urltrap.store import Store, submissions
from urltrap.store.queries import urls as url_queries


def test_a_url_s_page_says_to_whom_it_was_handed_and_what_came_of_it(
    filled: TestClient, filled_store: Store
) -> None:
    row = url_queries.page(filled_store, UrlFilter(), None, 1).rows[0]
    assert "Handed to others" not in filled.get(f"/urls/{row.id}").text
    asked = Submission(
        service="urlscan", subject_kind="url", subject=row.url, asked=NOW - timedelta(hours=1), asked_by="operator",
        visibility="private", state="submitted", at=NOW, reference="0196d976", link="https://urlscan.io/result/0196d976/",
    )  # fmt: skip
    refused = asked.model_copy(
        update={"service": "urlhaus", "asked_by": "automatic", "visibility": "", "state": "refused", "reference": "",
                "link": "", "detail": "<script>alert(1)</script>\x1b[31m"}
    )  # fmt: skip
    with filled_store.begin() as connection:
        submissions.note(connection, asked)
        submissions.note(connection, refused)
    page = filled.get(f"/urls/{row.id}").text
    card = page.partition("<h2>Handed to others</h2>")[2].partition("</section>")[0]
    assert (
        ">urlscan<" in card
        and ">private<" in card
        and "by an operator" in card
        and "https://urlscan.io/result/0196d976/" in card
    )
    assert "urlhaus" in card and "by itself" in card and "refused" in card
    assert "<a " not in card, "nothing here leads outside"
    assert "<script>" not in card and "\x1b" not in card and "&lt;script&gt;" in card
