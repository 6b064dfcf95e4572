"""Details in which the three shells differ from each other, one line each, as the real ones answer."""

from __future__ import annotations

import pytest
from tests.machine.programs.support import Box

BOX = Box()


@pytest.mark.parametrize(
    ("shell", "script", "out"),
    [
        ("busybox ash", "x=a; f() { local x; echo \"<$x>\"; }; f; echo $x", "<>\na\n"),
        ("dash", "x=a; f() { local x; echo \"<$x>\"; }; f; echo $x", "<a>\na\n"),
        ("busybox ash", "x=a; f() { local x=b; unset x; echo \"<${x-unset}>\"; }; f; echo $x", "<unset>\na\n"),
        ("bash", "export z=1; f() { local z=2; env | grep ^z=; }; f", "z=2\n"),
        ("busybox ash", "echo and1 &\\\n& echo and2", "and1\nand2\n"),
        ("bash", "set -- one; ab=two; echo $\\\n1 $a\\\nb", "one two\n"),
        ("busybox ash", "a=1 b\\\n=2; echo $a$b", "12\n"),
        ("dash", "echo $((0++1)) $((3--1))", "1 4\n"),
        ("busybox ash", "a=3; echo $((a+++3)) $(((a)+++3))", "6 7\n"),
        ("busybox ash", "(trap 'echo T; exit' EXIT; (exit 1)); echo $?", "T\n1\n"),
        ("bash", "(trap 'echo T; exit' EXIT; (exit 3)); echo $?", "T\n3\n"),
        ("dash", "trap a INT USR1; trap 0 INT; trap", "trap -- 'a' USR1\n"),
        ("bash", "case / in [\\/]) echo slash;; esac; case ^ in [\\^]) echo hat;; esac", "slash\nhat\n"),
        ("busybox ash", "IFS=; set -- a b c; v=$@; echo $v", "abc\n"),
        ("bash", "IFS=; set -- a b c; v=$@; echo $v", "a b c\n"),
        ("busybox ash", "{ echo -n te; sleep 2; } | { read -t 1 x; echo \">$x<\"; }", "><\n"),
        ("bash", "cat <<E`x`F\nbody\nE`x`F", "body\n"),
        ("bash", "sleep 1 & p=$!; while kill -0 $p 2>/dev/null; do :; done; echo gone", "gone\n"),
        ("busybox ash", "alias B={ E=}\nB\necho in\nE", "in\n"),
        ("busybox ash", "sh -c 'echo a; set -n; echo b'", "a\n"),
        ("busybox ash", "ls /proc/self/fd | wc -l", "4\n"),
        ("busybox ash", "set -- $(seq 300000 | tail -3); echo $3 $#", "300000 3\n"),
    ],
)  # fmt: skip
def test_what_a_script_prints(shell: str, script: str, out: str) -> None:
    quoted = script.replace("'", "'\\''")
    assert BOX.run(f"{shell} -c '{quoted}'").out.decode() == out


@pytest.mark.parametrize(
    ("shell", "script", "error"),
    [
        ("busybox ash", "exec 1>&-; echo lost; echo $? >&2", "ash: write error: Bad file descriptor\n1\n"),
        ("bash", "exec 1>&-; echo lost", "bash: line 1: echo: write error: Bad file descriptor\n"),
        ("dash", "exec 1>&-; echo lost", "dash: 1: echo: echo: I/O error\n"),
        ("busybox ash", '""', "ash: : Permission denied\n"),
        ("busybox ash", "unset -m a", "ash: unset: line 0: illegal option -m\n"),
        ("busybox ash", ": ${x:?}", "ash: x: parameter not set or null\n"),
        ("bash", "return None", "bash: line 1: return: None: numeric argument required\n"
                                "bash: line 1: return: can only `return' from a function or sourced script\n"),
        ("bash", "f(", "bash: -c: line 1: syntax error near unexpected token `newline'\nbash: -c: line 1: `f('\n"),
    ],
)  # fmt: skip
def test_what_a_script_complains(shell: str, script: str, error: str) -> None:
    quoted = script.replace("'", "'\\''")
    assert BOX.run(f"{shell} -c '{quoted}'").err.decode() == error


def test_a_named_command_string_counts_lines_from_zero_in_busybox() -> None:
    found = BOX.run("busybox ash -c 'nosuch\nnosuch' NAME")
    assert found.err == b"NAME: line 0: nosuch: not found\nNAME: line 1: nosuch: not found\n"
