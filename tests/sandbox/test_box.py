"""Boxes for real: what every driver has to hold, over a root file system of this machine's own shell.

Skipped, visibly, where boxes cannot be made: without root, crun, bash or a static BusyBox.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.boxes import PROCESSES, boxes, run, start, why_not
from tests.support.waiting import eventually

from urltrap.machine.effects import Effect, FetchReply, FileClosed, Output
from urltrap.sandbox.job import BoxJob
from urltrap.sandbox.process import cgroup_name

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no boxes on this machine: {why_not()}")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with boxes(tmp_path_factory.mktemp("boxes")) as folder:
        yield folder


async def test_streams_are_separate_input_ends_and_the_status_is_told(data: Path) -> None:
    status, out, err, _ = await run(data, "/bin/bash", "-c", "cat; echo no >&2; exit 7", typed=b"x" * 200_000)
    assert (status, out, err) == (7, b"x" * 200_000, b"no\n")


async def test_a_program_that_is_not_there_has_its_own_status(data: Path) -> None:
    status, *_ = await run(data, "/bin/bash", "-c", "exec nothing-of-this-name")
    assert status == 127


async def test_a_terminal_has_a_size_that_changes_and_lines_are_recorded(data: Path) -> None:
    steps = [(b"30 100", (120, 40), b"stty size\r"), (b"40 120", None, b"exit 3\r")]

    def act(job: BoxJob, out: bytes) -> None:
        if steps and steps[0][0] in out:
            _, size, keys = steps.pop(0)
            if size:
                job.resize(*size)
            job.receive(keys)

    status, _, _, effects = await run(data, "/bin/bash", typed=b"stty size\r", terminal=(100, 30), act=act)
    assert status == 3
    lines = [effect.fields["text"] for effect in effects if hasattr(effect, "fields")]
    assert lines[0] == b"stty size" and b"exit 3" in lines


async def test_a_signal_reaches_the_program_and_its_children(data: Path) -> None:
    def act(job: BoxJob, out: bytes) -> None:
        if b"begun" in out:
            job.receive_signal("TERM")

    status, *_ = await run(data, "/bin/bash", "-c", "sleep 600 & echo begun; while :; do wait; done", act=act)
    assert status == 128 + signal.SIGTERM


async def test_signals_that_come_too_late_do_not_hide_the_end(data: Path) -> None:
    def act(job: BoxJob, out: bytes) -> None:
        if b"begun" in out:
            for _ in range(20):
                job.receive_signal("TERM")

    for _ in range(5):
        status, *_ = await run(data, "/bin/bash", "-c", "trap '' TERM; echo begun; exit 3", act=act)
        assert status == 3


async def test_a_signal_that_comes_before_the_program_waits_for_it(data: Path) -> None:
    sent: list[str] = []

    def act(job: BoxJob, out: bytes) -> None:
        if not sent:
            job.receive_signal("TERM")
            sent.append("TERM")

    status, *_ = await run(data, "/bin/busybox", "sleep", "600", act=act)
    assert status == 128 + signal.SIGTERM


async def test_what_is_written_is_found_again_and_handed_over_up_to_the_limit(data: Path) -> None:
    _, _, _, effects = await run(
        data, "/bin/bash", "-c", "mkdir -p /tmp/d; cd /tmp/d; echo payload > x; chmod 755 x"
    )
    files = {effect.path: effect for effect in effects if isinstance(effect, FileClosed)}
    assert files["/tmp/d/x"].content.read(0, 100) == b"payload\n" and files["/tmp/d/x"].mode == 0o755
    status, out, *_ = await run(data, "/bin/bash", "-c", "cat /tmp/d/x; head -c 2000 /dev/zero > /tmp/d/y")
    assert (status, out) == (0, b"payload\n"), "the same attacker has the same box"


async def test_files_in_shared_memory_are_found_too(data: Path) -> None:
    _, _, _, effects = await run(
        data, "/bin/bash", "-c", "echo one > /dev/shm/.a; echo two > /dev/b; ln -s / /dev/shm/l"
    )
    files = {effect.path: effect.content.read(0, 9) for effect in effects if isinstance(effect, FileClosed)}
    assert (files["/dev/shm/.a"], files["/dev/b"]) == (b"one\n", b"two\n")
    assert not any(path.startswith("/dev/shm/l") for path in files)


async def test_the_first_process_cannot_be_ended_looked_into_or_written_to_by_root(data: Path) -> None:
    script = (
        "for s in 1 2 9 11 15 19; do kill -$s 1; done;"
        "for f in fd/0 mem environ exe maps; do cat /proc/1/$f && echo READ $f; : > /proc/1/$f && echo WROTE $f; done;"
        "ls /proc/1/fd /proc/1/root && echo SEEN; ls -a /; tr '\\0' ' ' < /proc/1/cmdline; cat /proc/1/comm"
    )
    status, out, *_ = await run(data, "/bin/bash", "-c", script)
    assert status == 0 and not re.search(rb"READ|WROTE|SEEN", out)
    assert out.endswith(b"/sbin/init systemd\n") and b"\ninit\n" not in out


async def test_the_personas_services_show_and_orphans_are_reaped(data: Path) -> None:
    script = "(sleep 0 & sleep 0 &); sleep 0.1; for p in /proc/[0-9]*; do cat $p/cmdline | tr '\\0' ' '; echo; done"
    _, out, *_ = await run(data, "/bin/bash", "-c", f"{script}; grep -l '^State:.Z' /proc/[0-9]*/status")
    persona = json.loads((data / "persona.json").read_bytes())
    services = {" ".join(each["argv"]) for each in persona["residents"] if each["argv"]}
    shown = {line.strip() for line in out.decode().splitlines()}
    assert "/usr/sbin/cron -f" in services and services <= shown
    assert not any(line.startswith("/proc/") for line in shown), "a zombie"


async def test_what_cannot_be_run_fails_in_the_words_of_sshd_and_never_in_the_runtimes(data: Path) -> None:
    for terminal in (None, (80, 24)):
        status, out, err, _ = await run(data, "/bin/nothing", terminal=terminal)
        said = (out + err).replace(b"\r", b"")
        assert (status, said) == (1, b"/bin/nothing: No such file or directory\n")
    script = "mv /root /gone; echo text > /bin/text; chmod 755 /bin/text"
    await run(data, "/bin/bash", "-c", script)
    status, out, err, _ = await run(data, "/bin/bash", "-c", "pwd")
    moved = b"Could not chdir to home directory /root: No such file or directory\n"
    assert (status, out, err) == (0, b"/\n", moved)
    status, _, err, _ = await run(data, "/bin/text")
    assert (status, err) == (1, moved + b"/bin/text: Exec format error\n")
    await run(data, "/bin/bash", "-c", "mv /gone /root; rm /bin/text")


async def test_no_word_of_the_runtime_is_seen_where_it_fails_itself(data: Path) -> None:
    not_in_the_box = 70_000
    status, out, err, _ = await run(data, "/bin/bash", uid=not_in_the_box)
    assert status != 0 and (out, err) == (b"", b"")


async def test_programs_have_no_descriptor_and_no_word_of_ours(data: Path) -> None:
    script = "echo /proc/self/fd/*; cat /proc/self/cmdline | tr '\\0' ' '; echo; env; readlink /proc/$$/exe"
    _, out, *_ = await run(data, "/bin/bash", "-c", script)
    lines = out.decode().splitlines()
    assert len(lines[0].split()) <= 4 and "/proc/self/fd/3" not in lines[2:]
    assert not re.search("memfd|crun|launch", out.decode())


async def test_bombs_harm_the_box_alone(data: Path) -> None:
    script = (
        "head -c 20000000 /dev/zero > /tmp/full; wc -c < /tmp/full; rm /tmp/full;"
        "i=0; while [ $i -lt 3000 ]; do : > /tmp/f$i || break; i=$((i+1)); done; echo $i; rm -f /tmp/f*;"
        "i=0; while [ $i -lt 60 ]; do sleep 1 & i=$((i+1)); done 2>/dev/null; jobs -p | wc -l; kill $(jobs -p)"
    )
    _, out, *_ = await run(data, "/bin/bash", "-c", script)
    written, files, *_ = [int(line) for line in out.split()]
    assert written < 8_000_000 + os.sysconf("SC_PAGESIZE") and files < 2000
    status, out, *_ = await run(data, "/bin/bash", "-c", "echo alive")
    assert (status, out) == (0, b"alive\n")


async def test_a_box_that_its_attacker_ended_is_replaced(data: Path) -> None:
    # From outside: from inside nothing is known that does it.
    address, mark = "192.0.2.9", f"sleep 8{os.getpid()}"
    running = asyncio.ensure_future(run(data, "/bin/bash", "-c", f": > /tmp/mine; {mark}", address=address))
    await eventually(lambda: len(_processes(mark)) == 1)
    os.kill(_first_process_of(mark), signal.SIGKILL)
    status, *_ = await running
    assert status == 128 + signal.SIGKILL
    status, out, *_ = await run(data, "/bin/bash", "-c", "ls /tmp; echo new", address=address)
    assert status == 0 and out.endswith(b"new\n") and b"mine" not in out


def _first_process_of(mark: str) -> int:
    """The process outside that is the first one of the box in which a program of this command line runs."""
    namespaces = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            inside = re.search(r"^NSpid:.*\s(\d+)$", (folder / "status").read_text(), re.M)
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            namespaces[int(folder.name)] = (os.readlink(folder / "ns/pid"), inside and inside[1], line)
    box = next(where for where, _, line in namespaces.values() if line.startswith(mark))
    return next(pid for pid, (where, inside, _) in namespaces.items() if where == box and inside == "1")


async def test_no_way_out_is_found(data: Path) -> None:
    _, out, *_ = await run(data, "/bin/attempts")
    answers = dict(line.split() for line in out.decode().splitlines())
    assert len(answers) > 60
    assert [name for name, answer in answers.items() if answer != "refused"] == []


async def test_nothing_of_the_host_is_seen_and_no_link_leads_away(data: Path) -> None:
    script = "cat /proc/mounts /proc/self/mountinfo /proc/1/cgroup; hostname; env; ls /sys/class/net"
    _, out, *_ = await run(data, "/bin/bash", "-c", script)
    for word in (b"urltrap", os.uname().nodename.encode() + b"\n", str(data).encode(), b"/run/"):
        assert word not in out
    assert out.split()[-1] == b"lo"
    _, out, *_ = await run(
        data, "/bin/bash", "-c", "grep -E '^(NoNewPrivs|Seccomp|CapEff)' /proc/self/status"
    )
    assert b"NoNewPrivs:\t1" in out and b"Seccomp:\t2" in out


async def test_a_killed_box_process_leaves_nothing_once_the_next_one_runs(data: Path) -> None:
    mark = f"sleep 7{os.getpid()}"
    running = asyncio.ensure_future(run(data, "/bin/bash", "-c", f"{mark} & wait"))
    await eventually(lambda: len(_processes(mark)) == 1)
    PROCESSES[data].kill()
    PROCESSES[data].wait()
    status, *_ = await running
    assert status == 128 + signal.SIGKILL
    await eventually(lambda: not _processes(mark))
    PROCESSES[data] = start(data)
    assert _groups(data) == []
    status, out, *_ = await run(data, "/bin/bash", "-c", "echo again")
    assert (status, out) == (0, b"again\n")


def _groups(data: Path) -> list[Path]:
    """Control groups of single boxes."""
    return [box for top in Path("/sys/fs/cgroup").glob(f"*/{cgroup_name(data)}") for box in top.glob("*/")]


def _processes(mark: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if line.startswith(mark):
                found.append(line)
    return found


async def test_without_a_box_process_the_emulated_machine_takes_over_with_what_was_typed(
    tmp_path: Path,
) -> None:
    class Emulated:
        def __init__(self) -> None:
            self.heard = b""
            self.exit_status: int | None = None
            self.runnable, self.lingering, self.waiting_for_fetch, self.backlog = True, False, False, 0
            self.killed_by = self.wake_at = None

        def receive(self, data: bytes) -> None:
            self.heard += data

        def receive_eof(self) -> None:
            self.heard += b"<eof>"

        def receive_signal(self, name: str) -> None: ...
        def resize(self, columns: int, rows: int) -> None: ...
        def fetched(self, id: int, reply: FetchReply) -> None: ...
        def hang_up(self) -> None: ...
        def end(self) -> None: ...
        def step(self, now: float, budget: int = 0) -> list[Effect]:
            self.exit_status = 0
            return [Output(self.heard)]

    (tmp_path / "run").mkdir()
    _, out, *_ = await run(tmp_path, "/bin/cat", typed=b"uname -a\n", instead=Emulated)
    assert out == b"uname -a\n<eof>"


def test_a_box_leaves_no_control_group_behind_in_any_hierarchy(data: Path) -> None:
    async def come_and_go() -> None:
        for number in range(3):
            await run(data, "/bin/bash", "-c", "exit 0", address=f"192.0.2.{100 + number}")

    asyncio.run(come_and_go())
    process = PROCESSES[data]
    inside = Path(f"/proc/{process.pid}/root/sys/fs/cgroup")
    assert list(inside.glob(f"*/{cgroup_name(data)}/*/")), "boxes that wait for their attackers"
    process.terminate()
    process.wait()
    PROCESSES[data] = start(data)
    inside = Path(f"/proc/{PROCESSES[data].pid}/root/sys/fs/cgroup")
    assert not list(inside.glob(f"*/{cgroup_name(data)}/*/")), "that of the trial box at the start"
