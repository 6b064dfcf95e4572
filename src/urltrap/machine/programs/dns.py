"""nslookup, dig and host: no server ever answers them."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._cmd import Cmd, bb_usage, command
from urltrap.machine.programs._connecting import PATIENCE
from urltrap.machine.programs.registry import program


@command("nslookup", short="", bb="", bad=1, hint="")
def nslookup(c: Cmd) -> Run:
    """Look a name up: the servers never answer."""
    names = [word for word in c.p.argv[1:] if not word.startswith("-")]
    if not names:
        if c.bb:
            yield from c.p.err(bb_usage(c.p, "nslookup"))
            return 1
        yield from c.p.out("> ")
        yield from c.p.read(0)
        return 0
    yield from c.p.sleep(PATIENCE)
    yield from c.p.out(";; connection timed out; no servers could be reached\n\n")
    return 1


@program("dig")
def dig(p: Process) -> Run:
    """dig: no servers could be reached."""
    if "-v" in p.argv:
        yield from p.err("DiG 9.18.33-1~deb12u2-Debian\n")
        return 0
    yield from p.sleep(PATIENCE)
    if "+short" not in p.argv:
        yield from p.out(
            f"\n; <<>> DiG 9.18.33-1~deb12u2-Debian <<>> {' '.join(p.argv[1:])}\n;; global options: +cmd\n"
        )
    yield from p.out(";; no servers could be reached\n")
    return 9


@program("host")
def host(p: Process) -> Run:
    """host: no servers could be reached."""
    if len(p.argv) < 2:
        yield from p.err(
            "Usage: host [-aCdilrTvVw] [-c class] [-N ndots] [-t type] [-W time]\n"
            "            [-R number] [-m flag] [-p port] hostname [server]\n"
        )
        return 1
    yield from p.sleep(PATIENCE)
    yield from p.out(";; connection timed out; no servers could be reached\n\n")
    return 1
