"""What an attacker leaves running is there when he comes back, until it is killed or the machine starts again."""

from __future__ import annotations

import itertools

import pytest
from tests.machine.programs.support import CONNECTION, NOW, installation

from urltrap.machine.api import ProcessInfo
from urltrap.machine.effects import Output
from urltrap.machine.fs.overlay import Overlay
from urltrap.machine.left import LEFT_MAX, leave
from urltrap.machine.machine import Machine


class Owner:
    """Comes and goes; his machine is put away in between."""

    def __init__(self) -> None:
        self.persona, self.image = installation("debian-12")
        self.kept: bytes | None = None
        self.now = NOW

    def visit(self, line: str, seconds: float = 30.0) -> str:
        """Log in, run a line, go; what it printed."""
        counter = itertools.count(7)
        overlay = Overlay.loads(self.kept, self.image, lambda digest, size: None) if self.kept else None
        machine = Machine(
            self.image, self.persona, overlay, entropy=lambda below: next(counter) * 2_654_435_761 % below
        )
        login = machine.login("root", CONNECTION, self.now)
        job = login.exec(line)
        job.receive_eof()
        out, until = b"", self.now + seconds
        for _ in range(20_000):
            out += b"".join(each.data for each in job.step(self.now) if isinstance(each, Output))
            if job.runnable:
                continue
            if job.wake_at is None or job.wake_at > until:
                break
            self.now = max(self.now, job.wake_at)
        job.end()
        login.close(self.now)
        self.kept = machine.kept(self.now)
        self.now = until
        return out.decode()


@pytest.fixture
def owner() -> Owner:
    return Owner()


def test_a_background_process_is_found_again_and_can_be_killed(owner: Owner) -> None:
    pid = owner.visit("nohup sleep 5000 > /dev/null 2>&1 & echo $!").strip()
    assert owner.visit("ps -C sleep -o pid=,ppid=,args=").split() == [pid, "1", "sleep", "5000"]
    assert (
        owner.visit(f"tr '\\0' ' ' < /proc/{pid}/cmdline; test $$ -gt {pid} && echo later")
        == "sleep 5000 later\n"
    )
    assert owner.visit(f"kill {pid}; ps -C sleep -o pid=; kill {pid} 2>&1").endswith("No such process\n")
    assert owner.visit("pgrep sleep") == ""


def test_a_service_goes_on_until_it_is_stopped(owner: Owner) -> None:
    owner.visit(
        "printf '[Service]\\nExecStart=/bin/sleep 9000\\n[Install]\\nWantedBy=multi-user.target\\n' > "
        "/etc/systemd/system/x.service; systemctl enable --now x"
    )
    assert owner.visit("systemctl is-active x; pgrep -c -x sleep") == "active\n1\n"
    assert owner.visit("systemctl stop x; systemctl is-active x; pgrep -c -x sleep") == "inactive\n0\n"


def test_a_start_brings_up_what_was_enabled_and_nothing_else(owner: Owner) -> None:
    text = "[Service]\\n{}ExecStart={}\\n[Install]\\nWantedBy=multi-user.target\\n"
    for name, kind, command in (("a", "User=daemon\\n", "/bin/sleep 9001"), ("b", "", "/tmp/gone 1"),
                                ("c", "Type=oneshot\\n", "/bin/true"), ("d", "", "/bin/sleep 9004")):  # fmt: skip
        owner.visit(f"printf '{text.format(kind, command)}' > /etc/systemd/system/{name}.service")
    owner.visit("systemctl enable a b c; systemctl start d; nohup sleep 9005 &")
    assert owner.visit("pgrep -c sleep") == "2\n"
    owner.visit("reboot")
    owner.now += 600
    assert owner.visit("ps -C sleep -o user=,args=").split() == ["daemon", "/bin/sleep", "9001"]
    assert owner.visit("systemctl is-active a b c d").split() == ["active", "failed", "inactive", "inactive"]
    assert "status=203/EXEC" in owner.visit("journalctl -u b")
    assert "● a.service\n" in owner.visit("LANG=C.UTF-8 systemctl status a")


def test_no_more_than_some_are_kept() -> None:
    left: dict[int, ProcessInfo] = {}
    for pid in range(900, 900 + LEFT_MAX + 5):
        leave(left, [ProcessInfo(pid, pid - 1, ["x"], "x", 0, "R+", NOW, tty="pts/0")])
    assert list(left) == list(range(905, 905 + LEFT_MAX))
    assert {(row.state, row.tty) for row in left.values()} == {("S", "?")}


def test_settings_of_the_kernel_are_kept_until_the_next_start(owner: Owner) -> None:
    owner.visit(
        "sysctl -w net.ipv4.ip_forward=1 vm.swappiness=10; echo 1024  2000 > /proc/sys/net/ipv4/ip_local_port_range"
    )
    names = "net.ipv4.ip_forward net.ipv4.conf.lo.forwarding vm.swappiness net.ipv4.ip_local_port_range"
    assert owner.visit(f"sysctl -n {names}") == "1\n1\n10\n1024\t2000\n"
    owner.visit("reboot")
    owner.now += 600
    assert owner.visit(f"sysctl -n {names}") == "0\n0\n60\n32768\t60999\n"
