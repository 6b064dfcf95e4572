"""What a fleet loses when cables are pulled and processes killed, and how fast a spool empties.

`python bench/fleet.py [nats|https] [SECONDS_CUT] [KILLS] [SEED]` prints one JSON line: two sensors in network
namespaces of their own, the broker (nats) and two collectors in a third; first the cables are out for SECONDS_CUT
while the sensors record, then shippers, collectors and the broker are killed KILLS times at random moments.
`python bench/fleet.py group` lets two collectors on two machines share a PostgreSQL behind a broker, and kills one for
good while the sensors record.
`python bench/fleet.py spool [MEGABYTES] [COMMAND_BYTES]` fills a spool and ships it to one collector on SQLite over
HTTPS, and puts beside it what intake does with the same journal when it lies on the same disk.
Root is needed but for `group` and `spool`.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.broker import SECRET, TestBroker
from tests.support.databases import database
from tests.support.fleet import JOURNAL, Machine, Recorder, collect_settings, outcome, ship_settings
from tests.support.namespaces import Star
from tests.support.waiting import free_port

from urltrap.journal import JournalReader
from urltrap.model.fleet_settings import FleetSettings
from urltrap.model.settings import JournalSettings
from urltrap.ops.processes import ProcessPlan
from urltrap.pipeline.fleet.accounts import Accounts
from urltrap.pipeline.fleet.certificate import certificate_files, fingerprint
from urltrap.pipeline.intake import Intake
from urltrap.store import open_store

NAMES = ("campus-1", "campus-2")


def collector_folder(root: Path) -> Path:
    for name in ("keys", "run", "journal", "quarantine"):
        (root / name).mkdir(parents=True)
    (root / "keys" / "secret").write_bytes(SECRET)
    return root


def wait_for(done: Callable[[], bool], seconds: float) -> float:
    """How long it took; TimeoutError."""
    begin = time.perf_counter()
    while not done():
        if time.perf_counter() - begin > seconds:
            raise TimeoutError
        time.sleep(0.02)
    return time.perf_counter() - begin


def partition(way: str, cut: float, kills: int, seed: int) -> dict[str, object]:
    chance = random.Random(seed)
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR"))))
        star = ending.enter_context(Star(2))
        data = collector_folder(folder / "collector")
        url = f"sqlite:///{data / 'urltrap.db'}"
        accounts, hub, port = Accounts(data), star.inside(star.hub), free_port()
        tokens = {name: accounts.add(name) for name in NAMES}
        machines: list[Machine] = []
        broker: TestBroker | None = None
        if way == "nats":
            addresses = [star.address(0), star.address(1)]
            broker = TestBroker(
                folder / "broker", accounts, host="0.0.0.0", port=port, prefix=hub, names=addresses
            )
            broker.start(wait=False)
            ending.callback(broker.kill)
            settings = collect_settings(url, nats=broker.url, nats_ca=str(broker.ca), processes=2)
            ship = {"ship_ca": str(broker.ca)}
        else:
            settings = collect_settings(url, listen=f"0.0.0.0:{port}", processes=2)
            ship = {"ship_fingerprint": fingerprint(certificate_files(FleetSettings(), accounts.folder)[0])}
        for index in range(2):
            machines.append(
                Machine(ProcessPlan(f"collector-{index}", "collector", index, 2), data, settings, hub)
            )
        recorders = {}
        for number, name in enumerate(NAMES):
            recorders[name] = Recorder(folder / name, seed + number)
            ending.callback(recorders[name].close)
            sensor = ship_settings(
                ship=f"{way}://{star.address(number)}:{port}", ship_token=tokens[name], **ship
            )
            inside = star.inside(star.leaves[number])
            machines.append(Machine(ProcessPlan("shipper", "shipper"), folder / name, sensor, inside))
        for machine in machines:
            machine.start()
            ending.callback(machine.kill)

        def arrived() -> bool:
            return all(recorder.is_acknowledged() for recorder in recorders.values())

        def record(events: int) -> None:
            for recorder in recorders.values():
                recorder.record(events)

        record(500)
        wait_for(arrived, 120)
        for leaf in range(2):
            star.cut(leaf)
        begin = time.monotonic()
        while time.monotonic() - begin < cut:
            record(50)
            time.sleep(0.2)
        for leaf in range(2):
            star.mend(leaf)
        back = wait_for(arrived, 300)
        killed: dict[str, int] = {}
        for _ in range(kills):
            victim = chance.choice([*machines, *([broker] if broker else [])])
            name = victim.plan.kind if isinstance(victim, Machine) else "broker"
            killed[name] = killed.get(name, 0) + 1
            record(chance.randint(100, 2000))
            time.sleep(chance.uniform(0, 0.8))
            victim.kill()
            record(100)
            victim.start() if isinstance(victim, Machine) else victim.start(wait=False)
        settled = wait_for(arrived, 600)
        return {
            "way": way, "seconds_cut": cut, "arrived_after_mending_s": round(back, 1), "killed": killed,
            "arrived_after_last_kill_s": round(settled, 1), "seed": seed, **outcome(url, recorders),
        }  # fmt: skip


def group() -> dict[str, object]:
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR"))))
        url = ending.enter_context(database("postgresql", folder))
        open_store(url).close()
        folders = [collector_folder(folder / name) for name in ("first", "second")]
        accounts = Accounts(folders[0])
        tokens = {name: accounts.add(name) for name in NAMES}
        broker = TestBroker(folder / "broker", accounts)
        broker.start()
        ending.callback(broker.kill)
        collectors = []
        for number, data in enumerate(folders):
            settings = collect_settings(url, nats=broker.url, nats_ca=str(broker.ca), only=number == 1)
            collectors.append(Machine(ProcessPlan("collector-0", "collector", 0, 1), data, settings))
        recorders = {name: Recorder(folder / name, number) for number, name in enumerate(NAMES)}
        shippers = [
            Machine(
                ProcessPlan("shipper", "shipper"),
                folder / name,
                ship_settings(ship=broker.url, ship_token=tokens[name], ship_ca=str(broker.ca)),
            )
            for name in NAMES
        ]
        for recorder in recorders.values():
            ending.callback(recorder.close)
        for machine in (*collectors, *shippers):
            machine.start()
            ending.callback(machine.kill)

        def arrived() -> bool:
            return all(recorder.is_acknowledged() for recorder in recorders.values())

        wait_for(lambda: all(machine.is_ready for machine in collectors), 120)

        def took(data: Path) -> int:
            return sum(path.stat().st_size for path in (data / "journal").rglob("*.seg*")) // 1000

        def record(events: int) -> bool:
            for recorder in recorders.values():
                recorder.record(events)
            time.sleep(0.05)
            return all(took(data) > 100 for data in folders)

        wait_for(lambda: record(200), 120)
        record(5000)
        collectors[0].kill()
        record(5000)
        settled = wait_for(arrived, 300)
        return {
            "arrived_after_the_last_event_s": round(settled, 1), "journalled_kb": [took(data) for data in folders],
            **outcome(url, recorders)
        }  # fmt: skip


def spool(megabytes: int, command_bytes: int) -> dict[str, object]:
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR"))))
        data = collector_folder(folder / "collector")
        url = f"sqlite:///{data / 'urltrap.db'}"
        accounts, port = Accounts(data), free_port()
        recorder = Recorder(folder / "campus-1", 1, command_bytes)
        ending.callback(recorder.close)
        while (
            sum(path.stat().st_size for path in (folder / "campus-1/journal").rglob("*.seg"))
            < megabytes * 1e6
        ):
            recorder.record(2_000)
        pinned = fingerprint(certificate_files(FleetSettings(), accounts.folder)[0])
        collector = Machine(
            ProcessPlan("collector-0", "collector", 0, 1),
            data,
            collect_settings(url, listen=f"127.0.0.1:{port}"),
        )
        ship = ship_settings(
            ship=f"https://127.0.0.1:{port}", ship_token=accounts.add("campus-1"), ship_fingerprint=pinned
        )
        shipper = Machine(ProcessPlan("shipper", "shipper"), folder / "campus-1", ship)
        collector.start()
        ending.callback(collector.kill)
        wait_for(lambda: collector.is_ready, 60)
        shipper.start()
        ending.callback(shipper.kill)
        seconds = wait_for(recorder.is_acknowledged, 3600)
        assert shipper.process is not None and collector.process is not None
        memory = {
            name: int(
                next(
                    line.split()[1]
                    for line in Path(f"/proc/{machine.process.pid}/status").read_text().splitlines()
                    if line.startswith("VmHWM")
                )
            )
            // 1000
            for name, machine in (("shipper", shipper), ("collector", collector))
            if machine.process is not None
        }
        found = outcome(url, {"campus-1": recorder})
        begin = time.perf_counter()
        store = open_store(str(folder / "beside.db"))
        with JournalReader(folder / "campus-1/journal") as reader:
            intake = Intake(reader, store, JournalSettings(**JOURNAL), lambda: datetime.now(UTC))
            while intake.step():
                pass
        alone = time.perf_counter() - begin
        store.close()
        events = len(recorder.events)
        return {
            "megabytes": megabytes, "command_bytes": command_bytes, "events": events, "seconds": round(seconds, 1),
            "shipped_events_per_s": round(events / seconds),
            "intake_of_the_same_journal_events_per_s": round(events / alone), "peak_memory_mb": memory,
            "lost": found["lost"], "doubled": found["doubled"], "out_of_order": found["out_of_order"],
        }  # fmt: skip


def main() -> None:
    """Run and print."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    what = sys.argv[1] if len(sys.argv) > 1 else "nats"
    if what == "group":
        print(json.dumps(group()))
        return
    if what == "spool":
        megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
        print(json.dumps(spool(megabytes, int(sys.argv[3]) if len(sys.argv) > 3 else 60)))
        return
    cut = float(sys.argv[2]) if len(sys.argv) > 2 else 60
    kills = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.SystemRandom().randrange(1 << 32)
    print(json.dumps(partition(what, cut, kills, seed)))


if __name__ == "__main__":
    main()
