from __future__ import annotations

import errno
from collections.abc import Callable

import pytest
from tests.machine.fs.support import IMAGE, NOW, Desk, Somebody

from urltrap.machine.api import S_IFCHR, S_IFDIR, S_IFREG
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.fs.content import StoredContent
from urltrap.machine.fs.mounts import GeneratedNode, ProcessView


def failure(call: Callable[[], object]) -> int:
    with pytest.raises(SysError) as problem:
        call()
    return problem.value.errno


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc/nothing", errno.ENOENT),
        ("/etc/nothing/deeper", errno.ENOENT),
        ("/etc/passwd/", errno.ENOTDIR),
        ("/etc/passwd/.", errno.ENOTDIR),
        ("/etc/passwd/..", errno.ENOTDIR),
        ("/etc/passwd/x", errno.ENOTDIR),
        ("/loop", errno.ELOOP),
        ("/loop/x", errno.ELOOP),
        ("", errno.ENOENT),
        ("/" + "n" * 256, errno.ENAMETOOLONG),
        ("/" + "é" * 130, errno.ENAMETOOLONG),
        ("/x" * 2100, errno.ENAMETOOLONG),
        ("/root/x", errno.EACCES),
    ],
)
def test_paths_fail_as_linux_says(path: str, expected: int) -> None:
    assert failure(lambda: Desk().mia.stat(path)) == expected


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("/lib/libc.so", "/usr/lib/libc.so"),
        ("/lib/../etc/alias", "/usr/etc/alias"),
        ("/../../etc/./passwd", "/etc/passwd"),
        ("//etc//alias", "/etc/passwd"),
        ("/lib/", "/usr/lib"),
    ],
)
def test_paths_resolve_links_and_dots(path: str, real: str) -> None:
    desk = Desk()
    if real == "/usr/etc/alias":
        assert failure(lambda: desk.root.realpath(path)) == errno.ENOENT
    else:
        assert desk.root.realpath(path) == real


def test_lstat_and_readlink_see_the_link_itself() -> None:
    fs = Desk().root
    assert fs.stat("/etc/alias", follow=False).is_link
    assert fs.stat("/etc/alias").is_file
    assert fs.readlink("/etc/alias") == "passwd"
    assert failure(lambda: fs.readlink("/etc/passwd")) == errno.EINVAL


def test_the_image_is_never_changed() -> None:
    before = IMAGE.dumps()
    desk = Desk()
    desk.root.write("/etc/passwd", b"mine")
    desk.root.unlink("/usr/lib/libc.so")
    desk.root.chmod("/etc", 0o700)
    desk.root.rename("/home", "/heim")
    assert desk.root.read("/etc/passwd") == b"mine"
    assert IMAGE.dumps() == before
    assert Desk().root.read("/etc/passwd").startswith(b"root")


def test_a_removed_name_can_be_made_anew_and_is_listed_once() -> None:
    fs = Desk().root
    fs.unlink("/etc/alias")
    assert "alias" not in fs.listdir("/etc")
    fs.write("/etc/alias", b"new")
    assert fs.listdir("/etc").count("alias") == 1
    assert fs.stat("/etc/alias", follow=False).is_file


