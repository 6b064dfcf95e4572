"""perl: the lines that stand in for sed and grep; what it does not know is no silent success."""

from __future__ import annotations

import pytest
from tests.machine.programs.support import Box

from urltrap.model.event import ProgramRun


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("printf 'a.txt\\nb\\n' | perl -ne 'print $1 if m/\\.([^.\\/]+)$/'", 0, "txt\n"),
        ("printf 'x\\r\\n' > f; perl -pi -e 's/\\r//g' f; od -c f | head -1", 0, "0000000   x  \\n\n"),
        ("echo foo bar | perl -pe 's/(o+)/<$1>/; s/b/B/'", 0, "f<oo> Bar\n"),
        ("printf '1\\n2\\n' | perl -ne 'print if /2/'", 0, "2\n"),
        ("printf '1\\n2\\n' | perl -ne 'print unless /2/'", 0, "1\n"),
        ("echo abc | perl -pe 'tr/a-c/A-C/'", 0, "ABC\n"),
        ("printf 'k=v\\n' | perl -lne 'print \"$1:$2\" if /(\\w)=(\\w)/'", 0, "k:v\n"),
        ("echo a > g; perl -i.bak -pe 's/a/b/' g; cat g g.bak", 0, "b\na\n"),
        ("perl -ne 'print' /nope", 2, "Can't open /nope: No such file or directory.\n"),
        ("perl -e 'exit 3'", 3, ""),
        ("perl -e 1", 0, ""),
        ("perl -e 'print \"hi\\n\"'", 0, "hi\n"),
    ],
)
def test_a_one_liner(line: str, status: int, said: str) -> None:
    done = Box().run(f"cd /tmp; {line}")
    assert (done.status, (done.out + done.err).decode()) == (status, said)


@pytest.mark.parametrize(
    "line",
    ["perl -e 'my %h = map { $_ => 1 } 1..3; foo(%h)'", "echo a | perl -lane '$n++; END { print $n }'"],
)
def test_what_is_not_known_crashes_and_is_counted(line: str) -> None:
    done = Box().run(line)
    assert done.status == 139 and done.out == b""
    assert "not-implemented" in [fact["outcome"] for fact in done.facts(ProgramRun)]
