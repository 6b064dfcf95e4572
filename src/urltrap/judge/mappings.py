"""Our actions in the words of others: STIX 2.1 vocabularies, RSIT, abuse.ch, Google, MITRE ATT&CK. Data, no logic.

Sources: STIX 2.1 open vocabularies (malware-type-ov, infrastructure-type-ov), ENISA's Reference Security Incident
Taxonomy, URLhaus' and ThreatFox' threat types, Safe Browsing's threat types, MITRE ATT&CK.
"""

from __future__ import annotations

from dataclasses import dataclass

from urltrap.model.verdict import Action, Hosting, Lifecycle, Role


@dataclass(frozen=True, slots=True)
class Mapping:
    """One value of an axis elsewhere; empty where a vocabulary has no word for it, and `without` says why where none
    has."""

    stix_malware: tuple[str, ...] = ()
    stix_infrastructure: str = ""
    rsit: str = ""
    threatfox: str = ""
    safe_browsing: str = ""
    attack: tuple[str, ...] = ()
    without: str = ""


MAPPINGS: dict[Action, Mapping] = {
    "ddos-botnet": Mapping(("bot", "ddos"), "hosting-malware", "malicious-code:malware-distribution",
                           "payload_delivery", "MALWARE", ("T1498", "T1105")),
    "cryptomining": Mapping(("resource-exploitation",), "hosting-malware", "malicious-code:malware-distribution",
                            "payload_delivery", "MALWARE", ("T1496", "T1105")),
    "proxyware": Mapping(("trojan",), "anonymization", "malicious-code:malware-distribution", "payload_delivery",
                         "UNWANTED_SOFTWARE", ("T1090", "T1496")),
    "backdoor-rat": Mapping(("remote-access-trojan", "backdoor"), "hosting-malware",
                            "malicious-code:malware-distribution", "payload_delivery", "MALWARE",
                            ("T1059.004", "T1098.004")),
    "credential-theft": Mapping(("spyware",), "hosting-malware", "malicious-code:malware-distribution",
                                "payload_delivery", "MALWARE", ("T1552", "T1003.008")),
    "ransomware-wiper": Mapping(("ransomware", "wiper"), "hosting-malware", "malicious-code:malware-distribution",
                                "payload_delivery", "MALWARE", ("T1486", "T1485")),
    "worm-spreader": Mapping(("worm",), "hosting-malware", "malicious-code:malware-distribution", "payload_delivery",
                             "MALWARE", ("T1021.004", "T1105")),
    "spam-mailer": Mapping(("bot",), "hosting-malware", "abusive-content:spam", "", "", ("T1105",)),
    "phishing-fraud": Mapping((), "phishing", "fraud:phishing", "", "SOCIAL_ENGINEERING", ("T1566.002",)),
    "webshell": Mapping(("webshell",), "hosting-malware", "intrusions:application-compromise", "payload_delivery",
                        "MALWARE", ("T1505.003",)),
    "exploitation": Mapping(("exploit-kit",), "hosting-malware", "intrusion-attempts:exploit", "payload_delivery",
                            "MALWARE", ("T1190", "T1203")),
    "recon-scan": Mapping((), "reconnaissance", "information-gathering:scanner", "", "", ("T1595",)),
    "c2": Mapping((), "command-and-control", "malicious-code:c2-server", "botnet_cc", "MALWARE", ("T1071",)),
    "exfiltration": Mapping((), "exfiltration", "information-content-security:unauthorised-information-access", "", "",
                            ("T1048",)),
    "defacement": Mapping((), "", "information-content-security:unauthorised-information-modification", "", "",
                          ("T1491.002",)),
    "tool-dual-use": Mapping((), "unknown", "", "", "", ("T1588.002",)),
    "ip-check": Mapping((), "reconnaissance", "", "", "", ("T1016.001",)),
    "bandwidth-test": Mapping((), "reconnaissance", "", "", "", ("T1016.001",)),
    "unknown": Mapping((), "unknown", "", "", "", (), "nothing is known that could be said"),
}  # fmt: skip
"""Every action, so that adding one without its mapping is an error that a test sees."""

