"""Answers that are kept ready: of two snapshots, within a bound of memory."""

from __future__ import annotations

from tests.site.conftest import NOW

from urltrap.site.public.pages import HTML, Page
from urltrap.site.public.shield import Ready, Shelf


def ready(name: str, size: int = 10) -> Ready:
    return Ready.of(Page(name, bytes(size), HTML, False, '"tag"'), NOW)


def test_while_a_snapshot_is_made_ready_the_one_before_is_still_answered() -> None:
    shelf = Shelf()
    shelf.put("/", "old", ready("index.html"))
    shelf.put("/", "new", ready("index.html"))
    shelf.put("/urls.html", "old", ready("urls.html"))
    assert shelf.find("/", "old") and shelf.find("/", "new") and shelf.find("/urls.html", "old")
    assert shelf.names() == ["/"], "what is asked for of the newest"
    shelf.put("/", "newer", ready("index.html"))
    assert shelf.find("/", "old") is None and shelf.find("/", "new") is not None


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    shelf = Shelf(most=3 * 1100)
    for name in ("a", "b", "c"):
        shelf.put(name, "x", ready(name, 1000))
    assert shelf.find("a", "x") is not None
    shelf.put("d", "x", ready("d", 1000))
    assert (
        shelf.find("b", "x") is None and shelf.find("a", "x") is not None and shelf.find("d", "x") is not None
    )
    shelf.put("huge", "x", ready("huge", 1_000_000))
    assert shelf.find("huge", "x") is not None, "what is larger than the bound is kept alone"
    assert shelf.find("d", "x") is None