def test_hard_links_share_their_content_and_count() -> None:
    fs = Desk().root
    assert fs.stat("/usr/lib/libc.so").nlink == 2
    fs.write("/usr/lib/libc.so.6", b"patched")
    assert fs.read("/usr/lib/libc.so") == b"patched"
    fs.link("/etc/passwd", "/tmp/copy")
    fs.unlink("/etc/passwd")
    assert fs.stat("/tmp/copy").nlink == 1
    assert fs.read("/tmp/copy").startswith(b"root")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda fs: fs.mkdir("/tmp"), errno.EEXIST),
        (lambda fs: fs.mkdir("/tmp/a/b"), errno.ENOENT),
        (lambda fs: fs.rmdir("/usr"), errno.ENOTEMPTY),
        (lambda fs: fs.rmdir("/etc/passwd"), errno.ENOTDIR),
        (lambda fs: fs.rmdir("/home/mia/."), errno.EINVAL),
        (lambda fs: fs.rmdir("/run"), errno.EBUSY),
        (lambda fs: fs.rmdir("/"), errno.EBUSY),
        (lambda fs: fs.unlink("/usr"), errno.EISDIR),
        (lambda fs: fs.unlink("/none"), errno.ENOENT),
        (lambda fs: fs.rename("/none", "/x"), errno.ENOENT),
        (lambda fs: fs.rename("/usr", "/usr/lib/inside"), errno.EINVAL),
        (lambda fs: fs.rename("/etc/passwd", "/usr"), errno.EISDIR),
        (lambda fs: fs.rename("/home", "/etc/passwd"), errno.ENOTDIR),
        (lambda fs: fs.rename("/home", "/usr"), errno.ENOTEMPTY),
        (lambda fs: fs.rename("/etc/passwd", "/run/passwd"), errno.EXDEV),
        (lambda fs: fs.link("/etc/passwd", "/dev/shm/passwd"), errno.EXDEV),
        (lambda fs: fs.link("/usr", "/usr2"), errno.EPERM),
        (lambda fs: fs.link("/etc/passwd", "/etc/shadow"), errno.EEXIST),
        (lambda fs: fs.symlink("x", "/etc/passwd"), errno.EEXIST),
        (lambda fs: fs.write("/ro/file", b""), errno.EROFS),
        (lambda fs: fs.write("/ro/new", b""), errno.EROFS),
        (lambda fs: fs.unlink("/ro/file"), errno.EROFS),
        (lambda fs: fs.chmod("/ro/file", 0), errno.EROFS),
        (lambda fs: fs.mkdir("/ro/d"), errno.EROFS),
        (lambda fs: fs.write("/usr", b""), errno.EISDIR),
        (lambda fs: fs.write("/tmp/new/", b""), errno.EISDIR),
        (lambda fs: fs.read("/usr"), errno.EISDIR),
        (lambda fs: fs.listdir("/etc/passwd"), errno.ENOTDIR),
        (lambda fs: fs.truncate("/etc/passwd", -1), errno.EINVAL),
        (lambda fs: fs.write("/dev/full", b"x"), errno.ENOSPC),
    ],
)
def test_changes_fail_as_linux_says(call: Callable[[object], object], expected: int) -> None:
    assert failure(lambda: call(Desk().root)) == expected


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda fs: fs.read("/etc/shadow"), errno.EACCES),
        (lambda fs: fs.write("/etc/passwd", b""), errno.EACCES),
        (lambda fs: fs.write("/etc/new", b""), errno.EACCES),
        (lambda fs: fs.unlink("/etc/passwd"), errno.EACCES),
        (lambda fs: fs.listdir("/root"), errno.EACCES),
        (lambda fs: fs.chmod("/etc/passwd", 0o777), errno.EPERM),
        (lambda fs: fs.chown("/home/mia", 0, 0), errno.EPERM),
        (lambda fs: fs.mknod("/home/mia/sda", S_IFCHR | 0o600, (8, 0)), errno.EPERM),
        (lambda fs: fs.utime("/etc/passwd", 0, 0), errno.EACCES),
        (lambda fs: fs.set_attributes("/home/mia/own", "i"), errno.EPERM),
        (lambda fs: fs.unlink("/tmp/roots"), errno.EPERM),
        (lambda fs: fs.rename("/tmp/roots", "/tmp/mine"), errno.EPERM),
    ],
)
def test_users_are_refused_what_is_not_theirs(call: Callable[[object], object], expected: int) -> None:
    desk = Desk()
    desk.root.write("/tmp/roots", b"")
    desk.mia.write("own", b"")
    assert failure(lambda: call(desk.mia)) == expected


def test_new_files_belong_to_their_maker_and_obey_the_umask() -> None:
    desk = Desk()
    desk.mia_user.umask = 0o077
    desk.mia.write("note", b"x", mode=0o666)
    stat = desk.mia.stat("/home/mia/note")
    assert (stat.uid, stat.gid, stat.mode, stat.size, stat.mtime) == (1000, 1000, S_IFREG | 0o600, 1, NOW)
    desk.mia.mkdir("dir", 0o777)
    assert desk.mia.stat("dir").mode == S_IFDIR | 0o700


def test_the_immutable_flag_stops_even_root_until_it_is_removed() -> None:
    fs = Desk().root
    fs.write("/etc/cron", b"job")
    fs.set_attributes("/etc/cron", "i")
    assert fs.attributes("/etc/cron") == "i"
    for call in (
        lambda: fs.write("/etc/cron", b"x"),
        lambda: fs.write("/etc/cron", b"x", append=True),
        lambda: fs.unlink("/etc/cron"),
        lambda: fs.rename("/etc/cron", "/etc/x"),
        lambda: fs.chmod("/etc/cron", 0o777),
        lambda: fs.link("/etc/cron", "/etc/x"),
    ):
        assert failure(call) == errno.EPERM
    fs.set_attributes("/etc/cron", "")
    fs.unlink("/etc/cron")


