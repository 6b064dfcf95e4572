"""/proc and /sys agree with the persona and with themselves."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from urltrap.machine.api import S_IFDIR, S_IFMT, Connection, ProcessInfo
from urltrap.machine.errors import SysError
from urltrap.machine.fs.mounts import GeneratedNode, Mount
from urltrap.machine.persona import Kind, Persona, generate
from urltrap.machine.proc import ProcMount, SysMount
from urltrap.machine.proc.sockets import Socket, hex4, hex6, sockets

NOW = 1_790_000_000.0
KINDS: tuple[Kind, ...] = ("debian-12", "debian-13", "busybox-mips", "busybox-arm", "cloud-small")


class View:
    """A process that looks: `cat` on a log-in from 198.51.100.7."""

    def __init__(self, kind: Kind = "debian-12", *, uid: int = 0, now: float = NOW) -> None:
        self.persona: Persona = generate(b"a seed for proc tests", kind, NOW)
        self.pid = self.persona.first_pid + 5
        self.uid = uid
        self.gid = uid
        self.cwd = "/root"
        self.boot_time = self.persona.boot_time
        self.clock = now
        self.settings: dict[str, str] = {}
        self.network: list[list[str]] = []
        self.swaps: list[list[str]] = []
        self.mounts: list[Any] = list(self.persona.mounts)
        self.sockets: list[Socket] = []
        self.connections = [
            Connection("ssh", "198.51.100.7", 51_234, "172.17.0.2", 2222, "root", now - 60, "pts/0")
        ]

    def now(self) -> float:
        return self.clock

    def process_row(self, pid: int) -> ProcessInfo | None:
        return next((row for row in self.processes() if row.pid == pid), None)

    def work(self, steps: int) -> None:
        pass

    def earn(self, steps: int) -> None:
        pass

    def processes(self) -> list[ProcessInfo]:
        rows = [
            ProcessInfo(r.pid, r.ppid, list(r.argv), r.comm, r.uid, r.state, self.boot_time + r.after, r.tty, r.exe,
                        "/", r.pid, {}, r.cpu, r.rss_kb, r.vsz_kb)
            for r in self.persona.residents
        ]  # fmt: skip
        own = ProcessInfo(
            self.pid, 1, ["cat", "/proc/self/cmdline"], "cat", self.uid, "R", self.clock - 1, "pts/0", "/usr/bin/cat",
            "/root", self.pid - 2, {"HOME": "/root"}, 0.02, 1800, 3000,
        )  # fmt: skip
        return [*rows, own]

    def descriptors(self, pid: int) -> Mapping[int, str]:
        return {0: "/dev/pts/0", 1: "/dev/pts/0"} if pid == self.pid else {}


def data(node: GeneratedNode | None) -> bytes:
    assert node is not None
    return node.data() if callable(node.data) else node.data


def read(path: str, view: View, mount: Mount | None = None) -> str:
    parts = tuple(path.split("/"))
    if parts[0] == "self":
        parts = (str(view.pid), *parts[1:])
    elif parts[0] in ("mounts", "net"):
        parts = (str(view.pid), *parts)
    return data((mount or ProcMount()).lookup(parts, view)).decode()


def walk(
    mount: Mount, view: View, parts: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], GeneratedNode]]:
    node = mount.lookup(parts, view)
    assert node is not None, parts
    yield parts, node
    if node.mode & S_IFMT == S_IFDIR:
        for name in mount.listdir(parts, view):
            if name == "exe" and not read(f"{parts[0]}/cmdline", view):
                continue  # a thread of the kernel has the name, but nothing behind it
            yield from walk(mount, view, (*parts, name))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mount", [ProcMount(), SysMount()])
def test_every_name_that_is_listed_can_be_read(kind: Kind, mount: Mount) -> None:
    view = View(kind)
    count = 0
    for parts, node in walk(mount, view):
        if node.mode & S_IFMT != S_IFDIR:
            assert isinstance(data(node), bytes), parts
            count += 1
    assert count > 100


@pytest.mark.parametrize("kind", KINDS)
def test_memory_adds_up(kind: Kind) -> None:
    view = View(kind)
    rows = {line.split(":")[0]: int(line.split()[1]) for line in read("meminfo", view).splitlines()}
    assert rows["MemTotal"] == view.persona.memory.total_kb
    assert 0 < rows["MemFree"] < rows["MemAvailable"] < rows["MemTotal"]
    assert (
        rows["MemFree"] + rows["Buffers"] + rows["Cached"] + rows["Slab"] + rows["AnonPages"]
        < rows["MemTotal"]
    )
    assert rows["Slab"] == rows["SReclaimable"] + rows["SUnreclaim"]
    assert rows["Active"] == rows["Active(anon)"] + rows["Active(file)"]
    assert rows["SwapTotal"] == view.persona.memory.swap_kb


@pytest.mark.parametrize("kind", KINDS)
def test_processors_are_counted_alike(kind: Kind) -> None:
    view = View(kind)
    count = view.persona.cpu.count
    assert sum(line.startswith("processor") for line in read("cpuinfo", view).splitlines()) == count
    assert (
        sum(line.startswith("cpu") and line[3].isdigit() for line in read("stat", view).splitlines()) == count
    )
    online = read("devices/system/cpu/online", view, SysMount()).strip()
    assert online == ("0" if count == 1 else f"0-{count - 1}")


def test_uptime_grows_and_everything_that_counts_grows_with_it() -> None:
    early, late = View(now=NOW), View(now=NOW + 86_400)
    assert float(read("uptime", late).split()[0]) - float(read("uptime", early).split()[0]) == 86_400
    assert "btime " + str(int(early.boot_time)) in read("stat", late)

    def received(view: View) -> int:
        line = next(line for line in read("net/dev", view).splitlines() if view.persona.primary.name in line)
        return int(line.split(":")[1].split()[0])

    assert received(late) > received(early)
    assert read("sys/kernel/random/boot_id", early) == read("sys/kernel/random/boot_id", late)


def test_the_same_moment_shows_the_same_figures() -> None:
    assert read("meminfo", View()) == read("meminfo", View())
    assert read("loadavg", View()) == read("loadavg", View())


def test_version_is_the_kernel_of_the_persona() -> None:
    view = View()
    kernel = view.persona.kernel
    assert read("version", view) == kernel.banner + "\n"
    assert read("sys/kernel/osrelease", view).strip() == kernel.release
    assert read("sys/kernel/version", view).strip() == kernel.version
    assert kernel.release in read("cmdline", view)


def test_mounts_name_the_root_and_are_not_empty() -> None:
    view = View()
    lines = read("mounts", view).splitlines()
    assert len(lines) > 15
    assert any(line.startswith(f"/dev/{view.persona.disks[0].name}") and " / " in line for line in lines)
    assert all(len(line.split(" ")) == 6 for line in lines)


def test_partitions_and_sysfs_agree_on_sizes() -> None:
    view = View()
    disk = view.persona.disks[0]
    rows = {line.split()[3]: int(line.split()[2]) for line in read("partitions", view).splitlines()[2:]}
    mount = SysMount()
    link = mount.lookup(("block", disk.name), view)
    assert link is not None
    place = link.target.removeprefix("../")
    assert int(read(f"{place}/size", view, mount)) == rows[disk.name] * 2
    for part in disk.partitions:
        assert int(read(f"{place}/{part.name}/size", view, mount)) == rows[part.name] * 2
        assert rows[part.name] <= rows[disk.name]


def test_a_process_sees_itself() -> None:
    view = View()
    link = ProcMount().lookup(("self",), view)
    assert link is not None and link.target == str(view.pid)
    assert read("self/cmdline", view) == "cat\0/proc/self/cmdline\0"
    assert read("self/comm", view) == "cat\n"
    assert f"Pid:\t{view.pid}\n" in read("self/status", view)
    assert read("self/stat", view).startswith(f"{view.pid} (cat) R 1 ")
    assert len(read("self/stat", view).split()) == 52
    assert read("self/environ", view) == "HOME=/root\0"
    node = ProcMount().lookup((str(view.pid), "fd", "0"), view)
    assert node is not None and node.target == "/dev/pts/0" and node.fd == 0


def test_kernel_threads_have_no_command_line_and_no_program() -> None:
    view = View()
    assert read("2/cmdline", view) == ""
    with pytest.raises(SysError) as caught:
        ProcMount().lookup(("2", "exe"), view)
    assert caught.value.errno == errno.ENOENT


def test_the_first_process_is_in_its_own_group_of_a_real_machine() -> None:
    assert read("1/cgroup", View()) == "0::/init.scope\n"
    assert "docker" not in read("self/cgroup", View())


def test_others_may_not_look_into_roots_processes() -> None:
    view = View(uid=1000)
    with pytest.raises(SysError) as caught:
        ProcMount().lookup(("1", "cwd"), view)
    assert caught.value.errno == errno.EACCES
    node = ProcMount().lookup(("1", "environ"), view)
    assert node is not None and node.mode & 0o777 == 0o400


def test_the_visitors_connection_is_there_without_the_address_of_the_trap() -> None:
    view = View()
    text = read("net/tcp", view)
    assert f"{hex4(view.persona.primary.address)}:0016 {hex4('198.51.100.7')}:{51_234:04X} 01" in text
    assert hex4("172.17.0.2") not in text
    assert "00000000:0016 00000000:0000 0A" in text
    found = sockets(view.persona, view.processes(), view.connections)
    assert [each.local_port for each in found if each.state == "ESTAB"] == [22]
    assert len({each.inode for each in found}) == len(found)


def test_addresses_in_hex() -> None:
    assert hex4("127.0.0.1") == "0100007F"
    assert hex6("::1") == "00000000000000000000000001000000"
    assert hex6("1.2.3.4") == "0000000000000000FFFF000004030201"


def test_constants_of_the_kernel_cannot_be_written_and_settings_can() -> None:
    view = View()
    fixed = ProcMount().lookup(("sys", "kernel", "osrelease"), view)
    setting = ProcMount().lookup(("sys", "vm", "nr_hugepages"), view)
    assert fixed is not None and fixed.write is None
    assert setting is not None and setting.write is not None


def test_unknown_names_are_not_there() -> None:
    view = View()
    for parts in (("nosuch",), ("99999999",), ("1", "nosuch"), ("sys", "nosuch"), ("uptime", "x"), ("net2",)):
        assert ProcMount().lookup(parts, view) is None
    assert SysMount().lookup(("class", "net", "eth99"), view) is None


def test_firmware_secrets_are_roots() -> None:
    node = SysMount().lookup(("devices", "virtual", "dmi", "id", "product_uuid"), View())
    assert node is not None and node.mode & 0o777 == 0o400
