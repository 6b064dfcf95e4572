"""What programs are told by the shell and by their release: variables in their order, levels, versions."""

from __future__ import annotations

import pytest
from tests.machine.programs.support import Box, installation

from urltrap.machine.persona import Kind
from urltrap.machine.programs._answers import AnswersError, load_answers
from urltrap.model.event import ProgramRun


def test_programs_get_their_variables_in_the_order_of_bashs_hash_table() -> None:
    box = Box()
    names = [line.partition(b"=")[0].decode() for line in box.run("export ZZ=1 AB=2; env").out.splitlines()]
    assert names == [
        "SHELL", "PWD", "LOGNAME", "XDG_SESSION_TYPE", "MOTD_SHOWN", "HOME", "SSH_CONNECTION", "XDG_SESSION_CLASS",
        "USER", "AB", "SHLVL", "XDG_SESSION_ID", "XDG_RUNTIME_DIR", "SSH_CLIENT", "PATH", "DBUS_SESSION_BUS_ADDRESS",
        "ZZ", "_",
    ]  # fmt: skip
    before = box.run("export A=1; B=2 C=3 A=4 env").out.splitlines()
    assert before[:4] == [b"C=3", b"B=2", b"A=4", b"SHELL=/bin/bash"] and b"A=1" not in before


def test_programs_get_their_variables_in_the_order_of_ashs_hash_table() -> None:
    names = [
        line.partition(b"=")[0].decode()
        for line in Box("busybox-mips").run("export ZZ=1; A=1 env").out.splitlines()
    ]
    assert names == [
        "USER",
        "SSH_CLIENT",
        "SHLVL",
        "HOME",
        "A",
        "LOGNAME",
        "PATH",
        "ZZ",
        "SHELL",
        "PWD",
        "SSH_CONNECTION",
    ]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("printenv SHLVL", b"0"), ("true && printenv SHLVL", b"0"), ("exec printenv SHLVL", b"0"),
        ("A=1 printenv SHLVL", b"0"), ("printenv SHLVL & wait", b"0"), ("printenv SHLVL | cat", b"1"),
        ("printenv SHLVL; :", b"1"), ("{ printenv SHLVL; }", b"1"), ("if true; then printenv SHLVL; fi", b"1"),
        ("bash -c 'printenv SHLVL'", b"0"), ("bash -c 'printenv SHLVL; :'", b"1"),
        ("echo 'printenv SHLVL' > /tmp/s; bash /tmp/s; :", b"2"),
        ("echo 'printenv SHLVL' > /tmp/s; chmod +x /tmp/s; /tmp/s; :", b"2"),
    ],
)  # fmt: skip
def test_the_level_of_shells_does_not_count_one_whose_place_was_taken(line: str, level: bytes) -> None:
    assert Box().run(line).out == level + b"\n"


@pytest.mark.parametrize("kind", ["debian-12", "debian-13"])
def test_versions_agree_with_the_installed_packages(kind: Kind) -> None:
    box = Box(kind)
    tools = installation(kind)[0].tools
    for package, version in (
        ("bash", tools.bash), ("curl", tools.curl), ("openssl", tools.openssl), ("wget", tools.wget),
        ("perl", tools.perl), ("procps", tools.procps), ("python3", tools.python), ("sudo", tools.sudo),
    ):  # fmt: skip
        installed = box.run(f"dpkg-query -W -f '${{Version}}' {package}").out.decode()
        assert installed.rpartition(":")[2].startswith(f"{version}-"), package
    assert box.run("echo $BASH_VERSION").out == f"{tools.bash}(1)-release\n".encode()


@pytest.mark.parametrize("kind", ["debian-12", "debian-13"])
@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("bash --version", "bash"), ("curl --version", "curl"), ("wget --version", "wget"),
        ("openssl version", "openssl"), ("ssh -V 2>&1", "openssh-client"), ("python3 --version", "python3"),
        ("perl -v", "perl"), ("ls --version", "coreutils"), ("ps --version", "procps"), ("sudo --version", "sudo"),
        ("mount --version", "mount"), ("busybox | head -1", "busybox"), ("grep --version", "grep"),
        ("ip -V", "iproute2"), ("tar --version", "tar"), ("awk -W version", "mawk"), ("find --version", "findutils"),
        ("rsync --version", "rsync"), ("nano --version", "nano"), ("systemctl --version", "systemd"),
        ("apt --version", "apt"), ("dpkg --version", "dpkg"),
        ("gzip --version", "gzip"), ("xz --version", "xz-utils"), ("sed --version", "sed"),
        ("debugfs -V 2>&1", "e2fsprogs"),
    ],
)  # fmt: skip
def test_what_a_program_says_of_itself_agrees_with_its_package(kind: Kind, line: str, package: str) -> None:
    box = Box(kind)
    installed = box.run(f"dpkg-query -W -f '${{Version}}' {package}").out.decode()
    upstream = installed.rpartition(":")[2].rpartition("-")[0].partition("+")[0].partition("~")[0]
    upstream = {"coreutils": "9.", "openssh-client": upstream.replace("10.0p1", "10.0p2")}.get(
        package, upstream
    )
    said = box.run(line).out.decode()
    if package == "perl":
        upstream = f"v{upstream}"
    if package == "mawk":
        upstream = " ".join(upstream.rsplit(".", 1))
    if package == "systemd":
        upstream = upstream.partition(".")[0]
    assert upstream in said, (installed, said[:200])


def test_a_program_that_nobody_wrote_says_what_the_real_one_says_and_is_counted_where_it_cannot() -> None:
    box = Box()
    said = box.run("debugfs -V")
    assert said.status == 0 and said.err.startswith(b"debugfs 1.")
    asked = box.run("debugfs /dev/sda1")
    assert [fact["outcome"] for fact in asked.facts(ProgramRun)] == ["not-implemented"] and asked.out == b""


def test_an_applet_that_nobody_wrote_is_counted_under_its_own_name() -> None:
    box = Box("busybox-mips")
    missed = [fact for fact in box.run("busybox devmem a < /etc/passwd; pivot_root a b").facts(ProgramRun)
              if fact["outcome"] == "not-implemented"]  # fmt: skip
    assert [fact["argv"] for fact in missed] == [[b"devmem", b"a"], [b"pivot_root", b"a", b"b"]]


@pytest.mark.parametrize("kind", ["debian-12", "debian-13"])
def test_recorded_answers_are_those_of_programs_that_the_image_has(kind: Kind) -> None:
    _, image = installation(kind)
    folders = [image.find(path) for path in ("/usr/bin", "/usr/sbin")]
    names = {name for folder in folders if folder is not None for name in folder.children or {}}
    assert {key.partition("\0")[0] for key in image.answers} <= names
    assert len(image.answers) > 1_500


def test_damaged_answers_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(AnswersError, match="reinstall"):
        load_answers(b"nothing", "debian-12")