def test_the_append_only_flag_allows_nothing_else() -> None:
    fs = Desk().root
    fs.write("/etc/log", b"1")
    fs.set_attributes("/etc/log", "a")
    fs.write("/etc/log", b"2", append=True)
    assert failure(lambda: fs.write("/etc/log", b"3")) == errno.EPERM
    assert fs.read("/etc/log") == b"12"


def test_directories_count_their_children_and_change_their_time() -> None:
    desk = Desk()
    before = desk.root.stat("/home").nlink
    desk.root_user.clock = NOW + 50
    desk.root.mkdir("/home/two")
    assert desk.root.stat("/home").nlink == before + 1
    assert desk.root.stat("/home").mtime == NOW + 50
    desk.root.rename("/home/two", "/tmp/two")
    assert desk.root.stat("/home").nlink == before
    desk.root.rmdir("/tmp/two")
    assert desk.root.stat("/tmp").nlink == 2


def test_the_quota_ends_writing_with_enospc_and_removal_gives_room_again() -> None:
    desk = Desk(max_bytes=100_000)
    desk.root.write("/tmp/a", b"x" * 60_000)
    assert failure(lambda: desk.root.write("/tmp/b", b"x" * 60_000)) == errno.ENOSPC
    assert desk.overlay.refused
    desk.root.unlink("/tmp/a")
    desk.root.write("/tmp/b", b"x" * 60_000)
    assert desk.overlay.used <= 100_000


def test_a_quota_on_nodes_ends_making_files() -> None:
    desk = Desk(max_nodes=20)

    def many() -> None:
        for number in range(100):
            desk.root.mkdir(f"/tmp/{number}")

    assert failure(many) == errno.ENOSPC


def test_zeros_and_holes_cost_nothing() -> None:
    desk = Desk(max_bytes=100_000)
    desk.root.write("/tmp/swap", bytes(5_000_000))
    desk.root.truncate("/tmp/swap", 1 << 40)
    assert desk.root.stat("/tmp/swap").size == 1 << 40
    assert desk.root.content("/tmp/swap").read((1 << 40) - 4, 100) == bytes(4)


def test_content_kept_elsewhere_costs_nothing_until_it_is_written_to() -> None:
    data = b"payload" * 1_000
    desk = Desk(max_bytes=5_000)
    desk.root.put(
        "/tmp/bot", StoredContent("ab" * 32, len(data), lambda at, n: data[at : at + n]), mode=0o755
    )
    assert desk.root.read("/tmp/bot") == data
    assert failure(lambda: desk.root.write("/tmp/bot", b"x", append=True)) == errno.ENOSPC


def test_everything_survives_between_two_visits() -> None:
    desk = Desk()
    fs = desk.root
    fs.write("/root/\udcff.sh", b"\x00\xff" * 70_000, mode=0o755)
    fs.put("/tmp/bot", StoredContent("ab" * 32, 7, lambda at, n: b"payload"[at : at + n]))
    fs.unlink("/etc/alias")
    fs.chmod("/etc/passwd", 0o600)
    fs.symlink("/tmp/bot", "/etc/link")
    fs.set_attributes("/root/\udcff.sh", "i")
    fs.mkdir("/opt")
    fs.mknod("/opt/null", S_IFCHR | 0o666, (1, 3))
    fs.truncate("/tmp/hole", 0) if fs.access("/tmp/hole", 4) else fs.write("/tmp/hole", b"")
    fs.truncate("/tmp/hole", 10_000_000)
    later = desk.again()
    assert later.root.read("/root/\udcff.sh") == b"\x00\xff" * 70_000
    assert later.root.attributes("/root/\udcff.sh") == "i"
    assert later.root.stat("/tmp/bot").size == 7
    assert "alias" not in later.root.listdir("/etc")
    assert later.root.stat("/etc/passwd").mode == S_IFREG | 0o600
    assert later.root.read("/etc/passwd").startswith(b"root")
    assert later.root.readlink("/etc/link") == "/tmp/bot"
    assert later.root.stat("/opt/null").rdev == (1, 3)
    assert later.root.stat("/tmp/hole").size == 10_000_000
    assert later.overlay.saved_at == NOW
    assert later.overlay.used == desk.overlay.used
    assert later.again().overlay.dumps(1) == later.overlay.dumps(1)


