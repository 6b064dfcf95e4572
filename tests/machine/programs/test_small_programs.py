"""Programs that bots and people run in passing: keys, colours, watch, the sudoers check, recorded answers."""

from __future__ import annotations

import base64

import pytest
from tests.machine.programs.support import Box

from urltrap.machine.persona import Kind
from urltrap.machine.programs import _sshkeys


@pytest.fixture(scope="module")
def box() -> Box:
    """One machine for all lines that leave nothing behind."""
    return Box()


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("TERM=dumb dircolors -b", 0, "LS_COLORS='';\nexport LS_COLORS\n"),
        ("TERM=dumb SHELL=/bin/tcsh dircolors", 0, "setenv LS_COLORS ''\n"),
        ("SHELL= dircolors", 1, "dircolors: no SHELL environment variable, and no shell type option given\n"),
        ("TERM=xterm dircolors -b | md5sum", 0, "dd9e3b7af8d9165738e5e7d4bea54501  -\n"),
        # A list for other terminals ends at the next TERM line.
        ("printf '.x 1;2\\nTERM a*\\nDIR 3\\n' | TERM=b dircolors -b -", 0,
         "LS_COLORS='*.x=1;2:';\nexport LS_COLORS\n"),
        ("factor 12 97 1", 0, "12: 2 2 3\n97: 97\n1:\n"),
        ("echo 100 | factor", 0, "100: 2 2 5 5\n"),
        ("watch ls", 1, "Error opening terminal: unknown.\n"),
        ("watch -n x ls", 1, "watch: failed to parse argument: 'x'\n"),
        ("visudo -c", 0, "/etc/sudoers: parsed OK\n/etc/sudoers.d/README: parsed OK\n"),
        ("cp /etc/sudoers s; echo 'ab cd' >> s; visudo -cf s", 1, "s:55:6: syntax error\nab cd\n     ^\n"),
        ("ssh-add -l", 2, "Could not open a connection to your authentication agent.\n"),
        ("ssh-keygen -t bla", 255, "unknown key type bla\r\n"),
        ("ssh-keygen -t rsa -b 512", 255, "Invalid RSA key length: minimum is 1024 bits\r\n"),
        ("ssh-keygen -y -f /nope", 255, "/nope: No such file or directory\r\n"),
        ("ssh-keygen -R host", 255, "Cannot stat /root/.ssh/known_hosts: No such file or directory\r\n"),
        ("ls --help | head -1", 0, "Usage: ls [OPTION]... [FILE]...\n"),
        ("col < /dev/null", 0, ""),
        ("bridge -V", 0, "bridge utility, 6.1.0\n"),
    ],
)  # fmt: skip
def test_what_they_say(box: Box, line: str, status: int, said: str) -> None:
    found = box.run(f"cd /tmp; {line}")
    assert (found.status, (found.out + found.err).decode()) == (status, said)


@pytest.mark.parametrize("kind", ["rsa", "ed25519", "ecdsa"])
def test_a_key_that_is_made_is_read_again_and_opens_the_account_it_is_added_to(kind: str) -> None:
    box = Box()
    made = box.run(f"ssh-keygen -t {kind} -N '' -f /tmp/k -C me && cat /tmp/k.pub >> ~/.ssh/authorized_keys")
    assert made.status == 0 and made.out.startswith(f"Generating public/private {kind} key pair.".encode())
    line = box.read("/tmp/k.pub").decode().strip()
    assert box.machine.authorized_keys("root") == [line] and line.endswith(" me")
    assert box.run("ssh-keygen -y -f /tmp/k").out.decode().strip() == line
    parsed = _sshkeys.parse_line(line)
    assert parsed is not None and _sshkeys.fingerprint(parsed[1]) in made.out.decode()
    assert box.run("stat -c %a /tmp/k /tmp/k.pub").out == b"600\n644\n"
    assert box.run("chmod 644 /tmp/k; ssh-keygen -y -f /tmp/k").status == 255


def test_a_private_ed25519_key_is_one_that_others_read() -> None:
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    key = _sshkeys.generate("ed25519", 256, lambda length: bytes(range(length)), "c")
    loaded = serialization.load_ssh_private_key(key.private("", lambda length: bytes(length)), None)
    public = loaded.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    assert public.split()[1] == base64.b64encode(key.blob)


def test_an_agent_stays_in_the_process_table() -> None:
    box = Box()
    box.run("eval $(ssh-agent) > /tmp/said; echo $SSH_AGENT_PID > /tmp/pid; ls $SSH_AUTH_SOCK > /tmp/socket")
    assert box.read("/tmp/said") == b"Agent pid " + box.read("/tmp/pid")
    assert box.read("/tmp/socket").startswith(b"/tmp/ssh-")


@pytest.mark.parametrize("kind", ["debian-12", "debian-13"])
def test_hardly_a_program_of_the_image_crashes_where_it_is_asked_what_it_is(kind: Kind) -> None:
    box = Box(kind)
    names = box.run("ls /usr/sbin /usr/bin").out.decode().split()
    asked = [name for name in names if not name.endswith(":") and "[" not in name]
    crashed = []
    for at in range(0, len(asked), 100):
        lines = "".join(
            f"{name} --version; test $? = 139 && echo CRASH {name}\n" for name in asked[at : at + 100]
        )
        said = box.run(f"exec < /dev/null 2> /dev/null; {lines}").out.decode("utf-8", "replace")
        crashed += [line for line in said.splitlines() if line.startswith("CRASH")]
    assert len(asked) > 700 and len(crashed) <= 12, crashed


