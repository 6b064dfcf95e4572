from __future__ import annotations

import errno

import pytest
from tests.machine.kernel.support import Box, registered, say

from urltrap.machine.api import O_CREAT, O_TRUNC, O_WRONLY, Process, Run
from urltrap.machine.effects import ProgramCrashed
from urltrap.machine.errors import SysError
from urltrap.machine.kernel.signals import SIGINT, SIGKILL, SIGPIPE, SIGTERM
from urltrap.machine.unix_crypt import portable_crypt
from urltrap.model.event import BudgetSpent, ProgramRun
from urltrap.model.settings import SessionLimits


def cat(p: Process) -> Run:
    while data := (yield from p.read(0)):
        yield from p.write(1, data)
    return 0


def yes(p: Process) -> Run:
    while True:
        yield from p.out("y\n" * 100)


def head(p: Process) -> Run:
    data = yield from p.read(0, 4)
    yield from p.write(1, data)
    return 0


def test_a_command_answers_on_both_streams_and_with_its_status() -> None:
    def program(p: Process) -> Run:
        yield from p.out("out\n")
        yield from p.err("err\n")
        return 3

    box = Box()
    assert box.run(program) == 3
    assert box.output(1) == b"out\n"
    assert box.output(2) == b"err\n"


def test_standard_input_reaches_the_command() -> None:
    box = Box()
    assert box.run(cat, stdin=b"hello" * 50_000) == 0
    assert box.output() == b"hello" * 50_000


def pipeline(p: Process, left: str, right: str) -> Run:
    reading, writing = p.pipe()
    first = p.spawn([left], fds={1: writing})
    second = p.spawn([right], fds={0: reading})
    p.close(reading)
    p.close(writing)
    statuses = []
    for pid in (first, second):
        ended = yield from p.wait(pid)
        assert ended is not None
        statuses.append(ended[1])
    yield from p.out(f"{statuses}")
    return 0


def test_yes_into_head_ends_by_sigpipe() -> None:
    box = Box("yes", "head")
    with registered("yes", yes, "head", head):
        assert box.run(lambda p: pipeline(p, "yes", "head")) == 0
    assert box.output() == b"y\ny\n" + f"[{128 + SIGPIPE}, 0]".encode()


def test_each_spawned_program_is_told_with_path_and_status() -> None:
    box = Box("yes", "head")
    with registered("yes", yes, "head", head):
        box.run(lambda p: pipeline(p, "yes", "head"))
    told = {fields["path"]: (fields["outcome"], fields["status"]) for fields in box.facts(ProgramRun)}
    assert told == {"/bin/head": ("ran", 0), "/bin/yes": ("ran", 141)}


def test_epipe_where_sigpipe_is_ignored() -> None:
    def program(p: Process) -> Run:
        p.trap_signal(SIGPIPE, "ignore")
        reading, writing = p.pipe()
        p.close(reading)
        with pytest.raises(SysError) as problem:
            yield from p.write(writing, b"x")
        return problem.value.errno

    assert Box().run(program) == errno.EPIPE


def test_a_pipe_holds_64_kib_and_then_blocks() -> None:
    def program(p: Process) -> Run:
        reading, writing = p.pipe()

        def writer(child: Process) -> Run:
            child.close(reading)
            yield from child.write(writing, b"x" * 200_000)
            return 0

        p.fork(writer)
        p.close(writing)
        yield from p.sleep(1)
        first = yield from p.read(reading, 1_000_000)
        rest = yield from p.read_all(reading)
        yield from p.out(f"{len(first)} {len(first) + len(rest)}")
        return 0

    box = Box()
    box.run(program)
    assert box.output() == b"65536 200000"


def test_a_fork_bomb_meets_eagain_and_one_event() -> None:
    def bomb(p: Process) -> Run:
        while True:
            try:
                p.fork(bomb)
            except SysError as problem:
                return problem.errno
            yield from p.tick()

    box = Box(limits=SessionLimits(processes=20, steps_per_command=20_000))
    assert box.run(bomb) == errno.EAGAIN
    # Children die and fork anew until the steps are used up, too: that is told by the first event.
    assert box.facts(BudgetSpent) == [{"what": "processes", "limit": 20}]


