from __future__ import annotations

import errno
from collections.abc import Callable

import pytest
from tests.machine.kernel.support import CONNECTION, NOW, PERSONA, Box, entropy, registered, small_image

from urltrap.machine.api import (
    O_APPEND,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NOFOLLOW,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
    S_IFBLK,
    S_IFSOCK,
    Process,
    Run,
)
from urltrap.machine.errors import SysError
from urltrap.machine.kernel.signals import SIGTERM
from urltrap.machine.machine import Machine


def failing(call: Callable[[Process], object], user: str = "root") -> int:
    def program(p: Process) -> Run:
        yield from p.tick()
        p.fs.symlink("/etc/passwd", "/tmp/link")
        if p.uid == 0:
            p.fs.mknod("/tmp/disk", S_IFBLK | 0o666, (8, 0))
        p.fs.mknod("/tmp/socket", S_IFSOCK | 0o777)
        with pytest.raises(SysError) as problem:
            call(p)
        return problem.value.errno

    status = Box("show", user=user).run(program)
    assert status is not None
    return status


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda p: p.open("/tmp/none"), errno.ENOENT),
        (lambda p: p.open("/tmp/none/", O_WRONLY | O_CREAT), errno.EISDIR),
        (lambda p: p.open("/etc/passwd", O_WRONLY | O_CREAT | O_EXCL), errno.EEXIST),
        (lambda p: p.open("/etc", O_WRONLY), errno.EISDIR),
        (lambda p: p.open("/etc", O_RDONLY | O_CREAT), errno.EISDIR),
        (lambda p: p.open("/etc/passwd", O_DIRECTORY), errno.ENOTDIR),
        (lambda p: p.open("/tmp/link", O_NOFOLLOW), errno.ELOOP),
        (lambda p: p.open("/tmp/disk"), errno.ENOMEDIUM),
        (lambda p: p.open("/tmp/socket"), errno.ENXIO),
        (lambda p: p.open("/dev/tty"), errno.ENXIO),
        (lambda p: p.open("/dev/mem"), errno.EPERM),
        (lambda p: p.open("/dev/ptmx"), errno.EIO),
        (lambda p: p.open("/dev/pts/9"), errno.ENOENT),
        (lambda p: p.close(9), errno.EBADF),
        (lambda p: p.dup2(9, 1), errno.EBADF),
        (lambda p: p.dup2(1, 5_000), errno.EBADF),
        (lambda p: p.chdir("/etc/passwd"), errno.ENOTDIR),
        (lambda p: p.chdir("/none"), errno.ENOENT),
        (lambda p: p.seek(0, 1), errno.ESPIPE),
        (lambda p: p.tty(0), errno.ENOTTY),
        (lambda p: p.set_foreground(1), errno.ENOTTY),
        (lambda p: p.trap_signal(2, "dance"), errno.EINVAL),
        (lambda p: p.kill(1_000_000, 0), errno.ESRCH),
        (lambda p: p.kill(-1_000_000, 15), errno.ESRCH),
        (lambda p: p.kill(p.pid, 99), errno.EINVAL),
        (lambda p: p.spawn(["show", "x" * 3_000_000]), errno.E2BIG),
        (lambda p: p.spawn([]), errno.EINVAL),
        (lambda p: p.spawn([""]), errno.ENOENT),
    ],
)
def test_calls_fail_as_linux_says(call: Callable[[Process], object], expected: int) -> None:
    assert failing(call) == expected


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda p: p.open("/etc/shadow"), errno.EACCES),
        (lambda p: p.open("/etc/passwd", O_WRONLY | O_TRUNC), errno.EACCES),
        (lambda p: p.chdir("/root"), errno.EACCES),
        (lambda p: p.sethostname("mine"), errno.EPERM),
        (lambda p: p.kill(1, 9), errno.EPERM),
    ],
)
def test_users_are_refused(call: Callable[[Process], object], expected: int) -> None:
    assert failing(call, "mia") == expected


def test_a_file_is_read_written_and_positioned_through_one_descriptor() -> None:
    def program(p: Process) -> Run:
        fd = p.open("/tmp/x", O_RDWR | O_CREAT)
        yield from p.write(fd, b"hello world")
        assert p.seek(fd, 6) == 6
        assert (yield from p.read(fd)) == b"world"
        assert p.seek(fd, -5, 2) == 6
        yield from p.write(fd, b"W")
        assert p.seek(fd, 0, 1) == 7
        for wrong in ((-1, 0), (0, 7)):
            with pytest.raises(SysError):
                p.seek(fd, *wrong)
        copy = p.fork(child)
        yield from p.wait(copy)
        yield from p.out(f"{p.seek(fd, 0, 1)} {p.fstat(fd).size} {p.fs.read('/tmp/x').decode()}")
        return 0

    def child(p: Process) -> Run:
        yield from p.read(max(p.fds), 2)  # the position is shared with the parent
        return 0

    box = Box()
    assert box.run(program) == 0
    assert box.output() == b"9 11 hello World"
    assert box.closed() == [("/tmp/x", b"hello World")]


def test_appending_goes_to_the_end_whoever_wrote_before() -> None:
    def program(p: Process) -> Run:
        first = p.open("/tmp/log", O_WRONLY | O_CREAT | O_APPEND)
        second = p.open("/tmp/log", O_WRONLY | O_APPEND)
        yield from p.write(first, b"1")
        yield from p.write(second, b"2")
        yield from p.write(first, b"3")
        yield from p.out(p.fs.read("/tmp/log").decode())
        return 0

    box = Box()
    box.run(program)
    assert box.output() == b"123"


