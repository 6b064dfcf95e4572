"""nc and telnet: connections to anywhere, which never come to be."""

from __future__ import annotations

from urltrap.machine.api import Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.programs._connecting import ADDRESS, PATIENCE, port_of, told


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
    """A connection to anywhere, which never comes to be."""
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
        if c.has("v"):
            yield from p.err(f"listening on [any] {listen} ...\n")
        yield from p.sleep(PATIENCE * 20)
        return 1
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
    port = port_of(c.args[1].partition("-")[0]) if len(c.args) > 1 else (31_337 if c.bb else None)
    if port is None:
        yield from p.err("no port[s] to connect to\n" if len(c.args) < 2 else f"invalid port {c.args[1]}\n")
        return 1
    data = b""
    if not p.is_tty(0) and not c.has("d", "z"):
        try:
            data = yield from p.read(0, 4096, timeout=0.2)
        except SysError:
            data = b""  # nothing to send
    told(p, host, port, data)
    if not ADDRESS.fullmatch(host):
        yield from p.sleep(patience)
        yield from p.err(
            f"{c.name}: bad address '{host}'\n"
            if c.bb
            else f"{host}: forward host lookup failed: Unknown host\n"
        )
        return 1
    yield from p.sleep(patience)
    if c.bb:
        yield from p.err(
            f"{c.name}: can't connect to remote host ({host}): "
            f"{'Connection timed out' if c.has('w') else 'No route to host'}\n"
        )
    elif c.has("v") or not c.has("w"):
        yield from p.err(
            f"(UNKNOWN) [{host}] {port} (?) : {'Connection timed out' if c.has('w') else 'No route to host'}\n"
        )
    return 1


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
    if not ADDRESS.fullmatch(host):
        yield from p.sleep(PATIENCE)
        yield from p.err(
            f"{c.name}: bad address '{host}'\n"
            if c.bb
            else f"{c.name}: could not resolve {host}/{c.args[1] if len(c.args) > 1 else 'telnet'}: "
            "Temporary failure in name resolution\n"
        )
        return 1
    if not c.bb:
        yield from p.out(f"Trying {host}...\n")
    yield from p.sleep(PATIENCE)
    yield from p.err(
        f"{c.name}: can't connect to remote host ({host}): No route to host\n"
        if c.bb
        else f"{c.name}: Unable to connect to remote host: No route to host\n"
    )
    return 1
