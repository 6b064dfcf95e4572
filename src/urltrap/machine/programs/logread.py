"""logread: the ring of a router's logd, from the kernel's messages and what its services do at the start and daily."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.persona.lan import station
from urltrap.machine.proc.figures import noise
from urltrap.machine.proc.sockets import sockets
from urltrap.machine.programs._bootlog import boot_lines
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.registry import program

_USAGE = """\
Usage: logread [options]
Options:
    -s <path>\t\tPath to ubus socket
    -l\t<count>\t\tGot only the last 'count' messages
    -e\t<pattern>\tFilter messages with a regexp
    -r\t<server> <port>\tStream message to a server
    -F\t<file>\t\tLog file
    -S\t<bytes>\t\tLog size
    -p\t<file>\t\tPID file
    -h\t<hostname>\tAdd hostname to the message
    -P\t<prefix>\tPrefix custom text to streamed messages
    -z\t<facility>\thandle only messages with given facility (0-23), repeatable
    -Z\t<facility>\tignore messages with given facility (0-23), repeatable
    -f\t\t\tFollow log messages
    -u\t\t\tUse UDP as the protocol
    -t\t\t\tAdd an extra timestamp
    -0\t\t\tUse \\0 instead of \\n as trailer when using TCP

"""
_DAY = 86_400.0
_LOGD = 9.9
"""Seconds after the start when logd begins: what came before has its moment."""


def lines(p: Process) -> list[tuple[float, str]]:
    """(when, "facility.level who: text"), oldest first."""
    persona, boot = p.persona, p.boot_time
    found = []
    for at, text in boot_lines(persona):
        user = text.startswith(("procd:", "init:", "mount_root:", "urandom-seed:", "urngd:", "kmodloader:"))
        level = "user.info" if user else "kern.info" if at else "kern.notice"
        found.append((boot + max(at, _LOGD), f"{level} kernel: [{at:12.6f}] {text}"))
    numbers = {each.comm: each.pid for each in persona.residents}
    wan, gateway = persona.network.interfaces[2], persona.network.gateway
    start = boot + 11
    found += [
        (start, "user.notice : Added device handler type: bonding"),
        (start + 1, "user.notice ucitrack: Setting up /etc/config/network reload dependency on /etc/config/dhcp"),
        (start + 2, f"authpriv.info dropbear[{numbers.get('dropbear', 900)}]: Not backgrounding"),
        (start + 5, "daemon.notice netifd: Interface 'lan' is enabled"),
        (start + 5, "daemon.notice netifd: Interface 'lan' is setting up now"),
        (start + 5, "daemon.notice netifd: Interface 'lan' is now up"),
        (start + 6, "daemon.notice netifd: Interface 'loopback' is now up"),
        (start + 6, f"daemon.notice netifd: Network device '{wan.name}' link is up"),
        (start + 7, "daemon.notice netifd: wan (1190): udhcpc: started, v1.35.0"),
        (start + 9, f"daemon.notice netifd: wan (1190): udhcpc: lease of {wan.address} obtained from {gateway}, lease "
                    "time 86400"),
        (start + 9, "daemon.notice netifd: Interface 'wan' is now up"),
        (start + 10, f"daemon.info dnsmasq[{numbers.get('dnsmasq', 1500)}]: started, version 2.86 cachesize 150"),
        (start + 10, f"daemon.info dnsmasq[{numbers.get('dnsmasq', 1500)}]: using nameserver {gateway}#53"),
        (start + 11, "user.notice firewall: Reloading firewall due to ifup of wan ("
                     f"{wan.name})"),
        (start + 12, "daemon.notice hostapd: wlan0: AP-ENABLED"),
        (start + 14, "daemon.info procd: - init complete -"),
    ]  # fmt: skip
    guest = station(persona).mac
    day = 0
    while (at := start + 9 + day * _DAY / 2 + noise(persona, "renew", day) * 60) < p.now():
        if at > p.now() - 20 * _DAY and day:
            found.append((at, f"daemon.notice netifd: wan (1190): udhcpc: sending renew to server {gateway}"))
            found.append((at, f"daemon.notice netifd: wan (1190): udhcpc: lease of {wan.address} obtained from "
                          f"{gateway}, lease time 86400"))  # fmt: skip
            joined = at + 3 * 3600 * (1 + noise(persona, "station", day))
            text = f"daemon.info hostapd: wlan0: STA {guest}"
            found += [(joined, f"{text} IEEE 802.11: authenticated"),
                      (joined + 0.1, f"{text} IEEE 802.11: associated (aid 1)"),
                      (joined + 0.3, f"{text} WPA: pairwise key handshake completed (RSN)")]  # fmt: skip
        day += 1
    rows = sockets(persona, p.processes(), p.connections, p.sockets)
    for number, each in enumerate(p.connections):
        mine = (row.pid for row in rows if row.remote_port == each.client_port and row.pid)
        pid = next(mine, persona.first_pid + number)
        if each.protocol == "ssh":
            found.append((each.since - 1, f"authpriv.info dropbear[{pid}]: Child connection from {each.client_ip}:"
                          f"{each.client_port}"))  # fmt: skip
            found.append((each.since, f"authpriv.notice dropbear[{pid}]: Password auth succeeded for '{each.user}' "
                          f"from {each.client_ip}:{each.client_port}"))  # fmt: skip
        else:
            found.append((each.since, f"auth.info login[{pid}]: root login on 'pts/0'"))
    found += [(float(when), f"{priority} {who}: {text}") for when, who, text, priority in p.logged]
    return sorted((each for each in found if each[0] <= p.now()), key=lambda each: each[0])


@program("logread")
def logread(p: Process) -> Run:
    """Show the log."""
    try:
        options, _ = getopt(p.argv[1:], "fcl:e:r:F:p:S:P:h:us:t0z:Z:")
    except OptionError:
        yield from p.err(_USAGE)
        return 255
    given = dict(options)
    shown = lines(p)
    if "e" in given:
        shown = [each for each in shown if given["e"].lower() in each[1].lower()]
    if given.get("l", "").isdecimal():
        count = int(given["l"][:6])
        shown = shown[len(shown) - min(count, len(shown)) :]
    for when, text in shown:
        clock = local(p, when).clock
        yield from p.out(f"{clock:%a %b} {clock.day:2d} {clock:%H:%M:%S %Y} {text}\n")
    while "f" in given:
        yield from p.sleep(3600.0)
    return 0
