from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.feeds import FORMATS, FeedError, render
from urltrap.feeds.csv import COLUMNS
from urltrap.model.url import UrlError, canonical
from urltrap.model.views import FeedRow

NOW = datetime(2026, 11, 24, 5, 6, 7, tzinfo=UTC)


def row(url: str) -> FeedRow:
    return FeedRow(
        id="a" * 64, url=url, host="evil.cc", first_seen=NOW.replace(minute=0, second=0), last_seen=NOW,
        verdict="malicious-observed", confidence=85, reasons=["payload.elf", "run"], sha256="b" * 64, kind="elf",
        architecture="mips",
    )  # fmt: skip


ROWS = [row("http://evil.cc/a,b?c='d'"), row("http://evil.cc/%22;--")]


def test_csv_can_be_read_back_with_its_header() -> None:
    text = render("csv", ROWS, NOW).decode()
    lines = text.split("\r\n")
    header = [line for line in lines if line.startswith("#")][-1]
    assert header == "# " + ",".join(COLUMNS)
    body = "\r\n".join(line for line in lines if not line.startswith("#"))
    read = list(csv.reader(io.StringIO(body)))
    assert [fields[1] for fields in read] == [item.url for item in ROWS]
    assert all(len(fields) == len(COLUMNS) for fields in read)


def test_json_can_be_read_back() -> None:
    read = json.loads(render("json", ROWS, NOW))
    assert [FeedRow.model_validate(entry) for entry in read["urls"]] == ROWS
    assert read["generated"] == "2026-11-24T05:06:07Z"
    assert json.loads(render("json", [], NOW))["urls"] == []


def test_text_is_one_url_a_line() -> None:
    lines = render("txt", ROWS, NOW).decode().splitlines()
    assert lines[0].startswith("#")
    assert lines[1:] == [item.url for item in ROWS]


def test_an_unknown_format_names_those_that_exist() -> None:
    with pytest.raises(FeedError, match="csv, json, txt"):
        render("xml", ROWS, NOW)


def test_every_format_says_its_media_type_and_writes_an_empty_feed() -> None:
    assert list(FORMATS) == ["csv", "json", "txt"]
    for name, found in FORMATS.items():
        assert "/" in found.media_type and found.title
        assert render(name, [], NOW)


@given(st.text(max_size=60))
def test_no_url_breaks_out_of_its_line(tail: str) -> None:
    try:
        url = canonical("http://evil.cc/" + tail)
    except UrlError:
        return
    assert render("txt", [row(url)], NOW).decode().splitlines()[1:] == [url]
    last = render("csv", [row(url)], NOW).decode().split("\r\n")[-2]
    assert next(csv.reader([last]))[1] == url
