"""The journal's entries, from the facts that they are about: the start, log-ins, cron, and units started by hand."""

from __future__ import annotations

from dataclasses import dataclass

from urltrap.machine.api import Process
from urltrap.machine.errors import SysError
from urltrap.machine.image.cloudinit import output_lines
from urltrap.machine.image.logs import LOGIN_PROCESS, USER_PROCESS, read_utmp
from urltrap.machine.proc.sockets import session_number, sockets
from urltrap.machine.programs._bootlog import boot_lines
from urltrap.machine.programs._system import account
from urltrap.machine.programs._unitrun import title

HOUR = 3600.0
_CLOUD_INIT = 402
_CRON_HOURS = 30
"""How far back the hourly lines of cron are told; older ones are in archived files."""
_RECORDS_MAX = 2_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: when, its process's name with number, the text, and the unit that it belongs to."""

    when: float
    who: str
    text: str
    unit: str = ""


def entries(p: Process) -> list[Entry]:
    """Everything, oldest first."""
    found = [Entry(p.boot_time + at, "kernel", text, "kernel") for at, text in boot_lines(p.persona)]
    found += _services(p) + _cron(p) + _logins(p) + _before(p)
    found += [Entry(float(when), who, text) for when, who, text, _ in p.logged]
    for unit, run in p.units.items():
        found += [Entry(when, who, text, unit) for when, who, text in run.lines]
    return sorted((each for each in found if each.when <= p.now()), key=lambda each: each.when)


def _services(p: Process) -> list[Entry]:
    found = []
    for each in p.persona.residents:
        if not each.unit.endswith(".service"):
            continue
        at = p.boot_time + each.after
        name = title(p, each.unit)
        found.append(Entry(at - 0.02, "systemd[1]", f"Starting {name}...", each.unit))
        found.append(Entry(at + 0.04, "systemd[1]", f"Started {name}.", each.unit))
        who = f"{each.comm}[{each.pid}]"
        if each.unit == "ssh.service":
            found += [
                Entry(at + 0.03, who, f"Server listening on {where} port 22.", each.unit)
                for where in ("0.0.0.0", "::")
            ]
        elif each.unit == "cron.service":
            found.append(Entry(at + 0.01, who, "(CRON) INFO (pidfile fd = 3)", each.unit))
            found.append(Entry(at + 0.02, who, "(CRON) INFO (Running @reboot jobs)", each.unit))
    if p.persona.kind == "cloud-small":
        for number, (at, unit, text) in enumerate(output_lines(p.persona, p.boot_time)):
            found.append(Entry(p.boot_time + at, f"cloud-init[{_CLOUD_INIT + number // 40}]", text, unit))
    return found


def pid_at(p: Process, when: float) -> int:
    """About the number that a process got at a moment of the past."""
    newest = max((row.pid for row in p.processes()), default=p.persona.first_pid)
    share = (when - p.boot_time) / max(1.0, p.now() - p.boot_time)
    return 600 + int(max(0.0, share) * max(1, newest - 640))


def _cron(p: Process) -> list[Entry]:
    if p.process_row(next((each.pid for each in p.persona.residents if each.comm == "cron"), 0)) is None:
        return []
    found = []
    first = int(max(p.boot_time, p.now() - _CRON_HOURS * HOUR) // HOUR) + 1
    for hour in range(first, int(p.now() // HOUR) + 2):
        at = (hour - 1) * HOUR + 17 * 60 + 1
        if not p.boot_time < at <= p.now():
            continue
        pid = pid_at(p, at)
        session = "pam_unix(cron:session): session"
        found += [
            Entry(at, f"CRON[{pid}]", f"{session} opened for user root(uid=0) by (uid=0)", "cron.service"),
            Entry(at + 0.01, f"CRON[{pid + 1}]", "(root) CMD (cd / && run-parts --report /etc/cron.hourly)",
                  "cron.service"),
            Entry(at + 0.03, f"CRON[{pid}]", f"{session} closed for user root", "cron.service"),
        ]  # fmt: skip
    return found


def _logins(p: Process) -> list[Entry]:
    found = []
    rows = sockets(p.persona, p.processes(), p.connections, p.sockets)
    for number, each in enumerate(p.connections, 1):
        pid = next(
            (row.pid for row in rows if row.remote_port == each.client_port and row.pid),
            pid_at(p, each.since),
        )
        who = f"sshd[{pid}]"
        text = f"Accepted password for {each.user} from {each.client_ip} port {each.client_port} ssh2"
        uid = 0 if each.user == "root" else 1000
        session = session_number(p.persona, number - 1)
        if each.protocol == "telnet":
            opened = f"pam_unix(login:session): session opened for user {each.user}(uid={uid}) by (uid=0)"
            found.append(Entry(each.since, f"login[{pid}]", opened, "inetd.service"))
            continue
        found += [
            Entry(each.since, who, text, "ssh.service"),
            Entry(each.since + 0.01, who, f"pam_unix(sshd:session): session opened for user {each.user}(uid={uid}) by "
                  "(uid=0)", "ssh.service"),
            Entry(each.since + 0.02, _logind(p), f"New session {session} of user {each.user}.",
                  "systemd-logind.service"),
            Entry(each.since + 0.03, "systemd[1]", f"Started session-{session}.scope - Session {session} of User "
                  f"{each.user}."),
        ]  # fmt: skip
    return found


def _before(p: Process) -> list[Entry]:
    """Who came earlier, and who tried: what wtmp and btmp hold of the time since the start."""
    found = []
    live = {(each.tty, int(each.since)) for each in p.connections}
    for path in ("/var/log/btmp.1", "/var/log/btmp", "/var/log/wtmp.1", "/var/log/wtmp"):
        try:
            rows = read_utmp(p.fs.read(path, _RECORDS_MAX))
        except SysError:
            continue
        for kind, pid, line, user, host, when in rows:
            if (
                when < p.boot_time
                or (line, int(when)) in live
                or kind not in (LOGIN_PROCESS, USER_PROCESS)
                or not host
            ):
                continue
            who, port = f"sshd[{pid}]", 32_768 + (pid * 7919 + int(when)) % 28_000
            uid = 0 if user == "root" else 1000
            if kind == USER_PROCESS:
                found += [
                    Entry(when, who, f"Accepted password for {user} from {host} port {port} ssh2", "ssh.service"),
                    Entry(when + 0.01, who, f"pam_unix(sshd:session): session opened for user {user}(uid={uid}) by "
                          "(uid=0)", "ssh.service"),
                ]  # fmt: skip
                continue
            known = account(p, user) is not None
            name = user if known else f"invalid user {user}"
            if not known:
                found.append(
                    Entry(when - 2.4, who, f"Invalid user {user} from {host} port {port}", "ssh.service")
                )
                found.append(
                    Entry(when - 2.2, who, "pam_unix(sshd:auth): check pass; user unknown", "ssh.service")
                )
            found += [
                Entry(when - 2.1, who, "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh "
                      f"ruser= rhost={host} {f' user={user}' if known else ''}", "ssh.service"),
                Entry(when, who, f"Failed password for {name} from {host} port {port} ssh2", "ssh.service"),
                Entry(when + 1.1, who, f"Connection closed by {'authenticating' if known else 'invalid'} user {user} "
                      f"{host} port {port} [preauth]", "ssh.service"),
            ]  # fmt: skip
    return found


def _logind(p: Process) -> str:
    pid = next((each.pid for each in p.persona.residents if each.comm == "systemd-logind"), 1)
    return f"systemd-logind[{pid}]"
