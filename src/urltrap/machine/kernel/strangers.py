"""What a program does that nobody wrote: one of the image that is not implemented, and an ELF file that was brought in.

Nothing is ever executed. A stranger looks, from outside, like what such files usually do: nearly everything that bots
bring puts itself into the background and stays in the process table.
"""

from __future__ import annotations

from urltrap.machine.api import Process, Program, Run
from urltrap.machine.effects import Content
from urltrap.machine.kernel.stubs import Behaviour, Layout, behaviour, is_cut

_SILENT = frozenset({
    "sync", "true", "logger", "setterm", "chvt", "tput", "stty",
    "update-rc.d", "invoke-rc.d", "systemd-tmpfiles", "depmod", "modprobe", "insmod", "rmmod",
    "sysctl", "setenforce", "auditctl", "service", "rsyslogd", "cron", "crond",
    "atd", "telnetd", "inetd", "httpd", "dropbear", "sshd", "udevd",
    "klogd", "syslogd", "iptables-restore", "ip6tables-restore", "resolvconf", "swapon", "swapoff",
    "ldconfig", "update-alternatives", "losetup", "pwconv", "pwunconv", "grpconv", "grpunconv", "expiry",
    "update-passwd", "systemd-sysusers", "systemd-firstboot", "pwck", "grpck", "zramctl", "faillock",
})  # fmt: skip
"""Programs that say nothing when all is well: their silence is true more often than any text would be."""

_LIVES_FOR = 86_400.0


def unwritten(name: str) -> Program:
    """A program of the image that nobody wrote yet: silence with status 0 for those that are silent, else a crash."""
    if name in _SILENT:
        return _silent
    return _crash


def stranger(content: Content, found: Layout) -> Program:
    """An ELF file of this machine's architecture that is none of ours.

    One that was cut faults; a stub that only writes and exits does that. Of the others the head decides, the same every
    time: of ten, eight go to the background (the caller gets 0 at once, a child stays in the process table), one ends
    silently, one stays in the foreground.
    """
    if is_cut(found, content.size):
        return _crash
    does = behaviour(content, found)
    if does is not None:
        return _says(does)
    choice = sum(content.read(0, 4096)) % 10
    if choice == 0:
        return _silent
    return stays if choice == 1 else _daemonises


def _says(does: Behaviour) -> Program:
    """A stub: what it writes, and its status."""

    def say(p: Process) -> Run:
        for fd, text in does.writes:
            yield from p.write(fd, text)
        yield from p.tick()
        return does.status

    return say


def _silent(p: Process) -> Run:
    yield from p.tick()
    return 0


def _crash(p: Process) -> Run:
    yield from p.tick()
    return 139


def stays(p: Process) -> Run:
    """It does not come back: the command that started it waits."""
    yield from p.sleep(_LIVES_FOR)
    return 0


def _daemonises(p: Process) -> Run:
    def background(child: Process) -> Run:
        child.new_session()
        child.chdir("/")
        for fd in list(child.fds):
            child.close(fd)
        yield from child.sleep(_LIVES_FOR)
        return 0

    p.fork(background)
    yield from p.tick()
    return 0
