"""free: memory in use, from /proc/meminfo."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import is_device, text_of
from urltrap.machine.programs.registry import program

_USAGE = """
Usage:
 free [options]

Options:
 -b, --bytes         show output in bytes
     --kilo          show output in kilobytes
     --mega          show output in megabytes
     --giga          show output in gigabytes
     --tera          show output in terabytes
     --peta          show output in petabytes
 -k, --kibi          show output in kibibytes
 -m, --mebi          show output in mebibytes
 -g, --gibi          show output in gibibytes
     --tebi          show output in tebibytes
     --pebi          show output in pebibytes
 -h, --human         show human-readable output
     --si            use powers of 1000 not 1024
 -l, --lohi          show detailed low and high memory statistics
 -t, --total         show total for RAM + swap
 -v, --committed     show committed memory and commit limit
 -s N, --seconds N   repeat printing every N seconds
 -c N, --count N     repeat printing N times, then exit
 -w, --wide          wide output

     --help     display this help and exit
 -V, --version  output version information and exit

For more details see free(1).
"""
_BYTES = {"b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "--bytes": 1, "--kibi": 1024, "--mebi": 1024**2,
"--gibi": 1024**3,
          "--tebi": 1024**4, "--pebi": 1024**5, "--kilo": 1000, "--mega": 10**6, "--giga": 10**9, "--tera": 10**12,
          "--peta": 10**15}  # fmt: skip


def meminfo(p: Process) -> dict[str, int]:
    """/proc/meminfo in kB."""
    found = {}
    for line in text_of(p, "/proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0])
    return found


def used_kb(memory: dict[str, int]) -> int:
    """Memory in use as procps 4 counts it: what is not available."""
    return memory["MemTotal"] - memory["MemAvailable"]


def _scale(kilobytes: int, unit: int, human: bool, base: int) -> str:
    value = kilobytes * 1024
    if not human:
        return str(value // unit)
    if value < base:
        return f"{value}B"
    for letter in "KMGTP":
        value_f = value / base
        if value_f < 10 and value_f != int(value_f):
            return f"{int(value_f * 10) / 10:.1f}{letter}{'i' if base == 1024 else ''}"
        if value_f < base:
            return f"{int(value_f)}{letter}{'i' if base == 1024 else ''}"
        value = int(value_f)
    return f"{value}E"


@program("free")
def free(p: Process) -> Run:
    """Show memory and swap."""
    try:
        options, _ = getopt(
            p.argv[1:], "bkmghls:c:twvV",
            {**{name[2:]: "" for name in _BYTES if name.startswith("--")}, "human": "", "si": "", "lohi": "",
            "total": "",
             "committed": "", "seconds": ":", "count": ":", "wide": "", "help": "", "version": ""},
        )  # fmt: skip
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\n{_USAGE}")
        return 1
    unit, human, base, repeat, pause = 1024, False, 1024, 1, 0.0
    given = {name for name, _ in options}
    for name, value in options:
        if name in _BYTES:
            unit = _BYTES[name]
        elif name in ("h", "--human"):
            human = True
        elif name == "--si":
            base = 1000
        elif name in ("s", "--seconds", "c", "--count"):
            if not value.replace(".", "", 1).isdigit() or float(value) <= 0:
                yield from p.err(f"{p.argv[0]}: failed to parse argument: '{value}'\n")
                return 1
            if name in ("s", "--seconds"):
                pause, repeat = float(value), repeat if repeat > 1 else 1_000_000
            else:
                repeat, pause = int(float(value)), pause or 1.0
    if "--help" in given:
        yield from p.out(_USAGE)
        return 0
    if given & {"V", "--version"}:
        yield from p.out(f"free from procps-ng {'4.0.4' if p.persona.kind == 'debian-13' else '4.0.2'}\n")
        return 0
    while True:
        yield from p.out(_table(p, given, unit, human, base))
        repeat -= 1
        if repeat <= 0:
            return 0
        yield from p.sleep(pause)
        yield from p.out("\n")


def _table(p: Process, given: set[str], unit: int, human: bool, base: int) -> str:
    memory = meminfo(p)
    device = is_device(p)
    cache = memory["Cached"] + memory["SReclaimable"]
    total, available = memory["MemTotal"], memory["MemAvailable"]
    used = total - memory["MemFree"] - memory["Buffers"] - cache if device else used_kb(memory)
    wide = bool(given & {"w", "--wide"})

    def cell(value: int) -> str:
        return f"{_scale(value, unit, human, base):>11}"

    middle = [memory["Buffers"], cache] if wide else [memory["Buffers"] + cache]
    swap_used = memory["SwapTotal"] - memory["SwapFree"]
    heads = [
        "total",
        "used",
        "free",
        "shared",
        *(("buffers", "cache") if wide else ("buff/cache",)),
        "available",
    ]
    lines = [f"{'total':>{20 - int(device)}}" + "".join(f"{head:>12}" for head in heads[1:])]
    label = 9 if not device else 8
    lines.append(
        f"{'Mem:':<{label}}"
        + " ".join(map(cell, [total, used, memory["MemFree"], memory["Shmem"], *middle, available]))
    )
    if given & {"l", "--lohi"}:
        lines.append(
            f"{'Low:':<{label}}" + " ".join(map(cell, [total, total - memory["MemFree"], memory["MemFree"]]))
        )
        lines.append(f"{'High:':<{label}}" + " ".join(map(cell, [0, 0, 0])))
    lines.append(
        f"{'Swap:':<{label}}" + " ".join(map(cell, [memory["SwapTotal"], swap_used, memory["SwapFree"]]))
    )
    if given & {"t", "--total"}:
        rows = [total + memory["SwapTotal"], used + swap_used, memory["MemFree"] + memory["SwapFree"]]
        lines.append(f"{'Total:':<{label}}" + " ".join(map(cell, rows)))
    if given & {"v", "--committed"}:
        rows = [memory["CommitLimit"], memory["Committed_AS"], memory["CommitLimit"] - memory["Committed_AS"]]
        lines.append(f"{'Comm:':<{label}}" + " ".join(map(cell, rows)))
    return "\n".join(lines) + "\n"
