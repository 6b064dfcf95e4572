"""Our actions in the words of others: STIX 2.1 vocabularies, RSIT, abuse.ch, Google, MITRE ATT&CK. Data, no logic.

Sources: STIX 2.1 open vocabularies (malware-type-ov, infrastructure-type-ov), ENISA's Reference Security Incident
Taxonomy, URLhaus' and ThreatFox' threat types, Safe Browsing's threat types, MITRE ATT&CK.
"""

from __future__ import annotations

from dataclasses import dataclass

from urltrap.model.verdict import Action


@dataclass(frozen=True, slots=True)
class Mapping:
    """One action elsewhere; empty where a vocabulary has no word for it."""

    stix_malware: tuple[str, ...] = ()
    stix_infrastructure: str = ""
    rsit: str = ""
    threatfox: str = ""
    safe_browsing: str = ""
    attack: tuple[str, ...] = ()


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
    "unknown": Mapping((), "unknown", "", "", "", ()),
}  # fmt: skip
"""Every action, so that adding one without its mapping is an error that a test sees."""

STIX_ARCHITECTURES = {
    "alpha": "alpha", "arm": "arm", "aarch64": "arm", "ia64": "ia-64", "mips": "mips", "powerpc": "powerpc",
    "powerpc64": "powerpc", "sparc": "sparc", "sparc64": "sparc", "x86": "x86", "x86-64": "x86-64",
}  # fmt: skip
"""Our architectures in processor-architecture-ov, which has no word for SuperH, m68k, ARC and RISC-V."""
