"""kill: the program beside the shell's own."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._signals import NAMES, name_list, number_of
from urltrap.machine.programs._system import is_device
from urltrap.machine.programs.registry import program

_USAGE = """
Usage:
 kill [options] <pid> [...]

Options:
 <pid> [...]            send signal to every <pid> listed
 -<signal>, -s, --signal <signal>
                        specify the <signal> to be sent
 -q, --queue <value>    integer value to be sent with the signal
 -l, --list=[<signal>]  list all signal names, or convert one to a name
 -L, --table            list all signal names in a nice table

 -h, --help     display this help and exit
 -V, --version  output version information and exit

For more details see kill(1).
"""


@program("kill")
def kill(p: Process) -> Run:
    """Send a signal to processes."""
    words = list(p.argv[1:])
    device = is_device(p)
    if not words:
        yield from p.err("kill: you need to specify whom to kill\n" if device else _USAGE)
        return 1
    signal = 15
    if words[0] in ("-l", "-L", "--list", "--table"):
        if len(words) > 1:
            number = number_of(words[1])
            if number is None or not 0 < number <= len(NAMES):
                yield from p.err(f"kill: unknown signal name {words[1]}\n")
                return 1
            yield from p.out(f"{NAMES[number - 1] if words[1].isdigit() else number}\n")
            return 0
        if device:
            yield from p.out("".join(f"{number:2d}) {name}\n" for number, name in enumerate(NAMES, 1)))
        elif words[0] in ("-L", "--table"):
            cells = [f"{number:2d} {name}" for number, name in enumerate(NAMES, 1)]
            rows = [cells[at : at + 7] for at in range(0, len(cells), 7)]
            yield from p.out("".join("".join(f"{cell:<11}" for cell in row).rstrip() + "\n" for row in rows))
        else:
            yield from p.out(name_list())
        return 0
    if words[0] in ("-s", "-n", "--signal") and len(words) > 1:
        found = number_of(words[1])
        words = words[2:]
    elif words[0].startswith("-") and words[0] != "--":
        found = number_of(words[0][1:])
        if found is None:
            wrong = (
                f"bad signal name '{words[0][1:]}'\n"
                if device
                else f"invalid argument {words[0][1:2]}\n{_USAGE}"
            )
            yield from p.err(f"{p.argv[0]}: {wrong}")
            return 1
        words = words[1:]
    else:
        found = 15
    if found is None:
        yield from p.err("kill: unknown signal name\n")
        return 1
    signal = found
    status = 0
    for word in words:
        if word == "--":
            continue
        if not word.lstrip("-").isdigit():
            what = "invalid number" if device else "failed to parse argument:"
            yield from p.err(f"{p.argv[0]}: {what} '{word}'\n")
            status = 1
            continue
        try:
            p.kill(int(word), signal)
        except SysError as error:
            who = f"can't kill pid {word}" if device else f"({word})"
            yield from p.err(f"{p.argv[0]}: {who}: {error.words}\n")
            status = 1
    return status
