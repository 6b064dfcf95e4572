"""cron at work: while somebody is at a terminal, the lines that attackers put into its tables run each minute.

The tables of the packages do nothing that could be seen from there, so only changed ones are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.cron import CronLine, lines_of
from urltrap.machine.errors import SysError
from urltrap.machine.fs.view import FileView
from urltrap.machine.kernel.accounts import Account
from urltrap.machine.kernel.executable import find_program
from urltrap.machine.kernel.files import SinkFile
from urltrap.machine.kernel.onlooker import Onlooker
from urltrap.machine.kernel.process import KernelProcess
from urltrap.machine.programs._zone import zone_in
from urltrap.machine.units import known

if TYPE_CHECKING:
    from urltrap.machine.kernel.job import KernelJob
    from urltrap.machine.kernel.kernel import Kernel

MINUTE = 60
_AT_ONCE = 8
"""Commands of one minute that are run."""
_TABLE_MAX = 100_000
_SERVER = ("/var/spool/cron/crontabs", "/etc/cron.d")
_DEVICE = ("/etc/crontabs",)


def tables(kernel: Kernel) -> list[tuple[str, str]]:
    """(user, path) of the tables that are not as they were shipped; the user is empty where each line names its own."""
    files = FileView(kernel.tree, Onlooker(kernel, 0), lambda path, node, lost: None)
    found: list[tuple[str, str]] = []
    for folder in _SERVER if kernel.persona.is_server else _DEVICE:
        try:
            names = files.listdir(folder)
        except SysError:
            continue
        found += [("" if folder.endswith(".d") else name, f"{folder}/{name}") for name in sorted(names)]
    if kernel.persona.is_server:
        found.append(("", "/etc/crontab"))
    return [(user, path) for user, path in found if not files.shipped(path)]


def run_due(job: KernelJob, minute: int) -> None:
    """Start what is due in a minute (since 1970), as processes of `job`."""
    kernel = job.kernel
    daemon = next((each for each in kernel.persona.residents if each.comm in ("cron", "crond")), None)
    if daemon is None or daemon.pid in kernel.gone:
        return
    files = FileView(kernel.tree, Onlooker(kernel, 0), lambda path, node, lost: None)
    moment = zone_in(files).at(minute * MINUTE).clock
    started = 0
    for user, path in tables(kernel):
        try:
            text = files.read(path, _TABLE_MAX).decode("utf-8", "surrogateescape")
        except SysError:
            continue
        for line in lines_of(text, with_user=not user):
            account = kernel.accounts.find(user or line.user)
            if account is not None and line.due(moment) and started < _AT_ONCE:
                started += _start(job, line, account, daemon.pid)


def _start(job: KernelJob, line: CronLine, account: Account, daemon: int) -> bool:
    kernel = job.kernel
    if job.alive >= job.limits.processes:
        return False
    environment = dict(line.environment)
    shell = environment.get("SHELL", "/bin/sh")
    process = KernelProcess(kernel, job, kernel.next_pid(), [shell, "-c", line.command])
    process.uid = account.uid
    process.gid, process.groups = kernel.accounts.groups_of(account.uid)
    process.session = process.group = process.pid
    process.env = {
        "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin", "HOME": account.home, "LOGNAME": account.name, **environment,
    }  # fmt: skip
    process.cwd = account.home
    nothing = SinkFile(kernel.next_inode(), lambda data: None)
    process.fds = {0: nothing, 1: nothing, 2: nothing}
    nothing.references += 3
    try:
        found = find_program(process, [shell.rpartition("/")[2], "-c", line.command], shell)
    except SysError:
        return False
    found.enter(process)
    process.argv = [shell, "-c", line.command]
    kernel.start(process, found.program(process))
    if kernel.persona.is_server:
        _tell(kernel, account.name, line.command, process.pid, daemon)
    return True


def _tell(kernel: Kernel, user: str, command: str, pid: int, daemon: int) -> None:
    run = known(kernel.tree.overlay.units, "cron.service")
    if not run.since:
        each = next(each for each in kernel.persona.residents if each.pid == daemon)
        run.become("active", kernel.boot_time + each.after)
        run.pid, run.command = daemon, " ".join(each.argv)
    run.say(kernel.clock, f"CRON[{pid}]", f"({user}) CMD ({command})")
