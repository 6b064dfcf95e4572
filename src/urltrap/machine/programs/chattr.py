"""chattr and lsattr: attributes of files on ext4."""

from __future__ import annotations

from collections.abc import Iterator

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._system import is_device
from urltrap.machine.programs.registry import program

_LETTERS = "suSDiadAcEjItTeCxFNPVm"
"""The order in which lsattr shows them (e2fsprogs)."""
_KNOWN = frozenset("aAcCdDeijmPsStTuFx")


@program("chattr")
def chattr(p: Process) -> Run:
    """Change attributes."""
    words = p.argv[1:]
    recursive = quiet = False
    changes: list[tuple[str, str]] = []
    while words and words[0][:1] in "+-=" and words[0] != "--":
        word = words.pop(0)
        if word[0] == "-" and set(word[1:]) <= set("RVf") and word[1:]:
            recursive = recursive or "R" in word
            quiet = quiet or "f" in word
            continue
        if not set(word[1:]) <= _KNOWN:
            words = []
            break
        changes.append((word[0], word[1:]))
    if not changes or not words:
        if (
            changes
            and not words
            and p.argv[1:]
            and not any(set(w[1:]) - _KNOWN - set("RVf") for w in p.argv[1:])
        ):
            return (
                0
                if is_device(p)
                else (yield from _usage(p, "Must use '-v', =, - or +\n" if not changes else ""))
            )
        return (
            yield from _usage(
                p, "" if not p.argv[1:] or p.argv[1][:1] in "+-=" else "Must use '-v', =, - or +\n"
            )
        )
    status = 0
    for path in words:
        for each in _paths(p, path) if recursive else [path]:
            try:
                p.fs.stat(each, follow=False)
                if p.uid:
                    raise SysError(1, each)
                flags = set(p.fs.attributes(each))
                for sign, letters in changes:
                    flags = (
                        set(letters)
                        if sign == "="
                        else flags | set(letters)
                        if sign == "+"
                        else flags - set(letters)
                    )
                p.fs.set_attributes(
                    each, "".join(letter for letter in _LETTERS if letter in flags and letter != "e")
                )
            except SysError as error:
                status = 1
                if quiet:
                    continue
                what = "reading flags on" if error.errno == 1 else "trying to stat"
                if error.errno == 1:
                    yield from p.err(f"chattr: {error.words} while setting flags on {each}\n")
                else:
                    yield from p.err(f"chattr: {error.words} while {what} {each}\n")
    return status


def _usage(p: Process, before: str) -> Run:
    yield from p.err(
        f"{before}Usage: chattr [-RVf] [-+=aAcCdDeijPsStTuFx] [-p project] [-v version] files...\n"
    )
    return 1


def _paths(p: Process, path: str) -> Iterator[str]:
    yield path
    try:
        if p.fs.stat(path, follow=False).is_dir:
            for name in p.fs.listdir(path):
                yield from _paths(p, f"{path.rstrip('/')}/{name}")
    except SysError:
        return  # the error is told when its own turn comes


@program("lsattr")
def lsattr(p: Process) -> Run:
    """Show attributes."""
    flags = "".join(word[1:] for word in p.argv[1:] if word.startswith("-"))
    words = [word for word in p.argv[1:] if not word.startswith("-")] or ["."]
    if set(flags) - set("RVadlpv"):
        bad = next(letter for letter in flags if letter not in "RVadlpv")
        yield from p.err(f"lsattr: invalid option -- '{bad}'\nUsage: lsattr [-RVadlpv] [files...]\n")
        return 1
    status = 0
    for word in words:
        try:
            found = p.fs.stat(word, follow=False)
            inside = found.is_dir and "d" not in flags
            names = (
                [name for name in p.fs.listdir(word) if "a" in flags or not name.startswith(".")]
                if inside
                else []
            )
        except SysError as error:
            yield from p.err(f"lsattr: {error.words} while trying to stat {word}\n")
            status = 1
            continue
        for path in [f"{word.rstrip('/')}/{name}" for name in names] if inside else [word]:
            yield from _show(p, path)
    return status


def _show(p: Process, path: str) -> Run:
    found = p.fs.stat(path, follow=False)
    real = p.fs.realpath(path)
    if found.is_link or real.startswith(("/proc", "/sys", "/dev")):
        yield from p.err(f"lsattr: Operation not supported While reading flags on {path}\n")
        return 1
    own = set(p.fs.attributes(path)) | {"e"}
    shown = "".join(letter if letter in own else "-" for letter in _LETTERS)
    yield from p.out(f"{shown} {path}\n")
    return 0
