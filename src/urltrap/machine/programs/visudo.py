"""visudo -c: looks the sudoers files over. Editing them goes to the editor, as visudo does."""

from __future__ import annotations

import re

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs.registry import program

_LONG = {
    "check": "", "file": ":", "help": "", "quiet": "", "strict": "", "version": "", "no-includes": "", "owner": "",
    "perms": "", "export": ":",
}  # fmt: skip
_RULE = re.compile(
    r"(?:Defaults\b.*|(?:User|Runas|Host|Cmnd|Cmd)_Alias\s+.*=.*|[@#]include(?:dir)?\s+\S+|[^=]+=.*)"
)


@program("visudo")
def visudo(p: Process) -> Run:
    """Check the files, or edit /etc/sudoers."""
    try:
        found, args = getopt(p.argv[1:], "cf:hIOPqsVx:", _LONG)
    except OptionError as problem:
        row = p.recorded_answer("visudo", "--help")
        text = str(row[1]).partition("\n\n")[2] if row is not None else ""
        yield from p.err(f"visudo: {problem}\n{text.partition(chr(10))[0]}\n")
        return 1
    options = dict(found)
    path = options.get("f", options.get("--file", args[0] if args else "/etc/sudoers"))
    if "c" not in options and "--check" not in options:
        editor = p.env.get("SUDO_EDITOR") or p.env.get("VISUAL") or p.env.get("EDITOR") or "/usr/bin/editor"
        if p.uid:
            yield from p.err(f"visudo: {path}: Permission denied\n")
            return 1
        return (yield from p.exec([*editor.split(), path], path=editor.split()[0] if "/" in editor else None))
    quiet = "q" in options or "--quiet" in options
    status = 0
    seen: list[str] = [path]
    for each in seen:
        try:
            lines = decode(p.fs.read(each, 1_000_000)).replace("\\\n", " ").splitlines()
        except SysError as problem:
            yield from p.err(f"visudo: {each}: {problem.words}\n")
            return 1
        wrong = next((at for at, line in enumerate(lines, 1) if not _fits(line)), 0)
        if wrong:
            line = lines[wrong - 1]
            yield from p.err(f"{each}:{wrong}:{len(line) + 1}: syntax error\n{line}\n{' ' * len(line)}^\n")
            return 1
        stat = p.fs.stat(each)
        if stat.mode & 0o777 not in (0o440, 0o400) and not quiet and each == path:
            yield from p.err(f"{each}: bad permissions, should be mode 0440\n")
            status = 1
            continue
        if not quiet:
            yield from p.out(f"{each}: parsed OK\n")
        for line in lines:
            included = re.match(r"[@#]include(dir)?\s+(\S+)", line)
            if included and included[1]:
                try:
                    names = p.fs.listdir(included[2])
                except SysError:
                    continue  # an include directory that is missing is no error
                seen += [
                    f"{included[2]}/{name}" for name in sorted(names) if "." not in name and name[-1:] != "~"
                ]
            elif included:
                seen.append(included[2])
            if len(seen) > 100:
                break
    return status


def _fits(line: str) -> bool:
    bare = line.strip()
    if not bare or (bare.startswith("#") and not bare.startswith("#include")):
        return True
    return _RULE.fullmatch(bare) is not None