def test_an_endless_loop_uses_up_its_steps_and_is_killed() -> None:
    def loop(p: Process) -> Run:
        while True:
            yield from p.tick()

    box = Box(limits=SessionLimits(steps_per_command=50_000))
    assert box.run(loop) == 128 + SIGKILL
    assert box.facts(BudgetSpent) == [{"what": "steps_per_command", "limit": 50_000}]


def test_an_endless_writer_uses_up_its_output() -> None:
    box = Box(limits=SessionLimits(output_bytes=1_000_000))
    assert box.run(yes) == 128 + SIGKILL
    assert len(box.output()) == 1_000_000
    assert [fields["what"] for fields in box.facts(BudgetSpent)] == ["output_bytes"]


def test_memory_that_a_program_declares_is_bounded() -> None:
    def hoard(p: Process) -> Run:
        while True:
            p.hold(1_000_000)
            yield from p.tick()

    box = Box(limits=SessionLimits(memory_bytes=5_000_000))
    assert box.run(hoard) == 137
    assert [fields["what"] for fields in box.facts(BudgetSpent)] == ["memory_bytes"]


def test_a_step_returns_before_an_endless_loop_ends() -> None:
    def loop(p: Process) -> Run:
        while True:
            yield from p.tick()

    box = Box()
    job = box.start(loop)
    job.step(box.now, 5_000)
    assert job.runnable
    assert job.exit_status is None
    job.end()
    assert job.exit_status == 137
    assert not job.runnable


def test_a_program_of_ours_that_fails_looks_like_a_crash_and_is_told() -> None:
    def broken(p: Process) -> Run:
        yield from p.out("before\n")
        raise KeyError("mistake")

    box = Box()
    assert box.run(broken) == 139
    crash = next(each for each in box.effects if isinstance(each, ProgramCrashed))
    assert "KeyError: 'mistake'" in crash.traceback


def test_an_error_that_a_program_does_not_handle_is_printed_as_programs_do() -> None:
    def careless(p: Process) -> Run:
        yield from p.tick()
        p.fs.read("/nowhere")
        return 0

    box = Box()
    assert box.run(careless) == 1
    assert box.output(2) == b"sh: /nowhere: No such file or directory\n"


def test_a_child_that_is_killed_answers_128_and_the_signal() -> None:
    def program(p: Process) -> Run:
        def sleeper(child: Process) -> Run:
            yield from child.sleep(1_000)
            return 0

        pid = p.fork(sleeper)
        yield from p.tick()
        p.kill(pid, SIGTERM)
        ended = yield from p.wait()
        assert ended is not None
        assert ended[0] == pid
        return ended[1]

    assert Box().run(program) == 128 + SIGTERM


def test_a_caught_signal_interrupts_a_sleep_and_waits_to_be_fetched() -> None:
    def program(p: Process) -> Run:
        p.trap_signal(SIGINT, "catch")
        me = p.pid

        def killer(child: Process) -> Run:
            yield from child.sleep(1)
            child.kill(me, SIGINT)
            return 0

        p.fork(killer)
        with pytest.raises(SysError) as problem:
            yield from p.sleep(100)
        assert problem.value.errno == errno.EINTR
        yield from p.out(f"{p.pending_signals()}{p.pending_signals()}")
        return 0

    box = Box()
    assert box.run(program) == 0
    assert box.output() == b"[2][]"
    assert box.now < 1_790_000_050


def test_killing_oneself_ends_at_once() -> None:
    def program(p: Process) -> Run:
        p.kill(p.pid, SIGTERM)
        yield from p.out("never")
        return 0

    box = Box()
    assert box.run(program) == 128 + SIGTERM
    assert box.output() == b""


