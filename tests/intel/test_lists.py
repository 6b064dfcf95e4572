from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.intel.fakes import http_server

from urltrap.intel.download import kept
from urltrap.intel.lists import folder as lists
from urltrap.intel.lists.catalogue import MASS_SCANNERS, MISP, kind_of
from urltrap.intel.lists.index import ContextLabel, ListIndex
from urltrap.intel.lists.parse import ListError, parse_list
from urltrap.model.intel_settings import IntelSettings

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


def index(**values: list[str]) -> ListIndex:
    made = ListIndex()
    for name, items in values.items():
        made.add(ContextLabel(name.replace("_", "-"), f"list-of-{name}", "7", NOW), items)
    return made


def kinds(made: ListIndex, value: str) -> list[str]:
    return [label.kind for label in made.of_host(value)]


def misp(kind: str, *values: str, version: int = 20260820) -> bytes:
    return json.dumps({"name": "A list", "type": kind, "version": version, "list": values}).encode()


def test_all_labels_of_a_value_are_kept_with_list_version_and_expiry() -> None:
    made = index(
        research_scanner=["192.0.2.0/25"], cloud=["192.0.0.0/16", "2001:db8::/32"], vpn=["192.0.2.7"]
    )
    found = made.of_address("192.0.2.7")
    assert [(label.kind, label.list, label.version, label.expires) for label in found] == [
        ("vpn", "list-of-vpn", "7", NOW),
        ("research-scanner", "list-of-research_scanner", "7", NOW),
        ("cloud", "list-of-cloud", "7", NOW),
    ]
    assert kinds(made, "192.0.2.200") == ["cloud"]
    assert kinds(made, "2001:db8:5::1") == kinds(made, "::ffff:192.0.9.9") == ["cloud"]
    assert kinds(made, "198.51.100.1") == kinds(made, "2001:db9::1") == []


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("cdn.example", ["cdn"]),
        ("A.B.CDN.example.", ["cdn"]),
        ("notcdn.example", []),
        ("one.example", ["paste"]),
        ("x.one.example", []),
        ("example", []),
        ("", []),
        ("...", []),
        ("300.1.2.3", []),
        ("1.2.3", []),
        ("::zz", []),
    ],
)
def test_a_domain_with_a_dot_takes_all_below_it(host: str, expected: list[str]) -> None:
    assert kinds(index(cdn=[".cdn.example"], paste=["one.example"]), host) == expected


def test_what_is_no_value_is_counted_and_left_out() -> None:
    made = ListIndex()
    taken = made.add(
        ContextLabel("cdn", "x", "1"),
        ["", "word", "1.2.3.4/99", "1.2.3/8", "::g/12", "1.2.3.4/-1", "h" * 400, "ok.example", "d" * 32],
    )
    assert (taken, made.skipped, len(made)) == (2, 7, 2)
    assert [label.list for label in made.of_hash("D" * 32)] == ["x"]


def test_misp_s_kinds_of_lists() -> None:
    assert parse_list("n", misp("cidr", "192.0.2.0/24")).values == ["192.0.2.0/24"]
    parsed = parse_list("n", misp("hostname", "a.example", ".b.example", "192.0.2.1"))
    assert parsed.values == [".a.example", ".b.example", "192.0.2.1"] and parsed.version == "20260820"
    assert parse_list("n", misp("hostname", "a.example"), below=False).values == ["a.example"]
    assert parse_list("n", misp("substring", "analyze.example.com", "/path", "word")).values == [
        "analyze.example.com"
    ]


