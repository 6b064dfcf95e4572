"""Rebooting and switching off: the session is dropped, and the next visit finds a machine that has just started."""

from __future__ import annotations

import pytest
from tests.machine.programs.support import CONNECTION, NOW, Box, installation

from urltrap.machine.effects import WentDown
from urltrap.machine.fs.overlay import Overlay
from urltrap.machine.kernel.job import KernelJob
from urltrap.machine.machine import Machine, MachineDownError
from urltrap.machine.persona import Kind


def went_down(job: KernelJob, now: float, seconds: float = 10.0) -> tuple[str, float] | None:
    """(kind, when) of the end of the machine within some seconds of its clock."""
    until = now + seconds
    while now < until:
        for effect in job.step(now):
            if isinstance(effect, WentDown):
                return effect.kind, now
        if job.runnable:
            continue
        if job.wake_at is None:
            return None
        now = max(now + 0.001, job.wake_at)
    return None


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("reboot", "reboot"),
        ("/sbin/shutdown -r now", "reboot"),
        ("init 6", "reboot"),
        ("systemctl reboot", "reboot"),
        ("reboot -f", "reboot"),
        ("busybox reboot -f", "reboot"),
        ("shutdown -h now", "poweroff"),
        ("poweroff", "poweroff"),
        ("init 0", "poweroff"),
        ("halt -p", "poweroff"),
        ("halt", "halt"),
    ],
)
def test_a_server_drops_the_session_soon_after_the_word(line: str, kind: str) -> None:
    box = Box()
    job = box.login.exec(line)
    down = went_down(job, NOW)
    assert down is not None and down[0] == kind
    assert NOW < down[1] < NOW + 3


@pytest.mark.parametrize(
    "line", ["busybox reboot", "shutdown", "shutdown -r +5", "shutdown -r now -k", "reboot -w", "init 3"]
)
def test_what_does_not_end_a_server_at_once_leaves_it_running(line: str) -> None:
    box = Box()
    assert went_down(box.login.exec(line), NOW) is None
    assert b"up " in box.run("uptime").out


def test_a_planned_shutdown_is_announced_comes_at_its_time_and_can_be_called_off() -> None:
    box = Box()
    said = box.run("shutdown -r +1")
    assert said.out == b"" and said.status == 0
    assert said.err.startswith(b"Reboot scheduled for ") and said.err.endswith(
        b", use 'shutdown -c' to cancel.\n"
    )
    assert box.run("shutdown --show").err == said.err
    assert box.run("shutdown -c; shutdown --show").err == b"No scheduled shutdown.\n"
    box.run("shutdown -r +1")
    shell = box.login.shell("xterm", 80, 24)
    down = went_down(shell, box.now, 90)
    assert down is not None and 55 < down[1] - NOW < 70


def test_other_sessions_on_the_machine_are_dropped_with_it() -> None:
    box = Box()
    other = box.machine.login("root", CONNECTION, NOW).shell("xterm", 80, 24)
    other.step(NOW)
    woken = []
    other.on_wake = lambda: woken.append(True)
    assert went_down(box.login.exec("reboot"), NOW) is not None
    assert woken
    assert [effect for effect in other.step(NOW + 2) if isinstance(effect, WentDown)] == [WentDown("reboot")]


def test_ordinary_users_are_told_that_they_may_not() -> None:
    name = installation()[0].users[1].name
    box = Box(user=name)
    said = box.run("/sbin/reboot")
    assert said.status == 1 and said.err.endswith(
        b"Call to Reboot failed: Interactive authentication required.\n"
    )
    assert went_down(box.login.exec("/sbin/init 6"), NOW) is None


def restarted(box: Box, line: str = "reboot") -> tuple[Machine, float]:
    """The box's machine as a later visit of another process finds it, and when it answers again."""
    down = went_down(box.login.exec(line), box.now)
    assert down is not None
    plan = box.machine.overlay.power
    assert plan is not None
    persona, image = installation(box.machine.persona.kind)
    saved = Overlay.loads(box.machine.kept(down[1]), image, lambda sha256, size: None)
    return Machine(image, persona, saved, entropy=lambda below: 5 % below, boot_time=NOW - 90_000), plan.back


@pytest.mark.parametrize("kind", ["debian-12", "debian-13", "busybox-mips"])
def test_the_next_visit_finds_a_machine_that_was_just_started(kind: Kind) -> None:
    box = Box(kind)
    before = box.run("cat /proc/sys/kernel/random/boot_id").out
    box.run(
        "echo kept > /root/kept; echo lost > /tmp/lost; mkdir -p /tmp/a/b; echo x > /tmp/a/b/c; kill -9 1"
    )
    machine, back = restarted(box)
    with pytest.raises(MachineDownError):
        machine.login("root", CONNECTION, back - 3)
    assert machine.down_until(back - 3) == back
    box.machine, box.now = machine, back + 8
    box.login = machine.login("root", CONNECTION, back + 8)
    assert machine.down_until(back + 8) is None
    assert box.run("uptime").out.split(b"up ")[1].startswith(b"0 min")
    assert 0 < float(box.run("cut -d. -f1 /proc/uptime").out) < 30
    assert box.run("cat /proc/sys/kernel/random/boot_id").out != before
    assert box.run("cat /root/kept; ls /tmp/lost /tmp/a 2>/dev/null").out == b"kept\n"
    assert int(box.run("echo $$").out) < 4000


def test_who_came_and_when_it_started_agree_after_a_reboot() -> None:
    box = Box()
    machine, back = restarted(box)
    box.machine, box.now = machine, back + 60
    box.login = machine.login("root", CONNECTION, back + 60)
    rows = [
        line
        for line in box.run("cat /var/log/wtmp.1 /var/log/wtmp > /tmp/w; last -f /tmp/w").out.splitlines()
        if line.startswith(b"reboot")
    ]
    assert b"still running" in rows[0] and b"still running" not in rows[1]
    started = box.run("date -d \"$(uptime -s)\" '+%a %b %e %H:%M'").out.strip()
    assert started in rows[0]
    assert (
        box.run("awk '/btime/ {print $2}' /proc/stat").out.strip()
        == str(int(machine.kernel.boot_time)).encode()
    )
    late = [
        row for row in machine.login("root", CONNECTION, back + 61).kernel.persona.residents if row.after > 60
    ]
    assert late == []


def test_a_machine_that_was_switched_off_comes_back_later_than_one_that_was_rebooted() -> None:
    _, rebooted = restarted(Box())
    _, off = restarted(Box(), "poweroff")
    assert rebooted - NOW < 60 < 300 < off - NOW


def test_a_device_goes_down_by_its_own_reboot_and_halts_by_its_own_words() -> None:
    box = Box("busybox-mips")
    down = went_down(box.login.exec("/bin/busybox reboot"), NOW)
    assert down is not None and down[0] == "reboot"
    box = Box("busybox-mips")
    down = went_down(box.login.exec("reboot -d 2 -f"), NOW)
    assert down is not None and down[1] >= NOW + 2
    box = Box("busybox-mips")
    assert box.run("init 6").err == b"init: must be run as PID 1\n"
