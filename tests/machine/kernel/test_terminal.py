from __future__ import annotations

import pytest
from tests.machine.kernel.support import NOW, Box, registered, say

from urltrap.machine.api import STOPPED, Process, Run
from urltrap.machine.kernel.job import KernelJob
from urltrap.machine.kernel.signals import SIGCONT, SIGINT, SIGTSTP, SIGWINCH
from urltrap.model.event import BudgetSpent
from urltrap.model.settings import SessionLimits


def lines(p: Process) -> Run:
    """Print each line that is read, marked, until the end of file."""
    yield from p.out("> ")
    while line := (yield from p.read(0)):
        yield from p.out(f"[{line.decode()!r}]\n> ")
    yield from p.out("end\n")
    return 0


def typed(*keys: bytes) -> tuple[Box, KernelJob, bytes]:
    box = Box()
    job = box.start(lines, terminal=True)
    box.drive(job)
    box.effects.clear()
    for each in keys:
        job.receive(each)
        box.drive(job)
    return box, job, box.output()


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (b"abc\r", b"abc\r\n['abc\\n']\r\n> "),
        (b"abX\x7fc\r", b"abX\b \bc\r\n['abc\\n']\r\n> "),
        (b"ab cd\x17x\r", b"ab cd\b \b\b \bx\r\n['ab x\\n']\r\n> "),
        (b"junk\x15y\r", b"junk" + b"\b \b" * 4 + b"y\r\n['y\\n']\r\n> "),
        (b"\x16\x03\r", b"^\b^C\r\n['\\x03\\n']\r\n> "),
        ("é\x7fe\r".encode(), "é".encode() + b"\b \be\r\n['e\\n']\r\n> "),
        (b"\x01\x7f\r", b"^A\b \b\b \b\r\n['\\n']\r\n> "),
        (b"half\x04", b"half['half']\r\n> "),
        (b"\x04", b"end\r\n"),
        (b"one\rtwo\r", b"one\r\ntwo\r\n['one\\n']\r\n> ['two\\n']\r\n> "),
    ],
)
def test_keys_edit_the_line_as_a_terminal_does(keys: bytes, shown: bytes) -> None:
    assert typed(keys)[2] == shown


def test_the_greeting_comes_before_the_first_prompt_of_a_log_in_shell() -> None:
    box = Box()
    job = box.start(say("$ "), terminal=True)
    box.drive(job)
    kernel = box.machine.persona.kernel
    first = f"Linux {box.machine.persona.hostname} {kernel.release} {kernel.version} {kernel.machine}\r\n"
    assert box.output() == first.encode() + b"welcome\r\n$ "


def test_control_c_ends_the_foreground_group_and_not_the_shell() -> None:
    def sleeper(p: Process) -> Run:
        p.trap_signal(SIGINT, None)
        yield from p.sleep(1_000)
        return 0

    def shell(p: Process) -> Run:
        p.trap_signal(SIGINT, "ignore")
        pid = p.fork(sleeper, new_group=True)
        p.set_foreground(pid)
        ended = yield from p.wait(pid)
        p.set_foreground(p.group)
        assert ended is not None
        yield from p.out(f"{ended[1]}\n")
        return 0

    box = Box()
    with registered("sh", shell):
        job = box.login.shell("xterm", 80, 24)
        job.step(NOW)
        job.receive(b"\x03")
        box.effects += job.step(NOW + 1)
    assert box.output() == b"^C130\r\n"
    assert job.exit_status == 0


def test_a_forked_child_forgets_to_ignore_only_where_it_says_so() -> None:
    def shell(p: Process) -> Run:
        p.trap_signal(SIGINT, "ignore")

        def child(c: Process) -> Run:
            yield from c.sleep(5)
            return 3

        pid = p.fork(child)
        ended = yield from p.wait(pid)
        return ended[1] if ended else 0

    box = Box()
    with registered("sh", shell):
        job = box.login.shell("xterm", 80, 24)
        job.step(NOW)
        job.receive(b"\x03")
        assert box.drive(job) == 3