def test_the_scanner_lists_of_maltrail_and_isc() -> None:
    text = b"# head\n\n129.82.138.12  # pinger.example\n  \n192.0.2.0/24\n/path\n"
    assert parse_list(MASS_SCANNERS, text).values == ["129.82.138.12", "192.0.2.0/24"]
    records = [
        {"ipv4": "071.006.135.131", "added": "2020-07-18", "lastseen": "2026-07-24", "type": "x"},
        {"ipv6": "2001:db8::1", "lastseen": "2026-08-01"},
        {"type": "nothing"},
    ]
    parsed = parse_list("isc-research", json.dumps(records).encode())
    assert parsed.values == ["71.6.135.131", "2001:db8::1"] and parsed.version == "2026-08-01"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\xff\xfe{", "not UTF-8 at byte 0"),
        (b'{"type": "cidr", "list": ["192.0.', "damaged JSON"),
        (b"[" * 300_000, "damaged JSON"),
        (b'{"type": "dance", "list": []}', "no MISP warninglist"),
        (b'{"type": "cidr", "list": 7}', "no MISP warninglist"),
        (b'{"type": "cidr", "list": [1, null]}', "no value in it"),
        (b"[7]", "a int among its records"),
        (b"<!DOCTYPE html><h1>429", "a web page instead of a list"),
        (b"404: Not Found", "no value"),
        (b"", "no value"),
    ],
)
def test_a_list_that_cannot_be_read_says_which_and_why(body: bytes, why: str) -> None:
    with pytest.raises(ListError, match=f"my-list: .*{why}"):
        parse_list("my-list", body)


