"""What bash's ``help`` shows: a synopsis for each builtin and reserved word, in the order of its list."""

from __future__ import annotations

from collections.abc import Collection

SYNOPSES: dict[str, str] = {
    "job_spec": "job_spec [&]",
    "(( ... ))": "(( expression ))",
    ".": ". filename [arguments]",
    ":": ":",
    "[": "[ arg... ]",
    "[[ ... ]]": "[[ expression ]]",
    "alias": "alias [-p] [name[=value] ... ]",
    "bg": "bg [job_spec ...]",
    "bind": "bind [-lpsvPSVX] [-m keymap] [-f filename] [-q name] [-u name] [-r key"
    "seq] [-x keyseq:shell-command] [keyseq:readline-function or readline-command]",
    "break": "break [n]",
    "builtin": "builtin [shell-builtin [arg ...]]",
    "caller": "caller [expr]",
    "case": "case WORD in [PATTERN [| PATTERN]...) COMMANDS ;;]... esac",
    "cd": "cd [-L|[-P [-e]] [-@]] [dir]",
    "command": "command [-pVv] command [arg ...]",
    "compgen": "compgen [-abcdefgjksuv] [-o option] [-A action] [-G globpat] [-W wordl"
    "ist] [-F function] [-C command] [-X filterpat] [-P prefix] [-S suffix] [word]",
    "complete": "complete [-abcdefgjksuv] [-pr] [-DEI] [-o option] [-A action] [-G glob"
    "pat] [-W wordlist] [-F function] [-C command] [-X filterpat] [-P prefix] [-S suffix] [name ...]",
    "compopt": "compopt [-o|+o option] [-DEI] [name ...]",
    "continue": "continue [n]",
    "coproc": "coproc [NAME] command [redirections]",
    "declare": "declare [-aAfFgiIlnrtux] [name[=value] ...] or declare -p [-aAfFilnrtux] [name ...]",
    "dirs": "dirs [-clpv] [+N] [-N]",
    "disown": "disown [-h] [-ar] [jobspec ... | pid ...]",
    "echo": "echo [-neE] [arg ...]",
    "enable": "enable [-a] [-dnps] [-f filename] [name ...]",
    "eval": "eval [arg ...]",
    "exec": "exec [-cl] [-a name] [command [argument ...]] [redirection ...]",
    "exit": "exit [n]",
    "export": "export [-fn] [name[=value] ...] or export -p",
    "false": "false",
    "fc": "fc [-e ename] [-lnr] [first] [last] or fc -s [pat=rep] [command]",
    "fg": "fg [job_spec]",
    "for": "for NAME [in WORDS ... ] ; do COMMANDS; done",
    "for ((": "for (( exp1; exp2; exp3 )); do COMMANDS; done",
    "function": "function name { COMMANDS ; } or name () { COMMANDS ; }",
    "getopts": "getopts optstring name [arg ...]",
    "hash": "hash [-lr] [-p pathname] [-dt] [name ...]",
    "help": "help [-dms] [pattern ...]",
    "history": "history [-c] [-d offset] [n] or history -anrw [filename] or history -ps arg [arg...]",
    "if": "if COMMANDS; then COMMANDS; [ elif COMMANDS; then COMMANDS; ]... [ else COMMANDS; ] fi",
    "jobs": "jobs [-lnprs] [jobspec ...] or jobs -x command [args]",
    "kill": "kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]",
    "let": "let arg [arg ...]",
    "local": "local [option] name[=value] ...",
    "logout": "logout [n]",
    "mapfile": "mapfile [-d delim] [-n count] [-O origin] [-s count] [-t] [-u fd] [-C "
    "callback] [-c quantum] [array]",
    "popd": "popd [-n] [+N | -N]",
    "printf": "printf [-v var] format [arguments]",
    "pushd": "pushd [-n] [+N | -N | dir]",
    "pwd": "pwd [-LP]",
    "read": "read [-ers] [-a array] [-d delim] [-i text] [-n nchars] [-N nchars] [-"
    "p prompt] [-t timeout] [-u fd] [name ...]",
    "readarray": "readarray [-d delim] [-n count] [-O origin] [-s count] [-t] [-u fd] [-"
    "C callback] [-c quantum] [array]",
    "readonly": "readonly [-aAf] [name[=value] ...] or readonly -p",
    "return": "return [n]",
    "select": "select NAME [in WORDS ... ;] do COMMANDS; done",
    "set": "set [-abefhkmnptuvxBCEHPT] [-o option-name] [--] [-] [arg ...]",
    "shift": "shift [n]",
    "shopt": "shopt [-pqsu] [-o] [optname ...]",
    "source": "source filename [arguments]",
    "suspend": "suspend [-f]",
    "test": "test [expr]",
    "time": "time [-p] pipeline",
    "times": "times",
    "trap": "trap [-lp] [[arg] signal_spec ...]",
    "true": "true",
    "type": "type [-afptP] name [name ...]",
    "typeset": "typeset [-aAfFgiIlnrtux] name[=value] ... or typeset -p [-aAfFilnrtux] [name ...]",
    "ulimit": "ulimit [-SHabcdefiklmnpqrstuvxPRT] [limit]",
    "umask": "umask [-p] [-S] [mode]",
    "unalias": "unalias [-a] name [name ...]",
    "unset": "unset [-f] [-v] [-n] [name ...]",
    "until": "until COMMANDS; do COMMANDS-2; done",
    "variables": "variables - Names and meanings of some shell variables",
    "wait": "wait [-fn] [-p var] [id ...]",
    "while": "while COMMANDS; do COMMANDS-2; done",
    "{ ... }": "{ COMMANDS ; }",
}


def _cell(name: str, text: str, disabled: Collection[str], width: int) -> str:
    cell = ("*" if name in disabled else " ") + text
    return cell[: width - 1] + ">" if len(cell) > width else cell


def columns(disabled: Collection[str], width: int = 80) -> str:
    """The two columns of ``help``: each cut to half of the terminal's width with a ``>``."""
    rows = list(SYNOPSES.items())
    half = width // 2
    height = (len(rows) + 1) // 2
    lines: list[str] = []
    for number in range(height):
        name, text = rows[number]
        left = _cell(name, text, disabled, half - 1)
        if number + height < len(rows):
            other, more = rows[number + height]
            lines.append(left.ljust(half) + _cell(other, more, disabled, half - 2))
        else:
            lines.append(left)
    return "\n".join(lines) + "\n"