PRINT = "ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA"
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@x"
ART = """\
+--[ED25519 256]--+
| .oOo=oo  E +.+=+|
|  + *.+.   o +.o.|
| .   .. . .  .o+ |
|       . . +. ...|
|        S =o. .  |
|       o oo..  . |
|        .oo=o .  |
|        oo=oo.   |
|         o.o..   |
+----[SHA256]-----+
"""


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("ssh-keygen -l -f fixed.pub", 0, f"256 SHA256:{PRINT} me@x (ED25519)\n"),
        ("ssh-keygen -lv -f fixed.pub", 0, f"256 SHA256:{PRINT} me@x (ED25519)\n" + ART),
        ("ssh-keygen -l -E md5 -f fixed.pub", 0,
         "256 MD5:0f:a2:0a:d7:38:3e:65:45:08:6b:63:84:1c:ff:dc:ba me@x (ED25519)\n"),
        ("ssh-keygen -F h1 -f known", 0, f"# Host h1 found: line 1\nh1,10.0.0.1 {PUBLIC[:-5]}\n"),
        ("ssh-keygen -R h1 -f known; cat known", 0, "# Host h1 found: line 1\nknown updated.\n"
         f"Original contents retained as known.old\nh2 {PUBLIC[:-5]}\n"),
        ("ssh-keygen -F zz -f known", 1, ""),
        ("ssh-keygen -R zz -f known", 0, "Host zz not found in known\n"),
        ("echo n | ssh-keygen -t ed25519 -N '' -f fixed", 1,
         "Generating public/private ed25519 key pair.\nfixed already exists.\nOverwrite (y/n)? "),
        ("ssh-keygen -q -t ecdsa -b 384 -N '' -f e; ssh-keygen -l -f e | cut -c1-11", 0, "384 SHA256:\n"),
        ("ssh-keygen -A > made; rm /etc/ssh/ssh_host_e*; ssh-keygen -A; ls /etc/ssh | grep -c host_", 0,
         "ssh-keygen: generating new host keys: ECDSA ED25519 \n6\n"),
    ],
)  # fmt: skip
def test_keys_are_told_as_the_real_one_tells_them(line: str, status: int, said: str) -> None:
    box = Box()
    box.put("/tmp/fixed.pub", f"{PUBLIC}\n".encode())
    box.put("/tmp/fixed", b"")
    box.put("/tmp/known", f"h1,10.0.0.1 {PUBLIC[:-5]}\nh2 {PUBLIC[:-5]}\n".encode())
    found = box.run(f"exec 2>&1; cd /tmp; {line}")
    assert (found.status, found.out.decode()) == (status, said)


def test_numbers_are_written_with_units_as_numfmt_does() -> None:
    box = Box()
    for words, shown in (
        ("--to=iec 1234567", "1.2M"), ("--to=iec 1023", "1023"), ("--to=iec 99999", "98K"), ("--to=si 999999", "1.0M"),
        ("--to=iec-i 4096", "4.0Ki"), ("--from=iec 1.5M", "1572864"), ("--from=auto 1Ki", "1024"),
        ("--padding=10 --to=iec 2048", "      2.0K"), ("--to=iec 5 --suffix=B", "5B"), ("--to-unit=1024 20480", "20"),
        ("--to=iec --format=%.2f 1234567", "1.18M"), ("--to=iec -- -2048", "-2.0K"),
        ("--round=down --to=iec 1999999", "1.9M"),
    ):  # fmt: skip
        assert box.run(f"numfmt {words}").out.decode() == f"{shown}\n", words
    assert box.run("printf 'a 2048 b\\n' | numfmt --field=2 --to=iec").out == b"a 2.0K b\n"
    assert box.run("numfmt abc").err.decode() == "numfmt: invalid number: 'abc'\n"


def test_namespaces_groups_and_held_packages() -> None:
    box = Box()
    rows = box.run("lsns").out.decode().splitlines()
    assert rows[0].split() == ["NS", "TYPE", "NPROCS", "PID", "USER", "COMMAND"] and len(rows) == 9
    assert rows[1].split()[:2] == ["4026531834", "time"] and rows[1].endswith(" root /sbin/init")
    assert (
        box.run("newgrp nosuch; newgrp sudo < /dev/null; echo $?").err
        == b"newgrp: group 'nosuch' does not exist\n"
    )
    said = box.run(
        "apt-mark hold bash; apt-mark showhold; apt-mark unhold bash; apt-mark showhold; apt-mark hold nope"
    )
    assert said.out == b"bash set on hold.\nbash\nCanceled hold on bash.\n"
    assert said.err == b"E: Unable to locate package nope\nE: No packages found\n"


def test_a_link_to_a_script_has_words_of_its_own() -> None:
    box = Box()
    assert box.run("bzcmp --help").out.startswith(b"Usage: bzcmp ")
    assert box.run("bzip2 --help").err.startswith(b"bzip2, a block-sorting file compressor.")
    assert box.run("busybox sh -c nosuch").err == b"sh: nosuch: not found\n"
