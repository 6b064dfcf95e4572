"""/var/log as a Debian without rsyslog keeps it: package logs, log-in records, the journal's files."""

from __future__ import annotations

import struct
from posixpath import normpath

from urltrap.machine.image.tree import Tree
from urltrap.machine.persona import Persona
from urltrap.machine.persona.dice import Dice
from urltrap.machine.programs._zone import UTC_ZONE, Zone, parse_tzfile

DAY = 86_400.0
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
    tree.directory("/var/log", mtime=boot)
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
    wtmp = _wtmp(dice, persona)
    tree.put("/var/log/faillog", bytes(32_032))
    tree.put("/var/log/lastlog", _lastlog(wtmp, persona), 0o664, gid=43, mtime=boot + 9000)
    tree.put("/var/log/btmp", b"", 0o660, gid=43)
    tree.put("/var/log/wtmp", wtmp, 0o664, gid=43, mtime=boot + 9000)


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


def _wtmp(dice: Dice, persona: Persona) -> bytes:
    release, boot = persona.kernel.release, persona.boot_time
    out = [
        utmp_record(BOOT_TIME, 0, "~", "~~", "reboot", release, boot),
        utmp_record(RUN_LEVEL, 53, "~", "~~", "runlevel", release, boot + 14.2),
        utmp_record(LOGIN_PROCESS, 560, "tty1", "tty1", "LOGIN", "", boot + 14.5),
    ]
    lan = persona.network.gateway.rpartition(".")[0]
    when = boot + DAY * dice.real("first", 0.02, 0.5)
    for number in range(dice.number("logins", 3, 7)):
        user = persona.users[1].name if dice.number(f"who {number}", 0, 2) else "root"
        pid = int(900 + (when - boot) / DAY * (persona.first_pid / 60))
        host = f"{lan}.{dice.number(f'from {number % 2}', 10, 240)}"
        out.append(utmp_record(USER_PROCESS, pid, "pts/0", "ts/0", user, host, when, host))
        stay = dice.real(f"stay {number}", 60, 5400)
        out.append(utmp_record(DEAD_PROCESS, pid, "pts/0", "", "", "", when + stay))
        when += stay + DAY * dice.real(f"next {number}", 0.05, 2.2)
    return b"".join(out)
