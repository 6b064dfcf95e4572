"""/var/log as a Debian without rsyslog keeps it: package logs, log-in records, the journal's files."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from posixpath import normpath

from urltrap.machine.image.tree import Tree
from urltrap.machine.persona import Persona
from urltrap.machine.persona.dice import Dice
from urltrap.machine.programs._zone import UTC_ZONE, Zone, parse_tzfile

DAY = 86_400.0
_TRIED_DAYS, _TRIED_MAX = 24, 500
_TRIED = ("root", "root", "root", "root", "admin", "user", "test", "ubuntu", "oracle", "postgres", "git", "ftpuser",
          "guest", "deploy", "hadoop", "mysql", "pi", "support")  # fmt: skip
"""The names that are tried most (urltrap's own records, and everybody's)."""
_FAR = (45, 61, 80, 91, 94, 103, 112, 118, 139, 146, 159, 165, 178, 185, 193, 195, 202, 218)
"""First numbers of addresses from which it comes."""
BOOT_TIME, RUN_LEVEL, USER_PROCESS, DEAD_PROCESS, LOGIN_PROCESS = 2, 1, 7, 8, 6
_LASTLOG = struct.Struct("<i32s256s")
_UTMP = struct.Struct("<hxxi32s4s32s256shhiii4i20s")


def utmp_record(
    kind: int, pid: int, line: str, ident: str, user: str, host: str, when: float, address: str = ""
) -> bytes:
    """One record of utmp(5) for x86-64 (384 bytes); `when` in unix seconds, `address` a dotted IPv4 address."""
    quad = 0
    if address:
        quad = int.from_bytes(bytes(int(part) for part in address.split(".")), "little", signed=True)
    seconds = int(when)
    return _UTMP.pack(kind, pid, line.encode(), ident.encode(), user.encode(), host.encode(), 0, 0, 0, seconds,
                      int((when - seconds) * 1e6), quad, 0, 0, 0, b"")  # fmt: skip


def read_utmp(data: bytes) -> list[tuple[int, int, str, str, str, float]]:
    """The records of a wtmp file: (kind, pid, line, user, host, unix seconds); a cut last record is left out."""
    found = []
    for start in range(0, len(data) - _UTMP.size + 1, _UTMP.size):
        kind, pid, line, _, user, host, _, _, _, seconds, micro, *_ = _UTMP.unpack_from(data, start)
        text = [part.split(b"\0")[0].decode("utf-8", "replace") for part in (line, user, host)]
        found.append((kind, pid, text[0], text[1], text[2], seconds + micro / 1e6))
    return found


def apply_logs(tree: Tree, persona: Persona) -> None:
    """Write /var/log."""
    dice = Dice(bytes.fromhex(persona.fingerprint), "logs")
    zone = zone_of(tree, persona.timezone)
    boot, installed = persona.boot_time, persona.installed
    tree.directory("/var/log", mtime=max(boot, _month_begins(persona)))
    tree.directory("/var/log/apt", mtime=boot)
    tree.directory("/var/log/private", 0o700)
    tree.directory("/var/log/unattended-upgrades", 0o750, gid=4, mtime=boot)
    tree.directory("/var/log/journal", 0o2755, gid=999)
    journal = f"/var/log/journal/{persona.machine_id}"
    tree.directory(journal, 0o2755, gid=999, mtime=boot)
    tree.opaque(f"{journal}/system.journal", 16_777_216, 0o640, gid=999, mtime=boot + 40)
    tree.opaque(f"{journal}/user-1000.journal", 8_388_608, 0o640, gid=999, mtime=boot + 900)
    tree.link("/var/log/README", "../../usr/share/doc/systemd/README.logs")
    tree.put("/var/log/dpkg.log", _dpkg_log(tree, zone, installed))
    tree.put("/var/log/apt/history.log", _apt_history(dice, tree, zone, installed))
    tree.put("/var/log/alternatives.log", "")
    wtmp, turned = _wtmp(dice, persona), _month_begins(persona)
    before = b"".join(wtmp[at : at + _UTMP.size] for at in range(0, len(wtmp), _UTMP.size)
                      if read_utmp(wtmp[at : at + _UTMP.size])[0][5] < turned)  # fmt: skip
    failed = _btmp(dice, persona, max(turned, boot))
    tree.put("/var/log/faillog", bytes(32_032))
    tree.put("/var/log/lastlog", _lastlog(wtmp, persona), 0o664, gid=43, mtime=_latest(wtmp, boot))
    tree.put("/var/log/btmp", failed, 0o660, gid=43, mtime=_latest(failed, max(turned, boot)))
    tree.put("/var/log/wtmp", wtmp[len(before) :], 0o664, gid=43, mtime=_latest(wtmp[len(before) :], turned))
    if before:
        # logrotate's monthly turn, at the midnight of logrotate.timer
        tree.put("/var/log/wtmp.1", before, 0o664, gid=43, mtime=_latest(before, boot))
        tree.put("/var/log/btmp.1", _btmp(dice, persona, boot, turned), 0o660, gid=43, mtime=turned - 240)


def _month_begins(persona: Persona) -> float:
    """The last turn of the month before the persona was made (unix seconds)."""
    made = datetime.fromtimestamp(persona.made, UTC)
    return made.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()


def _latest(records: bytes, default: float) -> float:
    return max((row[5] for row in read_utmp(records)), default=default)


def _btmp(dice: Dice, persona: Persona, since: float, until: float = 0.0) -> bytes:
    """Log-ins that failed: what everybody who listens on port 22 sees of the world, by a few that try for a while."""
    until = until or persona.made
    out: list[tuple[float, bytes]] = []
    number = 0
    when = max(since, until - _TRIED_DAYS * DAY)
    while (when := when + DAY * dice.real(f"tried {until:.0f} {number}", 0.02, 0.5)) < until:
        draw = dice.scoped(f"trier {until:.0f} {number}")
        host = f"{draw.choice('first', _FAR)}.{draw.number('second', 1, 250)}.{draw.number('third', 1, 250)}."
        host += str(draw.number("fourth", 2, 250))
        at = when
        for tried in range(draw.number("tries", 1, 14)):
            name = draw.choice(f"name {tried}", _TRIED)
            out.append((at, utmp_record(LOGIN_PROCESS, 1000 + int((at - persona.boot_time) / 31), "ssh:notty", "", name,
                                        host, at, host)))  # fmt: skip
            at += draw.real(f"pause {tried}", 3, 90)
        number += 1
    return b"".join(record for at, record in sorted(out)[-_TRIED_MAX:] if at < until)


def zone_of(tree: Tree, name: str) -> Zone:
    """The rules of a time zone, from its file in the tree; UTC where there is none."""
    path = f"/usr/share/zoneinfo/{name}"
    for _ in range(5):
        entry = tree.entries.get(path)
        if entry is None or entry.kind == "f":
            break
        path = (
            entry.target
            if entry.target.startswith("/")
            else normpath(f"{path.rpartition('/')[0]}/{entry.target}")
        )
    return parse_tzfile(entry.data) if entry is not None and entry.data is not None else UTC_ZONE


def _stamp(zone: Zone, when: float) -> str:
    return zone.at(when).clock.isoformat(" ", "seconds")


def _dpkg_log(tree: Tree, zone: Zone, installed: float) -> str:
    lines = []
    when = installed
    names = [path[len("/var/lib/dpkg/info/") : -5] for path in tree.entries if path.startswith("/var/lib/dpkg/info/")
             and path.endswith(".list")]  # fmt: skip
    for number, name in enumerate(names[-60:]):
        when = installed + number * 0.9
        package = name if ":" in name else f"{name}:amd64"
        lines += [
            f"{_stamp(zone, when)} status half-configured {package}",
            f"{_stamp(zone, when)} status installed {package}",
        ]
    lines.append(f"{_stamp(zone, when + 2)} startup packages configure")
    return "\n".join(lines) + "\n"


_LATER = ("screen", "rsync", "unzip", "lsof", "zstd", "bc", "file", "curl", "nano")


def _apt_history(dice: Dice, tree: Tree, zone: Zone, installed: float) -> str:
    """What was installed by hand afterwards: some of the packages that are there, in their versions."""
    status = tree.text("/var/lib/dpkg/status") if "/var/lib/dpkg/status" in tree else ""
    versions = {}
    for part in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in part.splitlines() if ": " in line and line[:1] != " ")
        versions[fields.get("Package", "")] = fields.get("Version", "")
    names = [name for name in _LATER if name in versions]
    out, when = [], installed + 1800
    for number in range(min(3, len(names))):
        name = names.pop(dice.number(f"apt {number}", 0, len(names) - 1))
        start, end = (_stamp(zone, at).replace(" ", "  ") for at in (when, when + 3))
        out.append(f"\nStart-Date: {start}\nCommandline: apt install -y {name}\n"
                   f"Install: {name}:amd64 ({versions[name]})\nEnd-Date: {end}\n")  # fmt: skip
        when += DAY * dice.real(f"apt {name}", 0.1, 3.0)
    return "".join(out)


def _lastlog(wtmp: bytes, persona: Persona) -> bytes:
    """lastlog(8)'s file: a record for each number of a user up to the highest, of his last log-in."""
    numbers = {user.name: user.uid for user in persona.users}
    rows = [row for row in read_utmp(wtmp) if row[0] == USER_PROCESS and row[3] in numbers]
    data = bytearray(_LASTLOG.size * (max(numbers.values()) + 1))
    for _, _, line, user, host, when in rows:
        _LASTLOG.pack_into(data, numbers[user] * _LASTLOG.size, int(when), line.encode(), host.encode())
    return bytes(data)


