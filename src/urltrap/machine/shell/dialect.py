"""What the three shells understand and what they do not: one frozen row of switches each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DialectName = Literal["bash", "dash", "ash"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The differences between the shells that the lexer, the parser and the interpreter ask for."""

    name: DialectName
    bash: bool  # the whole of bash: arrays, extended parameter operators, declare, shopt …
    double_bracket: bool  # [[ … ]]
    bash_compat: bool  # ${x/p/r}, ${x:o:l}, $'…', &>, source: bash and BusyBox ash
    braces: bool  # {a,b} and {1..3}
    arrays: bool
    process_substitution: bool
    here_string: bool
    arithmetic_command: bool  # (( … )) and for (( ; ; ))
    function_keyword: bool
    any_function_body: bool  # f() cmd; bash wants a compound command
    echo_escapes: bool  # echo interprets backslashes without -e (dash)
    aliases_in_scripts: bool
    empty_redirect_status: int  # $? after a redirection that failed


BASH = Dialect(
    name="bash",
    bash=True,
    double_bracket=True,
    bash_compat=True,
    braces=True,
    arrays=True,
    process_substitution=True,
    here_string=True,
    arithmetic_command=True,
    function_keyword=True,
    any_function_body=False,
    echo_escapes=False,
    aliases_in_scripts=False,
    empty_redirect_status=1,
)
DASH = Dialect(
    name="dash",
    bash=False,
    double_bracket=False,
    bash_compat=False,
    braces=False,
    arrays=False,
    process_substitution=False,
    here_string=False,
    arithmetic_command=False,
    function_keyword=False,
    any_function_body=True,
    echo_escapes=True,
    aliases_in_scripts=True,
    empty_redirect_status=2,
)
ASH = Dialect(
    name="ash",
    bash=False,
    double_bracket=True,
    bash_compat=True,
    braces=False,
    arrays=False,
    process_substitution=True,
    here_string=False,
    arithmetic_command=False,
    function_keyword=True,
    any_function_body=True,
    echo_escapes=False,
    aliases_in_scripts=True,
    empty_redirect_status=1,
)
DIALECTS: dict[str, Dialect] = {"bash": BASH, "dash": DASH, "ash": ASH}
