"""kill: the program beside the shell's own."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._signals import NAMES, number_of
from urltrap.machine.programs.registry import program


@program("kill")
def kill(p: Process) -> Run:
    """Send a signal to processes."""
    words = list(p.argv[1:])
    if not words:
        device = not p.persona.is_server
        yield from p.err(f"kill: {'you need to specify whom to kill' if device else 'not enough arguments'}\n")
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
        yield from p.out(" ".join(NAMES) + "\n")
        return 0
    if words[0] in ("-s", "-n", "--signal") and len(words) > 1:
        found = number_of(words[1])
        words = words[2:]
    elif words[0].startswith("-") and words[0] != "--":
        found = number_of(words[0][1:])
        if found is None:
            yield from p.err(f"kill: invalid signal name or number: {words[0][1:]}\n" if words[0][1:].isalnum()
                             else f"kill: invalid argument {words[0]}\n")  # fmt: skip
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
            yield from p.err(f'kill: cannot find process "{word}"\n')
            status = 1
            continue
        try:
            p.kill(int(word), signal)
        except SysError as error:
            yield from p.err(f"kill: ({word}): {error.words}\n")
            status = 1
    return status