def test_wait_without_children_is_echild_and_without_blocking_is_none() -> None:
    def program(p: Process) -> Run:
        with pytest.raises(SysError) as problem:
            yield from p.wait()
        assert problem.value.errno == errno.ECHILD

        def sleeper(child: Process) -> Run:
            yield from child.sleep(5)
            return 7

        pid = p.fork(sleeper)
        assert (yield from p.wait(block=False)) is None
        assert (yield from p.wait()) == (pid, 7)
        return 0

    assert Box().run(program) == 0


def test_what_runs_in_the_background_lingers_after_the_command() -> None:
    def program(p: Process) -> Run:
        def later(child: Process) -> Run:
            yield from child.sleep(5)
            child.fs.write("/tmp/late", b"x")
            return 0

        p.fork(later)
        yield from p.tick()
        return 0

    box = Box()
    job = box.start(program)
    box.effects += job.step(box.now)
    assert job.exit_status == 0
    assert job.lingering
    box.drive(job)
    assert not job.lingering
    assert box.closed() == [("/tmp/late", b"x")]


def test_exec_replaces_the_program_and_keeps_the_pid() -> None:
    def program(p: Process) -> Run:
        try:
            return (yield from p.exec(["show", "1"], env={"PATH": "/bin"}))
        finally:
            p.chdir("/tmp")  # the clean-up of the replaced program changes nothing

    def show(p: Process) -> Run:
        yield from p.out(f"{p.argv} {p.cwd} {sorted(p.fds)}")
        return 4

    box = Box("show")
    with registered("show", show):
        assert box.run(program) == 4
    assert box.output() == b"['show', '1'] /root [0, 1, 2]"


def test_a_script_runs_its_interpreter_with_one_argument() -> None:
    def show(p: Process) -> Run:
        yield from p.out(" ".join(p.argv) + "|" + p.processes()[-1].comm)
        return 0

    def program(p: Process) -> Run:
        p.spawn(["script", "a", "b"])
        yield from p.wait()
        return 0

    box = Box("show")
    with registered("show", show):
        box.run(program)
    assert box.output() == b"/bin/show -x /bin/script a b|script"


@pytest.mark.parametrize(
    ("argv", "path", "expected"),
    [
        (["nothing"], None, errno.ENOENT),
        (["/root/notes"], None, errno.EACCES),
        (["x"], "/tmp", errno.EACCES),
        (["x"], "/tmp/none/x", errno.ENOENT),
        (["textfile"], None, errno.ENOEXEC),
        (["x"], "/tmp/foreign", errno.ENOEXEC),
        (["x"], "/tmp/cut", errno.ENOEXEC),
    ],
)
def test_what_cannot_be_run_says_why(argv: list[str], path: str | None, expected: int) -> None:
    def program(p: Process) -> Run:
        from urltrap.machine.fs.program import ProgramContent

        foreign = ProgramContent("x", 5_000, b"s", "mips").read(0, 5_000)
        p.fs.write("/tmp/foreign", foreign, mode=0o755)
        p.fs.write("/tmp/cut", ProgramContent("x", 5_000, b"s").read(0, 100), mode=0o755)
        with pytest.raises(SysError) as problem:
            p.spawn(argv, path=path)
        yield from p.tick()
        return problem.value.errno

    assert Box().run(program) == expected


def test_a_copied_program_is_still_that_program() -> None:
    def program(p: Process) -> Run:
        p.fs.write("/tmp/x", p.fs.read("/bin/show"), mode=0o755)
        pid = p.spawn(["/tmp/x", "wget"])
        ended = yield from p.wait(pid)
        return ended[1] if ended else 0

    box = Box("show")
    with registered("show", say("shown", 9)):
        assert box.run(program) == 9
    assert box.output() == b"shown"


