from __future__ import annotations

import csv
import os
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.intel.fakes import FakeHttp, http_server

from urltrap.intel import dumps
from urltrap.intel.reputation.dump import Dump, DumpError
from urltrap.intel.reputation.maltrail import maltrail
from urltrap.intel.reputation.phishing_feeds import openphish, phishtank
from urltrap.intel.reputation.threatfox import threatfox
from urltrap.intel.reputation.tweetfeed import tweetfeed
from urltrap.intel.reputation.urlhaus import UrlhausDump
from urltrap.model.intel_settings import IntelSettings
from urltrap.model.url import parse_url

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SHA = "6f8a836d10eada55bb1d3901ceb5b97711afc9f7018e3bd0f0a8e77521f1aaaa"
THREATFOX = (
    '# "first_seen_utc","ioc_id","ioc_value","ioc_type","threat_type","fk_malware","malware_alias",'
    '"malware_printable","last_seen_utc","confidence_level","reference","tags","anonymous","reporter"\n'
    '"2026-01-02 01:44:00", "1", "http://evil.example/x", "url", "payload_delivery", "elf.mirai", "None", "Mirai", '
    '"", "75", "None", "elf,mirai", "0", "me"\n'
    '"2026-01-02 01:44:00", "2", "198.51.100.7:443", "ip:port", "botnet_cc", "elf.x", "None", "X", "", "75", "None", '
    '"None", "0", "me"\n'
    f'"2026-01-02 01:44:00", "3", "{SHA}", "sha256_hash", "payload", "elf.y", "None", "Y", "", "75", "None", "", "0", '
    '"me"\n'
)
MALTRAIL = """# Copyright
# Reference: https://example.org/one

/busybotnet
198.51.100.9:1312
evil-c2.example
http://drop.example/bins/arm7
path.example/gate.php
nodots
"""


def results(dump: Dump, url: str) -> list[tuple[str, str, str]]:
    (answers,) = dump.look_up([parse_url(url)], NOW)
    return [(item.subject_kind, item.result, item.detail) for item in answers]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_threatfox_lists_urls_hosts_and_payloads(tmp_path: Path) -> None:
    dump = threatfox(write(tmp_path / "t.csv", THREATFOX), tmp_path / "t.db")
    dump.refresh()
    assert results(dump, "http://evil.example/x") == [
        ("url", "listed", "this URL"), ("host", "listed", "1 URLs of this host"),
    ]  # fmt: skip
    assert results(dump, "http://198.51.100.7/a") == [
        ("url", "not-listed", ""),
        ("host", "listed", "this host"),
    ]
    assert results(dump, "http://198.51.100.7:443/")[0] == ("url", "not-listed", ""), "a C2 port is no URL"
    known, unknown = dump.look_up_hashes([SHA, "0" * 64], NOW)
    assert (known.result, known.detail, known.tags) == ("listed", "this payload", ["payload", "Y"])
    assert known.since == datetime(2026, 1, 2, 1, 44, tzinfo=UTC)
    assert unknown.result == "not-listed"


def test_reports_of_researchers_name_urls_hosts_and_payloads(tmp_path: Path) -> None:
    text = (
        "2026-03-15 01:00:06,somebody,url,https://evil.example/log,#phishing #scam,https://x.example/status/1\n"
        "2026-03-15 01:00:06,somebody,domain,c2.example,,https://x.example/status/2\n"
        f"2026-03-15 01:00:06,somebody,sha256,{SHA.upper()},#Mirai,https://x.example/status/3\n"
        "2026-03-15 01:00:06,somebody,md5,d41d8cd98f00b204e9800998ecf8427e,#Mirai,https://x.example/status/4\n"
        "2026-03-15 01:00:06,somebody,url\n"
    )
    dump = tweetfeed(write(tmp_path / "t.csv", text), tmp_path / "t.db")
    dump.refresh()
    assert (dump.count.entries, dump.count.malformed) == (3, 2)
    assert results(dump, "https://evil.example/log")[0] == ("url", "listed", "this URL")
    assert results(dump, "https://c2.example/x") == [
        ("url", "not-listed", ""),
        ("host", "listed", "this host"),
    ]
    (answers,) = dump.look_up([parse_url("https://evil.example/log")], NOW)
    assert answers[0].tags == ["phishing", "scam"]
    assert answers[0].reference == "https://x.example/status/1"
    assert dump.look_up_hashes([SHA], NOW)[0].tags == ["Mirai"]


