"""Units as systemd runs them: what was started is a process, what failed says how, and the journal has it."""

from __future__ import annotations

import re

import pytest
from tests.machine.programs.support import Box

from urltrap.machine.fs.overlay import Overlay
from urltrap.machine.units import UNITS_MAX, UnitRun, known

UTF8 = {"LANG": "C.UTF-8"}


@pytest.fixture
def box() -> Box:
    return Box("debian-12")


def said(box: Box, line: str) -> str:
    result = box.run(line, env=UTF8)
    return (result.out + result.err).decode()


def unit(box: Box, name: str, service: str, head: str = "Description=a test") -> None:
    text = f"[Unit]\n{head}\n[Service]\n{service}\n[Install]\nWantedBy=multi-user.target\n"
    box.put(f"/etc/systemd/system/{name}.service", text.encode())


def test_a_unit_that_nobody_started_is_dead(box: Box) -> None:
    unit(box, "x", "ExecStart=/bin/sleep 50")
    assert said(box, "systemctl daemon-reload; systemctl is-active x; echo $?") == "inactive\n3\n"
    shown = said(box, "systemctl status x; echo $?")
    assert shown == (
        "○ x.service - a test\n"
        "     Loaded: loaded (/etc/systemd/system/x.service; disabled; preset: enabled)\n"
        "     Active: inactive (dead)\n3\n"
    )


def test_a_started_unit_is_a_process_until_it_is_stopped(box: Box) -> None:
    unit(box, "y", "ExecStart=/usr/bin/sleep 1000")
    shown = said(
        box, "systemctl start y; systemctl status y; ps -C sleep -o args=; systemctl stop y; ps -C sleep"
    )
    assert "● y.service - a test" in shown and "Active: active (running) since " in shown
    assert re.search(r"Main PID: (\d+) \(sleep\)\n.*└─\1 /usr/bin/sleep 1000\n", shown, re.DOTALL)
    assert "systemd[1]: Started y.service - a test.\n" in shown and "\n/usr/bin/sleep 1000\n" in shown
    assert shown.endswith("PID TTY          TIME CMD\n")
    assert "y.service: Deactivated successfully." in said(box, "journalctl -u y | tail -2 | head -1")


