from __future__ import annotations

import csv
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from urltrap.intel.reputation.urlhaus import DumpCount, DumpError, UrlhausDump, read_dump
from urltrap.model.url import parse_url

NOW = datetime(2026, 11, 24, tzinfo=UTC)
HEAD = "# URLhaus\r\n#\r\n# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter\r\n"


def line(number: int, url: str, tags: str = "elf,Mozi") -> str:
    return (
        f'"{number}","2026-11-0{number} 00:00:00","{url}","online","","malware_download","{tags}",'
        f'"https://urlhaus.abuse.ch/url/{number}/","someone"\r\n'
    )


def make(folder: Path, text: str) -> UrlhausDump:
    (folder / "dump.csv").write_bytes(text.encode())
    return UrlhausDump(folder / "dump.csv", folder / "intel" / "urlhaus.db")


def results(dump: UrlhausDump, url: str) -> list[tuple[str, str, str]]:
    (answers,) = dump.look_up([parse_url(url)], NOW)
    return [(item.subject_kind, item.result, item.detail) for item in answers]


def test_urls_are_found_exactly_by_host_and_path_and_by_host(tmp_path: Path) -> None:
    dump = make(tmp_path, HEAD + line(1, "http://198.51.100.9:8080/Mozi.m") + line(2, "http://evil.cc/a?x=1"))
    assert dump.refresh()
    assert results(dump, "http://198.51.100.9:8080/Mozi.m") == [
        ("url", "listed", "this URL"), ("host", "listed", "1 URLs of this host"),
    ]  # fmt: skip
    assert results(dump, "https://evil.cc/a?x=2")[0] == ("url", "listed", "host and path")
    assert results(dump, "http://EVIL.cc:80/other") == [
        ("url", "not-listed", ""), ("host", "listed", "1 URLs of this host"),
    ]  # fmt: skip
    assert results(dump, "http://evil.cc/")[0] == ("url", "not-listed", "")
    assert results(dump, "http://good.cc/a") == [("url", "not-listed", ""), ("host", "not-listed", "")]
    (answers,) = dump.look_up([parse_url("http://evil.cc/a?x=1")], NOW)
    assert answers[0].tags == ["malware_download", "elf", "Mozi"]
    assert answers[0].reference.endswith("/2/")


def test_columns_are_read_by_the_header_whatever_their_order(tmp_path: Path) -> None:
    old = '# "id","dateadded","url","threat"\r\n"1","2018","http://evil.cc/a","malware_download"\r\n'
    dump = make(tmp_path, old)
    dump.refresh()
    assert results(dump, "http://evil.cc/a")[0][1] == "listed"
    bare = make(tmp_path, "url,id\nhttp://evil.cc/b,7\n")
    bare.refresh()
    assert results(bare, "http://evil.cc/b")[0][1] == "listed"


def test_malformed_lines_are_counted_and_the_rest_is_taken() -> None:
    lines = [
        HEAD, line(1, "http://evil.cc/a"), '"2","too few"\r\n', '"3","x","no url at all:","","","","","",""\r\n',
        '"4","broken quote\r\n', "x" * 30_000, "\r\n", line(5, "http://evil.cc/\u202eb"),
    ]  # fmt: skip
    count = DumpCount()
    entries = list(read_dump(iter("".join(lines).splitlines(keepends=True)), count))
    assert (count.entries, count.malformed, len(entries)) == (2, 4, 2)
    assert len(count.examples) == 3 and all(example.isascii() for example in count.examples)


def test_a_dump_without_an_entry_leaves_the_old_index_in_use(tmp_path: Path) -> None:
    dump = make(tmp_path, HEAD + line(1, "http://evil.cc/a"))
    dump.refresh()
    version = dump.version
    make(tmp_path, "<html>503 Service Unavailable</html>\n")
    with pytest.raises(DumpError, match="download it again"):
        dump.refresh()
    assert dump.version == version
    assert results(dump, "http://evil.cc/a")[0][1] == "listed"
    assert [path.name for path in (tmp_path / "intel").iterdir()] == ["urlhaus.db"]


def test_a_missing_dump_says_which_setting_and_answers_error(tmp_path: Path) -> None:
    dump = UrlhausDump(tmp_path / "nowhere.csv", tmp_path / "intel" / "urlhaus.db")
    with pytest.raises(DumpError, match="intel.urlhaus_dump"):
        dump.refresh()
    assert results(dump, "http://evil.cc/a") == [("url", "error", "the dump has not been indexed")]


def test_a_changed_dump_is_seen_by_another_object_that_has_the_index_open(tmp_path: Path) -> None:
    reading = make(tmp_path, HEAD + line(1, "http://evil.cc/a"))
    reading.refresh()
    assert not reading.refresh()
    before = reading.version
    assert results(reading, "http://evil.cc/b")[0][1] == "not-listed"
    other = make(tmp_path, HEAD + line(2, "http://evil.cc/b"))
    os.utime(tmp_path / "dump.csv", ns=(1, 1))
    assert other.refresh()
    assert results(reading, "http://evil.cc/b")[0][1] == "listed"
    assert reading.version != before
    reading.close()
    other.close()


@pytest.mark.shared_data
def test_benign_urls_are_not_found_in_a_dump_of_all_malicious_ones(shared_data: Path, tmp_path: Path) -> None:
    with (shared_data / "urls.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    malicious = [row["url"] for row in rows if row["label"] == "malicious"]
    benign = [row["url"] for row in rows if row["label"] != "malicious"]
    with (tmp_path / "dump.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        file.write("# id,url\r\n")
        writer.writerows(enumerate(malicious))
    dump = UrlhausDump(tmp_path / "dump.csv", tmp_path / "index.db")
    dump.refresh()
    assert dump.count.malformed == 0
    wrong = [answers[0] for answers in dump.look_up([parse_url(url) for url in benign], NOW)]
    assert sum(answer.result == "listed" for answer in wrong) <= len(set(benign) & set(malicious))
    dump.close()
