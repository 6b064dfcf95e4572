"""Expressions that would take a backtracking matcher minutes or longer, in every program that takes expressions."""

from __future__ import annotations

import re

import pytest
from tests.machine.programs.support import Box

from urltrap.machine.programs import _matching
from urltrap.machine.programs._matching import TooLong, bounded

LETTERS = "a" * 34


@pytest.fixture(scope="module")
def box() -> Box:
    """One machine for all lines."""
    return Box()


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("grep -P '(a?){30}a{30}b' l", 1),
        ("grep -P '(a|a)*b' l", 1),
        ("grep -wE '(a?){30}a{30}b' l", 1),
        (r"grep -E '(a*)*\1b' l", 1),
        ("sed -E 's/(a?){30}a{30}b/x/' l | cmp - l", 0),
        ("awk '/(a?){30}a{30}b/ {exit 3}' l", 0),
        ("perl -ne 'print if /(a?){30}a{30}b/' l", 0),
        ("pgrep -f '(a?){30}a{30}b'", 1),
        ("[[ $(cat l) =~ (a?){30}a{30}b ]]", 1),
        ("expr $(cat l) : '\\(a*\\)*b' > /dev/null", 1),
        ("python3 -c 'import re,sys; sys.exit(re.match(\"(a?){30}a{30}b\", open(\"l\").read()) is not None)'", 0),
        ("python3 -c 'import re; re.sub(\"a\", \"b\" * 10**6, \"a\" * 1000)'", 1),
        ("python3 -c 'import textwrap; textwrap.indent(\"a\\n\" * 10**5, \"b\" * 10**5)'", 1),
        ("python3 -c 'import operator; operator.mul(\"a\", 10**9)'", 1),
    ],
)  # fmt: skip
def test_it_ends_at_once(box: Box, line: str, status: int) -> None:
    found = box.run(f"cd /tmp; echo {LETTERS} > l; {line}")
    assert found.status == status, found


def test_what_cannot_be_known_in_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_matching, "_SECONDS", 1e-9)
    with pytest.raises(TooLong):
        bounded(re.compile(r"(.*)(.*)(.*)\1\2\3x"), "search", "abcdefgh" * 4000)


def test_more_matches_than_are_kept_are_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_matching, "_MOST", 3)
    assert len(bounded(re.compile("a+?"), "finditer", "aaa")) == 3
    with pytest.raises(TooLong):
        bounded(re.compile("a+?"), "finditer", "aaaa")


def test_without_an_answer_in_time_the_linear_matcher_is_asked(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_matching, "_SECONDS", 1e-9)
    line = "ab" * 20_000
    box.put("/tmp/long", f"{line}\n".encode())
    assert box.run("grep -oE '(a|b)*(ab)+$' /tmp/long | wc -c").out == b"40001\n"
    assert box.run(r"grep -cE '(a*)*\1x' /tmp/long").out == b"0\n"