def test_a_wrong_direction_is_a_bad_descriptor() -> None:
    def program(p: Process) -> Run:
        reading = p.open("/etc/passwd")
        with pytest.raises(SysError) as problem:
            yield from p.write(reading, b"x")
        writing = p.open("/tmp/x", O_WRONLY | O_CREAT)
        with pytest.raises(SysError):
            yield from p.read(writing)
        return problem.value.errno

    assert Box().run(program) == errno.EBADF


def test_an_unlinked_file_lives_as_long_as_it_is_open() -> None:
    def program(p: Process) -> Run:
        fd = p.open("/tmp/x", O_RDWR | O_CREAT)
        yield from p.write(fd, b"still here")
        p.fs.unlink("/tmp/x")
        yield from p.write(fd, b"!")
        p.seek(fd, 0)
        yield from p.write(1, (yield from p.read(fd)))
        return 0

    box = Box()
    box.run(program)
    assert box.output() == b"still here!"
    assert box.closed() == [("/tmp/x", b"still here!")]
    assert box.overlay.used < 1_000


def test_a_reader_sees_what_another_writes() -> None:
    def program(p: Process) -> Run:
        fd = p.open("/root/notes")
        p.fs.write("/root/notes", b"new", append=True)
        yield from p.write(1, (yield from p.read_all(fd)))
        return 0

    box = Box()
    box.run(program)
    assert box.output() == b"one\ntwo\nnew"


def test_a_running_program_cannot_be_overwritten() -> None:
    def program(p: Process) -> Run:
        p.fork(lambda child: child.exec(["show"], env={"PATH": "/bin"}))
        yield from p.sleep(1)
        with pytest.raises(SysError) as problem:
            p.open("/bin/show", O_WRONLY)
        return problem.value.errno

    def show(p: Process) -> Run:
        yield from p.sleep(5)
        return 0

    with registered("show", show):
        assert Box("show").run(program) == errno.ETXTBSY


def test_descriptors_run_out() -> None:
    def program(p: Process) -> Run:
        yield from p.tick()
        while True:
            try:
                p.open("/etc/passwd")
            except SysError as problem:
                return problem.errno

    assert Box().run(program) == errno.EMFILE


def test_nothing_runs_from_a_volume_mounted_noexec() -> None:
    def program(p: Process) -> Run:
        yield from p.tick()
        p.fs.write("/run/bot", p.fs.read("/bin/show"), mode=0o755)
        with pytest.raises(SysError) as problem:
            p.spawn(["/run/bot"])
        return problem.value.errno

    box = Box("show")
    assert "noexec" in next(mount.options for mount in PERSONA.mounts if mount.point == "/run")
    box.machine.view(0).mkdir("/run")
    assert box.run(program) == errno.EACCES


def test_devices_behave_through_descriptors() -> None:
    def program(p: Process) -> Run:
        zero, null, full = p.open("/dev/zero"), p.open("/dev/null", O_RDWR), p.open("/dev/full", O_RDWR)
        random = p.open("/dev/urandom")
        assert (yield from p.read(zero, 5)) == bytes(5)
        assert (yield from p.read(null, 5)) == b""
        one, two = (yield from p.read(random, 16)), (yield from p.read(random, 16))
        assert len(one) == 16
        assert one != two
        assert p.seek(zero, 100) == 0
        assert p.fstat(null).rdev == (1, 3)
        yield from p.write(null, b"gone")
        with pytest.raises(SysError) as problem:
            yield from p.write(full, b"x")
        return problem.value.errno

    assert Box().run(program) == errno.ENOSPC


def test_residents_can_be_killed_by_root_but_not_init() -> None:
    def program(p: Process) -> Run:
        cron = next(row for row in p.processes() if row.comm == "cron")
        p.kill(cron.pid, 0)
        p.kill(cron.pid, SIGTERM)
        p.kill(1, 9)
        comms = {row.comm for row in p.processes()}
        yield from p.out(f"{'cron' in comms} {1 in {row.pid for row in p.processes()}}")
        return 0

    box = Box()
    box.run(program)
    assert box.output() == b"False True"


def test_kill_minus_one_spares_the_own_session() -> None:
    def program(p: Process) -> Run:
        def other(c: Process) -> Run:
            c.new_session()
            yield from c.sleep(100)
            return 0

        pid = p.fork(other)
        yield from p.sleep(1)
        p.kill(-1, SIGTERM)
        ended = yield from p.wait(pid)
        return ended[1] if ended else 0

    assert Box().run(program) == 128 + SIGTERM


def test_killing_the_own_group_kills_the_children_and_oneself() -> None:
    def program(p: Process) -> Run:
        def child(c: Process) -> Run:
            yield from c.sleep(100)
            c.fs.write("/tmp/alive", b"")
            return 0

        p.fork(child)
        yield from p.tick()
        p.kill(0, SIGTERM)
        return 0

    box = Box()
    assert box.run(program) == 128 + SIGTERM
    assert box.closed() == []


def test_generated_files_through_descriptors() -> None:
    def program(p: Process) -> Run:
        fd = p.open("/proc/uptime")
        first = yield from p.read(fd, 4)
        p.seek(fd, 0)
        again = yield from p.read(fd, 4)
        assert first == again
        assert p.fstat(fd).size == 0
        own = p.open("/proc/self/fd/1", O_WRONLY)
        yield from p.write(own, b"through proc")
        assert p.descriptors(p.pid)[1].startswith("pipe:[")
        with pytest.raises(SysError) as problem:
            p.open("/proc/uptime", O_WRONLY | O_TRUNC)
            yield from p.write(max(p.fds), b"x")
        return problem.value.errno

    box = Box()
    box.machine = Machine(small_image("sh"), PERSONA, entropy=entropy())
    box.login = box.machine.login("root", CONNECTION, NOW)
    with registered("sh", program):
        job = box.login.exec("")
    assert box.drive(job) == errno.EIO
    assert box.output() == b"through proc"
