"""/proc/net: the kernel's tables of interfaces, routes, neighbours and sockets."""

from __future__ import annotations

from collections.abc import Callable

from urltrap.machine.fs.mounts import ProcessView
from urltrap.machine.netstate import netstate
from urltrap.machine.persona import addressing
from urltrap.machine.persona.lan import station
from urltrap.machine.persona.network import Addressing
from urltrap.machine.proc import figures
from urltrap.machine.proc.lesser import snmp, sockstat
from urltrap.machine.proc.sockets import hex4, hex6, sockets


def own_addressing(view: ProcessView) -> Addressing:
    """The address that the visitor reached, or the one behind NAT."""
    connections = view.connections
    return addressing(view.persona, connections[-1].server_ip if connections else "")


def dev(view: ProcessView) -> bytes:
    """/proc/net/dev."""
    lines = [
        "Inter-|   Receive                                                |  Transmit",
        " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
        "carrier compressed",
    ]
    for name, (rx, rx_packets, tx, tx_packets) in figures.traffic(view).items():
        lines.append(
            f"{name:>6}: {rx:7d} {rx_packets:7d}    0    0    0     0          0         0 {tx:8d} {tx_packets:7d}"
            "    0    0    0     0       0          0"
        )
    return ("\n".join(lines) + "\n").encode()


def route(view: ProcessView) -> bytes:
    """/proc/net/route."""
    rows = ["Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"]
    for each in netstate(view).routes:
        flags = 1 | (2 if each.via else 0) | (4 if each.to.prefixlen == _WHOLE else 0)
        flags = flags if each.kind in ("", "blackhole") else 0x201 | flags
        net, mask = hex4(str(each.to.network_address)), hex4(str(each.to.netmask))
        gateway = hex4(each.via or "0.0.0.0")
        device = each.device or "*"
        rows.append(f"{device}\t{net}\t{gateway}\t{flags:04X}\t0\t0\t{each.metric}\t{mask}\t0\t0\t0")
    return "".join(f"{row:<127}\n" for row in rows).encode()


def arp(view: ProcessView) -> bytes:
    """/proc/net/arp: the router is always known."""
    own, network = own_addressing(view), view.persona.network
    name = view.persona.primary.name
    rows = [(own.gateway, network.gateway_mac, name)]
    if not view.persona.is_server:
        guest = station(view.persona)
        rows.append((guest.address, guest.mac, "br-lan"))
    return (
        "IP address       HW type     Flags       HW address            Mask     Device\n"
        + "".join(
            f"{ip:<16} 0x1         0x2         {mac}     *        {device}\n" for ip, mac, device in rows
        )
    ).encode()


_WHOLE = 32
_STATES = {"ESTAB": "01", "LISTEN": "0A", "UNCONN": "07"}


def _table(protocol: str) -> Callable[[ProcessView], bytes]:
    six = protocol.endswith("6")
    wide = 38 if six else 0
    head = (
        "  sl  local_address                         remote_address                        st tx_queue rx_queue tr "
        "tm->when retrnsmt   uid  timeout inode\n"
        if six
        else "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
        + (" ref pointer drops             \n" if protocol == "udp" else " " * 53 + "\n")
    )

    def show(view: ProcessView) -> bytes:
        out = [head]
        text = hex6 if six else hex4
        found = [
            s
            for s in sockets(view.persona, view.processes(), view.connections, view.sockets)
            if s.protocol == protocol
        ]
        for number, each in enumerate(found):
            timer = "02:000A7D8C" if each.state == "ESTAB" else "00:00000000"
            row = (
                f"{number:>4}: {text(each.local)}:{each.local_port:04X} {text(each.remote)}:{each.remote_port:04X} "
                f"{_STATES[each.state]} 00000000:00000000 {timer} 00000000 {each.uid:>5}        0 {each.inode} "
            )
            pointer = figures.noise(view.persona, f"socket {each.inode}", 0)
            row += f"{'2' if each.state != 'LISTEN' else '1'} {int(pointer * 2**32):016x}"
            row += (
                " 0"
                if protocol.startswith("udp")
                else " 20 4 30 10 -1"
                if each.state == "ESTAB"
                else " 100 0 0 10 0"
            )
            out.append(row + ("\n" if wide or protocol == "udp" else " " * max(0, 149 - len(row)) + "\n"))
        return "".join(out).encode()

    return show


def if_inet6(view: ProcessView) -> bytes:
    """/proc/net/if_inet6."""
    import ipaddress

    lines = ["00000000000000000000000000000001 01 80 10 80       lo\n"]
    for link in netstate(view).links:
        each = link.interface
        if each.link_local and link.up:
            digits = ipaddress.ip_address(each.link_local).packed.hex()
            lines.append(f"{digits} {each.index:02x} 40 20 80 {each.name:>8}\n")
    return "".join(lines).encode()


def unix(view: ProcessView) -> bytes:
    """/proc/net/unix: the sockets of the resident services."""
    paths: tuple[str, ...]
    if view.persona.is_server:
        paths = ("/run/systemd/notify", "/run/systemd/private", "/run/systemd/journal/stdout", "/run/udev/control",
                 "/run/dbus/system_bus_socket", "/run/systemd/journal/dev-log",
                 "/run/systemd/journal/socket")  # fmt: skip
    else:
        paths = ("/var/run/ubus/ubus.sock", "/var/run/hostapd/global")
    out = ["Num       RefCount Protocol Flags    Type St Inode Path\n"]
    for path in paths:
        pointer = int(figures.noise(view.persona, path, 0) * 2**32)
        out.append(
            f"{pointer:016x}: 00000002 00000000 00010000 0001 01 {8_000 + pointer % 9_000:5d} {path}\n"
        )
    return "".join(out).encode()


FILES: dict[str, Callable[[ProcessView], bytes]] = {
    "dev": dev,
    "route": route,
    "arp": arp,
    "tcp": _table("tcp"),
    "tcp6": _table("tcp6"),
    "udp": _table("udp"),
    "udp6": _table("udp6"),
    "raw": lambda view: (
        b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
        b" ref pointer drops\n"
    ),
    "unix": unix,
    "snmp": snmp,
    "sockstat": sockstat,
    "if_inet6": if_inet6,
    "wireless": lambda view: (
        b"Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n"
        b" face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n"
    ),
}