TROUBLE = [
    (
        "ExecStart=/tmp/nope",
        "Active: failed (Result: exit-code) since ",
        ["Failed to locate executable /tmp/nope: No such file or directory",
         "Failed at step EXEC spawning /tmp/nope: No such file or directory",
         "Main process exited, code=exited, status=203/EXEC", "Failed with result 'exit-code'."],
        "",
    ),
    (
        "ExecStart=/bin/false\nRestart=always",
        "(code=exited, status=1/FAILURE)",
        ["Scheduled restart job, restart counter is at 5.", "Start request repeated too quickly."],
        "",
    ),
    (
        "Type=simple",
        "Loaded: bad-setting (Reason: Unit t.service has a bad unit file setting.)",
        ["t.service: Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing."],
        "Failed to start t.service: Unit t.service has a bad unit file setting.\n"
        "See system logs and 'systemctl status t.service' for details.\n",
    ),
    (
        "Type=oneshot\nExecStart=/bin/sh -c 'exit 3'",
        "(code=exited, status=3/",
        ["Failed to start t.service - a test."],
        "Job for t.service failed because the control process exited with error code.\n"
        'See "systemctl status t.service" and "journalctl -xeu t.service" for details.\n',
    ),
    (
        "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true",
        "Active: active (exited) since ",
        ["Starting t.service - a test...", "Finished t.service - a test."],
        "",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("service", "status", "journal", "error"), TROUBLE)
def test_what_a_unit_came_to_is_told(
    box: Box, service: str, status: str, journal: list[str], error: str
) -> None:
    unit(box, "t", service)
    assert box.run("systemctl start t").err.decode() == error
    assert status in said(box, "sleep 1; systemctl status t")
    lines = said(box, "journalctl -u t --no-pager")
    assert all(line in lines for line in journal), lines
    failed = "failed (Result" in said(box, "systemctl status t")
    assert ("● t.service loaded failed failed a test" in said(box, "systemctl --failed")) is failed
    assert said(box, "systemctl is-system-running") == ("degraded\n" if failed else "running\n")
    assert said(box, "systemctl reset-failed; systemctl is-system-running") == "running\n"


def test_a_killed_unit_that_wants_to_run_runs_again(box: Box) -> None:
    unit(box, "k", "ExecStart=/usr/bin/sleep 900\nRestart=always")
    shown = said(
        box, "systemctl start k; sleep 3; pidof sleep; pkill -9 sleep; systemctl status k; pidof sleep"
    )
    first, *rest = shown.splitlines()
    assert "Active: active (running)" in shown and rest[-1].isdigit() and rest[-1] != first
    assert "k.service: Main process exited, code=killed, status=9/KILL" in shown


def test_services_of_the_installation_started_one_after_the_other(box: Box) -> None:
    shown = said(box, "systemctl status ssh cron")
    assert len(set(re.findall(r"since \w+ [\d-]+ ([\d:]+)", shown))) == 2
    assert "Docs: man:sshd(8)\n             man:sshd_config(5)\n" in shown
    assert "CRON[" in shown and "run-parts --report /etc/cron.hourly" in shown
    before = said(box, "pidof cron")
    after = said(box, "systemctl restart cron; pidof cron; systemctl is-active cron")
    assert after.split()[0] != before.strip() and after.endswith("active\n")
    assert "(since" not in shown and "Active: active (waiting)" in said(
        box, "systemctl status logrotate.timer"
    )


def test_lists_have_what_a_debian_has(box: Box) -> None:
    rows = said(box, "systemctl list-units --no-legend").splitlines()
    assert len(rows) > 60 and {"loaded"} == {row.split()[1] for row in rows}
    assert f"{len(rows)} loaded units listed." in said(box, "systemctl")
    assert all(
        row.split()[0].endswith(".service")
        for row in said(box, "systemctl -t service --no-legend").splitlines()
    )
    timers = said(box, "systemctl list-timers")
    assert "logrotate.timer" in timers and "timers listed.\n" in timers
    assert said(box, "ls /run/systemd/units-stopped").endswith("No such file or directory\n")


def test_the_journal_is_filtered(box: Box) -> None:
    assert "Accepted password for root from 192.0.2.7 port 40000 ssh2" in said(
        box, "journalctl -u ssh -n 2 -o cat"
    )
    assert "kernel: Linux version" in said(box, "journalctl -k | head -1")
    assert said(box, "journalctl -u nosuch") == "-- No entries --\n"
    assert said(box, "journalctl --since nonsense") == "Failed to parse timestamp: nonsense\n"
    assert len(said(box, "journalctl -n 3").splitlines()) == 3


def test_states_are_kept_between_visits_and_bounded() -> None:
    image = Box("debian-12").machine.overlay.image
    overlay = Overlay(image)
    for number in range(UNITS_MAX + 5):
        known(overlay.units, f"u{number}.service")
    overlay.units["last.service"] = UnitRun("failed", 5.0, 77, "/x", 4.0, 203, False, "exit-code")
    overlay.units["last.service"].say(5.0, "systemd[1]", "text")
    again = Overlay.loads(overlay.dumps(6.0), image, lambda sha256, size: None)
    assert again.units == overlay.units and len(again.units) == UNITS_MAX + 1


def test_a_service_runs_as_its_user_in_its_folder_and_writes_where_it_was_told(box: Box) -> None:
    box.run("useradd -m bob")
    unit(box, "u", "User=bob\nWorkingDirectory=/var\nEnvironment=A=1 'B=x y'\nStandardOutput=append:/tmp/u.log\n"
         "ExecStart=/bin/sh -c 'id -un; pwd; echo $A-$B; echo oops >&2; touch /etc/x; sleep 1000'")  # fmt: skip
    shown = said(box, "systemctl start u; sleep 1; cat /tmp/u.log; ps -C sh -o user= ; ls /etc/x")
    assert shown.startswith("bob\n/var\n1-x y\noops\ntouch: cannot touch '/etc/x': Permission denied\nbob\n")
    assert shown.endswith("ls: cannot access '/etc/x': No such file or directory\n")


def test_what_a_service_says_is_in_the_journal_line_by_line(box: Box) -> None:
    unit(box, "j", "ExecStart=/bin/sh -c 'echo one; printf tw; echo o >&2'\nSyslogIdentifier=")
    shown = said(box, "systemctl start j; sleep 1; journalctl -u j")
    assert re.search(r" sh\[\d+\]: one\n.* sh\[\d+\]: two\n", shown)


@pytest.mark.parametrize(
    ("setting", "status", "words"),
    [
        ("User=nobob", "217/USER", "Failed to determine user credentials: No such process"),
        ("WorkingDirectory=/nowhere", "200/CHDIR", "Changing to the requested working directory failed: No such file"),
        ("StandardOutput=file:/nowhere/x", "209/STDOUT", "Failed to set up standard output: No such file or directory"),
    ],
)  # fmt: skip
def test_a_step_that_fails_before_the_program_is_named(
    box: Box, setting: str, status: str, words: str
) -> None:
    unit(box, "s", f"{setting}\nExecStart=/bin/sleep 9")
    shown = said(box, "systemctl start s; sleep 1; systemctl status s")
    assert f"(code=exited, status={status})" in shown and f"s.service: {words}" in shown


def test_debians_sh_stays_while_its_last_program_runs(box: Box) -> None:
    line = "{} -c 'true; sleep 5' & sleep 1; ps -o args= -p $!"
    assert said(box, line.format("sh")) == "sh -c true; sleep 5\n"
    assert said(box, line.format("bash")) == "sleep 5\n"
