"""What few look at agrees with what everybody looks at: /boot, modules, memory blocks, zones, device numbers."""

from __future__ import annotations

import re
from functools import cache

import pytest
from tests.machine.programs.support import Box, installation

from urltrap.machine.persona import Kind

SERVERS: list[Kind] = ["debian-12", "debian-13", "cloud-small"]


@cache
def box(kind: Kind) -> Box:
    return Box(kind)


def said(kind: Kind, line: str) -> str:
    result = box(kind).run(line)
    return (result.out + result.err).decode()


@pytest.mark.parametrize("kind", SERVERS)
def test_texts_of_the_start_are_texts_about_this_kernel(kind: Kind) -> None:
    persona, _ = installation(kind)
    release, root = persona.kernel.release, persona.disks[0].partitions[0]
    menu = said(kind, "cat /boot/grub/grub.cfg")
    arguments = persona.kernel.command_line.partition(" ")[2]
    assert f"\tlinux\t/boot/vmlinuz-{release} {arguments}\n" in menu and f"--set=root {root.uuid}\n" in menu
    assert said(kind, f"wc -c < /boot/System.map-{release}") == "83\n"
    config = said(kind, f"head -3 /boot/config-{release}")
    assert f"# Linux/x86 {persona.kernel.version.partition('Debian ')[2].partition('-')[0]} Kernel" in config
    listed = said(kind, f"cat /lib/modules/{release}/modules.dep")
    names = {
        line.split(":")[0].rpartition("/")[2].removesuffix(".ko").replace("-", "_")
        for line in listed.splitlines()
    }
    assert names == {name for name, _, _ in persona.kernel.modules}
    path = said(kind, "modinfo ext4 | head -1").split()[-1]
    assert path == f"/lib/modules/{release}/kernel/fs/ext4/ext4.ko"


@pytest.mark.parametrize("kind", SERVERS)
def test_memory_is_one_size_in_blocks_and_zones(kind: Kind) -> None:
    persona, _ = installation(kind)
    shown = said(kind, "lsmem")
    total = re.search(r"Total online memory: +(\d+)G\n", shown)
    assert total is not None and 0 < int(total[1]) * 1024**2 - persona.memory.total_kb < 600_000
    free = sum(int(count) << order for row in said(kind, "cat /proc/buddyinfo").splitlines()
               for order, count in enumerate(row.split()[4:]))  # fmt: skip
    known = int(said(kind, "grep MemFree /proc/meminfo").split()[1]) // 4
    assert abs(free - known) < known // 50
    assert said(kind, "stat -c %d:%n /").split(":")[0] == str(
        persona.disks[0].major * 256 + persona.disks[0].partitions[0].minor
    )
    assert re.search(rf"^ *1000 {persona.users[1].name} ", said(kind, "lslogins"), re.MULTILINE)


@pytest.mark.parametrize("kind", [*SERVERS, "busybox-mips"])
def test_lesser_files_are_there(kind: Kind) -> None:
    count = installation(kind)[0].cpu.count
    assert said(kind, "head -1 /proc/softirqs").split() == [f"CPU{number}" for number in range(count)]
    assert said(kind, "cat /proc/net/sockstat").startswith("sockets: used ")
    assert said(kind, "grep -c Tcp: /proc/net/snmp") == "2\n"
    assert ("No such file" in said(kind, "cat /proc/ioports")) is kind.startswith("busybox")


def test_what_is_mounted_has_a_folder() -> None:
    for kind in [*SERVERS, "busybox-mips"]:
        points = [row.split()[1] for row in said(kind, "cat /proc/mounts").splitlines()]
        stored = [point for point in points if not point.startswith(("/proc/", "/sys/", "/dev/"))]
        assert said(kind, f"ls -d {' '.join(stored)} 2>&1 >/dev/null") == "", kind


@pytest.mark.parametrize("kind", SERVERS)
def test_a_session_has_one_number(kind: Kind) -> None:
    number = said(kind, "echo $XDG_SESSION_ID").strip()
    assert f"session-{number}.scope" in said(kind, "cat /proc/self/cgroup")
    assert re.search(rf"^ +{number} +0 root", said(kind, "loginctl"), re.MULTILINE)


@pytest.mark.parametrize("kind", SERVERS)
def test_ldd_names_the_libraries_of_what_file_calls_dynamic(kind: Kind) -> None:
    assert "dynamically linked" in said(kind, "file /bin/ls")
    shown = said(kind, "ldd /bin/ls")
    assert re.search(
        r"\tlibselinux.so.1 => /lib/x86_64-linux-gnu/libselinux.so.1 \(0x0000[0-9a-f]{12}\)\n", shown
    )
    assert shown.startswith("\tlinux-vdso.so.1 (0x") and "\t/lib64/ld-linux-x86-64.so.2 (0x" in shown
    assert said(kind, "ldd /etc/passwd") == "\tnot a dynamic executable\n"
    assert said(kind, "ldd nofile") == "ldd: ./nofile: No such file or directory\n"
