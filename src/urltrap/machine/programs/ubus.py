"""ubus: the bus of OpenWrt's services, with the objects that people ask."""

from __future__ import annotations

import json
from typing import Any

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.persona import addressing
from urltrap.machine.proc import figures
from urltrap.machine.programs._system import text_of
from urltrap.machine.programs.registry import program
from urltrap.machine.programs.uci import parse

_USAGE = """\
Usage: ubus [<options>] <command> [arguments...]
Options:
 -s <socket>:\t\tSet the unix domain socket to connect to
 -t <timeout>:\t\tSet the timeout (in seconds) for a command to complete
 -S:\t\t\tUse simplified output (for scripts)
 -v:\t\t\tMore verbose output
 -m <type>:\t\t(for monitor): include a specific message type
\t\t\t(can be used more than once)
 -M <r|t>\t\t(for monitor): only capture received or transmitted traffic

Commands:
 - list [<path>]\t\t\tList objects
 - call <path> <method> [<message>]\tCall an object method
 - subscribe <path> [<path>...]\tSubscribe to object(s) notifications
 - listen [<path>...]\t\t\tListen for events
 - send <type> [<message>]\t\tSend an event
 - wait_for <object> [<object>...]\tWait for multiple objects to appear on ubus
 - monitor\t\t\t\tMonitor ubus traffic

"""
_OBJECTS = (
    "container", "dhcp", "dnsmasq", "dnsmasq.dns", "file", "hostapd", "hostapd.wlan0", "hotplug.dhcp",
    "hotplug.iface", "hotplug.ieee80211", "hotplug.neigh", "hotplug.net", "hotplug.ntp", "hotplug.tftp", "iwinfo",
    "log", "network", "network.device", "network.interface", "network.interface.lan", "network.interface.loopback",
    "network.interface.wan", "network.rrdns", "network.wireless", "rc", "service", "session", "system", "uci",
    "wpa_supplicant",
)  # fmt: skip


@program("ubus")
def ubus(p: Process) -> Run:
    """Ask an object of the bus."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if not words:
        yield from p.err(_USAGE)
        return 255
    if words[0] == "list":
        found = [name for name in _OBJECTS if len(words) < 2 or name == words[1].rstrip("*") or (
            words[1].endswith("*") and name.startswith(words[1][:-1]))]  # fmt: skip
        yield from p.out("".join(f"{name}\n" for name in found))
        return 0 if found else 4
    if words[0] == "call" and len(words) > 2:
        if words[1] not in _OBJECTS:
            yield from p.err("Command failed: Not found\n")
            return 4
        answer = _answer(p, words[1], words[2])
        if answer is None:
            yield from p.err("Command failed: Method not found\n")
            return 3
        compact = any(word.startswith("-") and "S" in word for word in p.argv[1:2])
        yield from p.out(
            (json.dumps(answer, separators=(",", ":")) if compact else json.dumps(answer, indent="\t")) + "\n"
        )
        return 0
    if words[0] in ("listen", "monitor", "subscribe", "wait_for"):
        while True:
            yield from p.sleep(3600.0)
    if words[0] == "send":
        return 0
    yield from p.err(_USAGE)
    return 255


def _answer(p: Process, name: str, method: str) -> dict[str, Any] | None:
    persona = p.persona
    release = dict(line.split("=", 1) for line in persona.os_release.splitlines())
    value = {key: text.strip('"') for key, text in release.items()}
    if (name, method) == ("system", "board"):
        return {
            "kernel": persona.kernel.release, "hostname": p.hostname,
            "system": persona.cpu.system_type or persona.cpu.model_name, "model": persona.cpu.board,
            "board_name": persona.cpu.board.lower().replace(" ", ",", 1).replace(" ", "-"),
            "rootfs_type": "squashfs",
            "release": {"distribution": "OpenWrt", "version": value["VERSION"], "revision": value["BUILD_ID"],
                        "target": value["OPENWRT_BOARD"], "description": value["OPENWRT_RELEASE"]},
        }  # fmt: skip
    if (name, method) == ("system", "info"):
        memory = figures.memory(p)
        load = figures.load_averages(p)
        return {
            "localtime": int(p.now()), "uptime": int(figures.uptime(p)), "load": [int(each * 65_536) for each in load],
            "memory": {"total": memory["MemTotal"] * 1024, "free": memory["MemFree"] * 1024,
                       "shared": memory["Shmem"] * 1024, "buffered": memory["Buffers"] * 1024,
                       "available": memory["MemAvailable"] * 1024, "cached": memory["Cached"] * 1024},
            "root": {"total": persona.root.size_kb, "free": persona.root.available_kb, "used": persona.root.used_kb,
                     "avail": persona.root.available_kb},
            "swap": {"total": 0, "free": 0},
        }  # fmt: skip
    if name.startswith("network.interface.") and method == "status":
        which = {"lan": 1, "wan": 2, "loopback": 0}[name.rpartition(".")[2]]
        each = persona.network.interfaces[which]
        own = addressing(persona, p.connection.server_ip)
        address, prefix = (own.address, own.prefix) if which == 2 else (each.address, each.prefix)
        return {
            "up": True, "pending": False, "available": True, "autostart": True, "dynamic": False,
            "uptime": int(figures.uptime(p)) - 20, "l3_device": each.name, "proto": "dhcp" if which == 2 else "static",
            "device": each.name, "ipv4-address": [{"address": address, "mask": prefix}], "ipv6-address": [],
            "route": [{"target": "0.0.0.0", "mask": 0, "nexthop": own.gateway, "source": f"{address}/32"}]
            if which == 2 else [],
        }  # fmt: skip
    if (name, method) == ("uci", "configs"):
        try:
            return {"configs": sorted(p.fs.listdir("/etc/config"))}
        except SysError:
            return {"configs": []}
    if (name, method) == ("network.wireless", "status"):
        sections = parse(text_of(p, "/etc/config/wireless"))
        radios = [each for each in sections if each.kind == "wifi-device"]
        return {
            each.name: {"up": True, "pending": False, "config": {k: v[0] for k, v in each.options.items()}}
            for each in radios
        }
    return None
