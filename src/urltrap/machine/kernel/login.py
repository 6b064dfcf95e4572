"""A log-in: who came how, and the jobs that he starts, as sshd (or telnetd and login) would start them."""

from __future__ import annotations

import dataclasses
import errno
import struct
from collections.abc import Mapping

from urltrap.machine.api import Connection, ProcessInfo
from urltrap.machine.effects import Output
from urltrap.machine.errors import SysError
from urltrap.machine.fs.view import FileView
from urltrap.machine.image.logs import DEAD_PROCESS, USER_PROCESS, utmp_record
from urltrap.machine.kernel.accounts import Account
from urltrap.machine.kernel.executable import find_program
from urltrap.machine.kernel.files import File
from urltrap.machine.kernel.job import KernelJob
from urltrap.machine.kernel.kernel import Kernel
from urltrap.machine.kernel.onlooker import Onlooker
from urltrap.machine.kernel.process import KernelProcess
from urltrap.machine.kernel.tty import Tty
from urltrap.machine.persona import visible_address
from urltrap.machine.proc.sockets import own_port, session_number
from urltrap.machine.programs._zone import zone_in
from urltrap.model.settings import SessionLimits

_ROOT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_USER_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/games"
_DEVICE_PATH = "/sbin:/usr/sbin:/bin:/usr/bin"
_LASTLOG = struct.Struct("<i32s256s")


