"""iptables, its kin, and nft: an empty rule set that takes what is asked for, within the machine's own file tree."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._system import is_device, text_of
from urltrap.machine.programs._words import words as listed
from urltrap.machine.programs.firewall4 import router_rules
from urltrap.machine.programs.registry import program

STATE = "/run/xtables.rules"
"""The rules that were added, one a line: ``TABLE CHAIN rest``."""
_CHAINS = {"filter": ("INPUT", "FORWARD", "OUTPUT"), "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
           "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"), "raw": ("PREROUTING", "OUTPUT"),
           "security": ("INPUT", "FORWARD", "OUTPUT")}  # fmt: skip


def _rules(p: Process) -> list[str]:
    return text_of(p, STATE).splitlines()


def _save(p: Process, rules: list[str]) -> None:
    try:
        p.fs.write(
            STATE,
            ("".join(rule + "\n" for rule in rules[:2000])).encode("utf-8", "surrogateescape"),
            mode=0o600,
        )
    except SysError:
        pass  # a full disk: the kernel's tables are not on it


@program(
    "iptables",
    "ip6tables",
    "ebtables",
    "arptables",
    "iptables-save",
    "ip6tables-save",
    "iptables-restore",
    "ip6tables-restore",
)
def iptables(p: Process) -> Run:
    """Show or change the packet filter."""
    name = p.argv[0].rpartition("/")[2]
    words = list(p.argv[1:])
    if "-V" in words or "--version" in words:
        yield from p.out(f"{name} v1.8.9 (nf_tables)\n")
        return 0
    if p.uid:
        yield from p.err(
            f"{name} v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied "
            f"(you must be root)\n\n"
        )
        return 4
    family = "6" if name.startswith("ip6") else "4"
    if name.endswith("-save"):
        yield from _dump(p, family)
        return 0
    if name.endswith("-restore"):
        yield from p.read_all(0, 1_000_000)
        return 0
    table = "filter"
    if "-t" in words[:-1]:
        table = words[words.index("-t") + 1]
        del words[words.index("-t") : words.index("-t") + 2]
    words = [word for word in words if word not in ("-w", "--wait")]
    if table not in _CHAINS:
        yield from p.err(
            f"{name} v1.8.9 (nf_tables): table '{table}' does not exist\nPerhaps {name} or your "
            f"kernel needs to be upgraded.\n"
        )
        return 3
    if not words:
        yield from p.err(
            f"{name} v1.8.9 (nf_tables): no command specified\nTry `{name} -h' or '{name} --help' for "
            f"more information.\n"
        )
        return 2
    return (yield from _command(p, name, f"{family}{table}", table, words))


def _command(p: Process, name: str, key: str, table: str, words: list[str]) -> Run:
    rules = _rules(p)
    mine = [rule for rule in rules if rule.startswith(f"{key} ")]
    letters = "".join(word[1:] for word in words if word.startswith("-") and not word.startswith("--"))
    verb, rest = words[0], words[1:]
    if verb in ("-L", "-S", "--list", "--list-rules") or (
        "L" in letters and verb.startswith("-") and set(verb[1:]) <= set("Lnvx")
    ):
        wanted = next((word for word in rest if not word.startswith("-") and not word.isdigit()), "")
        chains = [chain for chain in _all_chains(table, mine) if not wanted or chain == wanted]
        if not chains:
            yield from p.err(f"{name}: No chain/target/match by that name.\n")
            return 1
        if "S" in verb or verb == "--list-rules":
            yield from p.out(
                "".join(
                    f"-P {chain} ACCEPT\n" if chain in _CHAINS[table] else f"-N {chain}\n" for chain in chains
                )
            )
            yield from p.out(
                "".join(
                    f"-A {rule.partition(' ')[2]}\n"
                    for rule in mine
                    if rule.split(" ")[1] in chains and " " in rule.partition(" ")[2]
                )
            )
            return 0
        yield from _listing(p, chains, mine, table, "v" in letters)
        return 0
    complaint = _wrong(name, table, mine, verb, rest)
    if complaint:
        yield from p.err(complaint[1])
        return complaint[0]
    if verb in ("-F", "--flush", "-X", "--delete-chain", "-Z", "--zero"):
        if verb in ("-X", "--delete-chain"):
            gone = [f"{key} {chain}" for chain in rest] or [rule for rule in mine if rule.count(" ") == 1]
            _save(p, [rule for rule in rules if rule not in gone])
        if verb in ("-F", "--flush"):
            _save(p, [rule for rule in rules if rule not in mine or (rest and rule.split(" ")[1] != rest[0])])
        return 0
    if verb in ("-P", "--policy", "-N", "--new-chain", "-E"):
        if verb in ("-N", "--new-chain") and rest:
            _save(p, [*rules, f"{key} {rest[0]}"])
        return 0
    if verb in ("-A", "--append", "-I", "--insert", "-D", "--delete", "-C", "--check", "-R", "--replace"):
        return (yield from _rule(p, name, key, table, verb, rest, rules))
    yield from p.err(f"{name} v1.8.9 (nf_tables): unknown option \"{verb}\"\nTry `{name} -h' or '{name} --help' "
    f"for more information.\n"
                     if verb.startswith("-") else f"Bad argument `{verb}'\nTry `{name} -h' or '{name} --help' for "
                     f"more information.\n")  # fmt: skip
    return 2


_TARGETS = frozenset(
    listed(
        "ACCEPT DROP QUEUE RETURN REJECT LOG MASQUERADE SNAT DNAT REDIRECT MARK CONNMARK TCPMSS TTL "
        "TOS DSCP NFLOG NFQUEUE "
        "NETMAP CT CLASSIFY CHECKSUM AUDIT SET TEE TPROXY TRACE NOTRACK ULOG HL"
    )
)


def _wrong(name: str, table: str, mine: list[str], verb: str, rest: list[str]) -> tuple[int, str] | None:
    """(status, complaint) of a command that names what is not there; None where it is right."""
    hint = f"Try `{name} -h' or '{name} --help' for more information.\n"
    chains = _all_chains(table, mine)
    if verb in ("-N", "--new-chain", "-P", "--policy", "-E") and not rest:
        return 2, f'{name} v1.8.9 (nf_tables): option "{verb}" requires an argument\n{hint}'
    if verb in ("-P", "--policy") and rest[1:2] not in (["ACCEPT"], ["DROP"]):
        return 1, f"{name}: Bad policy name. Run `dmesg' for more information.\n"
    if verb in ("-X", "--delete-chain") and rest and rest[0] not in chains:
        return 1, f"{name}: No chain/target/match by that name.\n"
    if verb in ("-D", "--delete") and len(rest) == 2 and rest[1].isdigit() and rest[0] in chains:
        rules = (
            [rule for rule in mine if rule.startswith(f"{mine[0].split(' ')[0]} {rest[0]} ")] if mine else []
        )
        if not 0 < int(rest[1][:6]) <= len(rules):
            return 1, f"{name}: No chain/target/match by that name.\n"
    target = _value(rest, "-j", "--jump")
    if target and target not in _TARGETS and target not in chains:
        return 2, f"{name} v1.8.9 (nf_tables): Chain '{target}' does not exist\n{hint}"
    return None


def _all_chains(table: str, mine: list[str]) -> list[str]:
    own = [rule.split(" ")[1] for rule in mine]
    return [*_CHAINS[table], *dict.fromkeys(chain for chain in own if chain not in _CHAINS[table])]


def _rule(p: Process, name: str, key: str, table: str, verb: str, rest: list[str], rules: list[str]) -> Run:
    if not rest:
        yield from p.err(f"{name} v1.8.9 (nf_tables): option \"{verb}\" requires an argument\n"
                         f"Try `{name} -h' or '{name} --help' for more information.\n")  # fmt: skip
        return 2
    chain, body = rest[0], rest[1:]
    if chain not in _all_chains(table, [rule for rule in rules if rule.startswith(f"{key} ")]):
        yield from p.err(f"{name}: No chain/target/match by that name.\n")
        return 1
    if verb in ("-D", "--delete") and body and body[0].isdigit():
        own = [rule for rule in rules if rule.startswith(f"{key} {chain} ")]
        rules.remove(own[int(body[0]) - 1])
        _save(p, rules)
        return 0
    if verb in ("-I", "--insert", "-R", "--replace") and body and body[0].isdigit():
        body = body[1:]
    line = f"{key} {chain} {' '.join(body)}".rstrip()
    if verb in ("-D", "--delete"):
        if line not in rules:
            yield from p.err(f"{name}: Bad rule (does a matching rule exist in that chain?).\n")
            return 1
        rules.remove(line)
        _save(p, rules)
    elif verb in ("-C", "--check"):
        if line not in rules:
            yield from p.err(f"{name}: Bad rule (does a matching rule exist in that chain?).\n")
            return 1
    else:
        _save(p, [line, *rules] if verb in ("-I", "--insert") else [*rules, line])
    return 0


def _value(words: list[str], *names: str, default: str = "") -> str:
    for name in names:
        if name in words[:-1]:
            return words[words.index(name) + 1]
    return default


def _listing(p: Process, chains: list[str], mine: list[str], table: str, verbose: bool) -> Run:
    for number, chain in enumerate(chains):
        policy = "(policy ACCEPT)" if chain in _CHAINS[table] else "(0 references)"
        if verbose and chain in _CHAINS[table]:
            policy = "(policy ACCEPT 0 packets, 0 bytes)"
        yield from p.out(f"{chr(10) if number else ''}Chain {chain} {policy}\n")
        yield from p.out(" pkts bytes target     prot opt in     out     source               destination         "
        "\n" if verbose else
                         "target     prot opt source               destination         \n")  # fmt: skip
        for rule in mine:
            words = rule.split(" ")
            if words[1] != chain or len(words) < 3:
                continue
            target, protocol = _value(words, "-j", "--jump"), _value(words, "-p", "--protocol", default="all")
            source, to = (
                _value(words, "-s", "--source", default="0.0.0.0/0"),
                _value(words, "-d", "--destination", default="0.0.0.0/0"),
            )
            port = _value(words, "--dport", "--destination-port")
            extra = f" {protocol} dpt:{port}" if port else ""
            shown = {"tcp": "6", "udp": "17", "icmp": "1", "all": "0"}.get(protocol, protocol)
            yield from p.out(f"    0     0 {target:<10} {shown:<4} --  *      *       {source:<20} "
            f"{to:<20}{extra}\n" if verbose else
                             f"{target:<10} {shown:<4} --  {source:<20} {to:<20}{extra}\n")  # fmt: skip
    return 0


def _dump(p: Process, family: str) -> Run:
    tables: dict[str, list[str]] = {}
    for rule in _rules(p):
        key, _, rest = rule.partition(" ")
        if key.startswith(family):
            tables.setdefault(key[1:], []).append(rest)
    for table, rules in tables.items():
        yield from p.out(f"# Generated by iptables-save v1.8.9 (nf_tables)\n*{table}\n")
        yield from p.out("".join(f":{chain} ACCEPT [0:0]\n" for chain in _CHAINS[table]))
        yield from p.out("".join(f"-A {rule}\n" for rule in rules if " " in rule) + "COMMIT\n")
    return 0


@program("nft")
def nft(p: Process) -> Run:
    """Show or change nftables: an empty rule set, on a router that of its firewall."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if "-v" in p.argv or "--version" in p.argv:
        yield from p.out("nftables v1.0.6 (Lester Gooch #5)\n")
        return 0
    if p.uid:
        yield from p.err("Operation not permitted (you must be root)\n")
        return 1
    if not words:
        yield from p.err("nft: no command specified\n")
        return 1
    if is_device(p) and words[:2] == ["list", "ruleset"]:
        yield from p.out(router_rules(p))
    elif is_device(p) and words[:2] == ["list", "tables"]:
        yield from p.out("table inet fw4\n")
    return 0