def test_a_foreign_binary_of_the_right_architecture_seems_to_run() -> None:
    def program(p: Process) -> Run:
        from urltrap.machine.fs.program import ProgramContent

        p.fs.write("/tmp/bot", ProgramContent("x", 5_000, b"evil", static=True).read(0, 5_000), mode=0o755)
        pid = p.spawn(["/tmp/bot"])
        ended = yield from p.wait(pid)
        return ended[1] if ended else 99

    box = Box()
    job = box.start(program)
    for _ in range(20):
        box.effects += job.step(box.now)
    assert job.exit_status == 0
    assert box.facts(ProgramRun)[0]["outcome"] == "ran"


def test_a_program_that_nobody_wrote_is_told_as_such() -> None:
    def program(p: Process) -> Run:
        pid = p.spawn(["frobnicate"])
        ended = yield from p.wait(pid)
        return ended[1] if ended else 0

    box = Box("frobnicate")
    assert box.run(program) == 139
    assert box.facts(ProgramRun)[0]["outcome"] == "not-implemented"


def test_a_file_that_was_written_and_removed_in_one_breath_is_still_told() -> None:
    def program(p: Process) -> Run:
        fd = p.open("/tmp/dropper", O_WRONLY | O_CREAT | O_TRUNC)
        yield from p.write(fd, b"first")
        p.close(fd)
        fd = p.open("/tmp/dropper", O_WRONLY | O_TRUNC)
        yield from p.write(fd, b"second")
        p.close(fd)
        p.fs.unlink("/tmp/dropper")
        return 0

    box = Box()
    box.run(program)
    assert box.closed() == [("/tmp/dropper", b"first"), ("/tmp/dropper", b"second")]


def test_devices_are_not_told_as_files() -> None:
    def program(p: Process) -> Run:
        fd = p.open("/dev/null", O_WRONLY | O_CREAT | O_TRUNC)
        yield from p.write(fd, b"gone")
        p.close(fd)
        return len((yield from p.read(p.open("/dev/zero"), 10)))

    box = Box()
    assert box.run(program) == 10
    assert box.closed() == []


def test_a_named_pipe_joins_two_processes() -> None:
    def program(p: Process) -> Run:
        p.fs.mknod("/tmp/f", 0o010644)

        def reader(child: Process) -> Run:
            data = yield from child.read_all(child.open("/tmp/f"))
            yield from child.write(1, data)
            return 0

        p.fork(reader)
        yield from p.tick()
        fd = p.open("/tmp/f", O_WRONLY)
        yield from p.write(fd, b"through")
        p.close(fd)
        yield from p.wait()
        return 0

    box = Box()
    box.run(program)
    assert box.output() == b"through"


def test_a_read_with_a_timeout_gives_up() -> None:
    def program(p: Process) -> Run:
        with pytest.raises(SysError) as problem:
            yield from p.read(0, 1, timeout=2)
        return problem.value.errno

    box = Box()
    assert box.run(program, stdin=None) == errno.EAGAIN


def test_pids_rise_and_are_seen_in_the_process_table() -> None:
    def program(p: Process) -> Run:
        pids = [p.fork(say("")) for _ in range(5)]
        assert pids == sorted(set(pids))
        assert pids[0] > p.pid > p.persona.first_pid
        shown = {row.pid: row for row in p.processes()}
        assert shown[pids[0]].ppid == p.pid
        assert shown[p.ppid].comm == "sshd"
        assert shown[1].ppid == 0
        yield from p.tick()
        return 0

    assert Box().run(program) == 0


def test_orphans_belong_to_init() -> None:
    def program(p: Process) -> Run:
        def middle(m: Process) -> Run:
            def orphan(o: Process) -> Run:
                yield from o.sleep(5)
                o.fs.write("/tmp/parent", str(o.ppid).encode())
                return 0

            m.fork(orphan)
            yield from m.tick()
            return 0

        p.fork(middle)
        yield from p.wait()
        yield from p.sleep(10)
        return 0

    box = Box()
    box.run(program)
    assert box.closed() == [("/tmp/parent", b"1")]


