"""Ask the references for all lines that are not recorded yet."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from rich.progress import Progress

from fidelity.captures import Captures
from fidelity.reference import Cells, Environment, ReferenceError, cgroups


def record(
    environment: Environment, captures: Captures, lines: Sequence[str], shell_env: dict[str, str], jobs: int,
    progress: Progress,
) -> int:  # fmt: skip
    """Run each unrecorded line twice in cells; how many were run. Four times `jobs` at once: most of it is waiting."""
    missing: list[str] = [line for line in lines if captures.get(line) is None]
    if not missing:
        return 0
    bar = progress.add_task(f"reference {environment.side}", total=len(missing))
    waiting, lock = iter(missing), threading.Lock()
    failures: list[Exception] = []
    groups = cgroups()
    _sweep(environment)
    _verify(environment, shell_env)

    def work() -> None:
        cells = Cells(environment, shell_env, groups)
        try:
            while True:
                with lock:
                    line = next(waiting, None)
                if line is None or failures:
                    return
                first = cells.run(line)
                second = cells.run(line) if first.ended == "exit" else first
                with lock:
                    captures.put(line, first, second)
                progress.advance(bar)
        except Exception as error:
            failures.append(error)
        finally:
            cells.close()

    threads = [threading.Thread(target=work) for _ in range(4 * jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return len(missing)


def _verify(environment: Environment, shell_env: dict[str, str]) -> None:
    """Try a cell with harmless probes; ReferenceError where it is not closed, before any attacker's line runs."""
    probes = {
        "ls /sys/class/net": b"lo\n",
        f"ls -d {environment.root} {Path(__file__).resolve()} 2>/dev/null": b"",
        "echo x > /canary; ls -d /canary": b"/canary\n",
        "ls -d /canary /root 2>/dev/null": b"/root\n",
        "while read a b c; do echo $b; done < /proc/self/uid_map": b"524288\n",
    }
    cells = Cells(environment, shell_env)
    try:
        for probe, expected in probes.items():
            said = cells.run(probe).stdout
            if said != expected:
                raise ReferenceError(
                    f"the cell is not closed: {probe!r} answered {said[:200]!r}: nothing was run"
                )
    finally:
        cells.close()


def _sweep(environment: Environment) -> None:
    """Remove what a killed run left of its cells."""
    for folder in environment.root.parent.glob("rw-*"):
        if time.time() - folder.stat().st_mtime > 120:
            shutil.rmtree(folder)
