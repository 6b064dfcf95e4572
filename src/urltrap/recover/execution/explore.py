"""A parsed text made explorable: every branch runs, loops end, and nothing that leaves early hides what follows.

The tree is rebuilt with the node types of this module where the shell would decide; `machine.shell` runs them through
its own table of executors, which is extended here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from urltrap.machine.shell.ast import (
    AndOr,
    ArithCommand,
    ArithFor,
    ArrayLit,
    Assign,
    Background,
    Case,
    CommandSub,
    Compound,
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
from urltrap.machine.shell.errors import ExpansionError, ShellJump
from urltrap.machine.shell.expansion.fields import expand_pattern, expand_string, expand_words
from urltrap.machine.shell.glob import compile_pattern
from urltrap.machine.shell.interpreter.run import EXECUTE, redirected
from urltrap.recover.execution.command import Command, run_command
from urltrap.recover.execution.parse import parse
from urltrap.recover.execution.recorder import Recorder, recorder_of

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell
    from urltrap.machine.shell.variables import Variables

BYTES_PER_STEP = 4
"""Reading this much of a text that another one gives to a shell costs about as much as a step."""
ROUNDS, ENDLESS_ROUNDS = 32, 3
"""How often a ``while`` goes round at most; and one whose condition is always true."""
_ENDLESS = re.compile(
    r"\s*while\s+(?:true|:|\[\s*1\s*\]|\[\[\s*1\s*\]\]|\(\(\s*1\s*\)\)|test 1|sleep\s+\d+)\s*[;\n]"
)
_NET = "/net/"
_SHELLS_OWN = frozenset(("PWD", "OLDPWD", "_", "LINENO", "RANDOM", "SECONDS", "OPTIND", "PPID"))


@dataclass(slots=True, eq=False)
class Tolerant:
    """Commands one after the other, each run whatever the one before it did; what follows an ``exit`` is only maybe."""

    items: tuple[Any, ...]


@dataclass(slots=True, eq=False)
class Chain:
    """``a && b || c`` with all parts run."""

    first: Any
    rest: tuple[tuple[str, Any], ...]


@dataclass(slots=True, eq=False)
class Branches(Compound):
    """``if``: conditions, then every body; the one that the shell would take last and for certain."""

    clauses: tuple[tuple[Any, Any], ...]
    otherwise: Any


@dataclass(slots=True, eq=False)
class Choices(Compound):
    """``case``."""

    word: Word
    items: tuple[tuple[tuple[Word, ...], Any, str], ...]


@dataclass(slots=True, eq=False)
class Rounds(Compound):
    """``while``/``until`` that ends."""

    condition: Any
    body: Any
    until: bool
    most: int = ROUNDS


@dataclass(slots=True, eq=False)
class Body:
    """The body of a function: notes that it was called."""

    name: str
    node: Any


@dataclass(slots=True, eq=False)
class Evaluated:
    """``eval``: the text is explored like any other."""

    words: tuple[Word | Assign, ...]


# -- building


def explorable(node: Any) -> Any:
    """`node` with all that it holds in a form that explores; the given tree stays as it is."""
    return _BUILD[type(node)](node)


def _simple(node: Simple) -> Any:
    words = tuple(_word(word) if isinstance(word, Word) else _assign(word) for word in node.words)
    if words and isinstance(words[0], Word):
        name = words[0].bare
        if name == "eval" and len(words) > 1:
            inner = Evaluated(words[1:])
            return Group(inner, redirs=_redirs(node.redirs)) if node.redirs else inner  # type: ignore[arg-type]
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


# -- running


def run_tolerant(sh: Shell, node: Tolerant) -> Gen[int]:
    """Every command, whatever happened before."""
    recorder = recorder_of(sh.p)
    left = 0
    try:
        for item in node.items:
            try:
                yield from EXECUTE[type(item)](sh, item)
            except ShellJump:
                left += 1
                recorder.maybe += 1
            except ExpansionError as problem:
                yield from sh.complain(problem.message)
                sh.status = 1
            if sh.options:
                sh.options.difference_update(("errexit", "nounset", "noexec"))
    finally:
        recorder.maybe -= left
    return sh.status


def _maybe(sh: Shell, recorder: Recorder, node: Any) -> Gen[bool]:
    """Run what the shell would not: afterwards the directory and the variables that were set are as before.

    True where it would have changed a variable.
    """
    changed = False
    variables, where, directory = sh.vars, sh.p.cwd, sh.extra.get("pwd")
    sh.vars = variables.fork()
    recorder.maybe += 1
    try:
        yield from EXECUTE[type(node)](sh, node)
    except ShellJump:
        sh.status = 0  # it leaves a branch that is not the one taken
    except ExpansionError as problem:
        yield from sh.complain(problem.message)
    finally:
        recorder.maybe -= 1
        inner, sh.vars = sh.vars, variables
        for name in _touched(inner, variables):
            value, before = inner.get(name), variables.get(name)
            if value == before or value is None or name in _SHELLS_OWN:
                continue
            changed = True
            if before is None:
                # What only this branch sets is better than nothing for what comes behind it.
                variables.set(name, value)
        sh.extra["pwd"] = directory
        if sh.p.cwd != where:
            sh.p.chdir(where)
    return changed


def _touched(inner: Variables, outer: Variables) -> list[str]:
    """Names that a fork of the variables may have changed: whatever it changed, it has copied first."""
    return [
        name
        for mine, theirs in zip(inner.scopes, outer.scopes, strict=False)
        for name, var in mine.items()
        if theirs.get(name) is not var
    ]


def run_chain(sh: Shell, node: Chain) -> Gen[int]:
    """All of ``a && b || c``: the parts that the shell would leave out are run as a maybe."""
    recorder = recorder_of(sh.p)
    left = 0
    try:
        status = yield from EXECUTE[type(node.first)](sh, node.first)
    except ShellJump:
        status, left = 0, 1
        recorder.maybe += 1
    try:
        for op, item in node.rest:
            if (op == "||") == (status == 0) or left:
                yield from _maybe(sh, recorder, item)
                continue
            try:
                status = yield from EXECUTE[type(item)](sh, item)
            except ShellJump:
                left += 1
                recorder.maybe += 1
    finally:
        recorder.maybe -= left
    sh.status = status
    return status


def run_branches(sh: Shell, node: Branches) -> Gen[int]:
    """Conditions in order, the bodies that are not taken first, the one that is taken last."""
    recorder = recorder_of(sh.p)
    bodies: list[Any] = []
    taken = None
    for condition, body in node.clauses:
        status = yield from EXECUTE[type(condition)](sh, condition)
        bodies.append(body)
        if status == 0 and taken is None:
            taken = len(bodies) - 1
    if node.otherwise is not None:
        bodies.append(node.otherwise)
        if taken is None:
            taken = len(bodies) - 1
    return (yield from _take(sh, recorder, bodies, taken))


def _take(sh: Shell, recorder: Recorder, bodies: list[Any], taken: int | None) -> Gen[int]:
    if recorder.variant and bodies:
        taken = (recorder.variant - 1) % len(bodies)
    for number, body in enumerate(bodies):
        if number != taken and (yield from _maybe(sh, recorder, body)):
            # What it sets may make another URL of what follows: worth a run of its own.
            recorder.branches = max(recorder.branches, len(bodies))
    if taken is None:
        sh.status = 0
        return 0
    # Which branch it will be is the victim's business, wherever there is another one.
    recorder.maybe += 1
    try:
        return (yield from EXECUTE[type(bodies[taken])](sh, bodies[taken]))
    finally:
        recorder.maybe -= 1


def run_choices(sh: Shell, node: Choices) -> Gen[int]:
    """``case``: as `run_branches`."""
    recorder = recorder_of(sh.p)
    subject = yield from expand_string(sh, node.word)
    taken = None
    bodies: list[Any] = []
    for patterns, body, _ in node.items:
        if body is None:
            continue
        for word in patterns:
            pattern = yield from expand_pattern(sh, word)
            if taken is None and compile_pattern(pattern, sh.extglob, False).matches(subject):
                taken = len(bodies)
        bodies.append(body)
    return (yield from _take(sh, recorder, bodies, taken))


def run_rounds(sh: Shell, node: Rounds) -> Gen[int]:
    """A loop: as long as it goes, `ROUNDS` at most; once as a maybe where it would not start."""
    recorder = recorder_of(sh.p)
    went = False
    sh.loop_depth += 1
    try:
        for _ in range(node.most):
            yield from sh.p.tick(1)
            status = yield from EXECUTE[type(node.condition)](sh, node.condition)
            if (status == 0) == node.until:
                break
            went = True
            try:
                yield from EXECUTE[type(node.body)](sh, node.body)
            except ShellJump:
                break
    finally:
        sh.loop_depth -= 1
    if not went:
        yield from _maybe(sh, recorder, node.body)
    sh.status = 0
    return 0


def run_body(sh: Shell, node: Body) -> Gen[int]:
    """A function's body."""
    recorder_of(sh.p).called.add(node.name)
    return EXECUTE[type(node.node)](sh, node.node)


def run_evaluated(sh: Shell, node: Evaluated) -> Gen[int]:
    """``eval WORDS``."""
    words = yield from expand_words(sh, node.words)
    text = " ".join(words)
    yield from sh.p.tick(1 + len(text) // BYTES_PER_STEP)
    recorder = recorder_of(sh.p)
    before = recorder.chain
    if len(before) < 8:
        recorder.chain = (*before, "eval")
    try:
        return (yield from run_tolerant(sh, tolerant(text)))
    finally:
        recorder.chain = before


def uncalled(sh: Shell) -> Gen[None]:
    """Functions that were defined and never called, each once, as a maybe; their arguments are unknown."""
    recorder = recorder_of(sh.p)
    for name in list(sh.functions)[:50]:
        if name not in recorder.called:
            recorder.called.add(name)
            yield from _maybe(sh, recorder, sh.functions[name].body)


EXECUTE.update({
    Command: run_command,
    Tolerant: run_tolerant, Chain: run_chain, Branches: redirected(run_branches), Choices: redirected(run_choices),
    Rounds: redirected(run_rounds), Body: run_body, Evaluated: run_evaluated,
})  # fmt: skip
