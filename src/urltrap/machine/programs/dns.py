"""nslookup, dig and host: they ask name servers, which answer only for names that are known already.

A device's own server (dnsmasq) knows /etc/hosts; a name whose host was fetched is known to all. Everything else waits
for servers that never answer, as downloads of such names do.
"""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._cmd import Cmd, bb_usage, command
from urltrap.machine.programs._connecting import PATIENCE
from urltrap.machine.programs._release import upstream_version
from urltrap.machine.programs.registry import program
from urltrap.machine.reach import numeric, resolve

_DEAD = ";; connection timed out; no servers could be reached\n\n"


def _asked(p: Process, name: str) -> list[str]:
    """What a name server answers; empty where none does. Only a device's own one looks at /etc/hosts."""
    entry = p.heard.get(name.lower().rstrip("."))
    if entry is not None and entry.address:
        return [entry.address]
    return resolve(p, name) if not p.persona.is_server and not numeric(name) else []


@command("nslookup", short="", bb="", bad=1, hint="")
def nslookup(c: Cmd) -> Run:
    """Look a name up."""
    p = c.p
    names = [word for word in p.argv[1:] if not word.startswith("-")]
    if not names:
        if c.bb:
            yield from p.err(bb_usage(p, "nslookup"))
            return 1
        yield from p.out("> ")
        yield from p.read(0)
        return 0
    found = _asked(p, names[0]) if len(names) == 1 else []
    if not found:
        yield from p.sleep(PATIENCE)
        yield from p.out(_DEAD)
        return 1
    server = p.persona.network.dns[0]
    shown = f"{server}:53" if c.bb else f"{server}#53"
    yield from p.out(f"Server:\t\t{server}\nAddress:\t{shown}\n\n")
    if names[0].lower() in p.heard:
        yield from p.out("Non-authoritative answer:\n")
    for address in found:
        yield from p.out(f"Name:\t{names[0]}\nAddress: {address}\n")
    yield from p.out("\n")
    return 0


@program("dig")
def dig(p: Process) -> Run:
    """dig."""
    version = f"{upstream_version(p, 'bind9-dnsutils', upstream_version(p, 'bind9-host', '9.18.33'))}-Debian"
    if "-v" in p.argv:
        yield from p.err(f"DiG {version}\n")
        return 0
    names = [word for word in p.argv[1:] if word[:1] not in "+-@" and word.upper() not in ("A", "ANY", "IN")]
    found = _asked(p, names[0]) if names else []
    short = "+short" in p.argv
    if not found:
        yield from p.sleep(PATIENCE)
    if not short:
        yield from p.out(f"\n; <<>> DiG {version} <<>> {' '.join(p.argv[1:])}\n;; global options: +cmd\n")
    if not found:
        yield from p.out(";; no servers could be reached\n")
        return 9
    if short:
        yield from p.out("".join(f"{address}\n" for address in found))
        return 0
    server = p.persona.network.dns[0]
    yield from p.out(
        f";; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: {p.random(65_535)}\n"
        f";; flags: qr rd ra; QUERY: 1, ANSWER: {len(found)}, AUTHORITY: 0, ADDITIONAL: 1\n\n"
        f";; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: 1232\n;; QUESTION SECTION:\n"
        f";{names[0]}.\t\t\tIN\tA\n\n;; ANSWER SECTION:\n"
        + "".join(f"{names[0]}.\t\t300\tIN\tA\t{address}\n" for address in found)
        + f"\n;; Query time: {1 + p.random(30)} msec\n;; SERVER: {server}#53({server}) (UDP)\n\n"
    )
    return 0


@program("host")
def host(p: Process) -> Run:
    """host."""
    names = [word for word in p.argv[1:] if not word.startswith("-")]
    if not names:
        yield from p.err(
            "Usage: host [-aCdilrTvVw] [-c class] [-N ndots] [-t type] [-W time]\n"
            "            [-R number] [-m flag] [-p port] hostname [server]\n"
        )
        return 1
    found = _asked(p, names[-1])
    if not found:
        yield from p.sleep(PATIENCE)
        yield from p.out(_DEAD)
        return 1
    yield from p.out("".join(f"{names[-1]} has address {address}\n" for address in found))
    return 0
