"""lsmem and lslogins: the memory's blocks, and the accounts with their log-ins."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.image.logs import USER_PROCESS, read_utmp
from urltrap.machine.programs._system import option_problem, text_of
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.registry import program

_BLOCK = 128 << 20
_HOLE, _ABOVE = 3 << 30, 4 << 30


def _short(size: int) -> str:
    for unit, step in (("G", 30), ("M", 20)):
        if size >> step and not size & ((1 << step) - 1):
            return f"{size >> step}{unit}"
    return f"{size / (1 << 30):.1f}G" if size >> 30 else "0B"


@program("lsmem")
def lsmem(p: Process) -> Run:
    """The ranges of memory that are online: below the hole for devices, and above four gigabytes."""
    if problem := option_problem(
        p, "aJPrS:no:bshV", "all json pairs raw split: noheadings output: bytes summary:: sysroot:"
    ):
        yield from p.err(f"{problem}Try 'lsmem --help' for more information.\n")
        return 1
    size = -(-(p.persona.memory.total_kb + 60_000) // 1024 // 512) * 512 << 20
    ranges = [(0, min(size, _HOLE))] + ([(_ABOVE, _ABOVE + size - _HOLE)] if size > _HOLE else [])
    rows = []
    for start, end in ranges:
        first, last = start // _BLOCK, end // _BLOCK - 1
        blocks = f"{first}-{last}" if last > first else str(first)
        rows.append((f"0x{start:016x}-0x{end - 1:016x}", _short(end - start), "online", "yes", blocks))
    widths = [max(len(row[column]) for row in (*rows, _HEAD)) for column in range(5)]
    for row in (_HEAD, *rows):
        yield from p.out(
            f"{row[0]:<{widths[0]}} " + " ".join(f"{row[n]:>{widths[n]}}" for n in range(1, 5)) + "\n"
        )
    yield from p.out(f"\nMemory block size:  {'128M':>9}\nTotal online memory:{_short(size):>9}\n"
                     f"Total offline memory:{'0B':>8}\n")  # fmt: skip
    return 0


_HEAD = ("RANGE", "SIZE", "STATE", "REMOVABLE", "BLOCK")


@program("lslogins")
def lslogins(p: Process) -> Run:
    """The accounts: how many processes, whether the password is locked, when they were here last."""
    try:
        records = read_utmp(p.fs.read("/var/log/wtmp"))
    except SysError:
        records = []
    last = {row[3]: row[5] for row in records if row[0] == USER_PROCESS}
    shadow = {
        line.split(":")[0]: line.split(":")[1]
        for line in text_of(p, "/etc/shadow").splitlines()
        if ":" in line
    }
    running: dict[int, int] = {}
    for row in p.processes():
        running[row.uid] = running.get(row.uid, 0) + 1
    rows = [("UID", "USER", "PROC", "PWD-LOCK", "PWD-DENY", "LAST-LOGIN", "GECOS")]
    for line in sorted(
        text_of(p, "/etc/passwd").splitlines(),
        key=lambda each: int([*each.split(":"), "", "", "0"][2] or 0),
    ):
        fields = line.split(":")
        if len(fields) < 7:
            continue
        name, uid, secret = fields[0], int(fields[2]), shadow.get(fields[0], "")
        seen = ""
        if name in last:
            clock = local(p, last[name]).clock
            seen = f"{clock:%H:%M}" if p.now() - last[name] < 86_400 else f"{clock:%Y-%b%d}"
        locked, denied = (
            "1" if secret.startswith("!") else "0",
            "0" if secret[:1] not in "*!" or not secret else "1",
        )
        if p.uid:
            locked = denied = ""
        rows.append(
            (str(uid), name, str(running.get(uid, 0)), locked, denied, seen, fields[4].partition(",")[0])
        )
    widths = [max(len(row[column]) for row in rows) for column in range(7)]
    for cell in rows:
        middle = [f"{cell[n]:>{widths[n]}}" for n in range(2, 6)]
        text = " ".join([f"{cell[0]:>{max(5, widths[0])}}", f"{cell[1]:<{widths[1]}}", *middle, cell[6]])
        yield from p.out(text.rstrip() + "\n")
    return 0
