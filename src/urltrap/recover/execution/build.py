"""A parsed text rebuilt as a tree that explores: see `nodes` for what its nodes do, `explore` for how they run."""

from __future__ import annotations

import re
from typing import Any

from urltrap.machine.shell.ast import (
    AndOr,
    ArithCommand,
    ArithFor,
    ArrayLit,
    Assign,
    Background,
    Case,
    CommandSub,
    CondCommand,
    DoubleQuoted,
    For,
    FunctionDef,
    Group,
    If,
    Lit,
    Param,
    Part,
    Pipeline,
    ProcessSub,
    Quoted,
    Redir,
    Select,
    Sequence,
    Simple,
    Subshell,
    While,
    Word,
)
from urltrap.recover.execution.command import Command
from urltrap.recover.execution.nodes import (
    ENDLESS_ROUNDS,
    ROUNDS,
    Body,
    Branches,
    Chain,
    Choices,
    Evaluated,
    Rounds,
    Sourced,
    Tolerant,
)
from urltrap.recover.execution.parse import parse

_ENDLESS = re.compile(
    r"\s*while\s+(?:true|:|\[\s*1\s*\]|\[\[\s*1\s*\]\]|\(\(\s*1\s*\)\)|test 1|sleep\s+\d+)\s*[;\n]"
)
_NET = "/net/"


def explorable(node: Any) -> Any:
    """`node` with all that it holds in a form that explores; the given tree stays as it is."""
    return _BUILD[type(node)](node)


def _simple(node: Simple) -> Any:
    words = tuple(_word(word) if isinstance(word, Word) else _assign(word) for word in node.words)
    if words and isinstance(words[0], Word):
        name = words[0].bare
        if name in ("eval", ".", "source") and len(words) > 1:
            inner: Any = Evaluated(words[1:]) if name == "eval" else Sourced(words[1:])
            return Group(inner, redirs=_redirs(node.redirs)) if node.redirs else inner
        if name == "exec" and len(words) > 1:
            words = words[1:]  # the shell would become the program, and the rest of the text would be lost
    assigns = tuple(_assign(item) for item in node.assigns)
    simple = Simple(assigns, words, _redirs(node.redirs), node.line, node.text)
    return Command(simple) if words else simple


def _assign(item: Assign) -> Assign:
    value = item.value
    if isinstance(value, ArrayLit):
        value = ArrayLit(tuple((index, append, _word(word)) for index, append, word in value.items))
    elif value is not None:
        value = _word(value)
    return Assign(item.name, value, item.append, item.index, item.raw)


def _word(word: Word) -> Word:
    if word.plain is not None or not word.parts:
        return word
    parts = tuple(_part(part) for part in word.parts)
    if all(new is old for new, old in zip(parts, word.parts, strict=True)):
        return word
    return Word(parts, word.plain, word.bare, word.raw)


def _part(part: Part) -> Part:
    if isinstance(part, CommandSub):
        if part.program is not None:
            return CommandSub(explorable(part.program), part.text, part.backquote, part.error)
        if part.text.strip():
            return CommandSub(tolerant(part.text), part.text, part.backquote, part.error)
    elif isinstance(part, ProcessSub) and part.program is not None:
        return ProcessSub(explorable(part.program), part.mode, part.text)
    elif isinstance(part, DoubleQuoted):
        inner = tuple(_part(each) for each in part.parts)
        if any(new is not old for new, old in zip(inner, part.parts, strict=True)):
            return DoubleQuoted(inner)
    elif isinstance(part, Param) and (part.arg is not None or part.arg2 is not None):
        arg = _word(part.arg) if part.arg is not None else None
        if arg is not part.arg:
            return Param(part.name, part.op, arg, part.arg2, part.index, part.indirect, part.bad, part.simple)
    return part


def _redirs(redirs: tuple[Redir, ...]) -> tuple[Redir, ...]:
    return tuple(_redir(each) for each in redirs) if redirs else redirs


