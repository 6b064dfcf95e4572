"""Pathname expansion over the machine's file tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.errors import BudgetError, SysError
from urltrap.machine.shell.errors import ExpansionError
from urltrap.machine.shell.glob import compile_pattern, has_magic, unquote_pattern

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Shell

MAX_MATCHES = 100_000


def expand_pathname(sh: Shell, pattern: str) -> list[str] | None:
    """The sorted names that match `pattern`; None where none does (the word then stays as it is)."""
    found = _walk(sh, pattern)
    if found:
        return sorted(found)
    if "nullglob" in sh.shopts:
        return []
    if "failglob" in sh.shopts:
        raise ExpansionError(f"no match: {unquote_pattern(pattern)}")
    return None


def _walk(sh: Shell, pattern: str) -> list[str]:
    extglob = sh.extglob
    fold = "nocaseglob" in sh.shopts
    rooted = pattern.startswith("/")
    pieces = _split(pattern)
    bases = [""]
    if rooted:
        leading = len(pattern) - len(pattern.lstrip("/"))
        bases = ["/" * leading]
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1
        following: list[str] = []
        if piece == "" and last:
            for base in bases:
                if _is_dir(sh, base):
                    following.append(base)
            return following
        for base in bases:
            if not has_magic(piece, extglob):
                name = base + unquote_pattern(piece)
                if last:
                    if _exists(sh, name):
                        following.append(name)
                else:
                    following.append(name + "/")
                continue
            if piece == "**" and "globstar" in sh.shopts:
                following.extend(_deep(sh, base, last))
                continue
            following.extend(_matches(sh, base, piece, last, extglob, fold))
            if len(following) > MAX_MATCHES:
                raise BudgetError("pathname matches", MAX_MATCHES)
        bases = following
        if not bases:
            return []
    return bases


def _split(pattern: str) -> list[str]:
    """The components between slashes."""
    stripped = pattern.lstrip("/")
    pieces: list[str] = []
    for piece in stripped.split("/"):
        if piece == "" and pieces and pieces[-1] == "":
            continue
        pieces.append(piece)
    return [piece for number, piece in enumerate(pieces) if piece or number == len(pieces) - 1]


def _matches(sh: Shell, base: str, piece: str, last: bool, extglob: bool, fold: bool) -> list[str]:
    try:
        names = sh.p.fs.listdir(base or ".")
    except SysError:
        return []
    compiled = compile_pattern(piece, extglob, fold)
    hidden = "dotglob" in sh.shopts or piece.startswith(".") or piece.startswith("\\.")
    found: list[str] = []
    candidates = list(names)
    if piece.startswith("."):
        candidates += [name for name in (".", "..") if name not in names]
    for name in candidates:
        if name.startswith(".") and not hidden:
            continue
        if name in (".", "..") and (sh.dialect.bash and "globskipdots" in sh.shopts):
            continue
        if not compiled.matches(name):
            continue
        if last:
            found.append(base + name)
        elif _is_dir(sh, base + name):
            found.append(base + name + "/")
    return found


def _deep(sh: Shell, base: str, last: bool) -> list[str]:
    found = [base] if not last else []
    stack = [base]
    while stack:
        here = stack.pop()
        try:
            names = sh.p.fs.listdir(here or ".")
        except SysError:
            continue
        for name in names:
            if name.startswith("."):
                continue
            path = here + name
            is_dir = _is_dir(sh, path, follow=False)
            if last:
                found.append(path)
            elif is_dir:
                found.append(path + "/")
            if is_dir:
                stack.append(path + "/")
        if len(found) > MAX_MATCHES:
            raise BudgetError("pathname matches", MAX_MATCHES)
    return found


def _is_dir(sh: Shell, path: str, *, follow: bool = True) -> bool:
    try:
        return sh.p.fs.stat(path, follow=follow).is_dir
    except SysError:
        return False


def _exists(sh: Shell, path: str) -> bool:
    try:
        sh.p.fs.stat(path, follow=False)
    except SysError:
        return False
    return True
