"""fw4 and what nft shows of it on a router: the rule set that OpenWrt 22.03 makes of its default configuration.

The order and the words are those of firewall4's ruleset template, for the zones lan and wan of the persona's own cards.
"""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.programs.registry import program

_SERVICES = (
    ("iifname {wan} udp dport 68 counter", "accept", "Allow-DHCP-Renew", 4),
    ("icmp type echo-request counter", "accept", "Allow-Ping", 4),
    ("meta nfproto ipv4 meta l4proto igmp counter", "accept", "Allow-IGMP", 4),
    ("meta nfproto ipv6 udp dport 546 counter", "accept", "Allow-DHCPv6", 6),
    ("ip6 saddr fe80::/10 icmpv6 type . icmpv6 code { mld-listener-query . no-route, mld-listener-report . no-route, "
     "mld-listener-done . no-route, mld2-listener-report . no-route } counter", "accept", "Allow-MLD", 6),
)  # fmt: skip
_POLICIES = (
    ("accept_from", "iifname", "accept"), ("accept_to", "oifname", "accept"), ("reject_from", "iifname", "reject"),
    ("reject_to", "oifname", "reject"),
)  # fmt: skip


def _chain(name: str, rules: list[str]) -> list[str]:
    return [f"\tchain {name} {{", *(f"\t\t{rule}" for rule in rules), "\t}", ""]


def ruleset(lan: str, wan: str) -> str:
    """``nft list ruleset`` of a router with these two cards."""

    def note(text: str) -> str:
        return f'comment "!fw4: {text}"'

    quoted = {"lan": f'"{lan}"', "wan": f'"{wan}"'}
    out = ["table inet fw4 {"]
    out += _chain("input", [
        "type filter hook input priority filter; policy accept;",
        f'iifname "lo" accept {note("Accept traffic from loopback")}',
        f"ct state established,related accept {note('Allow inbound established and related flows')}",
        f"tcp flags syn / fin,syn,rst,ack jump syn_flood {note('Rate limit TCP syn packets')}",
        f"iifname {quoted['lan']} jump input_lan {note('Handle lan IPv4/IPv6 input traffic')}",
        f"iifname {quoted['wan']} jump input_wan {note('Handle wan IPv4/IPv6 input traffic')}",
    ])  # fmt: skip
    out += _chain("forward", [
        "type filter hook forward priority filter; policy drop;",
        f"ct state established,related accept {note('Allow forwarded established and related flows')}",
        f"iifname {quoted['lan']} jump forward_lan {note('Handle lan IPv4/IPv6 forward traffic')}",
        f"iifname {quoted['wan']} jump forward_wan {note('Handle wan IPv4/IPv6 forward traffic')}",
        "jump handle_reject",
    ])  # fmt: skip
    out += _chain("output", [
        "type filter hook output priority filter; policy accept;",
        f'oifname "lo" accept {note("Accept traffic towards loopback")}',
        f"ct state established,related accept {note('Allow outbound established and related flows')}",
        f"oifname {quoted['lan']} jump output_lan {note('Handle lan IPv4/IPv6 output traffic')}",
        f"oifname {quoted['wan']} jump output_wan {note('Handle wan IPv4/IPv6 output traffic')}",
    ])  # fmt: skip
    out += _chain("prerouting", [
        "type filter hook prerouting priority filter; policy accept;",
        f"iifname {quoted['lan']} jump helper_lan {note('Handle lan IPv4/IPv6 helper assignment')}",
    ])  # fmt: skip
    out += _chain("handle_reject", [
        f"meta l4proto tcp reject with tcp reset {note('Reject TCP traffic')}",
        f"reject with icmpx port-unreachable {note('Reject any other traffic')}",
    ])  # fmt: skip
    out += _chain("syn_flood", [
        f"limit rate 25/second burst 50 packets return {note('Accept SYN packets below rate-limit')}",
        f"drop {note('Drop excess packets')}",
    ])  # fmt: skip
    for zone, inbound, onward in (
        ("lan", "accept_from_lan", "accept_to_lan"),
        ("wan", "reject_from_wan", "reject_to_wan"),
    ):
        rules = []
        if zone == "wan":
            for match, verdict, name, _ in _SERVICES:
                shown = match.replace("iifname {wan} ", "meta nfproto ipv4 ")
                rules.append(f"{shown} packets 0 bytes 0 {verdict} {note(name)}")
        out += _chain(f"input_{zone}", [*rules, f"jump {inbound}"])
        out += _chain(f"output_{zone}", [f"jump accept_to_{zone}"])
        forward = [f"jump accept_to_wan {note('Accept lan to wan forwarding')}"] if zone == "lan" else []
        out += _chain(f"forward_{zone}", [*forward, f"jump {onward}"])
        if zone == "lan":
            out += _chain("helper_lan", [])
        for name, side, verdict in _POLICIES:
            if zone == "lan" and name.startswith("reject"):
                continue
            if zone == "wan" and name == "accept_from":
                continue
            ends = "jump handle_reject" if verdict == "reject" else "accept"
            drops = (
                [f"meta nfproto ipv4 oifname {quoted[zone]} ct state invalid counter packets 0 bytes 0 drop "
                 f"{note('Prevent NAT leakage')}"] if zone == "wan" and name == "accept_to" else []
            )  # fmt: skip
            said = note(f"{verdict} {zone} IPv4/IPv6 traffic")
            rule = f"{side} {quoted[zone]} counter packets 0 bytes 0 {ends} {said}"
            out += _chain(f"{name}_{zone}", [*drops, rule])
    out += _chain("dstnat", ["type nat hook prerouting priority dstnat; policy accept;"])
    out += _chain("srcnat", [
        "type nat hook postrouting priority srcnat; policy accept;",
        f"oifname {quoted['wan']} jump srcnat_wan {note('Handle wan IPv4/IPv6 srcnat traffic')}",
    ])  # fmt: skip
    out += _chain("srcnat_wan", [f"meta nfproto ipv4 masquerade {note('Masquerade IPv4 wan traffic')}"])
    for hook, priority in (("prerouting", "raw"), ("output", "raw")):
        out += _chain(f"raw_{hook}", [f"type filter hook {hook} priority {priority}; policy accept;"])
    for hook in ("prerouting", "postrouting", "input"):
        out += _chain(f"mangle_{hook}", [f"type filter hook {hook} priority mangle; policy accept;"])
    out += _chain("mangle_output", ["type route hook output priority mangle; policy accept;"])
    out += _chain("mangle_forward", [
        "type filter hook forward priority mangle; policy accept;",
        f"iifname {quoted['wan']} tcp flags syn tcp option maxseg size set rt mtu "
        f"{note('Zone wan IPv4/IPv6 ingress MTU fixing')}",
        f"oifname {quoted['wan']} tcp flags syn tcp option maxseg size set rt mtu "
        f"{note('Zone wan IPv4/IPv6 egress MTU fixing')}",
    ])  # fmt: skip
    return "\n".join([*out[:-1], "}"]) + "\n"


