# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""cat, ls, cp, mv, rm, mkdir, chmod and kin."""

from __future__ import annotations

import pytest
from tests.machine.programs.support import Box


@pytest.fixture(scope="module")
def box() -> Box:
    return Box()


CASES = [
    ("cat nofile", 1, b"", b"cat: nofile: No such file or directory\n"),
    ("cat /etc", 1, b"", b"cat: /etc: Is a directory\n"),
    (r"printf 'a\n\n\nb\t\001\377' | cat -A", 0, b"a$\n$\n$\nb^I^AM-^?", b""),
    (r"printf 'a\n\n\nb\n' | cat -ns", 0, b"     1\ta\n     2\t\n     3\tb\n", b""),
    ("mkdir /tmp/d; cd /tmp/d; touch b a .c; ls; ls -A | wc -l", 0, b"a\nb\n3\n", b""),
    ("mkdir /etc", 1, b"", b"mkdir: cannot create directory '/etc': File exists\n"),
    ("mkdir -p /tmp/p/q/r && ls -d /tmp/p/q/r", 0, b"/tmp/p/q/r\n", b""),
    ("rm", 1, b"", b"rm: missing operand\nTry 'rm --help' for more information.\n"),
    ("rm nofile", 1, b"", b"rm: cannot remove 'nofile': No such file or directory\n"),
    ("rm -f nofile", 0, b"", b""),
    ("rm /tmp", 1, b"", b"rm: cannot remove '/tmp': Is a directory\n"),
    ("rm -rf /", 1, b"", b"rm: it is dangerous to operate recursively on '/'\n"
                         b"rm: use --no-preserve-root to override this failsafe\n"),
    ("cp nofile x", 1, b"", b"cp: cannot stat 'nofile': No such file or directory\n"),
    ("cp /etc /tmp/e", 1, b"", b"cp: -r not specified; omitting directory '/etc'\n"),
    ("mv nofile x", 1, b"", b"mv: cannot stat 'nofile': No such file or directory\n"),
    ("echo x > /tmp/m; chmod 777 /tmp/m; ls -l /tmp/m | cut -c1-10", 0, b"-rwxrwxrwx\n", b""),
    ("echo x > /tmp/m; chmod 644 /tmp/m; chmod u+x,go= /tmp/m; ls -l /tmp/m | cut -c1-10", 0, b"-rwx------\n", b""),
    ("chmod +x nofile", 1, b"", b"chmod: cannot access 'nofile': No such file or directory\n"),
    ("chmod zz /tmp", 1, b"", b"chmod: invalid mode: 'zz'\nTry 'chmod --help' for more information.\n"),
    ("ls nofile", 2, b"", b"ls: cannot access 'nofile': No such file or directory\n"),
    ("ls --bogus", 2, b"", b"ls: unrecognized option '--bogus'\nTry 'ls --help' for more information.\n"),
    ("mkdir -p /tmp/t/a; echo 1 > /tmp/t/a/f; cp -r /tmp/t /tmp/u; cat /tmp/u/a/f", 0, b"1\n", b""),
    ("echo 1 > /tmp/f1; mv /tmp/f1 /tmp/f2; cat /tmp/f2; cat /tmp/f1", 1, b"1\n",
     b"cat: /tmp/f1: No such file or directory\n"),
    ("head -n 1 /etc/passwd; tail -n 1 /etc/group | cut -d: -f1 | head -c 3", 0, b"root:x:0:0:root:/root:/bin/bash\n", None),
    ("head -c 4 /bin/ls", 0, b"\x7fELF", b""),
    ("grep -n root /etc/passwd", 0, b"1:root:x:0:0:root:/root:/bin/bash\n", b""),
    ("grep nosuchthing /etc/passwd", 1, b"", b""),
    ("grep x nofile", 2, b"", b"grep: nofile: No such file or directory\n"),
    ("grep '(' /etc/hostname; grep -E '(' /etc/hostname", 2, b"", b"grep: Unmatched ( or \\(\n"),
    ("printf 'foo bar\\nbaz\\n' | grep -o 'ba[rz]'", 0, b"bar\nbaz\n", b""),
    ("printf 'a1b22\\n' | grep -oE '[0-9]+'", 0, b"1\n22\n", b""),
]  # fmt: skip


@pytest.mark.parametrize(("line", "status", "out", "err"), CASES, ids=[case[0][:40] for case in CASES])
def test_a_command_answers_as_the_real_one(
    box: Box, line: str, status: int, out: bytes, err: bytes | None
) -> None:
    result = box.run(line, env={"LC_ALL": "C"})
    if out is not None and not line.startswith("head -n 1"):
        assert result.out == out
    else:
        assert result.out.startswith(out)
    assert err is None or result.err == err
    assert result.status == status


def test_a_terminal_gets_columns() -> None:
    box = Box()
    assert box.run("ls /", terminal=True).out.count(b"\r\n") < 6