class Generated:
    device = 99
    refusal = errno.ENOENT

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def lookup(self, parts: tuple[str, ...], viewer: ProcessView) -> GeneratedNode | None:
        nodes = {
            (): GeneratedNode(S_IFDIR | 0o555),
            ("self",): GeneratedNode(0o120777, target=str(viewer.pid)),
            (str(viewer.pid),): GeneratedNode(S_IFDIR | 0o555),
            (str(viewer.pid), "exe"): GeneratedNode(0o120777, target="/etc/passwd"),
            ("version",): GeneratedNode(S_IFREG | 0o444, lambda: b"made now"),
            ("knob",): GeneratedNode(S_IFREG | 0o644, b"1\n", write=self.written.append),
        }
        return nodes.get(parts)

    def listdir(self, parts: tuple[str, ...], viewer: ProcessView) -> list[str]:
        return ["self", str(viewer.pid), "version"]


def test_generated_trees_are_read_walked_and_protected() -> None:
    mount = Generated()
    fs = Desk(mounts={"/proc": mount}).root
    assert fs.read("/proc/version") == b"made now"
    assert fs.stat("/proc/version").size == 0
    assert fs.stat("/proc").device == 99
    assert fs.realpath("/proc/self") == "/proc/4242"
    assert fs.realpath("/proc/self/exe") == "/etc/passwd"
    assert fs.realpath("/proc/self/../../etc") == "/etc"
    assert fs.listdir("/proc") == ["self", "4242", "version"]
    fs.write("/proc/knob", b"2")
    assert mount.written == [b"2"]
    assert failure(lambda: fs.write("/proc/version", b"x")) == errno.EIO
    assert failure(lambda: fs.unlink("/proc/version")) == errno.EPERM
    assert failure(lambda: fs.mkdir("/proc/new")) == errno.ENOENT
    assert failure(lambda: fs.stat("/proc/none")) == errno.ENOENT
    assert failure(lambda: fs.rmdir("/proc")) == errno.EBUSY


def test_devices_read_as_they_do() -> None:
    fs = Desk().root
    assert fs.read("/dev/null") == b""
    assert fs.read("/dev/zero", 5) == bytes(5)
    assert fs.read("/dev/urandom", 3) == b"rrr"
    fs.write("/dev/null", b"gone")
    assert fs.stat("/dev/null").rdev == (1, 3)


def test_changes_are_told_before_a_content_is_lost() -> None:
    desk = Desk()
    desk.root.write("/tmp/x", b"1")
    desk.root.write("/tmp/x", b"2")
    desk.root.write("/tmp/y", b"3")
    desk.root.rename("/tmp/y", "/tmp/x")
    desk.root.unlink("/tmp/x")
    assert desk.told == [
        ("/tmp/x", False), ("/tmp/x", True), ("/tmp/x", False), ("/tmp/y", False), ("/tmp/x", True), ("/tmp/x", True),
    ]  # fmt: skip


def test_relative_paths_start_at_the_working_directory_even_where_its_parents_are_closed() -> None:
    desk = Desk()
    desk.root.mkdir("/root/inner", 0o777)
    desk.mia_user.cwd = "/root/inner"
    assert desk.mia.listdir(".") == []
    assert failure(lambda: desk.mia.stat("/root/inner/x")) == errno.EACCES
    assert failure(lambda: desk.mia.stat("../inner")) == errno.EACCES


def test_somebody_in_the_group_may_read() -> None:
    desk = Desk()
    user = Somebody(1001, 1001)
    user.groups = [1001, 42]
    from urltrap.machine.fs.view import FileView

    assert FileView(desk.tree, user, desk.changed).read("/etc/shadow") == b"secret\n"
    assert not FileView(desk.tree, user, desk.changed).access("/etc/shadow", 2)


def test_put_of_plain_bytes_is_a_write() -> None:
    desk = Desk()
    desk.root.put("/tmp/x", BytesContent(b"abc"), mode=0o700)
    assert desk.root.read("/tmp/x") == b"abc"
    assert desk.root.stat("/tmp/x").mode & 0o777 == 0o700
