"""Programs that only change circumstances and then become another program: setarch, taskset, stdbuf, flock and kin."""

from __future__ import annotations

import errno

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs.registry import program

_OPTIONS = {
    "setarch": "+BFILRSTXZv3", "taskset": "+apc", "stdbuf": "+i:o:e:", "unshare": "+muinpUCTfrcS:G:R:w:l:",
    "nsenter": "+at:muinpUCTS:G:FZr:w:W:", "flock": "+sxunw:oE:FcV", "prlimit": "+p:o:n:u:v:c:f:l:s:t:",
    "setpriv": "+d", "choom": "+n:p:", "chroot": "+",
}  # fmt: skip
_WORDS = {"linux32": "setarch", "linux64": "setarch", "i386": "setarch", "x86_64": "setarch"}
_LONG = {
    "output": ":", "input": ":", "error": ":", "target": ":", "wait": ":", "timeout": ":", "fork": "", "mount": "",
    "uts": "", "ipc": "", "net": "", "pid": "", "user": "", "map-root-user": "", "propagation": ":", "shared": "",
    "exclusive": "", "unlock": "", "nonblock": "", "close": "", "command": ":", "addr-no-randomize": "", "all": "",
    "reuid": ":", "regid": ":", "clear-groups": "", "userspec": ":", "groups": ":", "nofile": ":", "core": ":",
    "cpu-list": "", "all-tasks": "", "mount-proc": "", "help": "", "version": "",
}  # fmt: skip


@program("setarch", "linux32", "linux64", "i386", "x86_64", "taskset", "stdbuf", "unshare", "nsenter", "flock",
         "prlimit", "setpriv", "choom", "chroot")  # fmt: skip
def launcher(p: Process) -> Run:
    """Read the options, skip the operands of its own, become the program."""
    name = p.argv[0].rpartition("/")[2]
    kind = _WORDS.get(name, name)
    try:
        options, words = getopt(p.argv[1:], _OPTIONS[kind], _LONG)
    except OptionError as error:
        yield from p.err(f"{name}: {error}\nTry '{name} --help' for more information.\n")
        return 125 if kind in ("stdbuf", "chroot") else 1
    given = {option.lstrip("-") for option, _ in options}
    if given & {"version", "V"}:
        yield from p.out(f"{name} from util-linux 2.38.1\n" if kind not in ("stdbuf", "chroot")
                         else f"{name} (GNU coreutils) 9.1\n")  # fmt: skip
        return 0
    if kind == "stdbuf" and not given & {"i", "o", "e", "input", "output", "error"}:
        text = "you must specify a buffering mode option" if words else "missing operand"
        yield from p.err(f"stdbuf: {text}\nTry 'stdbuf --help' for more information.\n")
        return 125
    if kind == "flock" and not words:
        yield from p.err("flock: not enough arguments\nTry 'flock --help' for more information.\n")
        return 64
    if kind == "taskset" and "p" in given:
        cores = p.persona.cpu.count
        shown = f"list: 0-{cores - 1}" if "c" in given and cores > 1 else f"mask: {(1 << cores) - 1:x}"
        pid = words[-1] if words else "0"
        yield from p.out(f"pid {pid}'s current affinity {shown}\n")
        return 0
    if (
        kind == "setarch"
        and words
        and kind == name
        and words[0] in ("linux32", "linux64", "i386", "i686", "x86_64")
    ):
        words = words[1:]
    if kind in ("taskset", "flock") and words:
        if kind == "flock":
            status = _lock(p, words[0])
            if status:
                yield from p.err(f"flock: cannot open lock file {words[0]}: {status}\n")
                return 66
        words = words[1:]
    if kind == "flock" and words[:1] == ["-c"]:
        words = ["/bin/sh", *words]
    if kind == "chroot":
        problem = yield from _new_root(p, words)
        if problem >= 0:
            return problem
        words = words[1:]
    if not words:
        if kind in ("unshare", "nsenter", "setarch", "chroot"):
            words = [p.env.get("SHELL", "/bin/sh")]
        elif kind == "flock":
            return 0
        else:
            yield from p.err(f"{name}: {'missing operand' if kind == 'stdbuf' else 'bad usage'}\n"
                             f"Try '{name} --help' for more information.\n")  # fmt: skip
            return 125 if kind == "stdbuf" else 1
    try:
        return (yield from p.exec(words))
    except SysError as error:
        verb = "failed to execute" if kind not in ("stdbuf", "chroot") else "failed to run command"
        quoted = words[0] if kind not in ("stdbuf", "chroot") else f"'{words[0]}'"
        yield from p.err(f"{name}: {verb} {quoted}: {error.words}\n")
        return 127 if error.errno == errno.ENOENT else 126


def _lock(p: Process, path: str) -> str:
    try:
        if not p.fs.access(path, 0):
            p.fs.write(path, b"")
    except SysError as error:
        return error.words
    return ""


def _new_root(p: Process, words: list[str]) -> Run:
    if not words:
        yield from p.err("chroot: missing operand\nTry 'chroot --help' for more information.\n")
        return 125
    try:
        if p.fs.realpath(words[0]) == "/":
            return -1
    except SysError as error:
        yield from p.err(f"chroot: cannot change root directory to '{words[0]}': {error.words}\n")
        return 125
    # What runs in another root is looked up there; nothing of ours is in such a folder.
    command = words[1] if len(words) > 1 else "/bin/bash"
    yield from p.err(f"chroot: failed to run command '{command}': No such file or directory\n")
    return 127


@program("script")
def script(p: Process) -> Run:
    """script: run a shell or a command and keep what it printed; here only the command is run."""
    try:
        options, words = getopt(
            p.argv[1:], "aB:c:E:efI:m:O:o:qT:V", {"command": ":", "quiet": "", "return": ""}
        )
    except OptionError as error:
        yield from p.err(f"script: {error}\nTry 'script --help' for more information.\n")
        return 1
    given = dict(options)
    quiet = "q" in given or "--quiet" in given
    command = given.get("c", given.get("--command", ""))
    target = words[0] if words else "typescript"
    if not quiet:
        yield from p.out(f"Script started, output log file is '{target}'.\n")
    argv = ["sh", "-c", command] if command else [p.env.get("SHELL", "/bin/sh"), "-i"]
    status = 1
    try:
        if target != "/dev/null":
            p.fs.write(target, b"", append="a" in given)
        child = p.spawn(argv)
        ended = yield from p.wait(child)
        status = ended[1] if ended else 0
    except SysError as error:
        yield from p.err(f"script: cannot open {target}: {error.words}\n")
    if not quiet:
        yield from p.out("Script done.\n")
    return status if "e" in given or "--return" in given else 0
