"""vmstat, mountpoint, renice and fallocate."""

from __future__ import annotations

import re

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.proc.figures import cpu_times, load_averages
from urltrap.machine.programs._system import option_problem
from urltrap.machine.programs.free import meminfo
from urltrap.machine.programs.registry import program


@program("vmstat")
def vmstat(p: Process) -> Run:
    """Memory and CPU in one line for each interval."""
    if problem := option_problem(
        p, "afmnsdDp:S:wthV", "active forks slabs one-header stats disk disk-sum wide"
    ):
        yield from p.err(f"{problem}\nUsage:\n vmstat [options] [delay [count]]\n")
        return 1
    if p.argv[1:2] in (["-V"], ["--version"]):
        yield from p.out("vmstat from procps-ng 4.0.2\n")
        return 0
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if any(not word.isdigit() or len(word) > 6 for word in words[:2]):
        yield from p.err(f"vmstat: failed to parse argument: '{words[0]}'\n")
        return 1
    pause = int(words[0]) if words else 0
    count = int(words[1]) if len(words) > 1 else 1 if not words else 1_000_000
    yield from p.out("procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----\n"
                     " r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st\n")  # fmt: skip
    for number in range(count):
        if number:
            yield from p.sleep(pause)
        memory = meminfo(p)
        user, nice, system, idle, wait, _, _, steal = cpu_times(p)
        total = max(1, user + nice + system + idle + wait + steal)
        shares = [round(100 * part / total) for part in (user + nice, system, wait, steal)]
        busy = round(load_averages(p)[0])
        cached = memory.get("Cached", 0) + memory.get("SReclaimable", 0)
        yield from p.out(
            f"{busy:2d}  0 {memory.get('SwapTotal', 0) - memory.get('SwapFree', 0):6d} {memory.get('MemFree', 0):6d} "
            f"{memory.get('Buffers', 0):6d} {cached:6d}    0    0 {12 + p.random(20):5d} {9 + p.random(30):5d} "
            f"{60 + p.random(50):4d} {90 + p.random(90):4d} {shares[0]:2d} {shares[1]:2d} "
            f"{100 - sum(shares):2d} {shares[2]:2d} {shares[3]:2d}\n"
        )
    return 0


@program("mountpoint")
def mountpoint(p: Process) -> Run:
    """Whether a folder is a mount point."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    quiet = any(word in ("-q", "--quiet") for word in p.argv[1:])
    if not words:
        yield from p.err("mountpoint: bad usage\nTry 'mountpoint --help' for more information.\n")
        return 1
    try:
        real = p.fs.realpath(words[0])
    except SysError as error:
        if not quiet:
            yield from p.err(f"mountpoint: {words[0]}: {error.words}\n")
        return 1
    is_point = real == "/" or any(mount.point == real for mount in p.mounts)
    if not quiet:
        yield from p.out(f"{words[0]} is {'' if is_point else 'not '}a mountpoint\n")
    return 0 if is_point else 32


@program("renice")
def renice(p: Process) -> Run:
    """Change a priority: told, not kept."""
    operands = [word for word in p.argv[1:] if not re.fullmatch(r"-[ngpu]|--\w+", word)]
    if operands and not re.fullmatch(r"[+-]?\d+", operands[0]):
        yield from p.err(
            f"renice: invalid priority '{operands[0]}'\nTry 'renice --help' for more information.\n"
        )
        return 1
    numbers = [word for word in operands if word.lstrip("-").isdigit()]
    if len(numbers) < 2:
        yield from p.err("renice: not enough arguments\nTry 'renice --help' for more information.\n")
        return 1
    alive = {row.pid for row in p.processes()}
    status = 0
    for word in numbers[1:]:
        if int(word[:8]) in alive:
            yield from p.out(f"{word} (process ID) old priority 0, new priority {numbers[0]}\n")
        else:
            yield from p.err(f"renice: failed to get priority for {word} (process ID): No such process\n")
            status = 1
    return status


def _bytes(text: str) -> int | None:
    """A size with its unit; None where it is none."""
    match = re.fullmatch(r"(\d{1,12})(?:([KMGkmg])(?:iB)?)?", text)
    if match is None:
        return None
    return int(match[1]) * {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[(match[2] or "").upper()]


@program("fallocate")
def fallocate(p: Process) -> Run:
    """A file of a size."""
    words = p.argv[1:]
    size, path, at = "", "", 0
    offset = "0"
    while at < len(words):
        if words[at] in ("-l", "--length", "-o") and at + 1 < len(words):
            if words[at] == "-o":
                offset = words[at + 1]
            else:
                size = words[at + 1]
            at += 1
        elif words[at].startswith("-l"):
            size = words[at][2:]
        elif not words[at].startswith("-"):
            path = words[at]
        at += 1
    if not path:
        yield from p.err("fallocate: no filename specified\n")
        return 1
    length, start = _bytes(size), _bytes(offset)
    if length is None or start is None:
        what = "length" if length is None else "offset"
        yield from p.err(
            f"fallocate: invalid {what} value specified\n"
            if size
            else "fallocate: no length argument specified\n"
        )
        return 1
    try:
        if not p.fs.access(path, 0):
            p.fs.write(path, b"", mode=0o644)
        if p.fs.stat(path).size < start + length:
            p.fs.truncate(path, start + length)
    except SysError as error:
        yield from p.err(f"fallocate: fallocate failed: {error.words}\n")
        return 1
    return 0
