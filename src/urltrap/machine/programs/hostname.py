"""hostname and its kin: the machine's names and addresses."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.netstate import netstate
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import option_problem, text_of
from urltrap.machine.programs.registry import program

_LONG = {
    "alias": "a", "domain": "d", "fqdn": "f", "long": "f", "all-fqdns": "A", "ip-address": "i", "all-ip-addresses": "I",
    "short": "s", "yp": "y", "nis": "y", "boot": "b",
}  # fmt: skip
_USAGE = """\
Usage: hostname [-b] {hostname|-F file}         set host name (from file)
       hostname [-a|-A|-d|-f|-i|-I|-s|-y]       display formatted name
       hostname                                 display host name

       {yp,nis,}domainname {nisdomain|-F file}  set NIS domain name (from file)
       {yp,nis,}domainname                      display NIS domain name

       dnsdomainname                            display dns domain name

       hostname -V|--version|-h|--help          print info and exit

Program name:
       {yp,nis,}domainname=hostname -y
       dnsdomainname=hostname -d

Program options:
    -a, --alias            alias names
    -A, --all-fqdns        all long host names (FQDNs)
    -b, --boot             set default hostname if none available
    -d, --domain           DNS domain name
    -f, --fqdn, --long     long host name (FQDN)
    -F, --file             read host name or NIS domain name from given file
    -i, --ip-address       addresses for the host name
    -I, --all-ip-addresses all addresses for the host
    -s, --short            short host name
    -y, --yp, --nis        NIS/YP domain name

Description:
   This command can get or set the host name or the NIS domain name. You can
   also get the DNS domain or the FQDN (fully qualified domain name).
   Unless you are using bind or NIS for host lookups you can change the
   FQDN (Fully Qualified Domain Name) and the DNS domain name (which is
   part of the FQDN) in the /etc/hosts file.
"""


@program("hostname")
def hostname(p: Process) -> Run:
    """Show or set the host name; under its other names show the domain."""
    called = p.argv[0].rpartition("/")[2]
    if called == "dnsdomainname":
        return (yield from dnsdomainname(p))
    if called.endswith("domainname"):
        return (yield from domainname(p))
    try:
        options, operands = getopt(
            p.argv[1:], "aAdfbF:hiIsVy", {**dict.fromkeys(_LONG, ""), "file": ":", "help": "", "version": ""}
        )
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\n")
        yield from p.out(_USAGE)
        return 255
    given = dict(options)
    letters = [_LONG.get(name.lstrip("-"), name) for name, _ in options]
    if "h" in letters or "--help" in letters:
        yield from p.out(_USAGE)
        return 0
    if "V" in letters or "--version" in letters:
        yield from p.out("hostname 3.23\n")
        return 0
    if "F" in given or "--file" in given:
        path = given.get("F") or given.get("--file", "")
        lines = [line for line in text_of(p, path).splitlines() if line and not line.startswith("#")]
        operands = lines[:1]
        if not operands:
            yield from p.err(f"{p.argv[0]}: the specified hostname is invalid\n")
            return 1
    if operands:
        if not all(char.isalnum() or char in "-." for char in operands[0]) or operands[0].startswith("-"):
            yield from p.err(f"{p.argv[0]}: the specified hostname is invalid\n")
            return 1
        try:
            p.sethostname(operands[0])
        except SysError:
            yield from p.err(f"{p.argv[0]}: you must be root to change the host name\n")
            return 1
        return 0
    yield from p.out(_shown(p, letters) + "\n")
    return 0


def _shown(p: Process, letters: list[str]) -> str:
    name, domain = p.hostname, p.persona.domain
    own = [each.text for link in netstate(p).links if link.name != "lo" for each in link.addresses]
    answers = {
        "s": name.partition(".")[0], "d": domain, "f": f"{name}.{domain}" if domain and "." not in name else name,
        "A": f"{name}.{domain} ", "i": "127.0.1.1", "I": "".join(f"{each} " for each in own), "a": name, "y": "(none)",
    }  # fmt: skip
    for letter in letters:
        if letter in answers:
            return answers[letter]
    return name


@program("dnsdomainname")
def dnsdomainname(p: Process) -> Run:
    """Show the DNS domain."""
    yield from p.out(f"{p.persona.domain}\n")
    return 0


@program("domainname", "nisdomainname", "ypdomainname")
def domainname(p: Process) -> Run:
    """Show the NIS domain: none."""
    yield from p.out("(none)\n")
    return 0


@program("hostid")
def hostid(p: Process) -> Run:
    """The identifier that gethostid(3) makes of the first address of the host's own name."""
    yield from p.out("007f0101\n" if p.persona.is_server else "00000000\n")
    return 0


@program("hostnamectl")
def hostnamectl(p: Process) -> Run:
    """Show or set the host name through systemd."""
    if problem := option_problem(
        p,
        "H:M:",
        "no-ask-password static transient pretty host: machine: json:",
    ):
        yield from p.err(problem)
        return 1
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if words[:1] in (["set-hostname"], ["hostname"]) and len(words) > 1:
        p.sethostname(words[1])
        p.fs.write("/etc/hostname", f"{words[1]}\n".encode())
        return 0
    if words[:1] == ["hostname"]:
        yield from p.out(f"{p.hostname}\n")
        return 0
    if words and words[0] != "status":
        yield from p.err(f"Unknown command verb {words[0]}.\n")
        return 1
    persona = p.persona
    static = text_of(p, "/etc/hostname").strip() or p.hostname
    rows = [("Static hostname", static)]
    if static != p.hostname:
        rows.append(("Transient hostname", p.hostname))
    rows += [
        ("Icon name", "computer-vm"), ("Chassis", "vm"), ("Machine ID", persona.machine_id),
        ("Boot ID", persona.boot_id.replace("-", "")), ("Virtualization", persona.hypervisor),
        ("Operating System", persona.distro_name), ("Kernel", f"Linux {persona.kernel.release}"), ("Architecture",
        "x86-64"),
        ("Hardware Vendor", persona.dmi.sys_vendor), ("Hardware Model", persona.dmi.product_name),
        ("Firmware Version", persona.dmi.bios_version),
    ]  # fmt: skip
    width = 17 if len(rows) == 11 else 18
    for name, value in rows:
        shown = f"{value} 🖴" if name == "Chassis" else value
        yield from p.out(f"{name:>{width - 1}}: {shown}\n")
    return 0
