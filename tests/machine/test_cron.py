"""cron: which minutes a line names, and that what an attacker puts into the tables runs while he looks."""

from __future__ import annotations

from datetime import datetime

import pytest
from tests.machine.loaders.dialogue import Visit

from urltrap.machine.cron import lines_of


def due(line: str, moment: str) -> bool:
    (found,) = lines_of(f"{line} x\n", with_user=False)
    return found.due(datetime.fromisoformat(moment))


@pytest.mark.parametrize(
    ("line", "yes", "no"),
    [
        ("* * * * *", "2026-09-21 14:33", None),
        ("*/15 * * * *", "2026-09-21 14:30", "2026-09-21 14:33"),
        ("0,33 14 * * *", "2026-09-21 14:33", "2026-09-21 15:33"),
        ("5-40/7 * * * *", "2026-09-21 14:33", "2026-09-21 14:34"),
        ("33 14 21 sep *", "2026-09-21 14:33", "2026-10-21 14:33"),
        ("33 * * * mon", "2026-09-21 14:33", "2026-09-22 14:33"),
        ("33 * * * 7", "2026-09-20 14:33", "2026-09-21 14:33"),
        ("33 * 1 * mon", "2026-09-21 14:33", "2026-09-22 14:33"),  # either of the days
        ("33 * */2 * mon", "2026-09-21 14:33", "2026-09-28 14:33"),  # both, as one begins with a star
        ("@hourly", "2026-09-21 14:00", "2026-09-21 14:33"),
        ("@daily", "2026-09-21 00:00", "2026-09-21 14:00"),
    ],
)
def test_a_line_is_due_in_its_minutes(line: str, yes: str, no: str | None) -> None:
    assert due(line, yes)
    assert no is None or not due(line, no)


def test_settings_users_and_input_are_told_apart() -> None:
    text = '# c\nMAILTO=""\nSHELL = /bin/bash\n* * * * *\troot\tdate +\\%s % in\n@reboot root y\n61 * * * * root z\n'
    (line,) = lines_of(text, with_user=True)
    assert (line.user, line.command) == ("root", "date +%s")
    assert line.environment == (("MAILTO", ""), ("SHELL", "/bin/bash"))


def test_a_line_of_a_crontab_runs_every_minute_and_is_in_the_journal() -> None:
    visit = Visit("debian-12", protocol="ssh")
    terminal = visit.terminal()
    terminal.send("echo '* * * * * id -un >> /tmp/out; echo $0 $HOME $PATH >> /tmp/out' | crontab -")
    terminal.drive(200.0)
    lines = visit.read("/tmp/out").decode().splitlines()
    assert lines[:2] == ["root", "/bin/sh /root /usr/bin:/bin"] and len(lines) in (6, 8)
    assert "(root) CMD (id -un >> /tmp/out;" in terminal.ask("journalctl -u cron -n 3 --no-pager", "CMD")
    assert "active\r\n" in terminal.ask("systemctl is-active cron", "active")


def test_tables_with_users_run_as_them_and_nothing_runs_without_the_daemon() -> None:
    visit = Visit("debian-12", protocol="ssh")
    terminal = visit.terminal()
    terminal.send("echo '* * * * * daemon id -un >> /tmp/out' > /etc/cron.d/x")
    terminal.drive(70.0)
    assert visit.read("/tmp/out") == b"daemon\n"
    terminal.send("pkill -x cron")
    terminal.drive(200.0)
    assert visit.read("/tmp/out") == b"daemon\n"


def test_a_device_runs_the_tables_of_crond() -> None:
    visit = Visit("busybox-mips")
    terminal = visit.terminal()
    terminal.send("echo '* * * * * echo ran >> /tmp/out' > /etc/crontabs/root")
    terminal.drive(70.0)
    assert visit.read("/tmp/out") == b"ran\n"
