"""top: the busiest processes; one screen in batch mode or into a pipe, else repeated until q."""

from __future__ import annotations

from collections.abc import Callable

from urltrap.machine.api import Process, ProcessInfo, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._ps_columns import command, is_thread
from urltrap.machine.programs._system import is_device, names, text_of
from urltrap.machine.programs.free import meminfo, used_kb
from urltrap.machine.programs.registry import program
from urltrap.machine.programs.uptime import first_line


@program("top")
def top(p: Process) -> Run:
    """Show the busiest processes."""
    words = p.argv[1:]
    batch, count, delay, full = False, 0, 3.0, False
    chosen: set[int] = set()
    user = ""
    while words:
        word = words.pop(0)
        letters = word.lstrip("-")
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter == "b":
                batch = True
            elif letter == "c":
                full = True
            elif letter in "ndpuUow":
                value = letters or (words.pop(0) if words and letter != "w" else "")
                letters = ""
                if letter == "p":
                    chosen = {int(each) for each in value.split(",") if each.isdigit()}
                elif letter in "uU":
                    user = value
                if letter == "n" and value.isdigit():
                    count = int(value)
                elif letter == "d" and value.replace(".", "", 1).isdigit():
                    delay = float(value)
                elif letter in "nd":
                    yield from p.err(f"top: bad {'iterations' if letter == 'n' else 'delay interval'} argument "
                    f"'{value}'\n" if value
                                     else f"top: -{letter} requires argument\n")  # fmt: skip
                    return 1
            elif letter == "h":
                yield from p.out("  procps-ng 4.0.2\nUsage:\n  top -hv | -bcEeHiOSs1 -d secs -n max -u|U user -p "
                "pid(s) -o field "
                                 "-w [cols]\n")  # fmt: skip
                return 0
            elif letter not in "HiSsEe1OvB":
                yield from p.err(f"top: unknown option '{letter}'\nUsage:\n  top -hv | -bcEeHiOSs1 -d secs -n max "
                f"-u|U user -p pid(s) "
                                 "-o field -w [cols]\n")  # fmt: skip
                return 1
    known = {name: uid for uid, name in names(p).items()}
    if user and user not in known and not user.isdigit():
        yield from p.err("top: Invalid user\n")
        return 1
    uid = known.get(user, int(user) if user.isdigit() else -1)

    def wanted(row: ProcessInfo) -> bool:
        return (not chosen or row.pid in chosen) and uid in (-1, row.uid)

    if not batch and not p.is_tty(1) and not is_device(p):
        yield from p.err("top: failed tty get\n")
        return 1
    columns, rows = p.window()
    screen = not batch and p.is_tty(1)
    terminal = p.tty(0) if screen and p.is_tty(0) else None
    if terminal is not None:
        terminal.icanon = terminal.echo = False
    try:
        while True:
            lines = _busybox(p) if is_device(p) else _screen(p, full, wanted)
            if screen:
                shown = [line[:columns] for line in lines[: rows - 1]]
                yield from p.out("\x1b[H\x1b[2J\x1b[m" + "\r\n".join(shown) + "\r\n")
            else:
                yield from p.out("\n".join(lines) + "\n")
            count -= 1
            if count == 0:
                return 0
            if terminal is None:
                yield from p.sleep(delay)
                yield from p.out("\n")
                continue
            try:
                key = yield from p.read(0, 1, timeout=delay)
            except SysError:
                continue  # no key was pressed in time
            if key in (b"q", b"Q", b"\x03", b""):
                yield from p.out("\x1b[?25h\r\n")
                return 0
    finally:
        if terminal is not None:
            terminal.icanon = terminal.echo = True


def _times(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}.{int(seconds * 100) % 100:02d}"


