"""set and shopt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.shell.builtins.registry import builtin
from urltrap.machine.shell.errors import ExitShell
from urltrap.machine.shell.expansion.transform import set_quote

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

LETTERS = {
    "a": "allexport", "b": "notify", "e": "errexit", "f": "noglob", "h": "hashall", "k": "keyword", "m": "monitor",
    "n": "noexec", "p": "privileged", "t": "onecmd", "u": "nounset", "v": "verbose", "x": "xtrace", "B": "braceexpand",
    "C": "noclobber", "E": "errtrace", "H": "histexpand", "P": "physical", "T": "functrace", "i": "interactive",
}  # fmt: skip
_BASH = (
    "allexport", "braceexpand", "emacs", "errexit", "errtrace", "functrace", "hashall", "histexpand", "history",
    "ignoreeof", "interactive-comments", "keyword", "monitor", "noclobber", "noexec", "noglob", "nolog", "notify",
    "nounset", "onecmd", "physical", "pipefail", "posix", "privileged", "verbose", "vi", "xtrace",
)  # fmt: skip
_DASH = ("errexit", "noglob", "ignoreeof", "interactive", "monitor", "noexec", "stdin", "xtrace", "verbose", "vi",
         "emacs", "noclobber", "allexport", "notify", "nounset", "privileged", "nolog", "debug")  # fmt: skip
_ASH = ("errexit", "noglob", "ignoreeof", "monitor", "noexec", "xtrace", "verbose", "noclobber", "allexport",
        "notify", "nounset", "errtrace", "vi", "pipefail")  # fmt: skip
SHOPTS = (
    "autocd", "assoc_expand_once", "cdable_vars", "cdspell", "checkhash", "checkjobs", "checkwinsize", "cmdhist",
    "compat31", "compat32", "compat40", "compat41", "compat42", "compat43", "compat44", "complete_fullquote",
    "direxpand", "dirspell", "dotglob", "execfail", "expand_aliases", "extdebug", "extglob", "extquote", "failglob",
    "force_fignore", "globasciiranges", "globskipdots", "globstar", "gnu_errfmt", "histappend", "histreedit",
    "histverify", "hostcomplete", "huponexit", "inherit_errexit", "interactive_comments", "lastpipe", "lithist",
    "localvar_inherit", "localvar_unset", "login_shell", "mailwarn", "no_empty_cmd_completion", "nocaseglob",
    "nocasematch", "noexpand_translation", "nullglob", "patsub_replacement", "progcomp", "progcomp_alias",
    "promptvars", "restricted_shell", "shift_verbose", "sourcepath", "varredir_close", "xpg_echo",
)  # fmt: skip


def option_names(sh: Shell) -> tuple[str, ...]:
    """The names of ``set -o`` in the dialect's order."""
    return {"bash": _BASH, "dash": _DASH, "ash": _ASH}[sh.dialect.name]


def is_on(sh: Shell, name: str) -> bool:
    """Whether an option of ``set -o`` is on."""
    if name == "interactive":
        return sh.interactive
    if name == "stdin":
        return sh.reads_stdin
    return name in sh.options


def switch(sh: Shell, name: str, on: bool) -> None:
    """Switch an option."""
    if on:
        sh.options.add(name)
        if name in ("emacs", "vi"):
            sh.options.discard("vi" if name == "emacs" else "emacs")
    else:
        sh.options.discard(name)


def _list_options(sh: Shell, plus: bool) -> str:
    if plus:
        if sh.dialect.bash:
            return "".join(f"set {'-' if is_on(sh, name) else '+'}o {name}\n" for name in option_names(sh))
        flags = "".join(f" {'-' if is_on(sh, name) else '+'}o {name}\n" for name in option_names(sh))
        return "".join("set" + line + "\n" for line in flags.splitlines())
    if sh.dialect.bash:
        return "".join(f"{name:<15}\t{'on' if is_on(sh, name) else 'off'}\n" for name in option_names(sh))
    return ("Current option settings\n" if sh.dialect.name == "dash" else "") + "".join(
        f"{name:<16}{'on' if is_on(sh, name) else 'off'}\n" for name in option_names(sh)
    )


