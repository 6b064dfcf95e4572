"""nc and telnet: to the machine's own ports as ss lists them; connections to elsewhere never come to be."""

from __future__ import annotations

from urltrap.machine.api import Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen, command
from urltrap.machine.programs._connecting import PATIENCE, port_of, service_name, told
from urltrap.machine.programs._conversing import carry, inherit
from urltrap.machine.programs._system import account
from urltrap.machine.programs.passwd import ask
from urltrap.machine.reach import WORDS, Verdict, attempt, is_own, names_of, numeric, resolve4

_BUSYBOX_PORT = 31_337
_TELNET = 23


@command(
    "nc",
    "ncat",
    "netcat",
    short="46Cdbhlnp:q:rs:tuvw:x:X:zkUe:c:i:o:T:I:O:P:NDSV:M:m:",
    bb="lp:w:i:f:e:NvunzkL",
    bad=1,
    hint="",
)
def nc(c: Cmd) -> Run:
    """Connect, or scan ports."""
    p = c.p
    if c.has("h", "help"):
        yield from p.err(
            "[v1.10-47]\nconnect to somewhere:\tnc [-options] hostname port[s] [ports] ... \n"
            "listen for inbound:\tnc -l -p port [-options] [hostname] [port]\n"
        )
        return 0
    wait = c.value("w") or ""
    patience = min(float(wait) if wait.isdecimal() else PATIENCE, PATIENCE)
    if c.has("l"):
        listen = port_of(c.value("p") or (c.args[-1] if c.args else "")) or 0
        told(p, "", listen)
        return (yield from _listen(c, listen))
    if not c.args:
        if c.bb:
            return (yield from c.usage())
        yield from p.err("Cmd line: ")
        typed = yield from p.read(0, 4096)
        if not typed.strip():
            yield from p.err("wrong\n")
            return 1
        return (yield from p.exec([p.argv[0], *typed.decode("utf-8", "surrogateescape").split()]))
    host = c.args[0]
    ports = _ports(c)
    if not ports:
        yield from p.err("no port[s] to connect to\n" if len(c.args) < 2 else f"invalid port {c.args[1]}\n")
        return 1
    data = b""
    if not p.is_tty(0) and not c.has("d", "z"):
        try:
            data = yield from p.read(0, 4096, timeout=0.2)
        except SysError:
            data = b""  # nothing to send
    for port in ports[:_TOLD_MAX]:
        told(p, host, port, data)
    address = resolve4(p, host)
    if not address:
        yield from p.sleep(patience)
        yield from p.err(
            f"{c.name}: bad address '{host}'\n"
            if c.bb
            else f"{host}: forward host lookup failed: Host name lookup failure : Resource temporarily unavailable\n"
        )
        return 1
    status = 1
    for port in ports:
        verdict = attempt(p, address, port)
        if verdict in ("unreachable", "timeout"):
            yield from p.sleep(patience)
            verdict = "timeout" if wait else verdict
        yield from _result(c, host, address, port, verdict, len(ports) == 1)
        if verdict == "open":
            status = 0
            if not c.has("z"):
                return (yield from _converse(c, address, port, data))
    return status


def _listen(c: Cmd, port: int) -> Run:
    """Wait for a client, which can be one on the machine itself only."""
    p = c.p
    here = c.value("s") or "0.0.0.0"
    try:
        fd = p.listen("udp" if c.has("u") else "tcp", here, port, 1)
    except SysError as problem:
        words = f"Can't grab {here}:{port} with bind" if not c.bb else f"{c.name}: bind: {problem.words}"
        yield from p.err(f"{words}\n" if c.bb else f"{words} : {problem.words}\n")
        return 1
    number = next((each.local_port for each in p.sockets if each.pid == p.pid and each.fd == fd), port)
    if c.has("v"):
        yield from p.err(
            f"listening on [any] {number} ...\n" if not c.bb else f"listening on [::]:{number} ...\n"
        )
    wait = c.value("w") or ""
    try:
        client = yield from p.accept(fd, timeout=float(wait) if wait.isdecimal() else None)
    except SysError:
        return 1  # it was to wait no longer
    if not c.has("k"):
        p.close(fd)
    host, from_port = p.peer(client)
    if c.has("v"):
        names = names_of(p, host)
        yield from p.err(
            f"connect to [{host}] from {names[0] if names else '(UNKNOWN)'} [{host}] {from_port}\n"
            if not c.bb
            else f"connect to {host}:{number} from {host}:{from_port}\n"
        )
    runs = c.value("e") or c.value("c")
    if runs:
        argv = ["/bin/sh", "-c", runs] if c.has("c") else [runs, *(c.args if c.bb else [])]
        return (yield from inherit(p, client, argv))
    return (yield from carry(p, client))


_PORTS_MAX = 2_000
_TOLD_MAX = 20


def _ports(c: Cmd) -> list[int]:
    """The ports of a command line in the order of the original nc: a range from its end."""
    found: list[int] = []
    for word in c.args[1:] or ([str(_BUSYBOX_PORT)] if c.bb else []):
        low, dash, high = word.partition("-")
        first, last = port_of(low), port_of(high if dash else low)
        if first is None or last is None:
            return []
        found += range(max(first, last), min(first, last) - 1, -1)
    return found[:_PORTS_MAX]


