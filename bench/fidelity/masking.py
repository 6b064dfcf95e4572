"""What may differ between two real machines, and so between the reference and ours: everything else is compared.

`RULES` apply to every answer, `figures` to the answers of lines that ask for the state of the moment.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

from fidelity.reference import Result, Side


@dataclass(frozen=True)
class Rule:
    """Replace what `pattern` finds; `why` it must differ."""

    why: str
    pattern: re.Pattern[bytes]
    into: bytes


def _rule(why: str, pattern: bytes, into: bytes) -> Rule:
    return Rule(why, re.compile(pattern, re.M), into)


_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MODE = rb"^[-dlcbps][-rwxsStT]{9}[.+]?"

RULES = (
    _rule("who built a device's BusyBox and when", rb"\b(BusyBox v\d+\.\d+\.\d+) \((?:Debian|20\d\d-)[^)]*\)",
          rb"\1 (<build>)"),
    _rule("the kernel's files belong to nobody in a user namespace", rb"\bnobody +nogroup\b", b"root root"),
    _rule("directories: link count and size are the file system's",
          rb"(^d[-rwxsStT]{9}[.+]?) +\d+( +\S+ +\S+) +[\d.]+[KM]?\b", rb"\1 #\2 #"),
    _rule("blocks are the file system's", rb"^total [\d.]+[KMG]?$", b"total #"),
    _rule("time: as ls shows it", rb"(?:" + _MONTH + rb" [ \d]\d|[ \d]\d " + _MONTH + rb") +\d\d:\d\d\b",
          b"<time>"),
    _rule("time: day", rb"\b" + _DAY + rb"[a-z]*,? +(?:\d{1,2} +)?" + _MONTH + rb"[a-z]* +\d{1,4}\b", b"<day>"),
    _rule("time: date", rb"\b20\d\d-\d\d-\d\d\b", b"<date>"),
    _rule("time: clock", rb"\b\d\d?:\d\d:\d\d(?:[.,]\d+)?(?: [AP]M)?\b", b"<clock>"),
    _rule("time: unix seconds", rb"\b1[6-9]\d{8}(?:\.\d+)?\b", b"<unix>"),
    _rule("duration and rate: dd", rb"(copied), [\d.e+-]+ s, [\d.]+ [kMGT]?B/s", rb"\1, <duration>"),
    _rule("duration: real, user, sys", rb"^(real|user|sys)\s+(?:\d+m)?[\d.]+s$", rb"\1 <duration>"),
    _rule("duration: curl's progress",
          rb"(?:\r? *\d+ +\d+ +\d+ +\d+ +\d+ +\d+ +\d+ +\d+ +[-:\d]+ +[-:\d]+ +[-:\d]+ +\d+)+", b"<progress>"),
    _rule("duration: curl's connecting, ping's answers", rb"\b(after|time=|time) ?[\d.]+ ?ms\b", rb"\1 <duration>"),
    _rule("time: since the start", rb"\bup(?: +(?:\d+ (?:years?|weeks?|days?|hours?|min(?:utes?)?)|\d+:\d\d),?)+",
          b"up <duration>"),
    _rule("duration: ping's summary", rb"= [\d.]+/[\d.]+/[\d.]+(?:/[\d.]+)? ms", b"= <duration>"),
    _rule("hardware: what a persona does not claim", rb"^(cpuid level|TLB size)(\s*:).*$", rb"\1\2 <hardware>"),
    _rule("pid: jobs and ends that the shell tells", rb"(^\[\d+\][+-]? +|line \d+: +)\d+(?=$| )", rb"\1<pid>"),
    _rule("pid: in parentheses or brackets", rb"\((?:pid )?\d{2,7}\)|\[\d{2,7}\]", b"<pid>"),
    _rule("random: names of temporary files", rb"\btmp\.[A-Za-z0-9]{6,12}\b", b"tmp.<random>"),
    _rule("random: salted password hashes", rb"\$(?:y|6|5|1)\$[./A-Za-z0-9$]{8,}", b"<hash>"),
    _rule("an installation's programs have bytes of their own: digests of files", rb"\b[0-9a-f]{32,128}(?=  ?/)",
          b"<digest>"),
    _rule("no name server in the cell", rb"Temporary failure in name resolution", b"Name or service not known"),
    _rule("no name server in the cell: nc", rb"Host name lookup failure : Resource temporarily unavailable",
          b"Unknown host"),
)  # fmt: skip

_LISTED = re.compile(_MODE + rb".*$", re.M)
_ELF = {"bash": 20, "ash": 4}

_FIGURES = re.compile(
    r"\b(?:free|uptime|vmstat|df|du|meminfo|loadavg|/proc/stat|nproc --all|date|times|iostat)\b"
    r"|/proc/(?:uptime|diskstats|interrupts|version)|\$(?:\$|PPID|RANDOM|BASHPID|SECONDS|SRANDOM|EPOCH)|/proc/self"
)


_UNSORTED = re.compile(r"\b(?:find|du|grep -\w*[rR]|ls -\w*[fU]|getcap -r)\b")


def figures(line: str) -> bool:
    """True for lines that show the moment's figures (memory in use, load, pids, chance): their numbers are folded."""
    return _FIGURES.search(line) is not None


def mask(result: Result, line: str, side: Side) -> tuple[bytes, bytes, int | None]:
    """(stdout, stderr, status) with everything folded that must differ."""
    return _masked(result.stdout, line, side), _masked(result.stderr, line, side), result.status


def _masked(data: bytes, line: str, side: Side) -> bytes:
    data = _without_program_bytes(data, side)
    if side == "ash":
        data = _without_applets(data)
    for rule in RULES:
        data = rule.pattern.sub(rule.into, data)
    data = _LISTED.sub(lambda row: re.sub(rb" +", b" ", row[0]), data)
    if figures(line):
        data = re.sub(rb"[ \t]+", b" ", re.sub(rb"\d+(?:\.\d+)?", b"#", data))
    if _UNSORTED.search(line):
        # The order of a directory's names is the file system's own.
        data = b"\n".join(sorted(data.split(b"\n")))
    return data


def _without_applets(data: bytes) -> bytes:
    """Which applets there are is its builder's choice, a router's another one than Debian's; how they are listed is
    BusyBox's: the names in order, wrapped before column 80. What is listed otherwise stays and differs."""
    head, mark, listed = data.partition(b"Currently defined functions:\n")
    paragraph, end, rest = (
        listed.partition(b"\n\n") if b"\n\n" in listed else (listed.rstrip(b"\n"), b"\n", b"")
    )
    rows = [row for row in paragraph.split(b"\n") if row.startswith(b"\t")]
    names = b" ".join(row.strip() for row in rows).split(b", ")
    if not mark or len(names) < 50 or names != sorted(names):
        return data
    other = [row for row in paragraph.split(b"\n") if not row.startswith(b"\t")]
    wrapped = textwrap.wrap(", ".join(name.decode("latin-1") for name in names), 71, break_long_words=False,
                            break_on_hyphens=False)  # fmt: skip
    if [row.strip().decode("latin-1") for row in rows] != wrapped:
        return data
    return head + mark + b"\t<applets>\n" + b"\n".join(other) + end + rest


def _without_program_bytes(data: bytes, side: Side) -> bytes:
    """Of a program's bytes only the identification (and on Debian type and machine) is comparable: each installation's
    programs have bytes of their own, and the device's are another processor's."""
    start = data.find(b"\x7fELF")
    if start < 0:
        return data
    kept = start + _ELF[side]
    tail = b"<program>" if len(data) > kept + 64 else b""
    return data[:kept] + tail