def list_variables(sh: Shell) -> str:
    """What ``set`` without arguments prints."""
    lines: list[str] = []
    for name, var in sh.vars.pairs():
        value = var.value
        if value is None:
            continue
        if isinstance(value, dict):
            from urltrap.machine.shell.builtins.declare import array_text

            lines.append(f"{name}={array_text(var)}")
        elif sh.dialect.bash:
            lines.append(f"{name}={set_quote(value)}")
        else:
            lines.append(f"{name}='" + value.replace("'", "'\"'\"'") + "'")
    if sh.dialect.bash:
        from urltrap.machine.shell.unparse import function_text

        lines.extend(function_text(sh.functions[name]) for name in sorted(sh.functions))
    return "".join(line + "\n" for line in lines)


@builtin("set")
def set_options(sh: Shell, argv: list[str]) -> Gen[int]:
    """Options and positional parameters."""
    words = argv[1:]
    if not words:
        yield from sh.p.out(list_variables(sh))
        return 0
    position = 0
    while position < len(words):
        word = words[position]
        if word in ("--", "-"):
            if word == "--":
                sh.positional = list(words[position + 1 :])
            else:
                sh.options.difference_update(("xtrace", "verbose"))
                if len(words) > position + 1:
                    sh.positional = list(words[position + 1 :])
            return 0
        if word[:1] not in "-+" or len(word) < 2:
            sh.positional = list(words[position:])
            return 0
        on = word[0] == "-"
        for letter in word[1:]:
            if letter == "o":
                name = words[position + 1] if position + 1 < len(words) else ""
                if not name:
                    yield from sh.p.out(_list_options(sh, not on))
                    return 0
                position += 1
                if name not in option_names(sh):
                    return (
                        yield from _bad(sh, name, f"{name}: invalid option name", f"Illegal option -o {name}")
                    )
                switch(sh, name, on)
                continue
            known = LETTERS.get(letter)
            if known is None or known not in (*option_names(sh), "onecmd"):
                return (
                    yield from _bad(
                        sh, letter, f"{word[0]}{letter}: invalid option", f"Illegal option {word[0]}{letter}"
                    )
                )
            switch(sh, known, on)
        position += 1
    return 0


def _bad(sh: Shell, what: str, bash: str, other: str) -> Gen[int]:
    if sh.dialect.bash:
        yield from sh.complain(bash, "set")
        if "invalid option name" not in bash:
            yield from sh.p.err(
                "set: usage: set [-abefhkmnptuvxBCEHPT] [-o option-name] [--] [-] [arg ...]\n"
            )
            return 2
        return 2
    yield from sh.complain(other if sh.dialect.name == "dash" else other.replace("Illegal", "illegal"), "set")
    raise ExitShell(2)


@builtin("shopt", dialects="bash")
def shopt(sh: Shell, argv: list[str]) -> Gen[int]:
    """bash's further options."""
    words = argv[1:]
    flags = ""
    while words and words[0].startswith("-"):
        flag = words.pop(0)
        bad = next((letter for letter in flag[1:] if letter not in "pqsuo"), None)
        if bad is not None:
            yield from sh.complain(f"-{bad}: invalid option", "shopt")
            yield from sh.p.err("shopt: usage: shopt [-pqsu] [-o] [optname ...]\n")
            return 2
        flags += flag[1:]
    if "s" in flags and "u" in flags:
        yield from sh.complain("cannot set and unset shell options simultaneously", "shopt")
        return 1
    known = _BASH if "o" in flags else SHOPTS
    state = sh.options if "o" in flags else sh.shopts
    if words and ("s" in flags or "u" in flags):
        status = 0
        for word in words:
            if word not in known:
                yield from sh.complain(
                    f"{word}: invalid {'option' if 'o' in flags else 'shell option'} name", "shopt"
                )
                status = 1
            elif "s" in flags:
                state.add(word)
            else:
                state.discard(word)
        return status
    status = 0
    for word in words or known:
        if word not in known:
            yield from sh.complain(
                f"{word}: invalid {'option' if 'o' in flags else 'shell option'} name", "shopt"
            )
            status = 1
            continue
        on = (
            word in state
            or (word == "login_shell" and sh.login)
            or (word == "expand_aliases" and sh.interactive)
        )
        if words and not on:
            status = 1
        if "q" in flags or (not words and (("s" in flags and not on) or ("u" in flags and on))):
            continue
        if "p" in flags:
            yield from sh.p.out(
                f"set {'-' if on else '+'}o {word}\n"
                if "o" in flags
                else f"shopt {'-s' if on else '-u'} {word}\n"
            )
        else:
            yield from sh.p.out(f"{word:<15}\t{'on' if on else 'off'}\n")
    return status