def test_control_z_stops_and_sigcont_goes_on() -> None:
    def counter(p: Process) -> Run:
        yield from p.sleep(3)
        yield from p.out("done\n")
        return 5

    def shell(p: Process) -> Run:
        pid = p.fork(counter, new_group=True)
        p.set_foreground(pid)
        first = yield from p.wait(pid)
        p.set_foreground(p.group)
        assert first == (pid, STOPPED + SIGTSTP)
        yield from p.sleep(10)
        yield from p.out("fg\n")
        p.kill(-pid, SIGCONT)
        second = yield from p.wait(pid)
        return second[1] if second else 0

    box = Box()
    with registered("sh", shell):
        job = box.login.shell("xterm", 80, 24)
        job.step(NOW)
        job.receive(b"\x1a")
        assert box.drive(job) == 5
    assert box.output() == b"^Zfg\r\ndone\r\n"


def test_a_background_process_that_reads_the_terminal_is_stopped() -> None:
    def reader(p: Process) -> Run:
        yield from p.read(0)
        return 0

    def shell(p: Process) -> Run:
        p.set_foreground(p.group)
        pid = p.fork(reader, new_group=True)
        ended = yield from p.wait(pid)
        assert ended is not None
        yield from p.out(f"{ended[1] - STOPPED}")
        return 0

    box = Box()
    box.drive(box.start(shell, terminal=True))
    assert box.output().endswith(b"21")


def test_raw_mode_gives_each_key_without_echo() -> None:
    def editor(p: Process) -> Run:
        terminal = p.tty(0)
        terminal.icanon = terminal.echo = terminal.isig = terminal.icrnl = False
        keys = b""
        while not keys.endswith(b"q"):
            keys += yield from p.read(0, 1)
        yield from p.out(repr(keys))
        return 0

    box = Box()
    job = box.start(editor, terminal=True)
    job.step(NOW)
    job.receive(b"\x03\r\x1b[A\x7fq")
    box.drive(job)
    assert box.output() == b"b'\\x03\\r\\x1b[A\\x7fq'"


def test_what_was_typed_ahead_is_there_after_switching_to_raw_mode() -> None:
    def editor(p: Process) -> Run:
        yield from p.sleep(1)
        p.tty(0).icanon = False
        yield from p.out(repr((yield from p.read(0, 100))))
        return 0

    box = Box()
    job = box.start(editor, terminal=True)
    job.step(NOW)
    job.receive(b"one\rtw")
    box.drive(job)
    assert box.output().endswith(b"b'one\\ntw'")


def test_a_resize_is_seen_and_signalled() -> None:
    def watcher(p: Process) -> Run:
        p.trap_signal(SIGWINCH, "catch")
        before = p.window()
        while not p.pending_signals():
            try:
                yield from p.sleep(100)
            except OSError:
                pass
            except Exception as problem:
                assert "Interrupted" in problem.words  # type: ignore[attr-defined]
        yield from p.out(f"{before} {p.window()}")
        return 0

    box = Box()
    job = box.start(watcher, terminal=True)
    job.step(NOW)
    job.resize(132, 50)
    box.drive(job)
    assert box.output() == b"(80, 24) (132, 50)"


def test_the_terminal_is_a_device_that_others_see() -> None:
    def look(p: Process) -> Run:
        stat = p.fstat(0)
        yield from p.out(f"{p.is_tty(1)} {stat.rdev} {p.fs.listdir('/dev/pts')} {p.connection.tty}\n")
        p.fs.stat("/dev/pts/0")
        fd = p.open("/dev/tty", 2)
        yield from p.write(fd, b"through tty\n")
        return 0

    box = Box()
    assert box.drive(box.start(look, terminal=True)) == 0
    assert box.output().endswith(b"True (136, 0) ['0', 'ptmx'] pts/0\r\nthrough tty\r\n")


def test_a_command_without_terminal_has_none() -> None:
    def look(p: Process) -> Run:
        yield from p.out(f"{p.is_tty(0)} {p.window()}")
        p.open("/dev/tty", 2)
        return 0

    box = Box()
    assert box.run(look) == 1
    assert box.output(2) == b"sh: /dev/tty: No such device or address\n"


