"""cd, pwd, pushd, popd, dirs."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from urltrap.machine.errors import SysError
from urltrap.machine.shell.builtins.registry import builtin
from urltrap.machine.shell.errors import ExitShell

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


def normalize(path: str) -> str:
    """`path` without ``.``, ``..`` and double slashes, by its text alone."""
    parts: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if parts:
                parts.pop()
        else:
            parts.append(part)
    lead = "//" if path.startswith("//") and not path.startswith("///") else "/"
    return lead + "/".join(parts)


def logical_pwd(sh: Shell) -> str:
    """$PWD where it is right, else the process's own."""
    known = sh.extra.get("pwd")
    return str(known) if known else sh.p.cwd


def change(sh: Shell, target: str, *, physical: bool = False) -> str:
    """Change folder, set PWD and OLDPWD; the new logical path. Raises SysError."""
    here = logical_pwd(sh)
    wanted = target if target.startswith("/") else f"{here.rstrip('/')}/{target}"
    path = normalize(wanted)
    if target == "":
        path = here
    try:
        sh.p.fs.stat(wanted)
        sh.p.chdir(path if not physical else wanted)
    except SysError:
        sh.p.chdir(target)  # the folder may have been moved: what the kernel says counts
        path = sh.p.cwd
    if physical:
        path = sh.p.fs.realpath(wanted)
    old = sh.vars.get("PWD")
    sh.extra["pwd"] = path
    if old is not None:
        sh.set_var("OLDPWD", old)
        if sh.dialect.bash:
            sh.vars.slot("OLDPWD").exported = True
    sh.set_var("PWD", path)
    if sh.dialect.bash:
        sh.vars.slot("PWD").exported = True
    sh.vars.changed()
    return path


def _cannot(sh: Shell, path: str, problem: SysError) -> str:
    if sh.dialect.bash:
        return f"{path}: {problem.words}"
    if sh.dialect.name == "dash":
        return f"can't cd to {path}"
    return f"can't cd to {path}: {problem.words}"


@builtin("cd", "chdir", dialects="dash ash")
@builtin("cd", dialects="bash")
def cd(sh: Shell, argv: list[str]) -> Gen[int]:
    """Change the working folder."""
    words = argv[1:]
    physical = "physical" in sh.options
    while words and words[0].startswith("-") and len(words[0]) > 1:
        flag = words[0]
        if flag == "--":
            words = words[1:]
            break
        if not set(flag[1:]) <= set("LPe@"):
            if sh.dialect.bash:
                yield from sh.complain(f"{flag[:2]}: invalid option", "cd")
                yield from sh.p.err("cd: usage: cd [-L|[-P [-e]] [-@]] [dir]\n")
                return 2
            yield from sh.complain(f"Illegal option {flag[:2]}", "cd")
            raise ExitShell(2)
        physical = flag[-1] == "P"
        words = words[1:]
    if len(words) > 1 and sh.dialect.bash:
        yield from sh.complain("too many arguments", "cd")
        return 1
    show = False
    if not words:
        home = sh.vars.get("HOME")
        if home is None:
            if sh.dialect.bash:
                yield from sh.complain("HOME not set", "cd")
                return 1
            return 0
        target = home
        if not target and sh.dialect.bash:
            return 0
    elif words[0] == "-":
        old = sh.vars.get("OLDPWD")
        if old is None:
            if sh.dialect.bash:
                yield from sh.complain("OLDPWD not set", "cd")
                return 1
            old = logical_pwd(sh)
        target = old
        show = True
    else:
        target = words[0]
    if not target and not sh.dialect.bash:
        target = "."
    path = yield from _through_cdpath(sh, target)
    if path is not None:
        show = True
    else:
        path = target
    try:
        now = change(sh, path, physical=physical)
    except SysError as problem:
        yield from sh.complain(_cannot(sh, target, problem), "cd")
        return 1 if sh.dialect.bash else 2
    if show:
        yield from sh.p.out(now + "\n")
    return 0


def _through_cdpath(sh: Shell, target: str) -> Gen[str | None]:
    folders = sh.vars.get("CDPATH")
    if not folders or target.startswith(("/", "./", "../")) or target in (".", ".."):
        return None
    for folder in folders.split(":"):
        yield from sh.p.tick(1)
        if not folder or folder == ".":
            continue
        candidate = f"{folder.rstrip('/') if sh.dialect.bash else folder}/{target}"
        try:
            if sh.p.fs.stat(candidate).is_dir:
                return candidate
        except SysError:
            continue
    return None


