"""lsof and fuser: which process has which file or socket open."""

from __future__ import annotations

import re

from urltrap.machine.api import S_IFCHR, S_IFDIR, S_IFMT, Process, ProcessInfo, Run
from urltrap.machine.errors import SysError
from urltrap.machine.proc.sockets import Socket, sockets
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._signals import number_of
from urltrap.machine.programs._system import names
from urltrap.machine.programs.registry import program

_SERVICES = {22: "ssh", 23: "telnet", 25: "smtp", 53: "domain", 68: "bootpc", 80: "http", 443: "https"}
_ADDRESS = re.compile(r"(?=.)[46]?(?:tcp|udp)?(?:@[\w.:\[\]-]+)?(?::[\w,-]+)?", re.I)
_TITLES = ("COMMAND", "PID", "USER", "FD", "", "TYPE", "DEVICE", "SIZE/OFF", "NODE", "NAME")
Row = tuple[str, ...]
"""The cells of a line: command, pid, user, descriptor, its mode, type, device, size, node, name."""


@program("lsof")
def lsof(p: Process) -> Run:
    """List open files."""
    try:
        options, words = getopt(
            _joined(p.argv[1:]), "?ahbCD:d:e:EFg:i::K:k:lL:mMnNo:Op:PRr::s::S:tT:u:UvVwxXz:c:+:", {}
        )
    except OptionError as error:
        yield from p.err(f"lsof: {str(error).replace('invalid option -- ', 'illegal option character: ')}\n"
                         "lsof: usage: [-?abhKlnNoOPRtUvVX] [+|-c c] [+|-d s] [+D D] [+|-E]\n")  # fmt: skip
        return 1
    given = dict(options)
    if "v" in given:
        yield from p.err("lsof version information:\n    revision: 4.95.0\n"
                         "    latest revision: https://github.com/lsof-org/lsof\n")  # fmt: skip
        return 0
    people = names(p)
    rows = p.processes()
    if "p" in given:
        wanted = {int(each) for each in given["p"].split(",") if each.isdigit()}
        rows = [row for row in rows if row.pid in wanted]
    if "u" in given:
        rows = [row for row in rows if people.get(row.uid, str(row.uid)) in given["u"].split(",")]
    if "c" in given:
        rows = [row for row in rows if row.comm.startswith(given["c"])]
    lines: list[tuple[int, Row]] = []
    numeric = "n" in given, "P" in given
    by_pid: dict[int, list[Socket]] = {}
    for each in sockets(p.persona, p.processes(), p.connections, p.sockets):
        by_pid.setdefault(each.pid, []).append(each)
    targets = set()
    for word in words:
        try:
            targets.add(p.fs.realpath(word))
        except SysError as error:
            yield from p.err(f"lsof: status error on {word}: {error.words}\n")
    if words and not targets:
        return 1
    for row in rows:
        yield from p.tick(5)
        if "i" not in given:
            lines += [(row.pid, line) for line in _files(p, row, people, targets)]
        if not words:
            lines += [
                (row.pid, _socket(row, each, people, *numeric))
                for each in by_pid.get(row.pid, [])
                if ("i" not in given or _wanted(each, given["i"])) and _in_state(each, given.get("s", ""))
            ]
    if not lines:
        return 1
    if "t" in given:
        yield from p.out("".join(f"{pid}\n" for pid in dict.fromkeys(pid for pid, _ in lines)))
        return 0
    yield from p.out(_table([line for _, line in lines]))
    return 0


def _joined(words: list[str]) -> list[str]:
    """-i may have its address as a word of its own."""
    out: list[str] = []
    for word in words:
        if out and out[-1] == "-i" and _ADDRESS.fullmatch(word):
            out[-1] = f"-i{word}"
        else:
            out.append(word)
    return out


def _table(rows: list[Row]) -> str:
    """The columns as wide as what is in them."""
    widths = [
        max(len(row[n]) for row in [_TITLES, *rows]) if n not in (3, 4) else (4, 1)[n - 3] for n in range(9)
    ]
    out = []
    for row in [_TITLES, *rows]:
        cells = [f"{row[0]:<{widths[0]}}"] + [f"{row[n]:>{widths[n]}}" for n in (1, 2, 3)]
        rest = [f"{row[n]:>{widths[n]}}" for n in range(5, 9)]
        out.append(f"{' '.join(cells)}{row[4] or ' '}  {' '.join(rest)} {row[9]}\n")
    return "".join(out)


def _row(
    row: ProcessInfo, people: dict[int, str], fd: str, kind: str, device: str, size: str, node: str, name: str
) -> Row:
    user = people.get(row.uid, str(row.uid))[:8]
    mode = fd[-1:] if fd[:1].isdigit() and fd[-1:] in "urw" else " "
    return (
        row.comm[:9], str(row.pid), user, fd.removesuffix(mode), mode, kind, device, size, node, name
    )  # fmt: skip


