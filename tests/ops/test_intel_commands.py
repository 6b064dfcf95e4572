from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.intel.fakes import FakeHttp, http_server
from typer.testing import CliRunner, Result

from urltrap.intel.dumps import dumps, refresh
from urltrap.intel.enrich.domains import registered
from urltrap.intel.loop import Background
from urltrap.model.intel_settings import IntelSettings
from urltrap.model.verdict import Observation
from urltrap.ops.cli import common, load_commands
from urltrap.ops.cli.check import classify
from urltrap.ops.cli.common import CommandError, app
from urltrap.ops.init import init_data_folder
from urltrap.pipeline.freshening import dump_folder
from urltrap.store import breakers, lookups, names, observing, open_store, windows
from urltrap.store.schema import addresses

KEY = "k3y-that-must-appear-nowhere"
SHA = "6f8a836d10eada55bb1d3901ceb5b97711afc9f7018e3bd0f0a8e77521f1aaaa"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    init_data_folder(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def fake() -> Iterator[FakeHttp]:
    loop = Background()
    context = http_server()
    yield loop.submit(context.__aenter__()).result(20)
    loop.submit(context.__aexit__(None, None, None)).result(20)
    loop.close()


def run(*arguments: object) -> Result:
    load_commands([str(arguments[0])])
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "250"})


def as_json(*arguments: object) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def configure(data: Path, text: str) -> None:
    (data / "urltrap.toml").write_text(text)


def test_lists_are_downloaded_shown_and_one_that_fails_is_named(data: Path, fake: FakeHttp) -> None:
    configure(
        data,
        f'[intel.lists]\nmisp = "{fake.base}/{{name}}.json"\nmisp_names = ["whats-my-ip", "censys-scanning"]\n'
        f'mass_scanners = ""\n[intel.dumps]\nurlhaus = "{fake.base}/exports/{{key}}/recent.csv"\nthreatfox = ""\n'
        f'openphish = ""\nphishtank = ""\ntweetfeed = ""\nmaltrail = ""\n[intel.keys]\nabuse_ch = "{KEY}"\n',
    )
    bodies = {
        "/whats-my-ip.json": b'{"type": "hostname", "version": 8, "list": ["my.ip.example"]}',
        f"/exports/{KEY}/recent.csv": b"url\nhttp://evil.cc/x\n",
    }
    fake.answer = lambda asked: (200, bodies[asked.path], {}) if asked.path in bodies else (404, b"", {})
    assert "nothing was downloaded yet" in run("lists", "--data", data).output
    done = run("lists", "update", "--data", data)
    assert done.exit_code == 1, "one failed"
    assert "2 changed, 0 as before, 1 failed" in done.output
    assert "censys-scanning: failed unexpected HTTP 404" in done.output
    rows = {row["name"]: row for row in as_json("lists", "--data", data)}
    assert rows["whats-my-ip"]["fetched"] and rows["censys-scanning"]["problem"] == "unexpected HTTP 404"
    assert KEY not in done.output + run("lists", "--data", data).output + json.dumps(rows)
    found = as_json("check", "a.my.ip.example", "--data", data)
    assert [(label["kind"], label["list"], label["version"]) for label in found["labels"]] == [
        ("ip-check", "whats-my-ip", "8")
    ]


