"""The program that we run in boxes: compiled, described, sealed."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from urltrap.machine.persona import generate
from urltrap.sandbox.bundle import Command
from urltrap.sandbox.driver import SandboxError
from urltrap.sandbox.init import NAME, compile_init, launched, residents, sealed


def test_without_a_compiler_it_is_said_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="no C compiler.*apt-get install gcc libc6-dev"):
        compile_init(tmp_path, [("no-compiler-of-this-name",)])
    assert list(tmp_path.iterdir()) == []


def test_a_compiler_that_fails_is_quoted_and_the_next_one_is_tried(tmp_path: Path) -> None:
    failing = ("ls", "--no-such-option")
    with pytest.raises(SandboxError, match=r"cannot be compiled \(ls: (?s:.*)apt-get install"):
        compile_init(tmp_path, [failing])
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    assert compile_init(tmp_path, [failing, ("gcc",)]) == tmp_path / NAME
    done = subprocess.run([tmp_path / NAME], capture_output=True, text=True)
    assert done.returncode == 2 and "not to be called by hand" in done.stderr


def test_the_services_of_a_persona_are_told_with_their_users(tmp_path: Path) -> None:
    told = [each.split("\x1f") for each in residents(generate(b"b" * 32, "debian-12", 1.7e9))]
    by_name = {fields[2]: fields for fields in told}
    assert by_name["+cron"] == ["0", "0", "+cron", "/usr/sbin/cron", "-f"], "runs for real"
    assert by_name["dbus-daemon"][:2] != ["0", "0"] and "kthreadd" not in by_name


def test_a_launched_program_keeps_its_words_and_starts_in_its_folder() -> None:
    command = Command(["/bin/sh", "-c", "id"], {"A": "b"}, uid=5, folder="/home/x", terminal=(80, 24))
    made = launched(command)
    assert list(made.argv) == ["/proc/self/fd/3", "terminal", "/home/x", "/bin/sh", "/bin/sh", "-c", "id"]
    assert (made.folder, made.uid, made.environment, made.terminal) == ("/", 5, {"A": "b"}, (80, 24))
    assert launched(Command(["/bin/sh"], {})).argv[1] == "pipes"


def test_what_boxes_are_handed_cannot_be_changed() -> None:
    file = sealed(b"program")
    try:
        assert os.pread(file, 99, 0) == b"program"
        for change in (lambda: os.pwrite(file, b"x", 0), lambda: os.ftruncate(file, 0)):
            with pytest.raises(OSError) as refused:
                change()
            assert refused.value.errno == errno.EPERM
    finally:
        os.close(file)
