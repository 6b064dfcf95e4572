"""What attackers ask to find out whether a machine is real, and what they did after the answer.

The checks are those of published fingerprinting work on honeypots and of captured loaders. A check is told by the
command as entered; which answer it got and what came next is what `urltrap gaps --belief` ranks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Afterwards = Literal["went-on", "left"]


@dataclass(frozen=True, slots=True)
class Check:
    """`name`, what it wants to know, and how a command line shows it."""

    name: str
    wants: str
    pattern: re.Pattern[bytes]


def _check(name: str, wants: str, pattern: bytes) -> Check:
    return Check(name, wants, re.compile(pattern))


_START = rb"(?:^|[;&|(\n]\s{0,8}|\s)"

CHECKS: tuple[Check, ...] = (
    _check("busybox-token", "an applet that cannot exist must be refused as BusyBox does",
           rb"busybox\s+(?!PS\b)[A-Z]{4,12}\b"),
    _check("busybox-applets", "the usage of wget or tftp, and BusyBox's own banner",
           rb"busybox\s+(?:wget|tftp|ftpget)\s{0,4}(?:[;|&\n]|$)|"
           + _START + rb"(?:/bin/)?busybox\s{0,4}(?:[;|&\n]|$)"),
    _check("applet-absent", "a bare wget or tftp shows by its usage that it is there",
           rb"(?:^|;)\s{0,4}(?:tftp|wget|ftpget)\s{0,4};"),
    _check("elf-header", "the header of a program of the machine: its real processor",
           rb"(?:dd\s[^;|\n]{0,60}(?:/bin/(?:ls|echo|busybox)|/proc/self/exe|if=\.s)|cat\s+/bin/(?:ls|echo|busybox)\b|"
           rb"(?:head|od|hexdump|xxd|readelf|file)\s[^;|\n]{0,60}(?:/bin/(?:ls|echo|sh|busybox)|/proc/self/exe))|"
           rb"while\s+read\s+\w+;\s{0,4}do\s[^\n]{0,40}/proc/self/exe"),
    _check("echo-escape", "whether echo understands hexadecimal escapes",
           rb"echo\s+(?:-\w{1,3}\s+){0,2}['\"]?(?:\\\\?x[0-9A-Fa-f]{2}){3,40}['\"]?\s{0,4}(?:[;|&\n]|$)"),
    _check("echo-word", "whether the shell echoes at all",
           rb"(?:^|[;&|]\s{0,4})echo\s+['\"]?(?:[Hh]i|[Hh]ello|ok|test|\w{1,12}_?(?:ok|test))['\"]?\s{0,4}(?:\||[;&\n]|$)"),
    _check("arithmetic", "whether the shell calculates", rb"echo\s+['\"]?\$\(\([^)]{1,40}\)\)|expr\s+\d+\s+[+*-]"),
    _check("writable-mount", "whether a file that is written can be read back",
           rb"/proc/mounts|\.nippon|>\s{0,4}/[\w/]{1,40}/\.\w{1,20}\s{0,4};?\s{0,4}(?:/bin/busybox\s+)?cat\s"),
    _check("processor", "the processor's name and number", rb"/proc/cpuinfo|" + _START + rb"(?:lscpu|nproc)\b"),
    _check("memory", "how much memory there is", rb"/proc/meminfo|" + _START + rb"free\b"),
    _check("disk", "how large the disks are", _START + rb"(?:df|lsblk|fdisk)\b"),
    _check("kernel", "kernel and machine", _START + rb"(?:/(?:usr/)?bin/(?:\./)?)?uname\b|/proc/version"),
    _check("distribution", "which distribution it claims",
           rb"/etc/(?:os-release|issue|\*release|lsb-release|debian_version)|lsb_release"),
    _check("processes", "what runs: a real machine runs much", _START + rb"(?:ps|top|pstree|htop)\b"),
    _check("users-here", "who is logged in, and since when the machine is up",
           _START + rb"(?:w|who|last|uptime|lastlog)\b(?!\S)|/proc/uptime"),
    _check("home-names", "names of users that honeypots ship", rb"ls\s[^;|\n]{0,20}/home\b|richard|\bphil\b"),
    _check("identity", "who one is", _START + rb"(?:whoami|id)\b(?!\S)"),
    _check("cron", "what is scheduled", rb"crontab\s+-l"),
    _check("own-address", "the address that the world sees",
           rb"ifconfig\.(?:me|co|io)|icanhazip|ipinfo\.io|api\.ipify|ip-api\.com|checkip|ipecho|ident\.me|myip"),
    _check("network-cards", "interfaces and their addresses",
           _START + rb"(?:ifconfig|ip\s+a|ip\s+addr|hostname\s+-I)\b"),
    _check("connections", "whether the own connection is among the sockets",
           _START + rb"(?:netstat|ss)\b|/proc/net/tcp"),
    _check("container", "containers and virtual machines",
           rb"\.dockerenv|/proc/1/(?:cgroup|sched|environ)|systemd-detect-virt|virt-what|dmidecode|lshw|/sys/class/dmi"),
    _check("missing-command", "how an unknown command is refused",
           rb"\b(?:lockr|nonexistent\w{0,12}|asdf\w{0,8}|qwert\w{0,8})\b"),
    _check("which-ls", "size and place of a program",
           rb"which\s+ls|ls\s+-\w{0,6}\s+(?:\$\(which|/bin/ls|/proc/self/exe)"),
    _check("miners", "whether others mine here already", rb"grep\s+(?:-\w+\s+)?['\"]?\[?[Mm]{1,2}\]?iner"),
    _check("gsm-modems", "modems that can send messages", rb"/dev/ttyGSM|/dev/modem|smsd|/var/spool/sms|asterisk"),
    _check("mikrotik", "whether it is a router of MikroTik", rb"/ip\s+cloud\s+print|/system\s+(?:resource|identity)"),
    _check("shell-builtins", "the dialogue of a device's log-in shell",
           rb"^\s{0,4}(?:enable|system|shell|linuxshell|sh)\s{0,4}$"),
    _check("new-password", "whether a changed password holds", rb"chpasswd|\bpasswd\b(?![^\n]{0,40}/etc)"),
    _check("time-spent", "whether sleeping takes its time", _START + rb"sleep\s+\d"),
    _check("library", "the C library and its version", rb"ldd\s+--version|getconf\s|ls\s[^;\n]{0,20}/lib/ld-"),
)  # fmt: skip
"""Checks, in the order of the list that `detection` work agrees on; a command may be several."""

LONGEST = 8192
"""Bytes of a command that are looked at."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a session with the answer it got. `at_ms` since the session began."""

    seq: int
    at_ms: int
    text: bytes
    answer: bytes = b""


@dataclass(frozen=True, slots=True)
class Asked:
    """One check with what followed: the answer, whether another command came, and after how long that or the end."""

    seq: int
    check: str
    answer: bytes
    afterwards: Afterwards
    after_ms: int
    commands_left: int


def checks_in(text: bytes) -> list[str]:
    """Names of the checks that a command line is."""
    looked_at = text[:LONGEST]
    return [check.name for check in CHECKS if check.pattern.search(looked_at)]


def observe(steps: Sequence[Step], ended_ms: int, closed_by_client: bool) -> list[Asked]:
    """The checks of one session's commands, in order. `ended_ms`: when it ended; who did not end it himself has not
    left because of an answer, so that a session that we closed says "went-on" for all its checks."""
    found = []
    for index, step in enumerate(steps):
        names = checks_in(step.text)
        last = index == len(steps) - 1
        following = ended_ms if last else steps[index + 1].at_ms
        left: Afterwards = "left" if last and closed_by_client else "went-on"
        for name in names:
            found.append(
                Asked(
                    step.seq, name, step.answer, left, max(0, following - step.at_ms), len(steps) - 1 - index
                )
            )
    return found
