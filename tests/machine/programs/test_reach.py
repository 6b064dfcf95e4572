"""Which names resolve and which ports answer: one rule, and every program that looks says the same."""

from __future__ import annotations

import re
from functools import cache

import pytest
from tests.machine.programs.support import Box, reply

from urltrap.machine.effects import FetchReply
from urltrap.machine.persona import Kind
from urltrap.model.capture import FetchRequest

KINDS: list[Kind] = ["debian-12", "debian-13", "cloud-small", "busybox-mips", "busybox-arm"]


def served(request: FetchRequest) -> FetchReply:
    """A network in which one name resolves to a host that serves, and one address refuses."""
    if b"mirror.example" in request.url:
        return reply(request, b"body\n", address="198.51.100.77:80")
    if b"192.0.2.66" in request.url:
        return reply(request, outcome="timed-out")
    return reply(request, outcome="recorded")


@cache
def box(kind: Kind) -> Box:
    return Box(kind, served)


def said(kind: Kind, line: str) -> str:
    result = box(kind).run(line)
    return (result.out + result.err).decode("latin-1")


def listening(kind: Kind) -> set[int]:
    line = "netstat -ltn" if kind.startswith("busybox") else "ss -ltnH"
    return {int(port) for port in re.findall(r"(?:0\.0\.0\.0|127\.0\.0\.1):(\d+)", said(kind, line))}


@pytest.mark.parametrize("kind", KINDS)
def test_own_ports_are_open_where_ss_lists_them_and_refused_elsewhere(kind: Kind) -> None:
    ports = listening(kind)
    assert 22 in ports and 81 not in ports
    shell = "(echo > /dev/tcp/127.0.0.1/{0}) 2>/dev/null && echo open"
    for port in sorted(ports | {21, 81, 8080}):
        is_open = port in ports
        assert ("open" in said(kind, f"nc -zv 127.0.0.1 {port} 2>&1 && echo open")) is is_open, port
        if not kind.startswith("busybox"):
            assert (said(kind, shell.format(port)) == "open\n") is is_open, port
        refused = "refused" in said(kind, f"wget -O- http://127.0.0.1:{port}/")
        assert refused is not is_open, port


SERVER_LINES = [
    ("ssh -p 81 localhost id", "ssh: connect to host localhost port 81: Connection refused\r\n"),
    ("ssh -o BatchMode=yes localhost id", "Host key verification failed.\r\n"),
    ("nc -zv localhost 22", "localhost [127.0.0.1] 22 (ssh) open\n"),
    ("nc -zv 127.0.0.1 81", "localhost [127.0.0.1] 81 (?) : Connection refused\n"),
    ("nc -zv 127.0.0.1 21-23", "localhost [127.0.0.1] 22 (ssh) open\n"),
    ("curl -sS http://localhost/", "curl: (7) Failed to connect to localhost port 80"),
    ("curl -v http://localhost/", "* connect to ::1 port 80"),
    ("curl -sS http://127.0.0.1:22/", "curl: (1) Received HTTP/0.9 when not allowed"),
    ("wget http://localhost/", "Resolving localhost (localhost)... ::1, 127.0.0.1\n"),
    ("wget http://localhost/", "Connecting to localhost (localhost)|::1|:80... failed: Connection refused.\n"),
    ("getent hosts localhost", "::1             localhost ip6-localhost ip6-loopback\n"),
    ("getent ahosts localhost", "127.0.0.1       STREAM localhost\n"),
    ("getent hosts none.example; echo $?", "2\n"),
    ("ping -c1 none.example", "ping: none.example: Temporary failure in name resolution\n"),
    ("ssh none.example", "ssh: Could not resolve hostname none.example: Temporary failure in name resolution\r\n"),
    ("curl -sS http://none.example/", "curl: (6) Could not resolve host: none.example\n"),
    ("wget http://none.example/", "Resolving none.example (none.example)... failed: Temporary failure"),
    ("nc none.example 80", "none.example: forward host lookup failed: Host name lookup failure"),
    ("echo > /dev/tcp/none.example/22", "bash: line 1: none.example: Temporary failure in name resolution\n"),
    ("echo > /dev/tcp/192.0.2.1/22", "bash: line 1: connect: No route to host\n"),
    ("ssh 192.0.2.1", "ssh: connect to host 192.0.2.1 port 22: No route to host\r\n"),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["debian-12", "debian-13", "cloud-small"])
def test_servers_programs_agree(kind: Kind) -> None:
    for line, words in SERVER_LINES:
        assert words in said(kind, line), line


