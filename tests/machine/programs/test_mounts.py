"""What root mounts, takes off and swaps to, against the real programs in a mount namespace.

``recorded/mounts.txt`` was made with util-linux 2.38.1 of Debian 12 ("$ command", its output, "[status]"; folders a, b
and c below /tmp/zz, a file a/f).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from tests.machine.programs.support import Box, installation

from urltrap.machine.fs.overlay import Overlay

RECORDED = Path(__file__).parent / "recorded" / "mounts.txt"
BEYOND = re.compile(r"nosuch|sdz1|proc proc|mountpoint|umount -v")
"""What a name space without rights refuses, and what comes after it."""


def blocks() -> list[tuple[str, str]]:
    found = []
    for block in re.split(r"(?m)^\$ ", RECORDED.read_text())[1:]:
        command, _, answer = block.partition("\n")
        if not BEYOND.search(command):
            found.append((re.sub(r"^sh -c (.*)$", r"sh -c '\1'", command), answer))
    return found


def plain(text: str) -> str:
    text = re.sub(r"/dev/vda\d?", "/dev/disk", text)
    text = re.sub(r"(ext4 \(?r[wo],relatime)[^) ]*", r"\1", text)
    return re.sub(r"(?m)^(/dev/disk) +\d.*?(\S+)$", r"\1 \2", re.sub(r" +", " ", text))


@cache
def answers() -> list[str]:
    box = Box()
    box.run(
        "mkdir -p /tmp/zz/a /tmp/zz/b /tmp/zz/c; echo hi > /tmp/zz/a/f; cp /etc/hostname /root/h; hostname vm"
    )
    box.put("/etc/hostname", b"vm\n")
    found = []
    for command, _ in blocks():
        done = box.run(command)
        found.append(f"{(done.out + done.err).decode()}[{done.status}]\n")
    return found


@pytest.mark.parametrize("number", range(len(blocks())), ids=lambda number: f"{number} {blocks()[number][0]}")
def test_a_mount_is_answered_and_shown_as_by_the_real_ones(number: int) -> None:
    assert plain(answers()[number]) == plain(blocks()[number][1])


def test_what_is_mounted_holds_files_and_hides_others_until_it_is_taken_off() -> None:
    box = Box()
    shown = box.run(
        "mkdir /mnt/x; echo below > /mnt/x/f; mount -t tmpfs none /mnt/x; ls /mnt/x | wc -l; echo new > /mnt/x/g; "
        "cat /mnt/x/g; mv /mnt/x/g /tmp/ && cat /tmp/g; "
        "mountpoint /mnt/x; rmdir /mnt/x; umount /mnt/x; cat /mnt/x/f; "
        "ls /mnt/x; mount --bind / /mnt/x && cat /mnt/x/etc/hostname; "
        "ls /mnt/x/mnt/x; umount /mnt/x; mount | grep -c /mnt/x"
    )
    name = box.machine.persona.hostname
    assert shown.out.decode().splitlines() == [
        "0", "new", "new", "/mnt/x is a mountpoint", "below", "f", name, "f", "0",
    ]  # fmt: skip
    assert shown.err == b"rmdir: failed to remove '/mnt/x': Device or resource busy\n"


def test_mounts_are_kept_between_visits_and_gone_after_a_start() -> None:
    box = Box()
    box.run("mkdir /mnt/x; mount -t tmpfs none /mnt/x; echo kept > /mnt/x/f")
    _, image = installation()
    overlay = Overlay.loads(box.machine.kept(box.now), image, lambda *_: None)
    again = Box()
    again.machine.overlay = overlay
    again.machine.kernel = again.machine._started(again.machine.persona.boot_time)
    again.login = again.machine.login("root", box.login.connection, again.now)
    assert again.run("cat /mnt/x/f; mount | grep -c /mnt/x").out == b"kept\n1\n"
    again.run("reboot")
    again.login = again.machine.login("root", box.login.connection, again.now + 3_600)
    assert again.run("ls /mnt/x | wc -l; mount | grep -c /mnt/x").out == b"0\n0\n"


def test_what_is_in_use_stays() -> None:
    box = Box()
    found = box.run(
        "umount /; umount /proc; cd /dev/shm; umount /dev/shm; cd /; umount /dev/shm; df /dev/shm | tail -1"
    )
    assert found.err.decode().splitlines() == [
        "umount: /: target is busy.", "umount: /proc: target is busy.", "umount: /dev/shm: target is busy.",
    ]  # fmt: skip
    assert found.out.split()[-1] == b"/dev"


def test_users_mount_nothing() -> None:
    box = Box(user=next(user.name for user in Box().machine.persona.users if user.uid >= 1000))
    found = box.run("mount -t tmpfs none /tmp; umount /dev/shm; /sbin/swapoff -a; mount | grep -c ' /tmp '")
    assert found.err.decode().splitlines() == [
        "mount: /tmp: must be superuser to use mount.",
        "umount: /dev/shm: must be superuser to unmount.",
        "swapoff: Not superuser.",
    ]


def test_a_swap_file_counts_once_it_is_on() -> None:
    box = Box()
    had = int(box.run("free -k | awk '/^Swap/{print $2}'").out)
    found = box.run(
        "fallocate -l 8M /swapfile; swapon /swapfile; chmod 600 /swapfile; mkswap /swapfile | head -1; "
        "swapon /swapfile; swapon --show=NAME --noheadings | tail -1 | cut -d' ' -f1; "
        "awk '/^Swap/{print $2}' <(free -k); "
        "grep -c '^/swapfile *file\t\t8188\t\t0\t\t-3$' /proc/swaps; swapoff -a; free -k | awk '/^Swap/{print $2}'; "
        "swapon --show; swapon -a; free -k | awk '/^Swap/{print $2}'"
    )
    assert found.out.decode().splitlines() == [
        "Setting up swapspace version 1, size = 8 MiB (8384512 bytes)", "/swapfile",
        str(had + 8188), "1", "0", str(had),
    ]  # fmt: skip
    assert found.err.decode().splitlines() == [
        "swapon: /swapfile: insecure permissions 0644, 0600 suggested.",
        "swapon: /swapfile: read swap header failed",
    ]
