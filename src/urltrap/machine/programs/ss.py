"""ss: sockets, as iproute2 shows them."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.proc.sockets import Socket, sockets
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs.netstat import _SERVICES
from urltrap.machine.programs.registry import program

_LONG = {"numeric": "n", "resolve": "r", "all": "a", "listening": "l", "options": "o", "extended": "e", "memory": "m",
         "processes": "p", "info": "i", "summary": "s", "tcp": "t", "udp": "u", "raw": "w", "unix": "x",
         "no-header": "H",
         "ipv4": "4", "ipv6": "6", "oneline": "O", "help": "h", "version": "V"}  # fmt: skip


_SSH = 22


@program("ss")
def ss(p: Process) -> Run:
    """Show sockets."""
    try:
        options, operands = getopt(
            p.argv[1:],
            "hVnraloempTisZzNbKHOEWtudwx46MSf:A:D:F:B",
            {**dict.fromkeys(_LONG, ""), "family": ":", "query": ":"},
        )
    except OptionError as error:
        yield from p.err(f"ss: {error}\nUsage: ss [ OPTIONS ]\n       ss [ OPTIONS ] [ FILTER ]\n")
        return 255
    given = {_LONG.get(name.lstrip("-"), name) for name, _ in options}
    if "V" in given:
        yield from p.out("ss utility, iproute2-6.1.0\n")
        return 0
    found = sockets(p.persona, p.processes(), p.connections, p.sockets)
    if "s" in given:
        return (yield from _summary(p, found))
    families = given & {"t", "u", "w", "x"}
    rows = []
    for each in found:
        if (
            families
            and not ("t" in families and each.protocol.startswith("tcp"))
            and not ("u" in families and each.protocol.startswith("udp"))
        ):
            continue
        if ("4" in given and each.protocol.endswith("6")) or (
            "6" in given and not each.protocol.endswith("6")
        ):
            continue
        waiting = each.state in ("LISTEN", "UNCONN")
        if ("l" in given and not waiting) or (not given & {"a", "l"} and waiting):
            continue
        if operands and not _matches(each, operands):
            continue
        rows.append(each)
    many = len(families) != 1
    table = [
        _cells(p, each, given, many)
        for each in sorted(rows, key=lambda s: (s.protocol.startswith("tcp"), s.state != "LISTEN"))
    ]
    heads = ["Netid"] * many + [
        "State",
        "Recv-Q",
        "Send-Q",
        "Local Address:",
        "Port",
        "Peer Address:",
        "Port",
        "Process",
    ]
    lines = table if "H" in given else [heads, *table]
    widths = [max((len(line[number]) for line in lines), default=0) for number in range(len(heads))]
    for line in lines:
        first = " ".join(f"{text:<{width}}" for text, width in zip(line[: 3 + many], widths, strict=False))
        local, local_port, peer, peer_port, process = line[3 + many :]
        w = widths[3 + many :]
        text = (
            f"{first} {local:>{w[0]}}{local_port:<{w[1]}} {peer:>{w[2]}}{peer_port:<{w[3]}} {process:<{w[4]}}"
        )
        yield from p.out(text.replace("Port Process", "PortProcess") + "\n" if line is heads else text + "\n")
    return 0


def _matches(each: Socket, words: list[str]) -> bool:
    text = " ".join(words)
    if "state established" in text:
        return each.state == "ESTAB"
    for name, port in (("sport", each.local_port), ("dport", each.remote_port)):
        if name in words:
            wanted = words[-1].strip("():").rpartition(":")[2]
            return str(port) == wanted or _SERVICES.get(port) == wanted
    return True


def _cells(p: Process, each: Socket, given: set[str], many: bool) -> list[str]:
    def port(number: int) -> str:
        return "*" if not number else str(number) if "n" in given else _SERVICES.get(number, str(number))

    def host(address: str) -> str:
        return "[::]" if address == "::" else f"[{address}]" if ":" in address else address

    backlog = str(each.backlog) if each.state == "LISTEN" else "0"
    queue = "36" if each.state == "ESTAB" and each.local_port == _SSH and not p.is_tty(1) else backlog
    owner = ""
    if "p" in given and each.pid and p.uid == 0:
        owner = f'users:(("{each.comm}",pid={each.pid},fd={each.fd}))'
        parent = next(
            (
                row.pid
                for row in p.processes()
                if row.ppid == each.pid and row.comm == each.comm and each.state == "ESTAB"
            ),
            0,
        )
        if parent:
            owner = f'users:(("{each.comm}",pid={parent},fd={each.fd}),("{each.comm}",pid={each.pid},fd={each.fd}))'
    if "e" in given:
        owner = (
            f"{owner} ino:{each.inode} sk:{each.inode & 0xFFF:x} cgroup:/system.slice/ssh.service <->".strip()
        )
    cells = [
        each.state,
        "0",
        queue,
        f"{host(each.local)}:",
        port(each.local_port),
        f"{host(each.remote)}:",
        port(each.remote_port),
        owner,
    ]
    return [each.protocol.rstrip("6")] * many + cells


def _summary(p: Process, found: list[Socket]) -> Run:
    tcp = [each for each in found if each.protocol.startswith("tcp")]
    udp = [each for each in found if each.protocol.startswith("udp")]
    six = sum(1 for each in tcp if each.protocol.endswith("6"))
    established = sum(1 for each in tcp if each.state == "ESTAB")
    yield from p.out(
        f"Total: {len(found) + 118}\nTCP:   {len(tcp)} (estab {established}, closed 0, orphaned 0, timewait 0)\n\n"
        "Transport Total     IP        IPv6\nRAW\t  0         0         0        \n"
        f"UDP\t  {len(udp):<9} {len(udp):<9} 0        \nTCP\t  {len(tcp):<9} {len(tcp) - six:<9} {six:<9}\n"
        f"INET\t  {len(tcp) + len(udp):<9} {len(tcp) - six + len(udp):<9} {six:<9}\nFRAG\t  0         0         0  "
        f"      \n\n"
    )
    return 0
