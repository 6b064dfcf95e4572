"""ping: echo requests that are never sent; answers come from the persona's idea of distance."""

from __future__ import annotations

import ipaddress

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.persona import addressing
from urltrap.machine.proc.figures import noise
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import is_device
from urltrap.machine.programs.registry import program
from urltrap.machine.reach import PATIENCE, gone, is_neighbour, is_own, resolve4, unreachable


@program("ping", "ping4", "ping6")
def ping(p: Process) -> Run:
    """Pretend to ask a host for its echo, a second per packet."""
    try:
        options, operands = getopt(p.argv[1:], "46aAbBc:dDe:fhi:I:l:Lm:M:nN:Op:qQ:rRs:S:t:T:vVUw:W:")
    except OptionError as error:
        text = "invalid option -- '-'" if str(error).startswith("unrecognized") else str(error)
        yield from p.err(f"{p.argv[0]}: {text}\n\nUsage\n  ping [options] <destination>\n")
        return 2
    given = dict(options)
    if "V" in given:
        yield from p.out("ping from iputils 20221126\n")
        return 0
    if not operands:
        yield from p.err(f"{p.argv[0]}: usage error: Destination address required\n")
        return 1
    count = int(given["c"]) if given.get("c", "").isdigit() else 0
    if "c" in given and (not given["c"].isdigit() or count < 1):
        why = ": out of range: 1 <= value <= 9223372036854775807" if given["c"].isdigit() else ""
        yield from p.err(f"{p.argv[0]}: invalid argument: '{given['c']}'{why}\n")
        return 1
    size = int(given["s"]) if given.get("s", "").isdigit() else 56
    pause = float(given["i"]) if given.get("i", "").replace(".", "", 1).isdigit() else 1.0
    limit = float(given["w"]) if given.get("w", "").replace(".", "", 1).isdigit() else 0.0
    host = operands[-1]
    address = resolve4(p, host)
    if not address:
        yield from p.sleep(PATIENCE)
        where = (
            f"ping: bad address '{host}'\n"
            if is_device(p)
            else f"{p.argv[0]}: {host}: Temporary failure in name resolution\n"
        )
        yield from p.err(where)
        return 1 if is_device(p) else 2
    return (yield from _run(p, host, address, count, size, pause, limit, "q" in given))


def _distance(p: Process, address: str) -> tuple[float, int]:
    """Milliseconds there and back, and the TTL that the answer has; 0 ms: no answer."""
    own = addressing(p.persona, p.connection.server_ip)
    if is_own(p, address):
        return 0.03, 64
    parsed = ipaddress.ip_address(address)
    if address == own.gateway:
        return 0.4, 64
    if not parsed.is_global or gone(p, address):
        return 0.0, 0
    near = noise(p.persona, f"distance {address}", 0)
    return (
        (1.2 + 9 * near, 58)
        if address in ("1.1.1.1", "8.8.8.8", "8.8.4.4", "9.9.9.9")
        else (8 + 170 * near, 48 + int(near * 8))
    )


def _run(
    p: Process, host: str, address: str, count: int, size: int, pause: float, limit: float, quiet: bool
) -> Run:
    device = is_device(p)
    whole = f"{size}({size + 28})" if not device else str(size)
    yield from p.out(
        f"PING {host} ({address}) {whole} bytes of data.\n"
        if not device
        else f"PING {host} ({address}): {size} data bytes\n"
    )
    base, ttl = _distance(p, address)
    times: list[float] = []
    sent, began, errors = 0, p.now(), 0
    route = addressing(p.persona, p.connection.server_ip)
    own = route.address
    p.trap_signal(2, "catch")
    try:
        while not count or sent < count:
            sent += 1
            if base:
                took = base * (1 + 0.08 * noise(p.persona, f"echo {address}", int(p.now() * 1000)))
                times.append(took)
                if not quiet:
                    shown = f"{took:.3g}" if took >= 0.1 else f"{took:.3f}"
                    sequence = f"icmp_seq={sent}" if not device else f"seq={sent - 1}"
                    shown = shown if not device else f"{took:.3f}"
                    yield from p.out(
                        f"{size + 8} bytes from {address}: {sequence} ttl={ttl} time={shown} ms\n"
                    )
            if count and sent >= count and base:
                break
            if limit and p.now() - began + pause > limit:
                break
            # Nobody answers the kernel's ARP requests in the own network: it says so itself after three of them.
            lonely = not base and not device and (is_neighbour(p, address) or unreachable(p, address))
            yield from p.sleep(pause if base or sent != count else PATIENCE if lonely else 10.0)
            if 2 in p.pending_signals():
                break
            if lonely:
                errors += 1
                teller = own if is_neighbour(p, address) else route.gateway
                yield from p.out(f"From {teller} icmp_seq={sent} Destination Host Unreachable\n")
    except SysError:
        pass  # ^C: the statistics follow
    spent = int((p.now() - began) * 1000)
    loss = round((sent - len(times)) * 100 / max(1, sent))
    tail = "" if device else f", time {spent}ms"
    yield from p.out(f"\n--- {host} ping statistics ---\n{sent} packets transmitted, {len(times)} "
    f"{'packets ' if device else ''}received, "
                     f"{f'+{errors} errors, ' if errors else ''}{loss}% packet loss{tail}\n")  # fmt: skip
    if times:
        mean = sum(times) / len(times)
        if device:
            yield from p.out(f"round-trip min/avg/max = {min(times):.3f}/{mean:.3f}/{max(times):.3f} ms\n")
        else:
            spread = (sum((t - mean) ** 2 for t in times) / len(times)) ** 0.5
            yield from p.out(
                f"rtt min/avg/max/mdev = {min(times):.3f}/{mean:.3f}/{max(times):.3f}/{spread:.3f} ms\n"
            )
    elif not device:
        yield from p.out(f"pipe {min(errors, 3)}\n" if errors else "\n")
    return 0 if times else 1
