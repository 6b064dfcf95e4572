"""netstat: sockets, routes, interfaces, as net-tools and BusyBox show them."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.proc.sockets import Socket, sockets
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._interfaces import interfaces
from urltrap.machine.programs._system import is_device, names
from urltrap.machine.programs.ifconfig import SHORT_COUNTERS, route, short_line
from urltrap.machine.programs.registry import program

_SERVICES = {22: "ssh", 23: "telnet", 25: "smtp", 53: "domain", 68: "bootpc", 80: "http", 443: "https"}
_STATES = {"LISTEN": "LISTEN", "ESTAB": "ESTABLISHED", "UNCONN": ""}


_SSH = 22


@program("netstat")
def netstat(p: Process) -> Run:
    """Show sockets."""
    try:
        options, _ = getopt(
            p.argv[1:], "rigsMnNeoclatuwxpvVFCW46h",
            dict.fromkeys(["route", "interfaces", "groups", "statistics", "numeric", "listening", "all", "tcp",
            "udp", "unix",
                           "programs", "program", "extend", "continuous", "timers", "verbose", "wide", "version",
                           "help",
                           "inet", "inet6", "raw"], ""),
        )  # fmt: skip
    except OptionError as error:
        yield from p.err(
            f"netstat: {error}\nusage: netstat [-vWeenNcCF] [<Af>] -r         netstat "
            f"{{-V|--version|-h|--help}}\n"
        )
        return 4
    given = {{"--listening": "l", "--all": "a", "--tcp": "t", "--udp": "u", "--numeric": "n", "--programs": "p",
    "--program": "p",
              "--route": "r", "--interfaces": "i", "--unix": "x", "--inet": "4", "--extend": "e",
              "--wide": "W"}.get(name, name)
             for name, _ in options}  # fmt: skip
    if given & {"V", "--version"}:
        yield from p.out(
            "net-tools 2.10\nFred Baumgarten, Alan Cox, Bernd Eckenfels, Phil Blundell, Tuan Hoang, "
            "Brian Micek and others\n"
        )
        return 0
    if "r" in given:
        p.argv[:] = ["route", *(["-n"] if "n" in given else [])]
        return (yield from route(p))
    if "i" in given:
        return (yield from _interfaces(p))
    every, listening = "a" in given, "l" in given
    head = "(servers and established)" if every else "(only servers)" if listening else "(w/o servers)"
    families = given & {"t", "u", "x", "w"}
    program_column = "p" in given
    if families != {"x"}:
        yield from p.out(f"Active Internet connections {head}\n")
        extra = " User       Inode     " if "e" in given else ""
        yield from p.out("Proto Recv-Q Send-Q Local Address           Foreign Address         State      "
                         f"{extra}{' PID/Program name    ' if program_column else ''}\n")  # fmt: skip
        found = sockets(p.persona, p.processes(), p.connections, p.sockets)
        for each in sorted(found, key=lambda s: (s.protocol.startswith("udp"), s.protocol.endswith("6"))):
            if (
                families
                and not ("t" in families and each.protocol.startswith("tcp"))
                and not ("u" in families and each.protocol.startswith("udp"))
            ):
                continue
            waiting = each.state in ("LISTEN", "UNCONN")
            if not every and waiting != listening:
                continue
            yield from p.out(_row(p, each, given))
    if not families or "x" in families:
        yield from p.out(f"Active UNIX domain sockets {head}\n")
        tail = "    PID/Program name    " if program_column else ""
        yield from p.out(f"Proto RefCnt Flags       Type       State         I-Node{tail}   Path\n")
        if every or listening:
            for line in p.fs.read("/proc/net/unix").decode().splitlines()[1:]:
                cells = line.split()
                owner = _owner(p, cells[7]) if program_column else ""
                yield from p.out(
                    f"unix  2      [ ACC ]     STREAM     LISTENING     {cells[6]:<8}{owner} {cells[7]}\n"
                )
    return 0


_OWNERS = (("hostapd", "hostapd"), ("ubus", "ubusd"), ("dbus", "dbus-daemon"), ("udev", "systemd-udevd"))


def _owner(p: Process, path: str) -> str:
    """The column with the process behind a path; what systemd hands on is its own."""
    wanted = next((comm for part, comm in _OWNERS if part in path), "") if not p.persona.is_server else ""
    row = next((row for row in p.processes() if row.comm == wanted or (not wanted and row.pid == 1)), None)
    name = "-" if row is None else f"{row.pid}/{'init' if p.persona.is_server else row.comm}"
    return f"    {name:<20}"


def _row(p: Process, each: Socket, given: set[str]) -> str:
    numeric = "n" in given or is_device(p)

    def end(address: str, port: int) -> str:
        name = str(port) if numeric else _SERVICES.get(port, str(port))
        host = (
            address
            if numeric or address not in ("0.0.0.0", "::")
            else address
            if address == "0.0.0.0"
            else "[::]"
        )
        return f"{host}:{name if port else '*'}"

    local, remote = end(each.local, each.local_port), end(each.remote, each.remote_port)
    if "W" not in given:
        local, remote = f"{local:<23.23}", f"{remote:<23.23}"
    owner = f"{each.pid}/{_title(p, each)}" if each.pid and p.uid == 0 else "-"
    user = str(each.uid) if numeric else names(p).get(each.uid, str(each.uid))
    extra = f" {user:<10} {each.inode:<10}" if "e" in given else ""
    queue = 0 if each.state != "ESTAB" or each.local_port != _SSH else 36 if not p.is_tty(1) else 0
    return (
        f"{each.protocol:<5} {0:>6} {queue:>6} {local:<23} {remote:<23} {_STATES[each.state]:<11}{extra}"
        f"{' ' + f'{owner:<20.20}' if 'p' in given else ''}\n"
    )


def _title(p: Process, each: Socket) -> str:
    row = next((row for row in p.processes() if row.pid == each.pid), None)
    if row is None or not row.argv:
        return each.comm
    return row.argv[0].rpartition("/")[2] if not row.argv[0].startswith("sshd:") else row.argv[0]


def _interfaces(p: Process) -> Run:
    yield from p.out(f"Kernel Interface table\nIface             MTU    {SHORT_COUNTERS}")
    for each in sorted(interfaces(p), key=lambda shown: shown.loopback):
        yield from p.out(short_line(each))
    return 0
