# ruff: noqa: E501 - programs and what they print are longer than a line
"""python3: what people and bots type gives what CPython 3.11 gives (recorded from Debian 12's), within the budgets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.machine.programs.support import Box, reply

from urltrap.machine.effects import FetchReply
from urltrap.model.capture import CaptureOutcome, FetchRequest
from urltrap.model.event import ForwardAsked, ProgramRun

RECORDED = json.loads((Path(__file__).parent / "python_recorded.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def box() -> Box:
    """One machine for all scripts."""
    return Box()


@pytest.mark.parametrize("row", RECORDED, ids=lambda row: row["script"][:50])
def test_a_script_does_what_the_real_one_did(box: Box, row: dict[str, object]) -> None:
    box.put("/tmp/t.py", f"{row['script']}\n".encode())
    done = box.run("python3 /tmp/t.py")
    assert (done.status, done.out.decode(), done.err.decode()) == (row["status"], row["out"], row["err"])


def test_an_error_shows_the_machine_s_file_and_never_one_of_the_host(box: Box, tmp_path: Path) -> None:
    host = tmp_path / "t.py"
    host.write_text("secret of the host\n" * 9)
    box.run(f"mkdir -p {tmp_path}")
    box.put(str(host), b"x = 1\nprint(\n")
    done = box.run(f"python3 {host}; python3 -c \"compile(open('{host}').read(), '{host}', 'exec')\"")
    assert b"SyntaxError" in done.err and b"secret" not in done.out + done.err


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("python3 -c 'import os; print(os.getuid(), os.popen(\"id -un\").read().strip())'", 0, "0 root\n"),
        ("python3 -c 'import os; print(os.getlogin())'", 0, "root\n"),
        ("python3 -c 'import platform; print(platform.machine())'", 0, "x86_64\n"),
        ("python3 -c 'import socket; print(socket.gethostname())' | diff - /etc/hostname", 0, ""),
        ("echo 'import sys; print(sys.argv)' | python3 - a b", 0, "['-', 'a', 'b']\n"),
        ("python3 <<'X'\nfor i in range(2):\n    print(i)\nX", 0, "0\n1\n"),
        ("python3 -c 'import sys; sys.exit(7)'", 7, ""),
        ("python3 -c x", 1, 'Traceback (most recent call last):\n  File "<string>", line 1, in <module>\nNameError: name \'x\' is not defined\n'),
        ("python3 -c 'print(1'", 1, '  File "<string>", line 1\n    print(1\n         ^\nSyntaxError: \'(\' was never closed\n'),
        ("python3 -c 'import requests'", 1, 'Traceback (most recent call last):\n  File "<string>", line 1, in <module>\nModuleNotFoundError: No module named \'requests\'\n'),
        ("python3 -m nosuch", 1, "/usr/bin/python3: No module named nosuch\n"),
        ("echo '{\"a\":[1]}' | python3 -m json.tool --compact", 0, '{"a":[1]}\n'),
        ("python3 -c 'import pty; pty.spawn([\"/bin/echo\", \"x\"])'", 0, "x\n"),
        ("python3 -c 'print(().__class__.__bases__[0])'", 0, "<class 'object'>\n"),
        ("python3 -Z", 2, "Unknown option: -Z\nusage: python3 [option] ... [-c cmd | -m mod | file | -] [arg] ...\nTry `python -h' for more information.\n"),
        ("echo 'x = 5' > mod.py; python3 -c 'import mod; print(mod.x)'", 0, "5\n"),
        ("python3 -c 'import os, time; os.fork() and os._exit(0); print(\"child\")'", 0, "child\n"),
    ],
)  # fmt: skip
def test_it_sees_the_machine(box: Box, line: str, status: int, said: str) -> None:
    done = box.run(f"cd /tmp; {line}")
    assert (done.status, (done.out + done.err).decode()) == (status, said)


def test_a_traceback_of_13_shows_the_line_of_a_one_liner() -> None:
    done = Box("debian-13").run("python3 -c 'len(5)'")
    assert done.err.decode() == (
        'Traceback (most recent call last):\n  File "<string>", line 1, in <module>\n    len(5)\n    ~~~^^^\n'
        "TypeError: object of type 'int' has no len()\n"
    )


def test_what_is_fetched_is_asked_of_the_network() -> None:
    box = Box(network=lambda request: reply(request, b"print('second stage')\n"))
    done = box.run("python3 -c \"import urllib.request as u; exec(u.urlopen('http://192.0.2.9/s').read())\"")
    assert done.out == b"second stage\n" and done.requests[0].user_agent == b"Python-urllib/3.11"
    gone = Box(network=lambda request: reply(request, None, status=404, reason=b"Not Found"))
    told = gone.run("python3 -c \"import urllib.request as u; u.urlopen('http://192.0.2.9/s')\"")
    assert told.status == 1 and told.err.endswith(b"urllib.error.HTTPError: HTTP Error 404: Not Found\n")


def test_answers_of_the_web_are_what_the_real_library_gives() -> None:
    """The script and what it printed were recorded with a server that answers as `answer` does."""

    def answer(request: FetchRequest) -> FetchReply:
        if request.url.endswith(b"/gone"):
            return reply(request, b"nope\n", status=404, reason=b"Not Found")
        return reply(request, b"line one\nline two\n")

    box = Box(network=answer)
    recorded = json.loads((Path(__file__).parent / "python_web.json").read_text("ascii"))
    box.put("/tmp/w.py", recorded["script"].encode())
    done = box.run("python3 /tmp/w.py")
    assert (done.out.decode(), done.err) == (recorded["out"], b"")
    assert {request.user_agent for request in done.requests} == {b"Python-urllib/3.11", b"agent", b""}


@pytest.mark.parametrize(
    ("host", "outcome", "detail", "said"),
    [
        ("a.example", "dns-failure", "", "<urlopen error [Errno -2] Name or service not known>"),
        ("192.0.2.9", "connect-failed", "refused", "<urlopen error [Errno 111] Connection refused>"),
        ("192.0.2.9", "connect-failed", "unreachable", "<urlopen error [Errno 113] No route to host>"),
        ("192.0.2.9", "timed-out", "", "<urlopen error [Errno 110] Connection timed out>"),
        ("a.example", "recorded", "", "<urlopen error [Errno -3] Temporary failure in name resolution>"),
    ],
)
def test_what_does_not_answer_is_a_url_error(
    host: str, outcome: CaptureOutcome, detail: str, said: str
) -> None:
    box = Box(network=lambda request: reply(request, outcome=outcome, detail=detail))
    script = f"import urllib.request as u\ntry: u.urlopen('http://{host}/x')\nexcept OSError as e: print(e, e.reason.errno)"
    box.put("/tmp/w.py", script.encode())
    assert (
        box.run("python3 /tmp/w.py").out.decode()
        == f"{said} {said.partition('Errno ')[2].partition(']')[0]}\n"
    )


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("s.connect(('192.0.2.9', 4444))", "OSError [Errno 113] No route to host"),
        ("s.settimeout(1); s.connect(('192.0.2.9', 4444))", "TimeoutError timed out"),
        ("print(s.connect_ex(('192.0.2.9', 4444)))", "113"),
        ("s.connect(('nosuch.example', 4444))", "gaierror [Errno -3] Temporary failure in name resolution"),
        ("socket.create_connection(('192.0.2.9', 31337), timeout=2)", "TimeoutError timed out"),
        ("s.bind(('', 8080)); s.listen(5); s.settimeout(5); s.accept()", "TimeoutError timed out"),
        ("d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); d.connect(('192.0.2.9', 53)); print(d.getsockname()[0])", "203.0.113.5"),
        ("d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); print(d.sendto(b'x', ('192.0.2.9', 53)))", "1"),
    ],
)  # fmt: skip
def test_sockets_reach_nobody_and_their_targets_are_journalled(script: str, said: str) -> None:
    box = Box()
    body = (
        f"import socket\ns = socket.socket()\ntry: {script}\nexcept OSError as e: print(type(e).__name__, e)"
    )
    box.put("/tmp/s.py", body.encode())
    done = box.run("python3 /tmp/s.py")
    assert done.out.decode() == f"{said}\n" and done.requests == []
    asked = [(fact["host"], fact["port"]) for fact in done.facts(ForwardAsked)]
    assert asked == (
        [] if "192.0.2.9" not in script or "53)); print(d.get" in script else [(b"192.0.2.9", asked[0][1])]
    )


def test_what_is_not_known_crashes_and_is_counted(box: Box) -> None:
    done = box.run("python3 -c 'import tkinter_, asyncio'")
    assert done.status == 1
    done = box.run("python3 -c 'import asyncio'")
    assert done.status == 139 and done.out == b""
    assert [fact["outcome"] for fact in done.facts(ProgramRun)] == ["not-implemented"]


@pytest.mark.parametrize(
    ("script", "ends"),
    [
        ("'a' * 10 ** 12", "MemoryError\n"),
        ("10 ** 10 ** 10", "MemoryError\n"),
        ("[0] * 10 ** 10", "MemoryError\n"),
        ("list(range(10 ** 10))", "MemoryError\n"),
        ("'%99999999d' % 1", "MemoryError\n"),
        ("f'{1:>99999999}'", "MemoryError\n"),
        ("'x'.ljust(10 ** 10)", "MemoryError\n"),
        ("1 << 10 ** 10", "MemoryError\n"),
        ("print(range(10 ** 12).count('a'))", "MemoryError\n"),
        ("{}.fromkeys(range(10 ** 10))", "MemoryError\n"),
        ("dict.fromkeys(range(10 ** 10))", "MemoryError\n"),
        ("x = []\nx += range(10 ** 10)", "MemoryError\n"),
        ("{1}.intersection(range(10 ** 11))", "MemoryError\n"),
        ("import math; math.fsum(range(10 ** 11))", "MemoryError\n"),
        ("import itertools; next(itertools.product([1], repeat=10 ** 9))", "MemoryError\n"),
        ("print(round(5, -10 ** 9), round(1251, -2), round(-8, -1))", "0 1300 -10\n"),
        ("'a'.__mul__(10 ** 9)", "MemoryError\n"),
        ("(1).__format__('>999999999')", "MemoryError\n"),
        ("import struct; struct.pack('999999s' * 1000, *[b''] * 1000)", "MemoryError\n"),
        ("import random; random.getrandbits(10 ** 10)", "MemoryError\n"),
        ("('a' * 10 ** 6).translate({97: 'b' * 10 ** 6})", "MemoryError\n"),
        (
            "import copy\nx = []\nfor i in range(5000): x = [x]\ncopy.deepcopy(x)",
            "RecursionError: maximum recursion depth exceeded\n",
        ),
        ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded\n"),
        ("(" * 5000, "MemoryError\n"),
        ("-" * 5000 + "1", "MemoryError\n"),
        ("x = []\nfor i in range(50): x = [x]\nprint(len(repr(x)))", "102\n"),
    ],
)
def test_hostile_scripts_end_as_they_would(box: Box, script: str, ends: str) -> None:
    box.put("/tmp/h.py", script.encode())
    done = box.run("python3 /tmp/h.py")
    assert (done.out + done.err).decode().endswith(ends)


@pytest.mark.parametrize(
    "script",
    [
        "while True: pass",
        "x = 'a'\nwhile True: x += x[:100000]",
        "x = []\nwhile True: x.append('y' * 1000)",
        "def f():\n    for i in iter(int, 1): yield i\nsum(f())",
        "[x for x in iter(int, 1)]",
        "5 in iter(int, 1)",
        "1.5 in range(10 ** 12)",
    ],
)
def test_a_script_without_end_is_stopped_by_its_budget(script: str) -> None:
    box = Box()
    box.put("/tmp/h.py", script.encode())
    done = box.run("python3 /tmp/h.py; echo $?", rounds=200_000)
    assert (done.status, done.out, done.err) in [
        (137, b"", b""),
        (0, b"1\n", done.err),
        (0, b"137\n", b"Killed\n"),
    ]
    if done.out == b"1\n":
        assert done.err.endswith(b"MemoryError\n")


def test_an_expression_that_may_take_for_ever_is_not_tried(box: Box) -> None:
    done = box.run("python3 -c \"import re; re.match('(a+)+b', 'a' * 5000)\"")
    assert done.status == 139
    done = box.run("python3 -c \"import re; re.match('((a{999}){999}){999}', 'a')\"")
    assert done.status == 139


def test_the_prompt_shows_values_and_goes_on_after_errors() -> None:
    box = Box()
    job = box.login.exec_on_terminal("python3", "xterm", 80, 24, None)
    job.receive(b"x = 3\nx * 2\nfor i in range(2):\n    print(i)\n\n1/0\nexit()\n")
    said = b""
    for _ in range(2000):
        for each in job.step(box.now):
            said += getattr(each, "data", b"")
        if job.exit_status is not None:
            break
    text = said.decode()
    assert job.exit_status == 0 and ">>> " in text and ">>> 6\r\n" in text and "0\r\n1\r\n" in text
    assert "ZeroDivisionError: division by zero" in text