def test_maltrail_attributes_families_and_pieces_of_paths_match_nobody(tmp_path: Path) -> None:
    trail = write(tmp_path / "elf_gafgyt.txt", MALTRAIL)
    dump = maltrail([trail], tmp_path / "m.db")
    dump.refresh()
    assert (dump.count.entries, dump.count.malformed) == (4, 1)
    assert results(dump, "http://innocent.example/busybotnet")[0][1] == "not-listed"
    assert results(dump, "http://198.51.100.9/a")[1] == ("host", "listed", "this host")
    assert results(dump, "http://drop.example/bins/arm7")[0] == ("url", "listed", "this URL")
    assert results(dump, "https://path.example/gate.php")[0][1] == "listed"
    (answers,) = dump.look_up([parse_url("http://evil-c2.example/")], NOW)
    assert answers[0].result == "not-listed" and answers[1].tags == ["gafgyt"]
    assert answers[1].reference == "https://example.org/one"


def test_recorded_feeds_are_found_by_exact_url_host_and_path_and_host(
    tmp_path: Path, shared_data: Path
) -> None:
    formats = shared_data / "formats"
    feed = openphish(formats / "openphish_feed.txt", tmp_path / "o.db")
    feed.refresh()
    lines = (formats / "openphish_feed.txt").read_text().split()
    assert feed.count.entries == len(lines) and feed.count.malformed == 0
    bank = phishtank(formats / "phishtank_verified_online_2021.csv", tmp_path / "p.db")
    bank.refresh()
    haus = UrlhausDump(formats / "urlhaus_country_feed_JP_2022.csv", tmp_path / "u.db")
    haus.refresh()
    assert haus.count.entries == 288 and haus.count.malformed == 0
    for dump, url in (
        (feed, lines[3]),
        (bank, "http://changewill.customeramazonservice.monster/"),
    ):
        assert [item[1] for item in results(dump, url)] == ["listed", "listed"]
    (answers,) = bank.look_up([parse_url("http://changewill.customeramazonservice.monster/")], NOW)
    assert answers[0].since == datetime(2021, 3, 14, 7, 14, 6, tzinfo=UTC)


def test_all_malicious_urls_imported_as_a_dump_are_found_exactly_by_host_and_path_and_by_host(
    tmp_path: Path, shared_data: Path
) -> None:
    with (shared_data / "urls.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["label"] == "malicious"]
    with (tmp_path / "all.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(
            [["url", "threat"], *([row["url"], row["threat"]] for row in rows)]
        )
    dump = UrlhausDump(tmp_path / "all.csv", tmp_path / "all.db")
    dump.refresh()
    assert (dump.count.entries, dump.count.malformed) == (len(rows), 0) and len(rows) == 6779
    urls = [parse_url(row["url"]) for row in rows]
    exact = dump.look_up(urls, NOW)
    assert [answers for answers in exact if [item.result for item in answers] != ["listed", "listed"]] == []
    assert {answers[0].detail for answers in exact} == {"this URL"}
    # Another query: the same host and path, but for a site's home page, whose other queries are other pages.
    listed = {url.text for url in urls}
    deep = [url for url in urls if url.path.partition("?")[0] not in ("", "/")]
    queried = [parse_url(f"{url.text.partition('?')[0]}?urltrap=1") for url in deep]
    for url, answers in zip(queried, dump.look_up(queried, NOW), strict=True):
        assert url.text not in listed
        assert (answers[0].result, answers[0].detail) == ("listed", "host and path"), url.text
    # Another path: nothing is said of the URL, and its host is known.
    elsewhere = [
        parse_url(f"{url.scheme}://{url.text.split('/')[2]}/something/else-entirely") for url in urls
    ]
    for url, answers in zip(elsewhere, dump.look_up(elsewhere, NOW), strict=True):
        assert [item.result for item in answers] == ["not-listed", "listed"], url.text
    dump.close()


def test_a_dump_is_indexed_in_little_memory_however_long_it_is(tmp_path: Path) -> None:
    def peak(lines: int) -> int:
        path = tmp_path / f"{lines}.csv"
        with path.open("w", encoding="utf-8") as file:
            file.write("url,threat\n")
            file.writelines(f"http://h{n}.example/bins/x{n}.arm,malware_download\n" for n in range(lines))
        dump = UrlhausDump(path, tmp_path / f"{lines}.db")
        tracemalloc.start()
        dump.refresh()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert dump.count.entries == lines
        dump.close()
        return most

    short, long = peak(400), peak(4_000)
    assert long < max(short * 1.5, short + 200_000), "a longer dump takes no more memory"


def test_lines_that_are_no_utf_8_or_endless_are_counted_and_the_rest_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(
        b"url,threat\nhttp://a.example/x,malware_download\n"
        b"http://\xff\xfe.example/x,malware_download\n"
        b"http://caf\xe9.example/\x80,malware_download\n"
        + b"x" * 300_000
        + b"\nhttp://b.example/x,malware_download\n\x00\x00\x00\n"
    )
    dump = UrlhausDump(path, tmp_path / "d.db")
    dump.refresh()
    assert results(dump, "http://a.example/x")[0][1] == results(dump, "http://b.example/x")[0][1] == "listed"
    assert dump.count.malformed >= 2 and all(len(example) < 400 for example in dump.count.examples)
    dump.close()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>\n<h1>429 Too Many Requests</h1>\n",
        b"\xff\xfe\x00\x01" * 1000,
        b"a" * 5_000_000,
        b'"1","2"\n' * 1000,
        b"",
    ],
)
def test_what_is_no_dump_is_refused_and_the_index_before_stays(tmp_path: Path, body: bytes) -> None:
    for make in (threatfox, openphish, phishtank, UrlhausDump):
        path = tmp_path / "d"
        if make is threatfox:
            path.write_text(THREATFOX)
        elif make is openphish:
            path.write_text("http://evil.example/x\n")
        else:
            path.write_text("url,verified\nhttp://evil.example/x,yes\n")
        dump = make(path, tmp_path / f"{make.__name__}.db")
        dump.refresh()
        path.write_bytes(body)
        os.utime(path, ns=(1, 1))
        with pytest.raises(DumpError, match="holds no entry"):
            dump.refresh()
        assert results(dump, "http://evil.example/x")[0][1] == "listed"