@builtin("pwd")
def pwd(sh: Shell, argv: list[str]) -> Gen[int]:
    """Print the working folder."""
    physical = "physical" in sh.options
    for word in argv[1:]:
        if word == "--":
            break
        if word.startswith("-") and len(word) > 1:
            if not set(word[1:]) <= set("LP"):
                text = f"{word[:2]}: invalid option" if sh.dialect.bash else f"Illegal option {word[:2]}"
                yield from sh.complain(text, "pwd")
                if sh.dialect.bash:
                    yield from sh.p.err("pwd: usage: pwd [-LP]\n")
                    return 2
                raise ExitShell(2)
            physical = word[-1] == "P"
    path = logical_pwd(sh)
    try:
        path = sh.p.fs.realpath(".") if physical else path
    except SysError as problem:
        yield from sh.complain(f"error retrieving current directory: getcwd: cannot access parent directories: "
                               f"{problem.words}", "pwd")  # fmt: skip
        return 1
    yield from sh.p.out(path + "\n")
    return 0


def _tilde(sh: Shell, path: str) -> str:
    home = sh.vars.get("HOME")
    if home and home != "/" and (path == home or path.startswith(home + "/")):
        return "~" + path[len(home) :]
    return path


def _show(sh: Shell) -> Gen[None]:
    stack = [logical_pwd(sh), *sh.dirs]
    yield from sh.p.out(" ".join(_tilde(sh, path) for path in stack) + "\n")


def _rotation(sh: Shell, word: str) -> int | None:
    """The index that +N or -N means in the stack."""
    if len(word) < 2 or word[0] not in "+-" or not word[1:].isdecimal():
        return None
    number = int(word[1:7])
    return number if word[0] == "+" else len(sh.dirs) - number


@builtin("pushd", dialects="bash")
def pushd(sh: Shell, argv: list[str]) -> Gen[int]:
    """Push a folder onto the stack, or rotate the stack."""
    words = [word for word in argv[1:] if word not in ("-n", "--")]
    stay = "-n" in argv[1:]
    here = logical_pwd(sh)
    stack = [here, *sh.dirs]
    if not words:
        if not sh.dirs:
            yield from sh.complain("no other directory", "pushd")
            return 1
        order = [stack[1], stack[0], *stack[2:]]
    else:
        index = _rotation(sh, words[0])
        if index is not None:
            if not 0 <= index < len(stack):
                yield from sh.complain(f"{words[0]}: directory stack index out of range", "pushd")
                return 1
            order = stack[index:] + stack[:index]
        else:
            order = [words[0], *stack]
            if stay:
                sh.dirs.insert(0, words[0])
                yield from _show(sh)
                return 0
    try:
        change(sh, order[0])
    except SysError as problem:
        yield from sh.complain(f"{order[0]}: {problem.words}", "pushd")
        return 1
    sh.dirs = order[1:]
    yield from _show(sh)
    return 0


@builtin("popd", dialects="bash")
def popd(sh: Shell, argv: list[str]) -> Gen[int]:
    """Drop the top of the stack and go to what is below."""
    words = [word for word in argv[1:] if word not in ("-n", "--")]
    if not sh.dirs:
        yield from sh.complain("directory stack empty", "popd")
        return 1
    index = 0
    if words:
        found = _rotation(sh, words[0])
        if found is None:
            yield from sh.complain(f"{words[0]}: invalid argument", "popd")
            yield from sh.p.err("popd: usage: popd [-n] [+N | -N]\n")
            return 2
        if not 0 <= found <= len(sh.dirs):
            yield from sh.complain(f"{words[0]}: directory stack index out of range", "popd")
            return 1
        index = found
    if index:
        del sh.dirs[index - 1]
    else:
        target = sh.dirs.pop(0)
        try:
            change(sh, target)
        except SysError as problem:
            yield from sh.complain(f"{target}: {problem.words}", "popd")
            return 1
    yield from _show(sh)
    return 0


@builtin("dirs", dialects="bash")
def dirs(sh: Shell, argv: list[str]) -> Gen[int]:
    """Show the stack."""
    flags = "".join(word[1:] for word in argv[1:] if word.startswith("-") and not word[1:].isdecimal())
    if "c" in flags:
        sh.dirs.clear()
        return 0
    stack = [logical_pwd(sh), *sh.dirs]
    shown = stack if "l" in flags else [_tilde(sh, path) for path in stack]
    for word in argv[1:]:
        index = _rotation(sh, word)
        if index is not None:
            if not 0 <= index < len(stack):
                yield from sh.complain(f"{word[1:]}: directory stack index out of range", "dirs")
                return 1
            yield from sh.p.out(shown[index] + "\n")
            return 0
    if "v" in flags:
        yield from sh.p.out("".join(f"{number:2d}  {path}\n" for number, path in enumerate(shown)))
    else:
        yield from sh.p.out(("\n" if "p" in flags else " ").join(shown) + "\n")
    return 0


__all__ = ["change", "errno", "logical_pwd", "normalize"]
