"""What an attacker lets listen is in every table, answers clients on the machine, and is gone with its process.

The answers of http.server are those of Debian 12's python3 (3.11.2), recorded.
"""

from __future__ import annotations

import pytest
from tests.machine.programs.support import Box

from urltrap.machine.fs.overlay import Overlay

LISTING = """\
<!DOCTYPE HTML>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Directory listing for /</title>
</head>
<body>
<h1>Directory listing for /</h1>
<hr>
<ul>
<li><a href="a.txt">a.txt</a></li>
<li><a href="d%20x/">d x/</a></li>
<li><a href="l%26k">l&amp;k@</a></li>
</ul>
<hr>
</body>
</html>
"""
MISSING = """\
<!DOCTYPE HTML>
<html lang="en">
    <head>
        <meta charset="utf-8">
        <title>Error response</title>
    </head>
    <body>
        <h1>Error response</h1>
        <p>Error code: 404</p>
        <p>Message: File not found.</p>
        <p>Error code explanation: 404 - Nothing matches the given URI.</p>
    </body>
</html>
"""
SERVE = "mkdir -p /srv/w && cd /srv/w && echo hallo > a.txt && mkdir 'd x' && ln -s a.txt 'l&k'; "
SERVE += "(python3 -m http.server 8000 > /tmp/log 2>&1 &); sleep 1; "


@pytest.fixture
def box() -> Box:
    return Box()


def test_a_web_server_of_python_is_in_all_tables_and_gone_when_it_is_killed(box: Box) -> None:
    shown = box.run(
        SERVE + "ss -ltn | grep 8000; netstat -ltn | grep 8000; grep :1F40 /proc/net/tcp | cut -c1-38; "
        "lsof -i :8000 | wc -l; pkill python3; sleep 1; ss -ltn | grep -c 8000"
    ).out.decode()
    assert shown.splitlines() == [
        "LISTEN 0      5            0.0.0.0:8000      0.0.0.0:*           ",
        "tcp        0      0 0.0.0.0:8000            0.0.0.0:*               LISTEN     ",
        "   1: 00000000:1F40 00000000:0000 0A 0",
        "2",
        "0",
    ]


def test_ss_and_proc_agree_about_its_descriptor(box: Box) -> None:
    shown = box.run(
        "nc -l -p 4444 & sleep 1; readlink /proc/$!/fd/3; grep :115C /proc/net/tcp; ss -ltnp | grep 4444; kill $!"
    ).out.decode()
    link, row, socket = shown.splitlines()
    assert link == f"socket:[{row.split()[9]}]"
    assert '(("nc",pid=' in socket
    assert socket.split()[2] == "1"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("curl -s 127.0.0.1:8000", LISTING),
        ("wget -qO- http://localhost:8000/", LISTING),
        ("curl -s localhost:8000/a.txt", "hallo\n"),
        ("curl -s 127.0.0.1:8000/nope", MISSING),
        ("python3 -c 'from urllib.request import *; print(urlopen(\"http://127.0.0.1:8000/a.txt\").status)'", "200\n"),
        ("exec 3<>/dev/tcp/127.0.0.1/8000; printf 'GET /a.txt HTTP/1.0\\r\\n\\r\\n' >&3; tail -1 <&3", "hallo\n"),
        ("nc -zv 127.0.0.1 8000 2>&1", "localhost [127.0.0.1] 8000 (?) open\n"),
        ("printf 'junk\\r\\n\\r\\n' | nc -q1 127.0.0.1 8000 | grep -c \"syntax ('junk')\"", "1\n"),
    ],
)  # fmt: skip
def test_clients_on_the_machine_hear_it(box: Box, line: str, answer: str) -> None:
    assert box.run(f"{SERVE}{line}; pkill python3").out.decode() == answer


def test_it_logs_as_pythons_own(box: Box) -> None:
    box.run(SERVE + "curl -s 127.0.0.1:8000/a.txt; curl -s 127.0.0.1:8000/nope; pkill python3")
    lines = [line.partition("] ")[2] for line in box.read("/tmp/log").decode().splitlines() if "- -" in line]
    assert lines == [
        '"GET /a.txt HTTP/1.1" 200 -',
        "code 404, message File not found",
        '"GET /nope HTTP/1.1" 404 -',
    ]


def test_a_port_can_be_taken_once(box: Box) -> None:
    found = box.run(
        "nc -l -p 9999 & sleep 1; nc -l -p 9999; python3 -m http.server 9999 2>&1 | tail -1; nc -l -p 22; kill $!"
    )
    assert found.err.decode().count(" with bind : Address already in use") == 2
    assert found.out.decode() == "OSError: [Errno 98] Address already in use\n"


def test_users_get_no_low_port() -> None:
    box = Box(user=next(user.name for user in Box().machine.persona.users if user.uid >= 1000))
    assert b"Permission denied" in box.run("nc -l -p 80").err


def test_nc_carries_both_ways_and_ends_with_its_client(box: Box) -> None:
    found = box.run(
        "echo answer | nc -lvp 4444 > /tmp/o & sleep 1; echo question | nc -q1 127.0.0.1 4444; wait; cat /tmp/o"
    )
    assert found.out == b"answer\nquestion\n"
    assert found.err.startswith(
        b"listening on [any] 4444 ...\nconnect to [127.0.0.1] from localhost [127.0.0.1] "
    )


def test_a_bind_shell_gives_a_shell(box: Box) -> None:
    found = box.run("nc -lp 4444 -e /bin/sh & sleep 1; echo 'id -un; exit' | nc -q1 127.0.0.1 4444")
    assert found.out == b"root\n"


def test_sockets_of_python_and_perl_take_clients(box: Box) -> None:
    box.put("/root/s.py", b"import socket\ns = socket.socket()\ns.bind(('', 9998))\ns.listen(1)\nc, a = s.accept()\n"
                          b"print(a[0], c.recv(9))\nc.sendall(b'yo\\n')\nc.close()\n")  # fmt: skip
    box.put("/root/s.pl", b"use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 7777, Listen => 5);\n"
                          b"my $c = $s->accept(); print $c 'to ', $c->peerhost, qq(\\n); close $c;\n")  # fmt: skip
    python = box.run(
        "python3 /root/s.py & sleep 1; exec 3<>/dev/tcp/127.0.0.1/9998; echo hi >&3; cat <&3; wait"
    )
    assert sorted(python.out.splitlines()) == [b"127.0.0.1 b'hi\\n'", b"yo"]
    assert (
        box.run("perl /root/s.pl & sleep 1; nc 127.0.0.1 7777; ss -Hltn | grep -c 7777").out
        == b"to 127.0.0.1\n0\n"
    )


def test_what_he_left_listening_listens_when_he_comes_back(box: Box) -> None:
    box.run("nohup nc -l -p 5555 > /dev/null 2>&1 & sleep 1")
    for process in list(box.machine.kernel.processes.values()):
        process.job.end()
    kept = box.machine.kept(box.now)
    again = Box()
    again.machine.overlay.left.update(Overlay.loads(kept, again.machine.overlay.image, lambda *_: None).left)
    assert again.run("ss -Hltn | grep -c :5555; nc -z 127.0.0.1 5555 && echo open").out == b"1\nopen\n"