DEVICE_LINES = [
    ("wget -O- http://127.0.0.1/", 'content="0; URL=cgi-bin/luci/"'),
    ("wget http://127.0.0.1/none", "wget: server returned error: HTTP/1.1 404 Not Found\n"),
    ("wget http://127.0.0.1:81/", "wget: can't connect to remote host (127.0.0.1): Connection refused\n"),
    ("nc 127.0.0.1 81", "nc: can't connect to remote host (127.0.0.1): Connection refused\n"),
    ("echo x | nc 127.0.0.1 22", "SSH-2.0-dropbear\r\n"),
    ("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc 127.0.0.1 80", "HTTP/1.1 200 OK\r\nConnection: close\r\n"),
    ("telnet 127.0.0.1 81", "telnet: can't connect to remote host (127.0.0.1): Connection refused\n"),
    ("telnet 127.0.0.1 </dev/null", "\nEntering character mode\nEscape character is '^]'.\n\nOpenWrt login: "),
    ("nslookup localhost", "Server:\t\t127.0.0.1\nAddress:\t127.0.0.1:53\n\nName:\tlocalhost\nAddress: 127.0.0.1\n"),
    ("ping -c1 none.example", "ping: bad address 'none.example'\n"),
    ("wget http://none.example/", "wget: bad address 'none.example'\n"),
    ("nslookup none.example", ";; connection timed out; no servers could be reached\n"),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["busybox-mips", "busybox-arm"])
def test_devices_programs_agree(kind: Kind) -> None:
    for line, words in DEVICE_LINES:
        assert words in said(kind, line), line


def test_the_own_sshd_greets_and_refuses_what_is_not_ssh() -> None:
    greeting = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"
    assert said("debian-12", "timeout 3 cat < /dev/tcp/127.0.0.1/22; echo $?") == greeting + "124\n"
    assert said("debian-12", "cat < /dev/tcp/127.0.0.1/22") == greeting  # it hangs up by itself
    shown = said("debian-12", "exec 3<>/dev/tcp/localhost/22; echo GET / >&3; cat <&3")
    assert shown == greeting + "Invalid SSH identification string.\r\n"


def test_what_was_fetched_is_known_to_all_programs() -> None:
    lines = [
        ("ping -c1 mirror.example", "PING mirror.example (198.51.100.77) 56(84) bytes of data.\n"),
        ("getent hosts mirror.example", "198.51.100.77   mirror.example\n"),
        ("host mirror.example", "mirror.example has address 198.51.100.77\n"),
        ("nc -zv mirror.example 80", "mirror.example [198.51.100.77] 80 (http) open\n"),
        ("ssh mirror.example", "ssh: connect to host mirror.example port 22: Connection timed out\r\n"),
    ]
    before = Box("debian-12", served)
    for line, words in lines:
        assert words.encode() not in before.run(line).out + before.run(line).err, line
    assert before.run("curl -s http://mirror.example/").out == b"body\n"
    for line, words in lines:
        result = before.run(line)
        assert words.encode() in result.out + result.err, line
    before.run("curl -m 5 -s http://192.0.2.66/")
    assert b"Connection timed out" in before.run("echo > /dev/tcp/192.0.2.66/4444").err


def test_a_neighbour_that_is_not_there_is_reported_by_the_own_address() -> None:
    own = said("debian-12", "hostname -I").strip()
    lonely = own.rpartition(".")[0] + ".251"
    shown = said("debian-12", f"ping -c2 {lonely}")
    assert f"From {own} icmp_seq=2 Destination Host Unreachable\n" in shown
    assert "2 packets transmitted, 0 received, +2 errors, 100% packet loss" in shown


def test_ssh_to_itself_asks_about_its_key_and_for_the_password() -> None:
    machine = Box("debian-12", served)
    machine.put("/etc/ssh/ssh_host_ed25519_key.pub", b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA root@x\n")
    result = machine.run("ssh localhost id", b"yes\nwrong\nwrong\nwrong\n", terminal=True)
    shown = result.out.decode()
    assert "The authenticity of host 'localhost (127.0.0.1)' can't be established." in shown
    assert "ED25519 key fingerprint is SHA256:" in shown and shown.count("root@localhost's password: ") == 3
    assert "root@localhost: Permission denied (publickey,password)." in shown and result.status == 255
    assert machine.read("/root/.ssh/known_hosts") == b"localhost ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA\n"


def test_what_was_heard_of_a_host_by_one_client_holds_for_an_echo_request() -> None:
    box = Box("debian-12")
    assert b"1 received, 0% packet loss" in box.run("ping -c 1 9.9.9.9").out
    assert b"No route to host" in box.run("nc 9.9.9.9 4444").err
    shown = box.run("ping -c 2 9.9.9.9; echo $?").out.decode()
    gateway = box.run("ip route get 9.9.9.9 | cut -d' ' -f3").out.decode().split()[0]
    assert f"From {gateway} icmp_seq=1 Destination Host Unreachable\n" in shown and shown.endswith("\n1\n")
    assert b"No route to host" in box.run("wget http://8.8.4.4/").err
    assert b"100% packet loss" in box.run("ping -c 1 8.8.4.4").out
    assert b"1 received" in box.run("ping -c 1 1.1.1.1").out
