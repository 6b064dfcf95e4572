"""MITRE ATT&CK techniques of what programs were run and files written. A table over parsed commands, never raw lines.

Source: MITRE ATT&CK for Enterprise (Linux), technique pages; ids of version 17.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import dropwhile


@dataclass(frozen=True, slots=True)
class TechniqueRule:
    """`programs` (base names) with arguments that `arguments` finds in the joined ones (None: any) are `technique`."""

    technique: str
    programs: frozenset[str]
    arguments: re.Pattern[str] | None = None


def _rule(technique: str, programs: str, arguments: str = "") -> TechniqueRule:
    return TechniqueRule(technique, frozenset(programs.split()), re.compile(arguments) if arguments else None)


COMMANDS: tuple[TechniqueRule, ...] = (
    _rule("T1105", "wget curl tftp ftpget ftp scp sftp rsync fetch lwp-download aria2c axel"),
    _rule("T1059.004", "sh bash dash ash zsh ksh"),
    _rule("T1059.006", "python python2 python3"),
    _rule("T1082", "uname lscpu free hostname hostnamectl lsb_release dmidecode arch nproc uptime lspci lsblk df"),
    _rule("T1082", "cat head grep less more awk", r"/proc/(cpuinfo|meminfo|version|uptime)|/etc/(os-release|issue)"),
    _rule("T1033", "whoami id w who users last lastlog"),
    _rule("T1057", "ps top htop pstree pgrep pidof"),
    _rule("T1049", "netstat ss lsof"),
    _rule("T1016", "ip ifconfig route arp hostname", r"^$|\b(a|addr|address|route|neigh|link|-a|-I|-n)\b"),
    _rule("T1016.001", "ping", r""),
    _rule("T1083", "ls find locate tree which whereis"),
    _rule("T1087.001", "cat head grep cut awk getent less", r"/etc/passwd|\bpasswd\b"),
    _rule("T1003.008", "cat head cp tar scp less base64 grep", r"/etc/g?shadow"),
    _rule("T1552.001", "cat grep find", r"\.(env|aws/credentials|docker/config\.json|git-credentials)|wp-config\.php"),
    _rule("T1552.004", "cat find cp scp", r"\bid_(rsa|dsa|ed25519|ecdsa)\b"),
    _rule("T1552.003", "cat grep head", r"_history\b"),
    _rule("T1098.004", "cat tee cp mv chmod chattr lockr", r"authorized_keys|\.ssh\b"),
    _rule("T1053.003", "crontab", r"."),
    _rule("T1543.002", "systemctl", r"\b(enable|daemon-reload)\b"),
    _rule("T1489", "systemctl service", r"\b(stop|disable|kill|mask)\b"),
    _rule("T1489", "kill pkill killall", r"."),
    _rule("T1562.001", "setenforce", r"0|[Pp]ermissive"),
    _rule("T1562.001", "systemctl service pkill killall",
          r"apparmor|auditd|aliyun|aegis|qcloud|cloudmonitor|falcon|clam|rsyslog"),
    _rule("T1562.003", "unset export set", r"HISTFILE|HISTSIZE|HISTCONTROL"),
    _rule("T1562.004", "iptables ip6tables ufw nft firewall-cmd", r"."),
    _rule("T1222.002", "chmod chown chattr", r"."),
    _rule("T1070.003", "history", r"-[cw]"),
    _rule("T1070.002", "rm truncate shred", r"/var/log|wtmp|btmp|lastlog"),
    _rule("T1070.003", "rm truncate shred cat", r"_history\b"),
    _rule("T1070.004", "rm shred unlink", r"."),
    _rule("T1070.006", "touch", r"-(r|t|d)\b"),
    _rule("T1140", "base64 openssl xxd uudecode", r"-d|--decode|-D|\benc\b|-r"),
    _rule("T1140", "gunzip gzip unxz tar unzip bunzip2", r"."),
    _rule("T1098", "passwd chpasswd usermod", r""),
    _rule("T1531", "passwd usermod userdel", r"-l\b|-L\b|--lock"),
    _rule("T1136.001", "useradd adduser", r"."),
    _rule("T1548.003", "sudo", r"."),
    _rule("T1548.001", "chmod", r"\b[2467][0-7]{3}\b|[ug]\+s"),
    _rule("T1496", "xmrig minerd cpuminer xmr-stak kdevtmpfsi ccminer t-rex"),
    _rule("T1046", "nmap masscan zmap zgrab", r"."),
    _rule("T1021.004", "ssh sshpass", r"@|\d{1,3}(\.\d{1,3}){3}"),
    _rule("T1110", "hydra medusa sshpass ncrack", r"."),
    _rule("T1090", "frpc frps gost chisel 3proxy microsocks", r""),
    _rule("T1572", "ssh", r"-[LRDNw]\b"),
    _rule("T1014", "insmod modprobe", r"."),
    _rule("T1574.006", "cat tee echo", r"/etc/ld\.so\.preload"),
    _rule("T1485", "rm", r"-\w*r\w*f?\w*\s+(--no-preserve-root\s+)?/(\*|\s|$)"),
    _rule("T1485", "dd", r"of=/dev/([sv]d|mtd|mmcblk|nvme)"),
    _rule("T1529", "reboot shutdown halt poweroff init", r""),
    _rule("T1497.001", "systemd-detect-virt virt-what dmidecode lshw", r""),
    _rule("T1611", "docker nsenter mount", r"--privileged|-v\s*/:|/host|--pid=host|-t 1"),
    _rule("T1048", "nc ncat netcat curl", r"-T |--upload-file|--data-binary @|-F \S+=@"),
)  # fmt: skip
"""Program and arguments → technique."""

WRITTEN: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("T1098.004", re.compile(r"/\.ssh/authorized_keys2?$")),
    ("T1053.003", re.compile(r"^/(etc/(cron(tab|\.\w+)(/|$))|var/spool/cron/)")),
    ("T1543.002", re.compile(r"^/(etc|usr/lib|lib)/systemd/.+\.(service|timer)$")),
    ("T1037.004", re.compile(r"^/etc/(rc\.local|rc\d?\.d/|init\.d/)")),
    ("T1546.004", re.compile(r"/\.(bashrc|profile|bash_profile|zshrc)$|^/etc/profile(\.d/|$)")),
    ("T1574.006", re.compile(r"^/etc/ld\.so\.preload$")),
    ("T1136.001", re.compile(r"^/etc/(passwd|shadow)$")),
    ("T1564.001", re.compile(r"/(\.{1,3} ?|\.[^/]+)/?[^/]*$")),
)
"""Path of a file that was written → technique."""


def of_program(argv: Sequence[bytes]) -> list[str]:
    """Techniques of one program with its arguments, in the table's order. busybox and sudo are looked through."""
    words = [word.decode("utf-8", "replace") for word in argv]
    found: dict[str, None] = {}
    for _ in range(3):
        if not words:
            break
        name = words[0].rpartition("/")[2]
        rest = " ".join(words[1:])[:4096]
        for rule in COMMANDS:
            if name in rule.programs and (rule.arguments is None or rule.arguments.search(rest)):
                found[rule.technique] = None
        if name not in ("busybox", "sudo", "nohup", "env", "setsid", "timeout"):
            break
        words = list(dropwhile(lambda word: word.startswith("-"), words[1:]))
    return list(found)


def of_written(path: bytes) -> list[str]:
    """Techniques of writing a file there."""
    text = path.decode("utf-8", "replace")[:4096]
    return [technique for technique, pattern in WRITTEN if pattern.search(text)]


def of_logins(tries: int, passwords: int) -> list[str]:
    """Techniques of a session's log-in tries: guessing, or one known pair."""
    if tries > 1:
        return ["T1110.001"]
    return ["T1078"] if passwords else []


def merged(parts: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """All of them once, sorted."""
    return tuple(sorted({technique for part in parts for technique in part}))