def _result(c: Cmd, host: str, address: str, port: int, verdict: Verdict, single: bool) -> Gen:
    p = c.p
    if c.bb:
        if verdict != "open":
            yield from p.err(f"{c.name}: can't connect to remote host ({address}): {WORDS[verdict]}\n")
        elif c.has("v"):
            yield from p.err(f"{host} ({address}:{port}) open\n")
        return 0
    loud = c.has("v") and (single or verdict != "refused" or len(c.values("v")) > 1)
    if not loud and (verdict in ("open", "refused") or c.has("w")):
        return 0
    known = names_of(p, address)
    name = host if not numeric(host) else known[0] if known and not c.has("n") else "(UNKNOWN)"
    service = service_name(p, port) if not c.has("n") else "?"
    words = "open" if verdict == "open" else f": {WORDS[verdict]}"
    yield from p.err(f"{name} [{address}] {port} ({service}) {words}\n")
    return 0


def _converse(c: Cmd, address: str, port: int, data: bytes) -> Run:
    """Carry bytes between standard input and one of the machine's own services until it hangs up."""
    p = c.p
    if not is_own(p, address):
        return 0
    if any(each.local_port == port and each.state == "LISTEN" for each in p.sockets):
        fd = p.connect(address, port)
        if data:
            yield from p.write(fd, data)
        wait = c.value("w") or c.value("q") or ""
        return (yield from carry(p, fd, idle=float(wait) if wait.isdecimal() else None))
    fd = p.connect(address, port)
    idle = float(wait) if (wait := c.value("w") or "").isdecimal() else None
    try:
        while True:
            if data:
                yield from p.write(fd, data)
            heard = yield from p.read(fd, 4096, timeout=idle if data or not p.is_tty(0) else 0.2)
            if not heard:
                return 0
            yield from p.write(1, heard)
            data = b""
            if p.is_tty(0):
                data = yield from p.read(0, 4096)
    except SysError:
        return 1  # it waited long enough, or the other side is gone
    finally:
        p.close(fd)


@command("telnet", short="468EFKLS:X:acde:fk:l:n:rx7", bb="al:", bad=1, hint="")
def telnet(c: Cmd) -> Run:
    """A Telnet client."""
    p = c.p
    if not c.args:
        if c.bb:
            return (yield from c.usage())
        yield from p.out("telnet> ")
        yield from p.read(0)
        return 0
    host = c.args[0]
    port = port_of(c.args[1]) if len(c.args) > 1 else 23
    if port is None:
        yield from p.err(
            f"{c.name}: bad port '{c.args[1]}'\n"
            if c.bb
            else f"{host}/{c.args[1]}: Servname not supported for ai_socktype\n"
        )
        return 1
    told(p, host, port)
    address = resolve4(p, host)
    if not address:
        yield from p.sleep(PATIENCE)
        yield from p.err(
            f"{c.name}: bad address '{host}'\n"
            if c.bb
            else f"{c.name}: could not resolve {host}/{c.args[1] if len(c.args) > 1 else 'telnet'}: "
            "Temporary failure in name resolution\n"
        )
        return 1
    if not c.bb:
        yield from p.out(f"Trying {address}...\n")
    verdict = attempt(p, address, port)
    if verdict in ("unreachable", "timeout"):
        yield from p.sleep(PATIENCE)
    if verdict != "open":
        yield from p.err(
            f"{c.name}: can't connect to remote host ({address}): {WORDS[verdict]}\n"
            if c.bb
            else f"{c.name}: Unable to connect to remote host: {WORDS[verdict]}\n"
        )
        return 1
    escape = "Escape character is '^]'.\n"
    yield from p.out(f"\nEntering character mode\n{escape}\n" if c.bb else f"Connected to {host}.\n{escape}")
    if port == _TELNET and is_own(p, address):
        return (yield from _log_in(c))
    yield from _converse(c, address, port, b"")
    yield from p.err(
        "Connection closed by foreign host\n" if c.bb else "Connection closed by foreign host.\n"
    )
    return 1


def _log_in(c: Cmd) -> Run:
    """The log-in of the machine's own Telnet service; the right password opens a shell."""
    p = c.p
    for _ in range(3):
        yield from p.out(f"{p.hostname} login: ")
        name = (yield from p.read(0, 256)).strip().decode("utf-8", "replace")
        if not name:
            break
        secret = yield from ask(p, "Password: ")
        fields = account(p, name)
        if (
            secret is not None
            and fields is not None
            and p.password_opens(name, secret)
            and p.uid in (0, int(fields[2]))
        ):
            shell = fields[6]
            pid = p.spawn([f"-{shell.rpartition('/')[2]}"], path=shell, uid=int(fields[2]), cwd=fields[5])
            yield from p.wait(pid)
            break
        yield from p.sleep(2.0)
        yield from p.out("\nLogin incorrect\n")
    yield from p.err("Connection closed by foreign host\n")
    return 1
