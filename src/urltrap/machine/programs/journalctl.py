"""journalctl: the journal, filtered and shown."""

from __future__ import annotations

import re

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._journal import Entry, entries
from urltrap.machine.programs._regex import BadRegex, compile_perl
from urltrap.machine.programs._units import KINDS
from urltrap.machine.programs._when import parse
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.registry import program

_LETTERS = "fen:aqMTD:iNxu:t:p:g:c:S:U:F:b::klmrH:o:"
_WORDS = (
    "system user merge boot:: this-boot since: until: unit: user-unit: identifier: priority: "
    "grep: follow lines:: no-tail reverse output: utc catalog no-full full all no-pager quiet "
    "disk-usage vacuum-size: vacuum-files: vacuum-time: rotate flush sync relinquish-var verify "
    "list-boots dmesg no-hostname header update-catalog pager-end cursor: show-cursor help version "
    "directory: file: root: fields field: machine: interval: truncate-newline"
)
_SHORT = {"n": "lines", "u": "unit", "k": "dmesg", "S": "since", "U": "until", "r": "reverse", "o": "output", "e":
          "pager-end", "t": "identifier", "g": "grep", "f": "follow", "b": "boot", "p": "priority",
          "q": "quiet"}  # fmt: skip
_ERROR = re.compile(r"fail|error|refus", re.IGNORECASE)


@program("journalctl")
def journalctl(p: Process) -> Run:
    """Show the journal."""
    long = {word.rstrip(":"): word[len(word.rstrip(":")) :] for word in _WORDS.split()}
    try:
        options, _ = getopt(p.argv[1:], _LETTERS, long)
    except OptionError as problem:
        yield from p.err(f"{p.argv[0]}: {problem}\n")
        return 1
    given = {_SHORT.get(name, name.lstrip("-")): value for name, value in options}
    if given.keys() & {"vacuum-size", "vacuum-files", "vacuum-time", "rotate", "flush", "sync"}:
        vacuum = any(name.startswith("vacuum") for name in given)
        yield from p.err(
            "Vacuuming done, freed 0B of archived journals from /var/log/journal.\n" if vacuum else ""
        )
        return 0
    if "disk-usage" in given:
        yield from p.out("Archived and active journals take up 24.0M in the file system.\n")
        return 0
    if p.uid:
        yield from p.err("Hint: You are currently not seeing messages from other users and the system.\n"
                         "      Users in groups 'adm', 'systemd-journal' can see all messages.\n"
                         "      Pass -q to turn off this notice.\nNo journal files were opened due to insufficient "
                         "permissions.\n")  # fmt: skip
        return 1
    if "list-boots" in given:
        first, last = (local(p, when) for when in (p.boot_time, p.now()))
        spans = "—".join(f"{each.clock:%a %Y-%m-%d %H:%M:%S} {each.zone}" for each in (first, last))
        yield from p.out(f" 0 {p.persona.boot_id.replace('-', '')} {spans}\n")
        return 0
    for name in ("since", "until"):
        if name in given and _moment(p, given[name]) is None:
            yield from p.err(f"Failed to parse timestamp: {given[name]}\n")
            return 1
    if "grep" in given:
        try:
            compile_perl(given["grep"])
        except BadRegex:
            yield from p.err("Bad pattern: cannot be compiled\n")
            return 1
    units = {value if value.endswith(KINDS) else f"{value}.service" for name, value in options
             if name in ("u", "--unit")}  # fmt: skip
    found = _chosen(p, given, units)
    if not found:
        yield from p.out("-- No entries --\n")
        return 0 if "follow" not in given else (yield from _follow(p))
    style = given.get("output", "short")
    for each in found:
        yield from p.out(_line(p, each, style, "no-hostname" in given))
    return (yield from _follow(p)) if "follow" in given else 0


def _follow(p: Process) -> Run:
    while True:
        yield from p.sleep(3600.0)


def _moment(p: Process, text: str) -> float | None:
    words = {"today": 0.0, "yesterday": 86_400.0}
    if text in words:
        midnight = parse(p, "today 00:00", p.now())
        return midnight - words[text] if midnight is not None else None
    return parse(p, text, p.now())


def _chosen(p: Process, given: dict[str, str], units: set[str]) -> list[Entry]:
    if given.get("boot", "").lstrip("-").isdigit() and int(given["boot"]):
        return []
    found = entries(p)
    if units:
        found = [each for each in found if each.unit in units]
    if "dmesg" in given:
        found = [each for each in found if each.who == "kernel"]
    if "identifier" in given:
        found = [each for each in found if each.who.partition("[")[0] == given["identifier"]]
    if given.get("priority") in ("0", "1", "2", "3", "err", "crit", "alert", "emerg"):
        found = [each for each in found if _ERROR.search(each.text) and each.who != "kernel"]
    since, until = (_moment(p, given[name]) if name in given else None for name in ("since", "until"))
    found = [
        each
        for each in found
        if (since is None or each.when >= since) and (until is None or each.when <= until)
    ]
    if "grep" in given:
        pattern = compile_perl(given["grep"], given["grep"].islower())
        found = [each for each in found if pattern.search(each.text[:2000])]
    lines = given.get("lines", "10" if "follow" in given else "1000" if "pager-end" in given else "")
    if "lines" in given and not lines:
        lines = "10"
    if lines.isdecimal():
        found = found[len(found) - min(int(lines[:9]), len(found)) :]
    return found[::-1] if "reverse" in given else found


def _line(p: Process, each: Entry, style: str, bare: bool) -> str:
    if style == "cat":
        return each.text + "\n"
    at = local(p, each.when)
    host = "" if bare else f"{p.hostname} "
    if style.startswith("short-iso"):
        zone = f"{'-' if at.offset < 0 else '+'}{abs(at.offset) // 3600:02d}{abs(at.offset) % 3600 // 60:02d}"
        return f"{at.clock:%Y-%m-%dT%H:%M:%S}{zone} {host}{each.who}: {each.text}\n"
    if style == "short-full":
        return f"{at.clock:%a %Y-%m-%d %H:%M:%S} {at.zone} {host}{each.who}: {each.text}\n"
    if style == "short-precise":
        return f"{at.clock:%b %d %H:%M:%S.%f} {host}{each.who}: {each.text}\n"
    if style == "short-unix":
        return f"{each.when:.6f} {host}{each.who}: {each.text}\n"
    if style == "short-monotonic":
        return f"[{each.when - p.boot_time:12.6f}] {host}{each.who}: {each.text}\n"
    return f"{at.clock:%b %d %H:%M:%S} {host}{each.who}: {each.text}\n"


def short_line(p: Process, each: Entry) -> str:
    """A line as systemctl status shows it."""
    return _line(p, each, "short", False)