def settings(fake: FakeHttp, **changes: object) -> IntelSettings:
    return IntelSettings.model_validate(
        {
            "online": True, "keys": {"abuse_ch": "s3cr3t"},
            "dumps": {
                "urlhaus": fake.base + "/exports/{key}/recent.csv", "threatfox": fake.base + "/threatfox",
                "openphish": fake.base + "/feed.txt", "phishtank": "", "tweetfeed": "",
                "maltrail": fake.base + "/{name}.txt",
                "maltrail_names": ["elf_mirai"],
            },
            **changes,
        }
    )  # fmt: skip


async def test_dumps_are_downloaded_by_schedule_and_indexed(tmp_path: Path) -> None:
    async with http_server() as fake:
        bodies = {
            "/exports/s3cr3t/recent.csv": b"url\nhttp://evil.example/x\n", "/threatfox": THREATFOX.encode(),
            "/feed.txt": b"http://phish.example/\n", "/elf_mirai.txt": b"198.51.100.9\n",
        }  # fmt: skip
        fake.answer = lambda asked: (200, bodies[asked.path], {"ETag": "1"})
        wanted = settings(fake)
        outcomes = await dumps.update(wanted, tmp_path / "dumps", NOW)
        assert [(o.name, o.result) for o in outcomes] == [
            ("urlhaus", "changed"), ("threatfox", "changed"), ("openphish", "changed"), ("elf_mirai", "changed"),
        ]  # fmt: skip
        found = dumps.dumps(wanted, tmp_path / "dumps")
        for dump in found:
            dumps.refresh(dump)
        assert [(dump.name, dump.count.entries) for dump in found] == [
            ("urlhaus", 1), ("threatfox", 3), ("openphish", 1), ("maltrail", 1),
        ]  # fmt: skip
        again = await dumps.update(wanted, tmp_path / "dumps", NOW + timedelta(hours=1))
        assert [o.name for o in again] == ["urlhaus", "threatfox"], "the others change less often"

        for dump in found:
            dumps.refresh(dump)
        fake.answer = lambda asked: (200, b"<html>nothing here", {})
        bad = await dumps.update(wanted, tmp_path / "dumps", NOW + timedelta(days=2))
        assert {o.result for o in bad} == {"failed"} and all("s3cr3t" not in o.reason for o in bad)
        assert not any(dump.refresh() for dump in dumps.dumps(wanted, tmp_path / "dumps"))


def test_a_dump_whose_key_is_missing_or_that_is_skipped_is_not_asked_for(tmp_path: Path) -> None:
    fake = FakeHttp(base="http://127.0.0.1:1")
    names = [part.provider for part in dumps.parts(settings(fake, keys={}, skip=["openphish"]), tmp_path)]
    assert names == ["threatfox", "maltrail"]


def test_the_dump_that_the_operator_put_there_is_used_without_going_online(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", "url\nhttp://evil.example/x\n")
    (dump,) = dumps.dumps(IntelSettings(urlhaus_dump=str(path)), tmp_path / "intel" / "dumps")
    assert dump.refresh() and dump.index == tmp_path / "intel" / "urlhaus.db"
