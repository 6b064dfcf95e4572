"""watch (procps): runs a command again and again and shows a screenful of what it says."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.registry import program

_LONG = {
    "beep": "", "color": "", "differences": "::", "errexit": "", "chgexit": "", "interval": ":", "precise": "",
    "no-title": "", "exec": "", "help": "", "version": "", "no-rerun": "", "no-wrap": "", "equexit": ":",
}  # fmt: skip
_MOST = 200_000


@program("watch")
def watch(p: Process) -> Run:
    """Show a command's output every other second until ^C."""
    words = p.argv[1:]
    try:
        found, args = getopt(words, "+bcdegn:pq:rtxwhv", _LONG)
    except OptionError as problem:
        yield from p.err(f"{p.argv[0]}: {problem}\n")
        yield from _usage(p, 2)
        return 1
    options = dict(found)
    if "h" in options or not args:
        yield from _usage(p, 1 if "h" in options else 2)
        return 0 if "h" in options else 1
    interval = options.get("n", options.get("--interval", "2"))
    try:
        seconds = max(0.1, min(86_400.0, float(interval.replace(",", "."))))
    except ValueError:
        yield from p.err(f"watch: failed to parse argument: '{interval}'\n")
        return 1
    if not p.is_tty(1):
        yield from p.err(f"Error opening terminal: {p.env.get('TERM') or 'unknown'}.\n")
        return 1
    command = " ".join(args)
    title = "t" not in options and "--no-title" not in options
    ends = "g" in options or "--chgexit" in options
    before: list[str] | None = None
    yield from p.out("\033[?1049h\033[22;0;0t\033[1;24r\033(B\033[m\033[4l\033[?7h\033[H\033[2J")
    while True:
        text, status = yield from _run(
            p, args if "x" in options or "--exec" in options else ["sh", "-c", command]
        )
        columns, rows = p.window()
        lines = [line[:columns] for line in text.expandtabs().splitlines()][: rows - (2 if title else 0)]
        shown = _title(p, seconds, command, columns) if title else []
        yield from p.out("\033[H" + "".join(f"{line}\033[K\r\n" for line in [*shown, *lines][:-1]))
        yield from p.out(f"{(shown + lines or [''])[-1]}\033[K\033[J")
        if (status and ("e" in options or "--errexit" in options)) or (ends and before not in (None, lines)):
            yield from p.out(f"\033[{rows};1H\033[?1049l\033[23;0;0t\r\033[?1l\033>")
            return 8 if status and not ends else 0
        before = lines
        yield from p.sleep(seconds)


def _usage(p: Process, fd: int) -> Generator[Any, Any, None]:
    row = p.recorded_answer("watch", "--help")
    yield from p.write(fd, str(row[1]).encode() if row is not None else b"")


def _title(p: Process, seconds: float, command: str, columns: int) -> list[str]:
    clock = local(p, p.now()).clock
    right = f"{p.hostname}: {clock:%a %b} {clock.day:2d} {clock:%H:%M:%S %Y}"
    left = f"Every {seconds:.1f}s: {command}"
    room = columns - len(right) - 1
    if len(left) > room:
        left = left[: max(0, room - 3)] + "..."
    return [left.ljust(columns - len(right)) + right, ""]


def _run(p: Process, argv: list[str]) -> Generator[Any, Any, tuple[str, int]]:
    reader, writer = p.pipe()
    try:
        pid = p.spawn(argv, fds={1: writer, 2: writer})
    except SysError as problem:
        p.close(reader)
        p.close(writer)
        return f"watch: Can't execute '{argv[0]}': {problem.words}", 4
    p.close(writer)
    data = yield from p.read_all(reader, _MOST)
    p.close(reader)
    ended = yield from p.wait(pid)
    return decode(data), ended[1] if ended is not None else 0
