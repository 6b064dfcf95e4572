"""Parsing: what is complete, what is an error, and that nothing hostile breaks it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.machine.shell.harness import ShellBox

from urltrap.machine.errors import BudgetError
from urltrap.machine.shell.ast import AndOr, Background, Case, For, FunctionDef, If, Pipeline, Simple, While
from urltrap.machine.shell.dialect import ASH, BASH, DASH, DIALECTS
from urltrap.machine.shell.errors import ShellSyntaxError
from urltrap.machine.shell.grammar import BaseParser
from urltrap.machine.shell.parser import next_cached, next_command, open_parser, parse_script

_PIECES = st.sampled_from([
    "echo", " ", "a", "$x", "${x:-", "}", "$(", ")", "`", "'", '"', "\\", "\n", ";", "&", "|", "&&", "||", "if",
    "then",
    "fi", "for", "in", "do", "done", "case", "esac", ";;", "{", "((", "))", "[[", "]]", "<<E\n", "E\n", ">", "2>&1",
    "a=(",
    "=", "$((", "~", "*", "[", "]", "!", "#", "function", "f()", "<(", "\t", "\x00", "\udc80", "$'", "while", "select",
])  # fmt: skip


@given(st.lists(_PIECES, max_size=40).map("".join), st.sampled_from(sorted(DIALECTS)))
@settings(max_examples=400, deadline=None)
def test_any_mixture_of_shell_words_parses_or_is_a_syntax_error(text: str, dialect: str) -> None:
    try:
        script = parse_script(text, DIALECTS[dialect])
    except BudgetError:
        return
    assert script.error is None or isinstance(script.error, ShellSyntaxError)


@given(st.text(max_size=200), st.sampled_from(sorted(DIALECTS)))
@settings(max_examples=300, deadline=None)
def test_any_text_parses_or_is_a_syntax_error(text: str, dialect: str) -> None:
    try:
        script = parse_script(text, DIALECTS[dialect])
    except BudgetError:
        return
    assert script.error is None or isinstance(script.error, ShellSyntaxError)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("echo a", Simple),
        ("a | b", Pipeline),
        ("a && b", AndOr),
        ("a &", Background),
        ("if a; then b; fi", If),
        ("while a; do b; done", While),
        ("for i in 1; do b; done", For),
        ("case a in a) ;; esac", Case),
        ("f() { a; }", FunctionDef),
    ],
)
def test_each_command_has_its_node(text: str, kind: type) -> None:
    script = parse_script(text, BASH)
    assert script.error is None
    assert isinstance(script.commands[0], kind)


@pytest.mark.parametrize(
    "text",
    [
        "if a",
        "if a; then",
        "for i in 1",
        "while a; do",
        "f() {",
        "echo 'a",
        'echo "a',
        "echo $(",
        "a &&",
        "case a in",
        "( a",
        "{ a",
    ],
)
def test_what_more_lines_could_complete_is_told_apart_from_an_error(text: str) -> None:
    error = parse_script(text + "\n", BASH).error
    assert isinstance(error, ShellSyntaxError)
    assert error.incomplete


@pytest.mark.parametrize(
    "text", [")", "fi", "a ;; b", "| a", "if; then a; fi", "for i in a do b; done; done"]
)
def test_what_no_line_could_complete_is_an_error_at_once(text: str) -> None:
    error = parse_script(text + "\n", BASH).error
    assert isinstance(error, ShellSyntaxError)
    assert not error.incomplete


def test_the_commands_before_a_syntax_error_are_kept() -> None:
    script = parse_script("echo 1\necho 2\necho )\n", DASH)
    assert len(script.commands) == 2
    assert isinstance(script.error, ShellSyntaxError)
    assert script.error.line == 3


@pytest.mark.parametrize(
    "opening", ["( ", "$(", "{ ", "if ", "while ", "${x:-", "$((1+$((", "! ( ", 'echo "$(']
)
def test_deep_nesting_uses_up_a_budget_instead_of_the_stack(opening: str) -> None:
    for dialect in (BASH, DASH, ASH):
        try:
            script = parse_script(opening * 10_000, dialect)
        except BudgetError as problem:
            assert problem.what == "nesting"
        else:
            assert script.error is not None


def test_parsing_takes_work_in_proportion_to_the_text() -> None:
    def characters(count: int) -> int:
        text = 'echo "hello $x" ${y:-z} $(id) a b; ' * count
        parser = open_parser(text, BASH)
        steps = 0
        original = parser.advance

        def counted() -> None:
            nonlocal steps
            steps += 1
            original()

        parser.advance = counted  # type: ignore[method-assign]
        assert next_command(parser) is not None
        return steps

    assert characters(400) <= characters(100) * 4 + 10


def test_a_line_of_a_megabyte_parses() -> None:
    script = parse_script("echo " + "word " * 200_000, BASH)
    first = script.commands[0]
    assert isinstance(first, Simple)
    assert len(first.words) == 200_001


def _steps(text: str, dialect: str, aliases: dict[str, str], *, cached: bool) -> list[object]:
    """All commands of a text with the places behind them, by one parser or step by step; an error ends them."""
    parser = open_parser(text, DIALECTS[dialect], aliases=aliases)
    found: list[object] = []
    try:
        while True:
            if cached:
                step = next_cached(text, dialect, parser.pos, parser.line, False, tuple(aliases.items()))
                if step is None:
                    return [*found, *_rest(parser)]
                parser.pos, parser.line = step.pos, step.line
                found.append((repr(step.node), step.line, step.warnings))
                if step.node is None:
                    return found
            else:
                node = next_command(parser)
                found.append((repr(node), parser.line, tuple(parser.here_warning)))
                parser.here_warning.clear()
                if node is None:
                    return found
    except (ShellSyntaxError, BudgetError) as problem:
        return [*found, str(problem)]


def _rest(parser: BaseParser) -> list[object]:
    found: list[object] = []
    try:
        while (node := next_command(parser)) is not None:
            found.append((repr(node), parser.line, tuple(parser.here_warning)))
            parser.here_warning.clear()
    except (ShellSyntaxError, BudgetError) as problem:
        return [*found, str(problem)]
    return [*found, (repr(None), parser.line, tuple(parser.here_warning))]


@given(st.lists(_PIECES, max_size=40).map("".join), st.sampled_from(sorted(DIALECTS)), st.booleans())
@settings(max_examples=300, deadline=None)
def test_commands_out_of_memory_are_those_of_one_parser(text: str, dialect: str, aliased: bool) -> None:
    aliases = {"echo": "a ", "a": "in; "} if aliased else {}
    whole = _steps(text, dialect, aliases, cached=False)
    assert _steps(text, dialect, aliases, cached=True) == whole
    assert _steps(text, dialect, aliases, cached=True) == whole  # out of memory this time


def test_an_alias_of_one_line_counts_in_the_next_each_time() -> None:
    text = "alias x='echo one'\nx\nalias x='echo two'\nx\n"
    for shell in ("bash", "dash"):
        for _ in range(2):
            box = ShellBox()
            box.run(shell, f'shopt -s expand_aliases 2>/dev/null; eval "{text}"')
            assert box.take() == "one\ntwo\n"
