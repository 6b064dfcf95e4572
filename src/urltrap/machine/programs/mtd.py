"""mtd: OpenWrt's tool for flash partitions; nothing is ever written."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.proc.flash import partitions
from urltrap.machine.programs.registry import program

_USAGE = """\
Usage: mtd [<options> ...] <command> [<arguments> ...] <device>[:<device>...]

The device is in the format of mtdX (eg: mtd4) or its label.
mtd recognizes these commands:
        unlock                  unlock the device
        refresh                 refresh mtd partition
        erase                   erase all data on device
        verify <imagefile>|-    verify <imagefile> (use - for stdin) to device
        write <imagefile>|-     write <imagefile> (use - for stdin) to device
        jffs2write <file>       append <file> to the jffs2 partition on the device
Following options are available:
        -q                      quiet mode (once: no [w] on writing,
                                           twice: no status messages)
        -n                      write without first erasing the blocks
        -r                      reboot after successful command
        -f                      force write without trx checks
        -e <device>             erase <device> before executing the command
        -d <name>               directory for jffs2write, defaults to "tmp"
        -j <name>               integrate <file> into jffs2 data when writing an image
        -s <number>             skip the first n bytes when appending data to the jffs2 partiton, defaults to "0"
        -p <number>             write beginning at partition offset
        -l <length>             the length of data that we want to dump

Example: To write linux.trx to mtd4 labeled as linux and reboot afterwards
         mtd -r write linux.trx linux

"""


@program("mtd")
def mtd(p: Process) -> Run:
    """Say what would be done."""
    words = [word for word in p.argv[1:] if not word.startswith("-") or word == "-"]
    if len(words) < 2 or words[0] not in ("unlock", "refresh", "erase", "verify", "write", "jffs2write"):
        yield from p.err(_USAGE)
        return 1
    names = {each.name for each in partitions(p.persona)} | {
        f"mtd{each.number}" for each in partitions(p.persona)
    }
    target = words[-1]
    if target not in names:
        yield from p.err(f"Could not open mtd device: {target}\n" * 2 + "Can't open device for writing!\n")
        return 1
    yield from p.err(f"Unlocking {target} ...\n")
    if words[0] == "erase":
        yield from p.err(f"Erasing {target} ...\n")
        yield from p.sleep(4.0)
    elif words[0] in ("write", "verify"):
        yield from p.sleep(6.0)
        yield from p.err(f"\nWriting from {words[1]} to {target} ...     \n")
    return 0