def router_rules(p: Process) -> str:
    """The rule set of this router."""
    return ruleset(p.persona.network.interfaces[1].name, p.persona.primary.name)


@program("fw4")
def fw4(p: Process) -> Run:
    """Show the rule set, or take a command."""
    words = p.argv[1:]
    if words[:1] == ["print"]:
        head = "table inet fw4\nflush table inet fw4\n\n"
        yield from p.out(head + router_rules(p))
        return 0
    if words[:1] in (["start"], ["restart"], ["reload"], ["stop"], ["flush"], ["check"], ["reload-sets"]):
        if words[0] == "check":
            yield from p.out("Ruleset passes nftables check.\n")
        return 0
    if words[:1] in (["network"], ["device"], ["zone"]) and len(words) > 1:
        cards = {"lan": p.persona.network.interfaces[1].name, "wan": p.persona.primary.name}
        found = (
            cards.get(words[1], "")
            if words[0] != "device"
            else {v: k for k, v in cards.items()}.get(words[1], "")
        )
        if found:
            yield from p.out(f"{found}\n")
        return 0 if found else 1
    yield from p.err("Usage:\n\n  /sbin/fw4 [-v] [-q] start|stop|flush|restart|reload\n\n"
                     "    Start, stop, flush, restart or reload the firewall respectively.\n\n\n"
                     "  /sbin/fw4 [-v] [-q] reload-sets\n\n    Reload the contents of all declared sets but do not "
                     "touch the\n    ruleset.\n\n\n  /sbin/fw4 [-q] print\n\n    Print the rendered ruleset.\n\n\n"
                     "  /sbin/fw4 [-q] check\n\n    Test the rendered ruleset using nftables' check mode without\n"
                     "    applying the ruleset.\n")  # fmt: skip
    return 1
