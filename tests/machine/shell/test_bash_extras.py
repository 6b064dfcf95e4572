# ruff: noqa: E501 - lines of shell are longer than a line
"""What few scripts use of bash: coprocesses, callbacks of mapfile, whole arrays; each as bash 5.2 answers."""

from __future__ import annotations

import pytest
from tests.machine.programs.support import Box


@pytest.fixture(scope="module")
def box() -> Box:
    """One machine for all lines."""
    return Box()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('declare -A m=([x y]=z [a]=b); echo "${m[x y]} ${#m[@]} ${m[a]}"', "z 2 b\n"),
        ("mapfile -C 'echo cb' -c 2 arr < <(seq 5); echo ${#arr[@]}", "cb 1 2\n\ncb 3 4\n\n5\n"),
        ("mapfile -t -C 'echo' -c 1 arr <<< \"a'b\"", "0 a'b\n"),
        ('y=(1 2); echo "${y[@]@A}"', 'declare -a y=([0]="1" [1]="2")\n'),
        ('z=(a b); echo "${z[@]@k}" "${z[@]@K}"', '0 a 1 b 0 "a" 1 "b"\n'),
        ('coproc cat; echo hi >&${COPROC[1]}; read -u ${COPROC[0]} l; echo "$l"', "hi\n"),
        ('coproc N { read a; echo "r:$a"; }; echo q >&${N[1]}; read -u ${N[0]} z; echo "$z"; wait $N_PID; echo $?', "r:q\n0\n"),
        ('(exit 4) & p=$!; wait -n -p got; echo $? $([ "$got" = "$p" ] && echo same)', "4 same\n"),
        ("declare -n ref=foo; foo=7; echo $ref ${!ref}", "7 foo\n"),
        ("g() { echo ${FUNCNAME[*]}; }; g", "g\n"),
        ('arr=(x y); printf "%s\\n" "${arr[@]/#/p}" "${arr[@]/%/s}"', "px\npy\nxs\nys\n"),
        ("x=a/b; echo ${x////_} ${x/#a/c}", "a_b c/b\n"),
        ("printf -v v '%03d' 5; printf -v 'a[2]' x; echo $v ${a[2]}", "005 x\n"),
        ("[[ abc123 =~ ^([a-z]+)([0-9]+)$ ]]; echo $? ${BASH_REMATCH[@]}", "0 abc123 abc 123\n"),
    ],
)  # fmt: skip
def test_a_line_gives_what_bash_gives(box: Box, line: str, said: str) -> None:
    box.put("/tmp/line", line.encode())
    done = box.run('bash -c "$(cat /tmp/line)" < /dev/null')
    assert (done.out.decode(), done.err) == (said, b"")