def test_many_full_pipes_shrink_to_a_page_each() -> None:
    def program(p: Process) -> Run:
        def fill(c: Process) -> Run:
            for _ in range(100):
                _, writing = c.pipe()

                def stuffer(s: Process, fd: int = writing) -> Run:
                    yield from s.write(fd, b"x" * 65_536)
                    return 0

                c.fork(stuffer)
            yield from c.sleep(10)
            return 0

        p.fork(fill)
        yield from p.sleep(5)
        return 0

    box = Box(limits=SessionLimits(processes=200))
    job = box.start(program)
    job.step(box.now, 100_000)
    assert 4_000_000 <= box.machine.kernel.pipe_bytes < 4_600_000
    job.end()
    assert box.machine.kernel.pipe_bytes == 0


def test_what_nobody_reads_is_counted_as_backlog() -> None:
    def program(p: Process) -> Run:
        yield from p.sleep(1)
        yield from p.read(0, 10)
        return 0

    box = Box()
    job = box.start(program)
    job.receive(b"x" * 100)
    assert job.backlog == 100
    box.drive(job)
    assert job.backlog == 90


def test_two_log_ins_share_one_machine() -> None:
    def writer(p: Process) -> Run:
        p.fs.write("/tmp/shared", b"from the first")
        yield from p.sleep(100)
        return 0

    def killer(p: Process) -> Run:
        victim = next(row.pid for row in p.processes() if row.comm == "sh" and row.pid != p.pid)
        yield from p.out(p.fs.read("/tmp/shared").decode() + f" {len(p.connections)}")
        p.kill(victim, SIGKILL)
        return 0

    box = Box()
    first = box.start(writer)
    first.step(box.now)
    woken: list[bool] = []
    first.on_wake = lambda: woken.append(True)
    with registered("sh", killer):
        second = box.machine.login("root", box.login.connection, box.now).exec("")
    box.drive(second)
    assert box.output() == b"from the first 2"
    assert first.exit_status == 137


def test_a_log_in_as_somebody_else_has_his_rights_and_home() -> None:
    def program(p: Process) -> Run:
        yield from p.out(f"{p.user} {p.uid} {p.gid} {p.groups} {p.cwd} {p.env['HOME']} {p.env['SSH_CLIENT']}")
        p.fs.read("/etc/shadow")
        return 0

    box = Box(user="mia")
    assert box.run(program) == 1
    assert box.output() == b"mia 1000 1000 [1000, 4] /home/mia /home/mia 192.0.2.7 40000 22"
    assert box.output(2) == b"sh: /etc/shadow: Permission denied\n"


def test_an_account_without_a_shell_ends_at_once() -> None:
    box = Box(user="broken")
    job = box.login.exec("id")
    assert box.drive(job) == 127
    assert box.output(2) == b"/bin/none: No such file or directory\n"


def test_an_unknown_user_is_refused() -> None:
    from urltrap.machine.machine import LoginError

    with pytest.raises(LoginError, match="nobody-here"):
        Box(user="nobody-here")


def test_passwords_and_keys_are_those_of_his_own_machine() -> None:
    box = Box()
    machine = box.machine

    kept = portable_crypt(b"hash", "$5$salt$")
    machine.view(0).write("/etc/shadow", f"root:{kept}:1::::::\nmia:!:1::::::\n".encode())
    assert machine.check_password("root", b"hash")
    assert not machine.check_password("root", b"other")
    assert not machine.check_password("mia", b"!")
    assert not machine.check_password("nobody", b"x")
    machine.view(0).write("/etc/shadow", b"root:$y$j9T$new$:1::::::\n")
    assert not machine.check_password("root", b"hash"), "no crypt(3) was given for this kind"
    machine.view(0).mkdir("/root/.ssh", 0o700)
    machine.view(0).write("/root/.ssh/authorized_keys", b"# mine\nssh-ed25519 AAAA x\n\n")
    assert machine.authorized_keys("root") == ["ssh-ed25519 AAAA x"]
    assert machine.authorized_keys("mia") == []
