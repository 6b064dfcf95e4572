"""Ask the references for all lines that are not recorded yet."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from rich.progress import Progress

from fidelity.captures import Captures
from fidelity.reference import Cells, Environment, cgroups


def record(
    environment: Environment, captures: Captures, lines: Sequence[str], shell_env: dict[str, str], jobs: int,
    progress: Progress,
) -> int:  # fmt: skip
    """Run each unrecorded line twice in cells; how many were run. Four times `jobs` at once: most of it is waiting."""
    missing = [line for line in lines if captures.get(line) is None]
    if not missing:
        return 0
    bar = progress.add_task(f"reference {environment.side}", total=len(missing))
    waiting, lock = iter(missing), threading.Lock()
    failures: list[Exception] = []
    groups = cgroups()

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
