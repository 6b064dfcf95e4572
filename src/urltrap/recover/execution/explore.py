"""Running an exploring tree: every branch runs, loops end, and nothing that leaves early hides what follows.

`machine.shell` runs it through its own table of executors, which is extended here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from urltrap.machine.api import decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.shell.errors import ExpansionError, ShellJump
from urltrap.machine.shell.expansion.fields import expand_pattern, expand_string, expand_words
from urltrap.machine.shell.glob import compile_pattern
from urltrap.machine.shell.interpreter.run import EXECUTE, redirected
from urltrap.recover.budget import price
from urltrap.recover.execution.build import tolerant
from urltrap.recover.execution.command import Command, run_command
from urltrap.recover.execution.nodes import (
    Body,
    Branches,
    Chain,
    Choices,
    Evaluated,
    Rounds,
    Sourced,
    Tolerant,
)
from urltrap.recover.execution.recorder import Recorder, recorder_of

if TYPE_CHECKING:
    from urltrap.machine.api import Process
    from urltrap.machine.shell.interpreter.shell import Gen, Shell
    from urltrap.machine.shell.variables import Variables

LONGEST_TEXT = 1_100_000
_SHELLS_OWN = frozenset(("PWD", "OLDPWD", "_", "LINENO", "RANDOM", "SECONDS", "OPTIND", "PPID"))
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,3})")
_DEEPEST = 8


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
    return (yield from _inner(sh, " ".join(words), "eval"))


def run_sourced(sh: Shell, node: Sourced) -> Gen[int]:
    """``. FILE [ARGUMENTS]``."""
    words = yield from expand_words(sh, node.words)
    try:
        data = yield from read_script(sh.p, words[0])
    except (SysError, IndexError):
        return 1  # it would be downloaded by this text, or be the victim's own
    before = sh.positional
    sh.positional = words[1:] or before
    try:
        return (yield from _inner(sh, decode(data), "source"))
    finally:
        sh.positional = before


def _inner(sh: Shell, text: str, how: str) -> Gen[int]:
    yield from sh.p.tick(price(encode(text)))
    recorder = recorder_of(sh.p)
    before = recorder.chain
    if before.count(how) >= _DEEPEST:
        return 1
    recorder.heard(text)
    recorder.chain = (*before, how)
    try:
        return (yield from run_tolerant(sh, tolerant(text)))
    finally:
        recorder.chain = before


def read_script(p: Process, path: str) -> Gen[bytes]:
    """The bytes of a script, also of one that comes out of a process substitution."""
    inherited = _DESCRIPTOR.fullmatch(path)
    fd = int(inherited[1]) if inherited else p.open(path)
    data = yield from p.read_all(fd, LONGEST_TEXT)
    p.close(fd)
    return data


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
    Rounds: redirected(run_rounds), Body: run_body, Evaluated: run_evaluated, Sourced: run_sourced,
})  # fmt: skip