_UPLOADED = ("T1583.006", "T1608.001")
_UNTOLD = "whether it was bought, rented or broken into is not known"

ROLES: dict[Role, Mapping] = {
    "dropper-script": Mapping(("downloader",), "hosting-malware", "malicious-code:malware-distribution",
                              attack=("T1059.004", "T1105")),
    "payload": Mapping((), "hosting-malware", "malicious-code:malware-distribution", attack=("T1105",)),
    "config": Mapping((), "staging", "malicious-code:malware-configuration", attack=("T1105",)),
    "update": Mapping((), "staging", "malicious-code:malware-distribution", attack=("T1105",)),
    "c2": Mapping((), "command-and-control", "malicious-code:c2-server", attack=("T1071",)),
    "check-in": Mapping((), "command-and-control", "malicious-code:c2-server", attack=("T1071.001",)),
    "exfil": Mapping((), "exfiltration", "information-content-security:unauthorised-information-access",
                     attack=("T1041",)),
    "miner-pool": Mapping(("resource-exploitation",), "", "fraud:unauthorized-use-of-resources", attack=("T1496",)),
    "key-implant": Mapping(("backdoor",), "hosting-malware", "intrusions:privileged-account-compromise",
                           attack=("T1098.004",)),
    "redirector": Mapping((), "staging"),
    "landing-page": Mapping(without="what a page is for is its action; a page alone is nothing bad"),
    "lure-link": Mapping((), "phishing", "information-gathering:social-engineering", attack=("T1566.002",)),
    "target-only": Mapping(without="a victim is no part of what attacks it"),
    "unknown": Mapping(without="nothing is known that could be said"),
}  # fmt: skip
"""Every role."""

HOSTINGS: dict[Hosting, Mapping] = {
    "raw-ip": Mapping(without=_UNTOLD),
    "raw-ip-odd-port": Mapping(without=_UNTOLD),
    "disposable-domain": Mapping(attack=("T1583.001",)),
    "dynamic-dns": Mapping(attack=("T1568",)),
    "compromised-site": Mapping(attack=("T1584.004",)),
    "code-hosting": Mapping(attack=_UPLOADED),
    "paste": Mapping(attack=_UPLOADED),
    "file-share": Mapping(attack=_UPLOADED),
    "cloud-bucket": Mapping(attack=_UPLOADED),
    "cdn": Mapping(attack=_UPLOADED),
    "ipfs": Mapping(attack=_UPLOADED),
    "tor": Mapping((), "anonymization", attack=("T1090.003",)),
    "shortener": Mapping((), "staging"),
    "tunnel": Mapping((), "anonymization", attack=("T1572",)),
    "site": Mapping(without=_UNTOLD),
    "unknown": Mapping(without="nothing is known that could be said"),
}
"""Every kind of hosting: how attackers came by it, as ATT&CK's Resource Development has it."""

LIFECYCLES: dict[Lifecycle, Mapping] = dict.fromkeys(
    ("online", "offline", "never-alive", "sinkholed", "taken-down", "moved", "unknown"),
    Mapping(without="a state of a URL at a time; STIX says it by valid_from and valid_until"),
)
"""Every state. Delivery and target are free texts: `techniques` and STIX_ARCHITECTURES map what they are made of."""

STIX_ARCHITECTURES = {
    "alpha": "alpha", "arm": "arm", "aarch64": "arm", "ia64": "ia-64", "mips": "mips", "powerpc": "powerpc",
    "powerpc64": "powerpc", "sparc": "sparc", "sparc64": "sparc", "x86": "x86", "x86-64": "x86-64",
}  # fmt: skip
"""Our architectures in processor-architecture-ov, which has no word for SuperH, m68k, ARC and RISC-V."""
