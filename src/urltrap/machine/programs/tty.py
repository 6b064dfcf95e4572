"""tty, stty, clear, reset, tput: the terminal."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._system import gnu_usage
from urltrap.machine.programs.registry import program

_FLAGS = {
    "icanon": "icanon",
    "echo": "echo",
    "isig": "isig",
    "icrnl": "icrnl",
    "opost": "opost",
    "onlcr": "onlcr",
}


@program("tty")
def tty(p: Process) -> Run:
    """The name of the terminal on standard input."""
    quiet = any(word in ("-s", "--silent", "--quiet") for word in p.argv[1:])
    other = [word for word in p.argv[1:] if word not in ("-s", "--silent", "--quiet")]
    if other:
        yield from gnu_usage(p, f"extra operand '{other[0]}'" if not other[0].startswith("-") else
                             f"invalid option -- '{other[0].lstrip('-')[:1]}'")  # fmt: skip
        return 2
    if not p.is_tty(0):
        if not quiet:
            yield from p.out("not a tty\n")
        return 1
    if not quiet:
        yield from p.out(f"/dev/{p.tty(0).name}\n")
    return 0


@program("stty")
def stty(p: Process) -> Run:
    """Show or change the terminal's settings."""
    if not p.is_tty(0):
        yield from p.err(f"{p.argv[0]}: 'standard input': Inappropriate ioctl for device\n")
        return 1
    terminal = p.tty(0)
    words = list(p.argv[1:])
    if words and words[0] in ("-F", "--file"):
        words = words[2:]
    if not words:
        yield from p.out("speed 38400 baud; line = 0;\n-brkint -imaxbel iutf8\n")
        return 0
    if words == ["size"]:
        yield from p.out(f"{terminal.rows} {terminal.columns}\n")
        return 0
    if words in (["-a"], ["--all"]):

        def flag(name: str) -> str:
            return name if getattr(terminal, name) else f"-{name}"

        yield from p.out(
            f"speed 38400 baud; rows {terminal.rows}; columns {terminal.columns}; line = 0;\n"
            "intr = ^C; quit = ^\\; erase = ^?; kill = ^U; eof = ^D; eol = <undef>;\n"
            "eol2 = <undef>; swtch = <undef>; start = ^Q; stop = ^S; susp = ^Z; rprnt = ^R;\n"
            "werase = ^W; lnext = ^V; discard = ^O; min = 1; time = 0;\n"
            "-parenb -parodd -cmspar cs8 -hupcl -cstopb cread -clocal -crtscts\n"
            f"-ignbrk -brkint -ignpar -parmrk -inpck -istrip -inlcr -igncr {flag('icrnl')} ixon -ixoff\n"
            "-iuclc -ixany -imaxbel iutf8\n"
            f"{flag('opost')} -olcuc -ocrnl {flag('onlcr')} -onocr -onlret -ofill -ofdel nl0 cr0 tab0 bs0 vt0 ff0\n"
            f"{flag('isig')} {flag('icanon')} iexten {flag('echo')} echoe echok -echonl -noflsh -xcase -tostop "
            f"-echoprt\n"
            "echoctl echoke -flusho -extproc\n"
        )
        return 0
    if words in (["-g"], ["--save"]):
        yield from p.out(
            "500:5:bf:8a3b:3:1c:7f:15:4:0:1:0:11:13:1a:0:12:f:17:16:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0\n"
        )
        return 0
    return (yield from _change(p, words))


def _change(p: Process, words: list[str]) -> Run:
    terminal = p.tty(0)
    while words:
        word = words.pop(0)
        name = word.lstrip("-")
        if name in _FLAGS:
            setattr(terminal, _FLAGS[name], not word.startswith("-"))
        elif word in ("sane", "cooked", "-raw"):
            for flag in _FLAGS.values():
                setattr(terminal, flag, True)
        elif word in ("raw", "-cooked"):
            for flag in ("icanon", "isig", "icrnl", "opost"):
                setattr(terminal, flag, False)
        elif word in ("rows", "cols", "columns") and words:
            value = words.pop(0)
            if not value.isdigit():
                yield from p.err(f"{p.argv[0]}: invalid integer argument: '{value}'\n")
                return 1
            setattr(terminal, "rows" if word == "rows" else "columns", min(int(value), 1000))
        elif word in ("erase", "intr", "kill", "eof", "susp", "min", "time", "speed") and words:
            words.pop(0)
        elif not word.isdigit() and name not in (
            "ixon", "ixoff", "iexten", "echoe", "echok", "echonl", "crtscts", "cs8", "parenb", "tostop", "hup",
            "hupcl", "brkint",
            "inlcr", "igncr", "istrip", "echoctl", "echoke", "iutf8", "evenp", "nl", "cbreak",
        ) and ":" not in word:  # fmt: skip
            yield from p.err(
                f"{p.argv[0]}: invalid argument '{word}'\nTry '{p.argv[0]} --help' for more information.\n"
            )
            return 1
    return 0


@program("clear")
def clear(p: Process) -> Run:
    """Clear the screen."""
    if not p.env.get("TERM"):
        yield from p.err("TERM environment variable not set.\n")
        return 1
    yield from p.out("\x1b[H\x1b[2J\x1b[3J")
    return 0


@program("reset", "tset")
def reset(p: Process) -> Run:
    """Put the terminal into its first state."""
    if not p.is_tty(0) and not p.is_tty(1) and not p.is_tty(2):
        yield from p.err("reset: standard error: Inappropriate ioctl for device\n")
        return 1
    yield from p.out("\x1bc\x1b[!p\x1b[?3;4l\x1b[4l\x1b>\r")
    return 0