def _redir(redir: Redir) -> Redir:
    body = _word(redir.body) if redir.body is not None else None
    return Redir(redir.op, redir.fd, _network(_word(redir.target)), body, redir.strip, redir.line)


def _network(target: Word) -> Word:
    """``/dev/tcp/HOST/PORT`` as a file whose content is what was sent there: ``/net/tcp:HOST:PORT``."""
    if not target.raw.lstrip("\"'").startswith(("/dev/tcp/", "/dev/udp/")):
        return target
    if target.plain is not None:
        text = _NET + target.plain[5:].replace("/", ":")
        return Word((Lit(text),), text, text, target.raw)
    return Word(tuple(_network_part(part, first=not number) for number, part in enumerate(target.parts)), None, None,
                target.raw)  # fmt: skip


def _network_part(part: Part, *, first: bool) -> Part:
    if isinstance(part, Lit | Quoted):
        text = part.text
        if first:
            text = text.removeprefix("/dev/")
        text = text.replace("/", ":")
        return type(part)((_NET if first else "") + text)
    if isinstance(part, DoubleQuoted):
        return DoubleQuoted(
            tuple(_network_part(each, first=first and not n) for n, each in enumerate(part.parts))
        )
    return part


def _and_or(node: AndOr) -> Any:
    return Chain(explorable(node.first), tuple((op, explorable(item)) for op, item in node.rest))


def _pipeline(node: Pipeline) -> Any:
    return Pipeline(tuple(explorable(each) for each in node.commands), False, "", node.merge, node.text)


def _if(node: If) -> Any:
    clauses = tuple((explorable(condition), explorable(body)) for condition, body in node.clauses)
    otherwise = None if node.otherwise is None else explorable(node.otherwise)
    return Branches(clauses, otherwise, redirs=_redirs(node.redirs), line=node.line)


def _case(node: Case) -> Any:
    items = tuple(
        (tuple(_word(word) for word in patterns), None if body is None else explorable(body), end)
        for patterns, body, end in node.items
    )
    return Choices(_word(node.word), items, redirs=_redirs(node.redirs), line=node.line)


def _while(node: While) -> Any:
    most = ENDLESS_ROUNDS if _ENDLESS.match(node.text) else ROUNDS
    return Rounds(
        explorable(node.condition),
        explorable(node.body),
        node.until,
        most,
        redirs=_redirs(node.redirs),
        line=node.line,
    )


def _for(node: For | Select) -> Any:
    words = None if node.words is None else tuple(_word(word) for word in node.words)
    return For(node.name, words, explorable(node.body), redirs=_redirs(node.redirs), line=node.line)


def _arith_for(node: ArithFor) -> Any:
    body = explorable(node.body)
    return ArithFor(node.init, node.test, node.step, body, redirs=_redirs(node.redirs), line=node.line)


def _function(node: FunctionDef) -> Any:
    body: Any = Body(node.name, explorable(node.body))
    return FunctionDef(node.name, body, redirs=_redirs(node.redirs), line=node.line, text=node.text)


_BUILD: dict[type, Any] = {
    Simple: _simple,
    AndOr: _and_or,
    Pipeline: _pipeline,
    Background: lambda node: explorable(node.node),  # awaited: what it asks for must be in the notebook
    Sequence: lambda node: Tolerant(tuple(explorable(item) for item in node.items)),
    Subshell: lambda node: Subshell(explorable(node.body), redirs=_redirs(node.redirs), line=node.line),
    Group: lambda node: Group(explorable(node.body), redirs=_redirs(node.redirs), line=node.line),
    If: _if,
    While: _while,
    For: _for,
    Select: _for,
    ArithFor: _arith_for,
    Case: _case,
    FunctionDef: _function,
    ArithCommand: lambda node: node,
    CondCommand: lambda node: node,
}


def tolerant(text: str) -> Any:
    """A text as one node that explores it, damaged parts left out."""
    return Tolerant(tuple(explorable(node) for node in parse(text)))