def test_a_lost_connection_hangs_up_all_but_what_ignores_it() -> None:
    def shell(p: Process) -> Run:
        def plain(c: Process) -> Run:
            yield from c.sleep(100)
            return 0

        def nohup(c: Process) -> Run:
            c.trap_signal(1, "ignore")
            yield from c.sleep(100)
            c.fs.write("/tmp/survived", b"yes")
            return 0

        p.fork(plain)
        p.fork(nohup)
        yield from p.read(0)
        return 0

    box = Box()
    job = box.start(shell, terminal=True)
    job.step(NOW)
    box.login.close(NOW + 1)
    assert job.exit_status == 129
    assert job.alive == 1
    assert box.machine.kernel.connections == []
    box.drive(job)
    assert box.closed() == [("/tmp/survived", b"yes")]


def test_an_interactive_shell_survives_the_loop_that_it_started() -> None:
    def shell(p: Process) -> Run:
        def loop(c: Process) -> Run:
            while True:
                yield from c.tick()

        ended = None
        p.fork(loop, new_group=True)
        ended = yield from p.wait()
        yield from p.out(f"{ended[1] if ended else None}\n")
        while line := (yield from p.read(0)):
            yield from p.write(1, line)
        return 0

    box = Box(limits=SessionLimits(steps_per_command=20_000))
    job = box.start(shell, terminal=True)
    box.drive(job)
    assert box.output().endswith(b"137\r\n")
    assert job.exit_status is None
    job.receive(b"go on\r")
    box.drive(job)
    assert box.output().endswith(b"go on\r\ngo on\r\n")


def test_the_last_log_in_is_told_at_the_next_one() -> None:
    from tests.machine.kernel.support import small_image

    box = Box(image=small_image("sh"))
    box.machine.view(0).mkdir("/var", 0o755)
    box.machine.view(0).mkdir("/var/log", 0o755)
    box.machine.view(0).write("/var/log/lastlog", b"")
    box.drive(box.start(say(""), terminal=True))
    assert b"Last login" not in box.output()
    box.drive(box.start(say(""), terminal=True))
    assert box.output().endswith(b"Last login: Mon Sep 21 14:13:20 2026 from 192.0.2.7\r\n")


def test_a_cooked_line_ends_at_the_terminals_size_and_others_wait_unshortened() -> None:
    _, _, shown = typed(b"a" * 5000 + b"\r")
    assert shown.count(b"\a") == 905 and shown.endswith(b"['" + b"a" * 4095 + b"\\n']\r\n> ")

    def idle(p: Process) -> Run:
        yield from p.sleep(5)
        total = 0
        while line := (yield from p.read(0, 10_000)):
            total += len(line)
            yield from p.tick()
        yield from p.out(f"{total} read\n")
        return 0

    box = Box()
    job = box.start(idle, terminal=True)
    job.step(NOW)
    lines = b"one line\r" * 20_000
    job.receive(lines)
    assert job.backlog == len(lines)
    job.receive(b"\x04" * 100_000)
    box.drive(job, 100_000)
    assert box.output().endswith(b"180000 read\r\n") and job.backlog == 0


def test_in_raw_mode_nothing_that_was_typed_is_dropped() -> None:
    def raw(p: Process) -> Run:
        p.tty(0).icanon = p.tty(0).echo = False
        yield from p.out("raw\n")
        got = bytearray()
        while not got.endswith(b"\n"):
            got += yield from p.read(0, 4096)
        yield from p.out(f"{len(got)}\n")
        return 0

    box = Box()
    job = box.start(raw, terminal=True)
    box.drive(job)
    for _ in range(4):
        job.receive(b"x" * 250_000)
    assert job.backlog == 1_000_000
    job.receive(b"\r")
    box.drive(job)
    assert box.output().endswith(b"1000001\r\n")


def test_more_than_a_session_may_send_is_told_and_not_kept() -> None:
    box = Box(limits=SessionLimits(input_bytes=1000))
    job = box.start(say("", 0), terminal=True)
    job.receive(b"x\r" * 800)
    assert job.backlog == 1000
    box.drive(job)
    assert [fact["what"] for fact in box.facts(BudgetSpent)] == ["input_bytes"]