def test_quota_says_what_is_left_what_waits_and_who_is_not_asked(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(data, "[intel]\nonline = true\n")
    now = datetime.now(UTC)
    store = open_store(str(data / "urltrap.db"))
    with store.begin() as connection:
        windows.declare(connection, "virustotal", {"day": 500, "month": 15500})
        lookups.want(
            connection, [lookups.Question("virustotal", "host", f"{n}.example") for n in range(3)], now
        )
        windows.learn(connection, "virustotal", "day", now, most=500, used=499)
        breakers.refused(connection, "otx", now, "the key is missing or not accepted (HTTP 403)", "x")
    store.close()
    found = as_json("quota", "--data", data)
    rows = {row["provider"]: row for row in found["providers"]}
    assert rows["virustotal"]["waiting"] == 3
    day = next(window for window in rows["virustotal"]["windows"] if window["span"] == "day")
    assert (day["left"], day["most"]) == (1, 500)
    assert rows["virustotal"]["last_expected"] == day["ends"], "the second and third wait for tomorrow"
    assert (
        rows["otx"]["state"] == "refused"
        and found["not_asked"]["virustotal"] == "needs intel.keys.virustotal"
    )
    for width in (46, 80, 120, 200):
        monkeypatch.setattr(common, "console", Console(width=width))
        shown = run("quota", "--data", data).output
        for words in ("1/500 a day", "refused", "missing or not accepted", "cymru (in intel.skip)"):
            assert words in " ".join(shown.split()), f"{words} at {width} columns"


def test_quota_says_so_where_nobody_is_asked(data: Path) -> None:
    assert "nobody outside is asked: intel.online is false" in run("quota", "--data", data).output


def test_check_explains_from_what_is_here(data: Path) -> None:
    folder = dump_folder(data)
    folder.mkdir(parents=True)
    (folder / "threatfox.csv").write_text(
        "ioc_value,ioc_type,malware_printable,threat_type,first_seen_utc,ioc_id\n"
        f"http://evil.cc/x,url,Mirai,payload_delivery,2026-01-02 00:00:00,1\n{SHA},sha256_hash,Mirai,payload,,2\n"
    )
    for dump in dumps(IntelSettings(), folder):
        refresh(dump)
        dump.close()
    now = datetime.now(UTC)
    store = open_store(str(data / "urltrap.db"))
    with store.begin() as connection:
        observing.record(
            connection,
            [
                Observation(
                    provider="virustotal", subject_kind="url", subject="http://evil.cc/x", at=now,
                    result="listed", detail="9 of 90 engines\x1b[2J", tags=["mirai"],
                )
            ],
        )  # fmt: skip
        windows.declare(connection, "otx", {"day": 0})
        lookups.want(connection, [lookups.Question("otx", "url", "http://evil.cc/x", 20)], now)
    store.close()
    found = as_json("check", "hxxp://EVIL[.]cc:80/x", "--data", data)
    assert (found["kind"], found["subject"]) == ("url", "http://evil.cc/x")
    assert found["observations"][0]["detail"].startswith("9 of 90 engines")
    assert {(item["provider"], item["subject_kind"]) for item in found["dumps"]} == {
        ("threatfox", "url"), ("threatfox", "host"),
    }  # fmt: skip
    assert found["waiting"][0]["provider"] == "otx"
    shown = run("check", "http://evil.cc/x", "--data", data).output
    assert "hxxp://evil[.]cc/x" in shown and "no attacker has shown this URL here" in shown
    assert ("\x1b[2J" not in shown and "this URL" in shown and "never" in shown) or "unknown" in shown
    assert as_json("check", SHA.upper(), "--data", data)["dumps"][0]["tags"] == ["payload", "Mirai"]
    assert as_json("check", "evil.cc", "--data", data)["dumps"][0]["subject_kind"] == "host"
    assert as_json("check", "ifconfig.me", "--data", data)["labels"][0]["kind"] == "ip-check"
    assert as_json("check", "2001:db8::1", "--data", data)["kind"] == "ip"


def test_check_refuses_what_is_none_of_the_four() -> None:
    for text in ("", "http://", "a b", "d41d8cd98f00b204e9800998ecf8427e", "javascript:alert(1)"):
        with pytest.raises(CommandError):
            classify(text)


def test_domains_ranks_the_networks_that_attackers_come_from(data: Path) -> None:
    now = datetime.now(UTC)
    store = open_store(str(data / "urltrap.db"))
    with store.begin() as connection:
        for number, (domain, confirmed) in enumerate(
            [("isp.example", True), ("isp.example", False), ("b.example", True)]
        ):
            address = f"198.51.100.{number}"
            connection.execute(
                addresses.insert().values(
                    address=address, first_seen=now, last_seen=now, sessions=number, shed=0, country="", city="",
                    network="", place_sources=[], place_version="",
                )
            )  # fmt: skip
            row = names.NameRow(address, f"x{number}.{domain}", confirmed, domain)
            names.keep_names(connection, [row], now, now + timedelta(days=7))
    store.close()
    found = as_json("domains", "--top", 50, "--data", data)
    assert [(row["domain"], row["addresses"], row["confirmed"]) for row in found] == [
        ("isp.example", 2, 1), ("b.example", 1, 1),
    ]  # fmt: skip
    assert len(as_json("domains", "--top", 1, "--data", data)) == 1
    assert "isp.example" in run("domains", "--data", data).output
    for wrong in (0, -1, 10_001):
        refused = run("domains", "--top", wrong, "--data", data)
        assert refused.exit_code == 2 and "Invalid value for '--top'" in refused.output


def test_domains_ranks_the_hostnames_of_the_earlier_run_by_the_public_suffix_list(
    data: Path, shared_data: Path
) -> None:
    hosts = json.loads((shared_data / "seed" / "hostnames.json").read_text())
    now = datetime.now(UTC)
    rows = [
        {"address": f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", "first_seen": now, "last_seen": now, "sessions": 1,
         "shed": 0, "country": "", "city": "", "network": "", "place_sources": [], "place_version": ""}
        for n in range(len(hosts))
    ]  # fmt: skip
    store = open_store(str(data / "urltrap.db"))
    with store.begin() as connection:
        connection.execute(addresses.insert(), rows)
        named = [
            names.NameRow(str(row["address"]), host[:255], True, registered(host))
            for row, host in zip(rows, hosts, strict=True)
        ]
        names.keep_names(connection, named, now, now + timedelta(days=7))
    store.close()
    found = {row["domain"]: row["addresses"] for row in as_json("domains", "--top", 50, "--data", data)}
    assert len(found) == 50
    assert (found["spectrum.com"], found["stretchoid.com"]) == (46, 44)
    assert (found["kyivstar.net"], found["shadowserver.org"]) == (37, 21)
    assert not {"com.br", "or.jp", "ne.jp", "com.cn", "net.br"} & set(found), "suffixes are nobody's domains"