def start_records(release: str, down: float, boot: float) -> bytes:
    """What a restart adds to wtmp: the way down, and the new start (unix seconds)."""
    return b"".join([
        utmp_record(RUN_LEVEL, 0, "~", "~~", "shutdown", release, down),
        utmp_record(BOOT_TIME, 0, "~", "~~", "reboot", release, boot),
        utmp_record(RUN_LEVEL, 53, "~", "~~", "runlevel", release, boot + 7.9),
    ])  # fmt: skip


def last_seen(persona: Persona, user: str) -> float | None:
    """When a user left for the last time before the persona was made (unix seconds); None where he never came."""
    found, inside = None, ""
    for kind, _, _, name, _, when in read_utmp(
        _wtmp(Dice(bytes.fromhex(persona.fingerprint), "logs"), persona)
    ):
        if kind == USER_PROCESS:
            inside = name
        elif kind == DEAD_PROCESS and inside == user:
            found = when
    return found


def _wtmp(dice: Dice, persona: Persona) -> bytes:
    release, boot = persona.kernel.release, persona.boot_time
    out = [
        utmp_record(BOOT_TIME, 0, "~", "~~", "reboot", release, boot),
        utmp_record(RUN_LEVEL, 53, "~", "~~", "runlevel", release, boot + 14.2),
        utmp_record(LOGIN_PROCESS, 560, "tty1", "tty1", "LOGIN", "", boot + 14.5),
    ]
    lan = persona.network.gateway.rpartition(".")[0]
    days = (persona.made - boot) / DAY
    count = dice.number("logins", 3, 7) + int(days / 9)
    when = boot + DAY * min(0.4, days / 9) * dice.real("first", 0.1, 1.0)
    for number in range(count):
        user = persona.users[1].name if dice.number(f"who {number}", 0, 2) else "root"
        pid = int(900 + (when - boot) / DAY * (persona.first_pid / 60))
        host = f"{lan}.{dice.number(f'from {number % 2}', 10, 240)}"
        out.append(utmp_record(USER_PROCESS, pid, "pts/0", "ts/0", user, host, when, host))
        stay = dice.real(f"stay {number}", 60, 5400)
        out.append(utmp_record(DEAD_PROCESS, pid, "pts/0", "", "", "", when + stay))
        when += stay + (persona.made - when) / (count - number + 0.7) * dice.real(f"next {number}", 0.4, 1.4)
        if when > persona.made - 7200:
            break
    return b"".join(out)