def _screen(p: Process, full: bool, wanted: Callable[[ProcessInfo], bool]) -> list[str]:
    rows = [row for row in p.processes() if wanted(row)]
    users = names(p)
    memory = meminfo(p)
    states = [row.state[0] for row in rows]
    running, stopped, zombie = states.count("R"), states.count("T"), states.count("Z")
    sleeping = len(rows) - running - stopped - zombie
    cpu = [int(value) for value in text_of(p, "/proc/stat").splitlines()[0].split()[1:9]]
    total = sum(cpu) or 1
    share = [value * 100 / total for value in cpu]
    mib = 1024
    cache = memory["Buffers"] + memory["Cached"] + memory["SReclaimable"]
    lines = [
        f"top -{first_line(p)}",
        f"Tasks: {len(rows):3d} total, {running:3d} running, {sleeping:3d} sleeping, {stopped:3d} stopped, "
        f"{zombie:3d} zombie",
        f"%Cpu(s): {share[0]:4.1f} us, {share[2]:4.1f} sy, {share[1]:4.1f} ni, {share[3]:4.1f} id, {share[4]:4.1f} wa, "
        f"{share[5]:4.1f} hi, {share[6]:4.1f} si, {share[7]:4.1f} st ",
        f"MiB Mem : {memory['MemTotal'] / mib:8.1f} total, {memory['MemFree'] / mib:8.1f} free, "
        f"{used_kb(memory) / mib:8.1f} used, "
        f"{cache / mib:8.1f} buff/cache     ",
        f"MiB Swap: {memory['SwapTotal'] / mib:8.1f} total, {memory['SwapFree'] / mib:8.1f} free, "
        f"{(memory['SwapTotal'] - memory['SwapFree']) / mib:8.1f} used. {memory['MemAvailable'] / mib:8.1f} avail Mem ",
        "",
        "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND",
    ]
    for row in sorted(rows, key=lambda each: (each.state[0] != "R", each.pid)):
        lines.append(_row(p, row, users, full))
    return lines


def _row(p: Process, row: ProcessInfo, users: dict[int, str], full: bool) -> str:
    nice = -20 if "<" in row.state else 0
    name = users.get(row.uid, str(row.uid))
    name = name if len(name) <= 8 else f"{name[:7]}+"
    priority = "rt" if row.comm.startswith("migration/") else str(20 + nice)
    share = row.rss_kb * 100 / p.persona.memory.total_kb
    text = command(row) if full and not is_thread(row) else row.comm
    busy = 5.9 if row.state[0] == "R" and row.comm != "top" else 0.0
    return (
        f"{row.pid:>7} {name:<8} {priority:>3} {nice:>3} {row.vsz_kb:>7} {row.rss_kb:>6} {row.rss_kb * 2 // 3:>6} "
        f"{row.state[0]} "
        f"{busy:>5.1f} {share:>5.1f} {_times(row.cpu_seconds):>9} {text}"
    )


def _busybox(p: Process) -> list[str]:
    memory = meminfo(p)
    users = names(p)
    used = memory["MemTotal"] - memory["MemFree"]
    rows = p.processes()
    running = sum(1 for row in rows if row.state.startswith("R"))
    load = text_of(p, "/proc/loadavg").split()
    lines = [
        f"Mem: {used}K used, {memory['MemFree']}K free, {memory['Shmem']}K shrd, {memory['Buffers']}K buff, "
        f"{memory['Cached']}K cached",
        "CPU:   0% usr   2% sys   0% nic  97% idle   0% io   0% irq   0% sirq",
        f"Load average: {load[0]} {load[1]} {load[2]} {running}/{len(rows)} {p.pid}",
        "  PID  PPID USER     STAT   VSZ %VSZ CPU %CPU COMMAND",
    ]
    for row in sorted(rows, key=lambda each: (-each.vsz_kb, each.pid)):
        share = row.vsz_kb * 100 // p.persona.memory.total_kb
        state = f"{row.state[0]}{'W' if not row.vsz_kb else ' '}{'<' if '<' in row.state else ' '}"
        lines.append(f"{row.pid:>5} {row.ppid:>5} {users.get(row.uid, str(row.uid)):<8.8} {state:<4} "
        f"{row.vsz_kb:>5} {share:>3}%   0   0% "
                     f"{command(row)}")  # fmt: skip
    return lines
