"""What a box costs: to the first prompt, many at once, and what a row of them leaves behind.

`python bench/sandbox.py DATA [ROUNDS] [AT_ONCE] [IN_A_ROW]` prints one JSON line. DATA: a data folder whose boxes'
image is built (`urltrap image build --sandbox`). Root is needed; nothing else may use this machine meanwhile if the
figures are to mean something, so the load is told with them.

Times are from the call to the first byte of a shell's prompt: cold with the making of the box, its network included,
warm in a box that is there. Memory is what the machine has less of while many boxes wait with a shell each, and what
their control groups are charged for.
A network namespace lives as long as a process, a mount or a descriptor has it: those are what is counted afterwards.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from urltrap.machine.persona import Persona
from urltrap.model.settings import MachineSettings
from urltrap.ops.data_folder import DataFolder
from urltrap.sandbox.bundle import Command
from urltrap.sandbox.oci import OciBox, OciDriver
from urltrap.sandbox.process import _driver, cgroup_name
from urltrap.sandbox.uplink.authority import Authority

_SHELL = Command(
    ["/bin/bash", "--norc"], {"PS1": "# ", "PATH": "/usr/bin:/bin", "TERM": "xterm"}, terminal=(80, 24)
)


async def _prompt(box: OciBox) -> Any:
    """A shell in the box, once it has shown its prompt."""
    running = await box.run(_SHELL)
    (terminal,) = running.files
    read = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(terminal, read.set)
    await asyncio.wait_for(read.wait(), 30)
    loop.remove_reader(terminal)
    os.read(terminal, 4096)
    return running


async def _end(running: Any) -> None:
    os.close(running.files[0])
    running.signal(9)
    await running.wait()


def _available() -> int:
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def _charged(name: str) -> int:
    """Bytes that the boxes' control groups are charged for."""
    top = Path("/sys/fs/cgroup")
    places = [*top.glob(f"memory/{name}/*/memory.usage_in_bytes"), *top.glob(f"{name}/*/memory.current")]
    return sum(int(each.read_text()) for each in places)


def _left(name: str, folder: Path) -> dict[str, int]:
    """What there is of boxes on this machine, by kind."""
    return {
        "mounts": len(Path("/proc/self/mountinfo").read_text().splitlines()),
        "groups": len(list(Path("/sys/fs/cgroup").glob(f"*/{name}/*/"))),
        "links": len(os.listdir("/sys/class/net")),
        "files": len(list(folder.iterdir())),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "children": len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()),
    }


async def _cold(driver: OciDriver) -> float:
    begin = time.perf_counter()
    box = await driver.create(secrets.token_hex(6))
    running = await _prompt(box)
    taken = time.perf_counter() - begin
    await _end(running)
    await box.destroy()
    return taken


async def measure(driver: OciDriver, name: str, rounds: int, at_once: int, in_a_row: int) -> dict[str, Any]:
    """All of it."""
    await _cold(driver)
    before = _left(name, driver.folder)
    cold = [await _cold(driver) for _ in range(rounds)]
    box = await driver.create(secrets.token_hex(6))
    warm = []
    for _ in range(rounds):
        begin = time.perf_counter()
        running = await _prompt(box)
        warm.append(time.perf_counter() - begin)
        await _end(running)
    await box.destroy()

    free, begin = _available(), time.perf_counter()
    boxes, shells = [], []
    for _ in range(at_once):
        boxes.append(await driver.create(secrets.token_hex(6)))
        shells.append(await _prompt(boxes[-1]))
    taken, used, charged = time.perf_counter() - begin, free - _available(), _charged(name)
    for running in shells:
        await _end(running)
    for each in boxes:
        await each.destroy()

    for _ in range(in_a_row):
        await (await driver.create(secrets.token_hex(6))).destroy()
    await asyncio.sleep(1)  # namespaces end in the kernel's own time
    after = _left(name, driver.folder)
    left = {key: after[key] - before[key] for key in before if after[key] != before[key]}
    return {
        "bench": "sandbox", "runtime": driver.name, "load": round(os.getloadavg()[0], 1),
        "cold_ms": {"p50": _ms(median(cold)), "worst": _ms(max(cold))},
        "warm_ms": {"p50": _ms(median(warm)), "worst": _ms(max(warm))},
        "at_once": {
            "boxes": at_once, "seconds": round(taken, 1), "mb_each": _mb(used, at_once),
            "mb_charged_each": _mb(charged, at_once),
        },
        "in_a_row": {"boxes": in_a_row, "left": left},
    }  # fmt: skip


def _mb(size: int, boxes: int) -> float:
    return round(size / max(boxes, 1) / 1e6, 2)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def main() -> None:
    """Read the arguments and measure."""
    data = DataFolder(Path(sys.argv[1]))
    rounds, at_once, in_a_row = (
        int(word) for word in (*sys.argv[2:5], *("20", "50", "100")[len(sys.argv) - 2 :])
    )
    persona = Persona.model_validate_json(data.persona.read_bytes())
    # Before any thread: it takes this process' mount table over.
    driver = _driver(MachineSettings(), data.root, persona, {}, Authority.of(data.keys))
    try:
        print(json.dumps(asyncio.run(measure(driver, cgroup_name(data.root), rounds, at_once, in_a_row))))
    finally:
        driver.close()


if __name__ == "__main__":
    main()
