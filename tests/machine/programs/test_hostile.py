"""Random arguments and inputs: a program may complain, never crash; the support's driver fails on any crash of ours."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.machine.programs.support import Box, reply

from urltrap.machine.programs._cmd import APPLETS
from urltrap.machine.programs._words import words
from urltrap.machine.programs.registry import load_all
from urltrap.model.event import BudgetSpent

load_all()

NAMES = words(
    "cat ls cp mv rm head tail grep sed awk cut tr sort uniq wc tee xargs diff cmp comm paste nl fold "
    "expand column seq expr bc od xxd hexdump base64 md5sum cksum tar gzip zcat dd truncate touch ln "
    "chmod chown stat file find du readlink realpath basename dirname mktemp wget curl printf test "
    "openssl split mkdir python3 perl scp which shuf less "
)
WORD = st.one_of(
    st.text(alphabet="abc/*.-+=[]{}()\\$^|?0123456789%:,~!#'\" \n\té", max_size=12),
    st.sampled_from(
        [
            "-",
            "--",
            "/etc/passwd",
            "/tmp",
            "nofile",
            "-n",
            "-c",
            "-f",
            "-e",
            "-i",
            "-r",
            "-d",
            "-k",
            "http://192.0.2.1/x",
            "1",
            "99999999999999999999",
        ]
    ),
    st.text(
        alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=3
    ).map("-".__add__),
)
SAFE = "cd /tmp/play && "


@pytest.fixture(scope="module")
def box() -> Box:
    found = Box(network=lambda request: reply(request, b"x"))
    found.run("mkdir -p /tmp/play; echo a > /tmp/play/a; mkdir /tmp/play/b")
    return found


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(NAMES), st.lists(WORD, max_size=4), st.binary(max_size=80))
def test_no_program_crashes_on_random_arguments(
    box: Box, name: str, arguments: list[str], data: bytes
) -> None:
    line = " ".join(shlex.quote(word.replace("\0", "")) for word in arguments)
    box.run(f"mkdir -p /tmp/play; {SAFE} {name} {line} | head -c 4000", data, rounds=400_000)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(sorted(APPLETS)), st.lists(WORD, max_size=3), st.binary(max_size=60))
def test_no_applet_crashes_on_random_arguments(
    box: Box, name: str, arguments: list[str], data: bytes
) -> None:
    line = " ".join(shlex.quote(word.replace("\0", "")) for word in arguments)
    box.run(f"mkdir -p /tmp/play; {SAFE} busybox {name} {line} | head -c 4000", data, rounds=400_000)


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.sampled_from(["sed", "awk", "grep -E", "grep", "bc", "expr a :"]),
    st.text(alphabet="abs/{}()[]\\^$*+?|;,.0123 \n&pgdNDhHxn=!", max_size=30),
)
def test_no_script_crashes_a_language(box: Box, program: str, script: str) -> None:
    box.run(f"printf 'a b\\nab 12\\n' | {program} {shlex.quote(script)} | head -c 4000", rounds=400_000)


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|a)*b", "(a|aa)+$", ".*.*.*.*.*=.*b", "((a+)+)+c"])
def test_an_expression_that_blows_up_elsewhere_is_answered(box: Box, pattern: str) -> None:
    box.put("/tmp/long", b"a" * 3000 + b"!\n")
    assert box.run(f"grep -cE '{pattern}' /tmp/long").out in (b"0\n", b"1\n", b"")


def test_endless_inputs_end_with_their_reader(box: Box) -> None:
    assert box.run("yes | head -n 3 | sort -u").out == b"y\n"
    assert box.run("cat /dev/zero | head -c 100000 | wc -c").out == b"100000\n"
    assert box.run("seq 1 999999999 | head -n 2").out == b"1\n2\n"
    assert box.run("awk 'BEGIN{while(1) print 1}' | head -n 1").out == b"1\n"


def test_a_thousand_lines_of_real_work_are_neither_killed_nor_much_slowed(box: Box) -> None:
    lines = [
        line
        for number in range(250)
        for line in (
            f"cd /tmp; x=$(echo 198.51.100.{number} | cut -d. -f4)",
            f"if [ $x -gt 3 ]; then echo a{number} > a{number}; else echo b > a{number}; fi",
            f"chmod 777 a{number}; ./a{number} 2>/dev/null",
            f"rm -rf a{number}",
        )
    ]
    box.put("/tmp/script", "\n".join([*lines, "echo done"]).encode())
    done = box.run("sh /tmp/script")
    assert (done.status, done.out, done.facts(BudgetSpent)) == (0, b"done\n", [])
    assert done.seconds < 5


def test_three_hundred_megabytes_are_copied_and_summed(box: Box) -> None:
    done = box.run(
        "dd if=/dev/zero bs=1M count=300 status=none | md5sum; cat /dev/zero | head -c 300M | wc -c"
    )
    assert done.out == b"0d97a9cd8bbd7ce75a2a76bb06258915  -\n314572800\n"
    assert done.facts(BudgetSpent) == []
