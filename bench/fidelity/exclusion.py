"""What is left out of the figures, by rule: lines to which a cell cannot give a real machine's answer.

A cell has no service manager, no hardware of its own, no log-ins and no other processes; it is stopped after five
seconds; and what does not answer twice alike on the real machine cannot be compared. At most a tenth may be left out
(`LIMIT`); the harness says so where it is more.
"""

from __future__ import annotations

import re

from fidelity.masking import mask
from fidelity.reference import Result, Side

LIMIT = 0.10

_STATE = re.compile(
    r"(?:^|[;&|(`]|\$\(|\bsudo |\bbusybox |\bxargs |\bthen |\bdo )\s*(?:/\S*/)?"
    r"(?:ps|top|htop|w|who|last|lastlog|users|mount|netstat|ss|lsmod|dmesg|lspci|lsusb|lsblk|fdisk|blkid|dmidecode|"
    r"systemctl|service|journalctl|systemd-detect-virt|loginctl|ifconfig|ip|arp|route|lsof|reboot|shutdown|poweroff|"
    r"halt|pstree|hostnamectl|timedatectl|sysctl|insmod|modprobe|swapon|pgrep|pidof)(?:\s|$|[;&|)])"
)


_DISK = re.compile(r"/dev/(?:[shv]d[a-z]|nvme|mmcblk|mtd)|/proc/sysrq-trigger")


def before(line: str) -> str | None:
    """Why a line is left out, as far as the line itself tells; None where it is compared."""
    if _STATE.search(line) or _DISK.search(line):
        return "asks for processes, devices, log-ins, services or interfaces that a cell has not"
    return None


def after(line: str, side: Side, first: Result, second: Result) -> str | None:
    """Why a line is left out, by what two runs in the reference answered; None where it is compared."""
    if first.ended != "exit" or second.ended != "exit":
        return "does not end by itself in five seconds, or tells without end"
    if first.status is None:
        return "killed its own machine"
    if mask(first, line, side) != mask(second, line, side):
        return "does not answer twice alike"
    return None