def test_a_list_of_a_million_lines_is_taken_and_one_beyond_reason_is_refused() -> None:
    million = b"\n".join(
        b"%d.%d.%d.%d" % (1 + n // 2**24, n >> 16 & 255, n >> 8 & 255, n & 255) for n in range(10**6)
    )
    made = ListIndex()
    assert made.add(ContextLabel("vpn", "big", "1"), parse_list("big", million).values) == 10**6
    assert kinds(made, "1.15.66.63") == ["vpn"]
    with pytest.raises(ListError, match="no context list"):
        parse_list("big", b"a.b\n" * 2_000_001)


def test_the_shipped_list_knows_the_common_ones_before_anything_is_downloaded(tmp_path: Path) -> None:
    context = lists.Context(tmp_path / "nowhere")
    assert context.refresh(NOW) and not context.refresh(NOW)
    for host, kind in (
        ("ifconfig.me", "ip-check"), ("speedtest.tele2.net", "speed-test"), ("archive.ubuntu.com", "mirror"),
        ("evil.duckdns.org", "dynamic-dns"), ("abc.ngrok.io", "tunnel"), ("gateway.pinata.cloud", "ipfs"),
        ("pastebin.com", "paste"), ("bit.ly", "shortener"), ("x.cloudfront.net", "cdn"),
        ("scanner-205.hk2.censys-scanner.com", "research-scanner"), ("raw.githubusercontent.com", "code-hosting"),
        ("a.sinkhole.tech", "sinkhole"),
    ):  # fmt: skip
        assert kind in [label.kind for label in context.labels(host)], host


def test_being_popular_excuses_nothing_where_anybody_puts_files(tmp_path: Path) -> None:
    (tmp_path / "tranco10k.json").write_bytes(misp("hostname", "duckdns.org", "pastebin.com", "shop.example"))
    context = lists.Context(tmp_path)
    context.refresh(NOW)
    assert [label.kind for label in context.labels("x.duckdns.org")] == ["dynamic-dns"]
    assert [label.kind for label in context.labels("pastebin.com")] == ["paste"]
    assert [label.kind for label in context.labels("shop.example")] == ["top-site"]
    assert context.labels("user.shop.example") == ()
    assert {label.kind for label in context.index.of_host("pastebin.com")} == {"paste", "top-site"}


def settings(base: str, **changes: object) -> IntelSettings:
    return IntelSettings.model_validate(
        {
            "contact": "me@example.org",
            "lists": {
                "misp": base + "/misp/{name}/list.json", "misp_names": ["censys-scanning", "whats-my-ip"],
                "mass_scanners": base + "/mass.txt", "research": base + "/research?json", **changes,
            },
        }
    )  # fmt: skip


ANSWERS = {
    "/misp/censys-scanning/list.json": misp("cidr", "162.142.125.0/24"),
    "/misp/whats-my-ip/list.json": misp("hostname", "my.ip.example"),
    "/mass.txt": b"192.0.2.99 # x\n",
    "/research": b'[{"ipv4": "192.0.2.98"}]',
}


async def test_lists_are_downloaded_with_etags_and_kept_when_a_download_fails(tmp_path: Path) -> None:
    answers = dict(ANSWERS)
    async with http_server() as server:

        def answer(asked: object) -> tuple[int, bytes, dict[str, str]]:
            body = answers.get(asked.path)  # type: ignore[attr-defined]
            if body is None:
                return 500, b"", {}
            if asked.headers.get("If-None-Match") == '"1"':  # type: ignore[attr-defined]
                return 304, b"", {}
            return 200, body, {"ETag": '"1"'}

        server.answer = answer
        wanted = settings(server.base)
        outcomes = await lists.update(wanted, tmp_path, NOW)
        assert [(o.name, o.result) for o in outcomes] == [
            ("censys-scanning", "changed"), ("whats-my-ip", "changed"), (MASS_SCANNERS, "changed"),
            ("isc-research", "changed"),
        ]  # fmt: skip
        assert "me@example.org" in server.asked[0].headers["User-Agent"]
        context = lists.Context(tmp_path)
        context.refresh(NOW)
        first = context.version
        assert kind_of("censys-scanning") == "research-scanner"
        for value, kind in (
            ("162.142.125.1", "research-scanner"), ("a.my.ip.example", "ip-check"),
            ("192.0.2.99", "research-scanner"), ("192.0.2.98", "research-scanner"),
        ):  # fmt: skip
            assert [label.kind for label in context.index.of_host(value)] == [kind]
        label = context.index.of_host("162.142.125.1")[0]
        assert (label.version, label.expires) == ("20260820", NOW + timedelta(days=14))

        assert await lists.update(wanted, tmp_path, NOW + timedelta(hours=23)) == []
        later = NOW + timedelta(hours=24)
        assert {o.result for o in await lists.update(wanted, tmp_path, later)} == {"same"}
        assert server.asked[-1].headers["If-None-Match"] == '"1"'
        assert not context.refresh(later) and context.version == first

        server.answer = lambda asked: (200, b"<html>oops", {})
        bad = await lists.update(wanted, tmp_path, later + timedelta(days=1))
        assert {o.result for o in bad} == {"failed"} and "web page" in bad[2].reason
        assert context.index.of_host("162.142.125.1")
        assert not context.refresh(later + timedelta(days=1)), "what was downloaded before stays in use"
        assert "web page" in kept(tmp_path / f"{MASS_SCANNERS}.txt").problem
        # a list that could not be renewed for long is dropped: addresses change hands
        assert context.refresh(later + timedelta(days=15))
        assert context.index.of_host("162.142.125.1") == []


async def test_a_list_whose_file_is_gone_is_downloaded_whole(tmp_path: Path) -> None:
    async with http_server() as server:
        server.answer = lambda asked: (200, ANSWERS[asked.path], {"ETag": '"1"'})
        wanted = settings(server.base)
        await lists.update(wanted, tmp_path, NOW)
        (tmp_path / "whats-my-ip.json").unlink()
        outcomes = await lists.update(wanted, tmp_path, NOW + timedelta(minutes=1))
        assert [(o.name, o.result) for o in outcomes] == [("whats-my-ip", "changed")]
        assert "If-None-Match" not in server.asked[-1].headers


async def test_without_a_contact_the_isc_is_not_asked(tmp_path: Path) -> None:
    wanted = settings("http://127.0.0.1:1").model_copy(update={"contact": ""})
    assert [source.name for source in lists.sources(wanted, tmp_path)] == [
        "censys-scanning", "whats-my-ip", MASS_SCANNERS,
    ]  # fmt: skip
    assert len(lists.sources(IntelSettings(), tmp_path)) == len(MISP) + 1 >= 60


async def test_a_damaged_file_on_the_disk_is_named_and_the_others_are_used(tmp_path: Path) -> None:
    (tmp_path / "censys-scanning.json").write_bytes(ANSWERS["/misp/censys-scanning/list.json"])
    (tmp_path / "whats-my-ip.json").write_bytes(b'{"type": ')
    context = lists.Context(tmp_path)
    context.refresh(NOW)
    assert context.index.of_host("162.142.125.1") and len(context.problems) == 1
    assert "whats-my-ip: damaged JSON" in context.problems[0]