class Login:
    """One log-in of one user over one connection. `exec` and `shell` may be used several times (SSH channels)."""

    def __init__(
        self, kernel: Kernel, limits: SessionLimits, account: Account, connection: Connection
    ) -> None:
        self.kernel = kernel
        self.account = account
        self.connection = connection
        self._limits = limits
        self._jobs: list[KernelJob] = []
        self._rows: list[int] = []
        self._terminals: list[int] = []
        self._shown: list[Connection] = [connection]
        kernel.connections.append(connection)
        self._server_pid = self._enter_server()
        if connection.tty:
            self._record(USER_PROCESS, connection.tty, connection.since)

    def exec(self, command: str, env: Mapping[str, str] | None = None) -> KernelJob:
        """Run a command with the user's shell, without terminal."""
        job = KernelJob(self.kernel, self.connection, self._limits, parent_pid=self._server_pid)
        shell = self.account.shell
        self._launch(job, [shell.rpartition("/")[2], "-c", command], job.streams(), self._environment(env))
        return job

    def exec_on_terminal(
        self, command: str, term: str, columns: int, rows: int, env: Mapping[str, str] | None = None
    ) -> KernelJob:
        """Run a command with the user's shell on a terminal (``ssh -t``)."""
        shell = self.account.shell
        return self._on_terminal(
            [shell.rpartition("/")[2], "-c", command], term, columns, rows, env, greet=False
        )

    def shell(self, term: str, columns: int, rows: int, env: Mapping[str, str] | None = None) -> KernelJob:
        """A log-in shell on a terminal, with what is printed before its first prompt."""
        name = "-" + self.account.shell.rpartition("/")[2]
        return self._on_terminal([name], term, columns, rows, env, greet=True)

    def shell_on_pipes(self, env: Mapping[str, str] | None = None) -> KernelJob:
        """A log-in shell that reads its commands from standard input (``ssh -T``), after the message of the day."""
        job = KernelJob(self.kernel, self.connection, self._limits, parent_pid=self._server_pid)
        message = self._message_of_the_day(self._files())
        if message:
            job.effects.append(Output(message))
        name = "-" + self.account.shell.rpartition("/")[2]
        self._launch(job, [name], job.streams(), self._environment(env))
        return job

    def close(self, now: float) -> None:
        """The connection ended: jobs are hung up, ``who`` shows him no more. What goes on in the background may still
        be stepped through its job."""
        self.kernel.pass_time(now)
        for job in self._jobs:
            job.hang_up()
        for pid in self._rows:
            self.kernel.rows.pop(pid, None)
        for connection in self._shown:
            if connection in self.kernel.connections:
                self.kernel.connections.remove(connection)
        for number in self._terminals:
            self._record(DEAD_PROCESS, f"pts/{number}", now)
            self.kernel.terminals.pop(number, None)
        self._rows.clear()
        self._shown.clear()
        self._terminals.clear()

    # the pieces
    def _on_terminal(
        self,
        argv: list[str],
        term: str,
        columns: int,
        rows: int,
        env: Mapping[str, str] | None,
        *,
        greet: bool,
    ) -> KernelJob:
        kernel = self.kernel
        number = next(number for number in range(4096) if number not in kernel.terminals)
        job = KernelJob(kernel, self.connection, self._limits, parent_pid=self._server_pid)
        terminal = job.terminal = Tty(job, number, columns or 80, rows or 24)
        terminal.owner = self.account.uid
        kernel.terminals[number] = terminal
        self._terminals.append(number)
        self._show_on(terminal)
        job.connection = self.connection
        variables = self._environment(env, terminal.name)
        variables["TERM"] = term or "dumb"
        if greet:
            terminal.write(self._greeting(terminal.name))
        path = f"/dev/{terminal.name}"
        files: dict[int, File] = {fd: terminal.file(path, 2) for fd in (0,)}
        files[1] = files[2] = files[0]
        self._launch(job, argv, files, variables)
        return job

    def _show_on(self, terminal: Tty) -> None:
        shown = dataclasses.replace(self.connection, tty=terminal.name, since=self.kernel.clock)
        connections = self.kernel.connections
        if self.connection in connections and not self.connection.tty:
            connections[connections.index(self.connection)] = shown
            self._shown.remove(self.connection)
            self.connection = shown
        else:
            connections.append(shown)
        self._shown.append(shown)
        self._record(USER_PROCESS, terminal.name, shown.since)
        for pid in self._rows[-1:]:
            row = self.kernel.rows[pid]
            if self.connection.protocol == "ssh" and self.kernel.persona.is_server:
                row.argv = [f"sshd: {self.account.name}@{terminal.name}"]

    def _record(self, kind: int, line: str, when: float) -> None:
        """What sshd or login writes to /var/log/wtmp of a terminal (utmp(5)); nothing where the file was removed."""
        if not self.kernel.persona.is_server:
            return
        came, address = kind == USER_PROCESS, self.connection.client_ip
        record = utmp_record(
            kind, self._server_pid, line, line.removeprefix("p") if came else "", self.account.name if came else "",
            address if came else "", when, address if came and ":" not in address else "",
        )  # fmt: skip
        try:
            self._files().stat("/var/log/wtmp")
            self._files().write("/var/log/wtmp", record, append=True)
        except SysError:
            pass  # he removed it or filled the disk

    def _launch(
        self, job: KernelJob, argv: list[str], files: Mapping[int, File], env: dict[str, str]
    ) -> None:
        self._jobs.append(job)
        process = KernelProcess(self.kernel, job, self.kernel.next_pid(), argv)
        account = self.account
        process.uid = account.uid
        process.gid, process.groups = self.kernel.accounts.groups_of(account.uid)
        process.env = env
        process.fds = dict(files)
        for file in files.values():
            file.references += 1
        job.leader = process
        if job.terminal is not None:
            process.terminal = job.terminal
            job.terminal.foreground = process.group
        try:
            process.chdir(account.home)
        except SysError:
            process.cwd = "/"  # as login does where the home directory is missing
        try:
            found = find_program(process, argv, account.shell)
        except SysError as problem:
            text = f"{account.shell}: {problem.words}\n".encode("utf-8", "surrogateescape")
            files[2].try_write(process, text)
            self.kernel.processes[process.pid] = process
            job.alive += 1
            self.kernel.finish(process, 126 if problem.errno == errno.EACCES else 127)
            return
        found.enter(process)
        process.outcome = None  # the log-in shell itself is no program that he ran
        self.kernel.start(process, found.program(process))

    def _enter_server(self) -> int:
        """The server's own processes for this connection; the pid of the one that starts jobs."""
        kernel = self.kernel
        residents = kernel.persona.residents
        wanted = (
            ("telnetd", "inetd") if self.connection.protocol == "telnet" else ("sshd", "dropbear", "telnetd")
        )
        found = {each.comm: each for each in reversed(residents) if each.comm in wanted}
        listener = next((found[comm] for comm in wanted if comm in found), None)
        if listener is not None and listener.comm == "inetd":
            return self._enter_telnetd(listener.pid)
        parent = listener.pid if listener is not None else 1
        if self.connection.protocol != "ssh" or not kernel.persona.is_server:
            pid = kernel.next_pid()
            name = listener.comm if listener is not None else self.connection.protocol + "d"
            argv = listener.argv if listener is not None else [name]
            virtual, resident = (listener.vsz_kb, listener.rss_kb) if listener is not None else (1_304, 900)
            self._add_row(ProcessInfo(pid, parent, list(argv), name, 0, "S", kernel.clock, session=pid,
                                      exe=listener.exe if listener is not None else "", rss_kb=resident,
                                      vsz_kb=virtual))  # fmt: skip
            return pid
        name = self.account.name
        monitor = kernel.next_pid()
        label = "sshd-session" if kernel.persona.kind == "debian-13" else "sshd"
        exe = listener.exe if listener is not None else "/usr/sbin/sshd"
        row = ProcessInfo(
            monitor, parent, [f"{label}: {name} [priv]"], label, 0, "S", kernel.clock, exe=exe, session=monitor,
            rss_kb=10_400 + 8 * kernel.entropy(90), vsz_kb=17_700 + 4 * kernel.entropy(50),
        )  # fmt: skip
        self._add_row(row)
        if self.account.uid == 0:
            row.argv = [f"{label}: root"]
            return monitor
        pid = kernel.next_pid()
        child = ProcessInfo(
            pid, monitor, [f"{label}: {name}"], label, self.account.uid, "S", kernel.clock, exe=exe
        )
        child.session = monitor
        child.rss_kb, child.vsz_kb = 6_400 + 8 * kernel.entropy(90), row.vsz_kb + 300
        self._add_row(child)
        return pid

    def _enter_telnetd(self, inetd: int) -> int:
        """telnetd as inetd starts it, and login, which waits for the shell that it started."""
        kernel, client = self.kernel, self.connection.client_ip
        daemon, login = kernel.next_pid(), kernel.next_pid()
        self._add_row(ProcessInfo(
            daemon, inetd, [f"in.telnetd: {client}"], "telnetd", 0, "S", kernel.clock, exe="/usr/sbin/telnetd",
            session=daemon, rss_kb=2_400 + 4 * kernel.entropy(60), vsz_kb=6_100,
        ))  # fmt: skip
        self._add_row(ProcessInfo(
            login, daemon, ["login", "-h", client, "-p"], "login", 0, "S", kernel.clock, exe="/usr/bin/login",
            session=login, rss_kb=3_900 + 4 * kernel.entropy(60), vsz_kb=7_320,
        ))  # fmt: skip
        return login

    def _add_row(self, row: ProcessInfo) -> None:
        self.kernel.rows[row.pid] = row
        self._rows.append(row.pid)

    def _environment(self, env: Mapping[str, str] | None, tty: str = "") -> dict[str, str]:
        account, connection, persona = self.account, self.connection, self.kernel.persona
        path = (_ROOT_PATH if account.uid == 0 else _USER_PATH) if persona.is_server else _DEVICE_PATH
        variables = {
            "SHELL": account.shell,
            "HOME": account.home,
            "LOGNAME": account.name,
            "USER": account.name,
        }
        if connection.protocol == "ssh":
            client = f"{connection.client_ip} {connection.client_port}"
            if persona.is_server:
                variables["XDG_SESSION_TYPE"] = "tty"
                variables["XDG_SESSION_CLASS"] = "user"
                variables["XDG_SESSION_ID"] = str(session_number(self.kernel.persona, self._position()))
                variables["XDG_RUNTIME_DIR"] = f"/run/user/{account.uid}"
                variables["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path=/run/user/{account.uid}/bus"
                variables["MOTD_SHOWN"] = "pam"
                variables.update(self._locale())
            # As the machine behind its provider's address translation sees it, and on the service's own port.
            port = own_port(connection)
            six = ":" in connection.client_ip
            address = connection.server_ip if six else visible_address(persona, connection.server_ip)
            variables["SSH_CLIENT"] = f"{client} {port}"
            variables["SSH_CONNECTION"] = f"{client} {address} {port}"
            if tty:
                variables["SSH_TTY"] = f"/dev/{tty}"
        variables["PATH"] = path
        for name, value in (env or {}).items():
            if name == "LANG" or name.startswith("LC_"):  # AcceptEnv of Debian's sshd_config
                variables[name] = value
        return variables

    def _files(self) -> FileView:
        return FileView(self.kernel.tree, Onlooker(self.kernel, 0), lambda path, node, lost: None)

    def _locale(self) -> dict[str, str]:
        try:
            text = self._files().read("/etc/default/locale", 10_000).decode("utf-8", "replace")
        except SysError:
            return {}
        pairs = [line.partition("=") for line in text.splitlines() if not line.startswith("#")]
        return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs if value}

    def _position(self) -> int:
        """Which of those who are in he is."""
        known = [each.since for each in self.kernel.connections]
        return max(0, sum(1 for since in known if since <= self.connection.since) - 1)

    def _greeting(self, tty: str) -> bytes:
        """What is printed before the first prompt: message of the day and last log-in (Debian's pam_motd and sshd)."""
        files = self._files()
        if self._is_hushed(files):
            return b""
        text = self._message_of_the_day(files)
        return text + self._last_login(files, tty) if self.kernel.persona.is_server else text

    def _is_hushed(self, files: FileView) -> bool:
        try:
            files.stat(f"{self.account.home}/.hushlogin")
        except SysError:
            return False
        return True

    def _message_of_the_day(self, files: FileView) -> bytes:
        persona = self.kernel.persona
        if self._is_hushed(files):
            return b""
        text = b""
        if persona.is_server:
            kernel = persona.kernel
            text = (
                f"Linux {self.kernel.hostname} {kernel.release} {kernel.version} {kernel.machine}\n".encode()
            )
        try:
            text += files.read("/etc/motd", 100_000)
        except SysError:
            pass  # a machine without one prints none
        return text

    def _last_login(self, files: FileView, tty: str) -> bytes:
        """The line of the record in /var/log/lastlog, which is then replaced by this log-in's (lastlog(8))."""
        path, at = "/var/log/lastlog", self.account.uid * _LASTLOG.size
        line = b""
        try:
            record = files.content(path).read(at, _LASTLOG.size)
            if len(record) == _LASTLOG.size:
                when, _, host = _LASTLOG.unpack(record)
                name = host.split(b"\0", 1)[0]
                if 0 < when <= self.kernel.clock and name.isascii() and name.decode("ascii").isprintable():
                    clock = zone_in(files).at(when).clock
                    stamp = f"{clock:%a %b} {clock.day:2d} {clock:%H:%M:%S %Y}".encode()
                    line = b"Last login: " + stamp + b" from " + name + b"\n"
            spot = files.tree.find(Onlooker(self.kernel, 0), path)
            node = files.opened_for_writing(spot, path, 0o664, truncate=False)
            content = files.tree.writable_content(node, path)
            mine = _LASTLOG.pack(
                int(self.kernel.clock), tty.encode(), self.connection.client_ip.encode("ascii", "replace")
            )
            files.charge(content.growth(at, len(mine)), path, content, at, mine)
        except SysError:
            pass  # no record is kept where the file was removed or the disk is full, as sshd does
        return line
