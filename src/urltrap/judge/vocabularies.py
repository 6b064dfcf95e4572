"""Words of others that our classes are mapped to, as they publish them: data, with version and source.

A mapping may use nothing that does not stand here; a test holds it to that.
"""

from __future__ import annotations

ATTACK_VERSION = "17.0"
"""MITRE ATT&CK for Enterprise, April 2025 (attack.mitre.org, © The MITRE Corporation, used under its terms of use)."""

ATTACK: dict[str, str] = {
    "T1003.008": "/etc/passwd and /etc/shadow",
    "T1014": "Rootkit",
    "T1016": "System Network Configuration Discovery",
    "T1016.001": "Internet Connection Discovery",
    "T1021.004": "SSH",
    "T1033": "System Owner/User Discovery",
    "T1037.004": "RC Scripts",
    "T1041": "Exfiltration Over C2 Channel",
    "T1046": "Network Service Discovery",
    "T1048": "Exfiltration Over Alternative Protocol",
    "T1049": "System Network Connections Discovery",
    "T1053.003": "Cron",
    "T1057": "Process Discovery",
    "T1059.004": "Unix Shell",
    "T1059.006": "Python",
    "T1070.002": "Clear Linux or Mac System Logs",
    "T1070.003": "Clear Command History",
    "T1070.004": "File Deletion",
    "T1070.006": "Timestomp",
    "T1071": "Application Layer Protocol",
    "T1071.001": "Web Protocols",
    "T1078": "Valid Accounts",
    "T1082": "System Information Discovery",
    "T1083": "File and Directory Discovery",
    "T1087.001": "Local Account",
    "T1090": "Proxy",
    "T1090.003": "Multi-hop Proxy",
    "T1098": "Account Manipulation",
    "T1098.004": "SSH Authorized Keys",
    "T1105": "Ingress Tool Transfer",
    "T1110": "Brute Force",
    "T1110.001": "Password Guessing",
    "T1136.001": "Local Account",
    "T1140": "Deobfuscate/Decode Files or Information",
    "T1190": "Exploit Public-Facing Application",
    "T1203": "Exploitation for Client Execution",
    "T1222.002": "Linux and Mac File and Directory Permissions Modification",
    "T1485": "Data Destruction",
    "T1486": "Data Encrypted for Impact",
    "T1489": "Service Stop",
    "T1491.002": "External Defacement",
    "T1496": "Resource Hijacking",
    "T1497.001": "System Checks",
    "T1498": "Network Denial of Service",
    "T1505.003": "Web Shell",
    "T1529": "System Shutdown/Reboot",
    "T1531": "Account Access Removal",
    "T1543.002": "Systemd Service",
    "T1546.004": "Unix Shell Configuration Modification",
    "T1548.001": "Setuid and Setgid",
    "T1548.003": "Sudo and Sudo Caching",
    "T1552": "Unsecured Credentials",
    "T1552.001": "Credentials In Files",
    "T1552.003": "Bash History",
    "T1552.004": "Private Keys",
    "T1562.001": "Disable or Modify Tools",
    "T1562.003": "Impair Command History Logging",
    "T1562.004": "Disable or Modify System Firewall",
    "T1564.001": "Hidden Files and Directories",
    "T1566.002": "Spearphishing Link",
    "T1568": "Dynamic Resolution",
    "T1572": "Protocol Tunneling",
    "T1574.006": "Dynamic Linker Hijacking",
    "T1583.001": "Domains",
    "T1583.006": "Web Services",
    "T1584.004": "Server",
    "T1588.002": "Tool",
    "T1595": "Active Scanning",
    "T1608.001": "Upload Malware",
    "T1611": "Escape to Host",
}
"""Technique → name, for the techniques that we tell."""

STIX_VERSION = "2.1"
"""OASIS STIX 2.1, section 10: open vocabularies."""

MALWARE_TYPES = frozenset(
    (
        "adware", "backdoor", "bot", "bootkit", "ddos", "downloader", "dropper", "exploit-kit", "keylogger",
        "ransomware", "remote-access-trojan", "resource-exploitation", "rogue-security-software", "rootkit",
        "screen-capture", "spyware", "trojan", "unknown", "virus", "webshell", "wiper", "worm",
    )
)  # fmt: skip
"""malware-type-ov."""

INFRASTRUCTURE_TYPES = frozenset(
    (
        "amplification", "anonymization", "botnet", "command-and-control", "control-system", "exfiltration",
        "firewall", "hosting-malware", "hosting-target-lists", "phishing", "reconnaissance", "routers-switches",
        "staging", "workstation", "unknown",
    )
)  # fmt: skip
"""infrastructure-type-ov."""

PROCESSOR_ARCHITECTURES = frozenset(("alpha", "arm", "ia-64", "mips", "powerpc", "sparc", "x86", "x86-64"))
"""processor-architecture-ov."""

RSIT_VERSION = "2"
"""ENISA's Reference Security Incident Taxonomy as MISP's taxonomy `rsit` has it."""

RSIT: dict[str, frozenset[str]] = {
    "abusive-content": frozenset(("spam", "harmful-speech", "violence")),
    "malicious-code": frozenset(
        ("infected-system", "c2-server", "malware-distribution", "malware-configuration")
    ),
    "information-gathering": frozenset(("scanner", "sniffing", "social-engineering")),
    "intrusion-attempts": frozenset(("ids-alert", "brute-force", "exploit")),
    "intrusions": frozenset(
        (
            "privileged-account-compromise", "unprivileged-account-compromise", "application-compromise",
            "burglary",
        )
    ),
    "availability": frozenset(("dos", "ddos", "misconfiguration", "sabotage", "outage")),
    "information-content-security": frozenset(
        ("unauthorised-information-access", "unauthorised-information-modification", "data-loss")
    ),
    "fraud": frozenset(("unauthorized-use-of-resources", "copyright", "masquerade", "phishing")),
    "vulnerable": frozenset(
        (
            "weak-crypto", "ddos-amplifier", "potentially-unwanted-accessible", "information-disclosure",
            "vulnerable-system",
        )
    ),
    "other": frozenset(("other",)),
    "test": frozenset(("test",)),
}  # fmt: skip
"""Class → types."""

THREATFOX_TYPES = frozenset(("botnet_cc", "payload", "payload_delivery", "cc_skimming", ""))
"""ThreatFox' threat_type; "" where it has no word."""

SAFE_BROWSING_TYPES = frozenset(
    ("MALWARE", "SOCIAL_ENGINEERING", "UNWANTED_SOFTWARE", "POTENTIALLY_HARMFUL_APPLICATION", "")
)
"""Google Safe Browsing's threat types; "" where it has no word."""
