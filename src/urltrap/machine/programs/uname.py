"""uname and arch: the kernel's name."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import gnu_usage
from urltrap.machine.programs.registry import program

_LONG = {
    "all": "a", "kernel-name": "s", "nodename": "n", "kernel-release": "r", "kernel-version": "v", "machine": "m",
    "processor": "p", "hardware-platform": "i", "operating-system": "o", "release": "r", "sysname": "s",
}  # fmt: skip
_HELP = """\
Usage: {0} [OPTION]...
Print certain system information.  With no OPTION, same as -s.

  -a, --all                print all information, in the following order,
                             except omit -p and -i if unknown:
  -s, --kernel-name        print the kernel name
  -n, --nodename           print the network node hostname
  -r, --kernel-release     print the kernel release
  -v, --kernel-version     print the kernel version
  -m, --machine            print the machine hardware name
  -p, --processor          print the processor type (non-portable)
  -i, --hardware-platform  print the hardware platform (non-portable)
  -o, --operating-system   print the operating system
      --help        display this help and exit
      --version     output version information and exit
"""


@program("uname")
def uname(p: Process) -> Run:
    """Print what uname(2) tells."""
    try:
        options, operands = getopt(
            p.argv[1:], "asnrvmpio", {**dict.fromkeys(_LONG, ""), "help": "", "version": ""}
        )
    except OptionError as error:
        return (yield from gnu_usage(p, error))
    wanted = {_LONG.get(name.lstrip("-"), name) for name, _ in options}
    if "--help" in wanted:
        yield from p.out(_HELP.format(p.argv[0]))
        return 0
    if "--version" in wanted:
        yield from p.out("uname (GNU coreutils) 9.1\n")
        return 0
    if operands:
        return (yield from gnu_usage(p, f"extra operand '{operands[0]}'"))
    kernel = p.persona.kernel
    values = {
        "s": "Linux", "n": p.hostname, "r": kernel.release, "v": kernel.version, "m": kernel.machine, "p": "unknown",
        "i": "unknown", "o": "GNU/Linux",
    }  # fmt: skip
    everything = "a" in wanted
    shown = [
        value for letter, value in values.items() if letter in wanted or (everything and value != "unknown")
    ]
    yield from p.out(" ".join(shown or ["Linux"]) + "\n")
    return 0


@program("arch")
def arch(p: Process) -> Run:
    """Print the machine's name."""
    if len(p.argv) > 1:
        word = p.argv[1]
        if word.startswith("--") or not word.startswith("-"):
            what = f"unrecognized option '{word}'" if word.startswith("-") else f"extra operand '{word}'"
        else:
            what = f"invalid option -- '{word[1:2]}'"
        return (yield from gnu_usage(p, what))
    yield from p.out(p.persona.kernel.machine + "\n")
    return 0
