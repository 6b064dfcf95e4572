"""apt-mark: which packages are held back."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._system import text_of
from urltrap.machine.programs.dpkg import packages
from urltrap.machine.programs.registry import program

_STATUS = "/var/lib/dpkg/status"
_WANT, _HELD = "Status: install ok installed", "Status: hold ok installed"


@program("apt-mark")
def apt_mark(p: Process) -> Run:
    """Hold packages back, or list those that are."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    verb, names = words[0] if words else "", words[1:]
    known = {each["Package"]: each for each in packages(p)}
    if verb in ("showhold", "showholds"):
        held = sorted(name for name, each in known.items() if each.get("Status", "").startswith("hold"))
        yield from p.out("".join(f"{name}\n" for name in held if not names or name in names))
        return 0
    if verb in ("showmanual", "showauto", "showinstall", "showremove", "showpurge"):
        shown = sorted(known) if verb in ("showmanual", "showinstall") else []
        yield from p.out("".join(f"{name}\n" for name in shown if not names or name in names))
        return 0
    if verb not in ("hold", "unhold", "auto", "manual"):
        yield from p.err(f"E: Invalid operation {verb}\n" if verb else "E: No action specified\n")
        return 100
    for name in names:
        if name not in known:
            yield from p.err(f"E: Unable to locate package {name}\n")
    if not names or any(name not in known for name in names):
        yield from p.err("E: No packages found\n")
        return 100
    if p.uid:
        yield from p.err(
            "E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)\n"
        )
        return 100
    before, after = (_WANT, _HELD) if verb == "hold" else (_HELD, _WANT)
    parts = text_of(p, _STATUS).split("\n\n")
    for name in names:
        for number, part in enumerate(parts):
            if part.startswith(f"Package: {name}\n") and verb in ("hold", "unhold"):
                if before not in part:
                    yield from p.out(f"{name} was already {'set on' if verb == 'hold' else 'not on'} hold.\n")
                else:
                    parts[number] = part.replace(before, after, 1)
                    yield from p.out(
                        f"{name} set on hold.\n" if verb == "hold" else f"Canceled hold on {name}.\n"
                    )
        if verb in ("auto", "manual"):
            yield from p.out(
                f"{name} set to {'automatically' if verb == 'auto' else 'manually'} installed.\n"
            )
    try:
        p.fs.write(_STATUS, "\n\n".join(parts).encode("utf-8", "surrogateescape"))
    except SysError as problem:
        yield from p.err(f"E: Write error - write ({problem.errno}: {problem.words})\n")
        return 100
    return 0
