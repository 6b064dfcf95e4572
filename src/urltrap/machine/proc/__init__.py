"""/proc and /sys, generated from the persona and the live process table: every figure agrees with the programs'."""

from urltrap.machine.proc.procfs import ProcMount
from urltrap.machine.proc.sysfs import SysMount

__all__ = ["ProcMount", "SysMount"]
