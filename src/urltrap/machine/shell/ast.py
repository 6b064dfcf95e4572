"""The parsed program: words as parts, commands as nodes. Never changed once parsed: a cache shares it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Lit:
    """Unquoted text: tilde, braces and pathname patterns in it are alive."""

    text: str


@dataclass(slots=True, eq=False)
class Quoted:
    """Text under quotes or a backslash: taken as it is."""

    text: str


@dataclass(slots=True, eq=False)
class DoubleQuoted:
    """``"…"``: parts that are expanded but not split."""

    parts: tuple[Part, ...]


@dataclass(slots=True, eq=False)
class Param:
    """``$name`` or ``${…}``. `op` is the operator as written (":-", "##", "//", "@", "len", ":" for substrings,
    "names" for ${!p*}, "keys" for ${!a[@]}); `bad` holds the text of a substitution that no shell understands."""

    name: str
    op: str = ""
    arg: Word | None = None
    arg2: Word | None = None
    index: Word | None = None
    indirect: bool = False
    bad: str = ""
    simple: bool = False


@dataclass(slots=True, eq=False)
class CommandSub:
    """``$(…)`` (program parsed with the surrounding text) or `` `…` `` (text, parsed when it runs)."""

    program: Node | None
    text: str
    backquote: bool = False
    error: Exception | None = None


@dataclass(slots=True, eq=False)
class ArithSub:
    """``$((…))`` or ``$[…]``: expanded like double-quoted text, then evaluated."""

    parts: tuple[Part, ...]
    text: str


@dataclass(slots=True, eq=False)
class ProcessSub:
    """``<(…)`` or ``>(…)``."""

    program: Node | None
    mode: str
    text: str = ""


@dataclass(slots=True, eq=False)
class ArrayLit:
    """The right side of ``a=( … )``: (subscript or None, append, value) for each element."""

    items: tuple[tuple[Word | None, bool, Word], ...]


Part = Lit | Quoted | DoubleQuoted | Param | CommandSub | ArithSub | ProcessSub


@dataclass(slots=True, eq=False)
class Word:
    """One word. `plain` is its value where no expansion can change it; `bare` is its text where nothing in it is
    quoted or expanded (reserved words, aliases, names); `raw` is the source text."""

    parts: tuple[Part, ...]
    plain: str | None
    bare: str | None
    raw: str


@dataclass(slots=True, eq=False)
class Assign:
    """``name=value``, ``name[index]+=value``, ``name=(…)``."""

    name: str
    value: Word | ArrayLit | None
    append: bool = False
    index: Word | None = None
    raw: str = ""


@dataclass(slots=True, eq=False)
class Redir:
    """One redirection. `fd` None: the operator's default; a string: ``{var}>``. `body` is a here-document's text."""

    op: str
    fd: int | str | None
    target: Word
    body: Word | None = None
    strip: bool = False
    line: int = 0


@dataclass(slots=True, eq=False)
class Simple:
    """Assignments, words and redirections."""

    assigns: tuple[Assign, ...]
    words: tuple[Word | Assign, ...]
    redirs: tuple[Redir, ...]
    line: int
    text: str = ""


@dataclass(slots=True, eq=False)
class Pipeline:
    """Commands joined by ``|``; `merge` tells for each whether it was ``|&``."""

    commands: tuple[Node, ...]
    negate: bool
    timed: str
    merge: tuple[bool, ...]
    text: str = ""


@dataclass(slots=True, eq=False)
class AndOr:
    """``a && b || c``: the first, then (operator, command) pairs."""

    first: Node
    rest: tuple[tuple[str, Node], ...]
    text: str = ""


@dataclass(slots=True, eq=False)
class Background:
    """``command &``, or ``coproc NAME command`` where `coproc` names the array of its descriptors."""

    node: Node
    text: str
    coproc: str = ""


@dataclass(slots=True, eq=False)
class Sequence:
    """Commands one after the other."""

    items: tuple[Node, ...]


@dataclass(slots=True, eq=False)
class Compound:
    """Base of the compound commands: their redirections, line and source text."""

    redirs: tuple[Redir, ...] = field(default=(), kw_only=True)
    line: int = field(default=0, kw_only=True)
    text: str = field(default="", kw_only=True)


@dataclass(slots=True, eq=False)
class Subshell(Compound):
    """``( … )``."""

    body: Node


@dataclass(slots=True, eq=False)
class Group(Compound):
    """``{ …; }``."""

    body: Node


@dataclass(slots=True, eq=False)
class If(Compound):
    """``if … then … elif … else … fi``: (condition, body) pairs and the else branch."""

    clauses: tuple[tuple[Node, Node], ...]
    otherwise: Node | None


@dataclass(slots=True, eq=False)
class While(Compound):
    """``while``/``until``."""

    condition: Node
    body: Node
    until: bool


@dataclass(slots=True, eq=False)
class For(Compound):
    """``for name in words``; `words` None: the positional parameters."""

    name: str
    words: tuple[Word, ...] | None
    body: Node


@dataclass(slots=True, eq=False)
class Select(Compound):
    """``select name in words``."""

    name: str
    words: tuple[Word, ...] | None
    body: Node


@dataclass(slots=True, eq=False)
class ArithFor(Compound):
    """``for (( init; test; step ))``."""

    init: ArithSub
    test: ArithSub
    step: ArithSub
    body: Node


@dataclass(slots=True, eq=False)
class Case(Compound):
    """``case word in pattern) … ;; esac``: (patterns, body, terminator) triples."""

    word: Word
    items: tuple[tuple[tuple[Word, ...], Node | None, str], ...]


@dataclass(slots=True, eq=False)
class FunctionDef(Compound):
    """``name() body``."""

    name: str
    body: Node


@dataclass(slots=True, eq=False)
class ArithCommand(Compound):
    """``(( … ))``."""

    expression: ArithSub


@dataclass(slots=True, eq=False)
class CondTest:
    """A leaf of ``[[ … ]]``: `op` "" (a word alone), a unary "-f" or a binary "=="."""

    op: str
    left: Word
    right: Word | None = None


@dataclass(slots=True, eq=False)
class CondNot:
    """``! expression`` inside [[ ]]."""

    inner: CondExpr


@dataclass(slots=True, eq=False)
class CondPair:
    """``left && right`` or ``left || right`` inside [[ ]]."""

    op: str
    left: CondExpr
    right: CondExpr


CondExpr = CondTest | CondNot | CondPair


@dataclass(slots=True, eq=False)
class CondCommand(Compound):
    """``[[ … ]]``."""

    expression: CondExpr


Node = (
    Simple | Pipeline | AndOr | Background | Sequence | Subshell | Group | If | While | For | Select | ArithFor | Case
    | FunctionDef | ArithCommand | CondCommand
)  # fmt: skip
