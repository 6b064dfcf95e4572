"""kill(2): who may signal whom."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from urltrap.machine.errors import SysError
from urltrap.machine.kernel.signals import IGNORED_BY_DEFAULT, SIGCONT, STOPPING
from urltrap.machine.kernel.table import resident_rows

if TYPE_CHECKING:
    from urltrap.machine.kernel.kernel import Kernel
    from urltrap.machine.kernel.process import KernelProcess


def kill(kernel: Kernel, sender: KernelProcess, pid: int, signal: int) -> None:
    """kill(2)."""
    if not 0 <= signal <= 64:
        raise SysError(errno.EINVAL)
    if pid > 0:
        _kill_one(kernel, sender, pid, signal)
        return
    if pid == -1:
        targets = [
            each
            for each in kernel.processes.values()
            if each is not sender and each.session != sender.session
        ]
    else:
        group = sender.group if pid == 0 else -pid
        targets = [each for each in kernel.processes.values() if each.group == group and each.state != "Z"]
    if not targets and pid != -1:
        raise SysError(errno.ESRCH)
    allowed = [each for each in targets if _may_signal(sender, each.uid)]
    if targets and not allowed:
        raise SysError(errno.EPERM)
    for target in sorted(allowed, key=lambda each: each is sender):
        kernel.signal(target, signal)


def _kill_one(kernel: Kernel, sender: KernelProcess, pid: int, signal: int) -> None:
    target = kernel.processes.get(pid)
    if target is not None:
        if not _may_signal(sender, target.uid):
            raise SysError(errno.EPERM)
        kernel.signal(target, signal)
        return
    left = kernel.tree.overlay.left
    row = next((each for each in resident_rows(kernel) if each.pid == pid), None) or kernel.rows.get(pid)
    row = row or left.get(pid)
    if row is None:
        raise SysError(errno.ESRCH)
    if not _may_signal(sender, row.uid):
        raise SysError(errno.EPERM)
    is_kernel = row.ppid in (0, 2) or pid == 1
    if (
        signal not in (0, SIGCONT, *IGNORED_BY_DEFAULT, *STOPPING)
        and not is_kernel
        and pid not in kernel.rows
        and left.pop(pid, None) is None
    ):
        kernel.gone.add(pid)


def _may_signal(sender: KernelProcess, uid: int) -> bool:
    return sender.uid in (0, uid)