def _files(p: Process, row: ProcessInfo, people: dict[int, str], targets: set[str]) -> list[Row]:
    found = [("cwd", row.cwd or "/"), ("rtd", "/"), *([("txt", row.exe)] if row.exe else [])]
    found += [(f"{fd}u", path) for fd, path in sorted(p.descriptors(row.pid).items())]
    lines: list[Row] = []
    for fd, path in found:
        if targets and path not in targets:
            continue
        if path.startswith("pipe:"):
            lines.append(_row(row, people, fd[:-1] + "w", "FIFO", "0,13", "0t0", path[6:-1], "pipe"))
            continue
        try:
            stat = p.fs.stat(path)
        except SysError:
            continue
        kind = {S_IFDIR: "DIR", S_IFCHR: "CHR"}.get(stat.mode & S_IFMT, "REG")
        device = "{},{}".format(*stat.rdev) if kind == "CHR" else f"{stat.device >> 8},{stat.device & 255}"
        size = "0t0" if kind == "CHR" else str(stat.size or 4096)
        lines.append(_row(row, people, fd, kind, device, size, str(stat.inode), path))
    return lines


_STATES = {"ESTABLISHED": "ESTAB", "LISTEN": "LISTEN"}


def _in_state(each: Socket, what: str) -> bool:
    """-sTCP:LISTEN: only sockets in this state."""
    protocol, _, state = what.partition(":")
    return not state or (
        each.protocol.startswith(protocol.lower()) and each.state == _STATES.get(state.upper(), state.upper())
    )


def _wanted(each: Socket, what: str) -> bool:
    protocol, _, rest = what.rpartition(":") if ":" in what else (what, "", "")
    protocol = protocol.partition("@")[0].lower()
    if protocol.startswith(("4", "6")):
        if (protocol[0] == "6") != each.protocol.endswith("6"):
            return False
        protocol = protocol[1:]
    if protocol and not each.protocol.startswith(protocol):
        return False
    if not rest:
        return True
    numbers = {number for number, name in _SERVICES.items() if name in rest.split(",")}
    for part in rest.split(","):
        low, _, high = part.partition("-")
        if low.isdigit() and len(low) < 6:
            numbers.update(range(int(low), int(high or low) + 1 if (high or low).isdigit() else int(low) + 1))
    return each.local_port in numbers or each.remote_port in numbers


def _socket(
    row: ProcessInfo, each: Socket, people: dict[int, str], plain_host: bool, plain_port: bool
) -> Row:
    def port(number: int) -> str:
        return str(number) if plain_port else _SERVICES.get(number, str(number))

    def host(address: str) -> str:
        return "*" if address in ("0.0.0.0", "::") else f"[{address}]" if ":" in address else address

    name = f"{host(each.local)}:{port(each.local_port)}"
    if each.state == "ESTAB":
        name += f"->{host(each.remote)}:{port(each.remote_port)} (ESTABLISHED)"
    elif each.state == "LISTEN":
        name += " (LISTEN)"
    kind = "IPv6" if each.protocol.endswith("6") else "IPv4"
    proto = "TCP" if each.protocol.startswith("tcp") else "UDP"
    return _row(row, people, f"{each.fd}u", kind, str(each.inode), "0t0", proto, name)


@program("fuser")
def fuser(p: Process) -> Run:
    """PIDs that use a file or ``PORT/tcp``; ``-k`` kills them."""
    try:
        options, words = getopt(p.argv[1:], "almMcfikn:suvVw46", {"kill": ""})
    except OptionError as error:
        yield from p.err(f"fuser: {error}\n")
        return 1
    given = dict(options)
    signal = 9
    plain = []
    for word in words:
        number = number_of(word[1:]) if word.startswith("-") else None
        if number is not None:
            signal = number
        else:
            plain.append(word)
    if not plain:
        yield from p.err("No process specification given\n")
        return 1
    status = 1
    for word in plain:
        space = given.get("n", "")
        port, _, protocol = word.partition("/")
        if protocol in ("tcp", "udp") or space in ("tcp", "udp"):
            protocol = protocol or space
            found = [each.pid for each in sockets(p.persona, p.processes(), p.connections, p.sockets)
                     if each.protocol.startswith(protocol) and str(each.local_port) == port and each.pid]  # fmt: skip
        else:
            try:
                real = p.fs.realpath(word)
            except SysError as error:
                yield from p.err(f"Specified filename {word} does not exist.\n" if error.errno == 2
                                 else f"{word}: {error.words}\n")  # fmt: skip
                continue
            found = [row.pid for row in p.processes()
                     if real in (row.exe, row.cwd) or real in p.descriptors(row.pid).values()]  # fmt: skip
        if not found:
            continue
        status = 0
        if "s" not in given:
            yield from p.err(f"{word}:".ljust(21))
            yield from p.out("".join(f" {pid:>5}" for pid in dict.fromkeys(found)))
            yield from p.err("\n")
        if "k" in given or "--kill" in given:
            for pid in dict.fromkeys(found):
                try:
                    p.kill(pid, signal)
                except SysError:
                    yield from p.err(f"Could not kill process {pid}: Operation not permitted\n")
    return status
