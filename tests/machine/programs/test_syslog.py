"""What programs tell syslog is in the journal, in the words of Debian 12's programs, and in a router's log."""

from __future__ import annotations

import re

import pytest
from tests.machine.programs.support import Box


def told(box: Box, line: str, count: int) -> list[str]:
    """The last entries of the journal after a line, without their times and numbers."""
    box.run(line)
    rows = box.run(f"journalctl -o cat -n {count}; :").out.decode().splitlines()
    return [re.sub(r"\(uid=\d+\) by \(uid=\d+\)", "(uid) by (uid)", row) for row in rows]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("logger -t kit hello there", ["hello there"]),
        ("echo 'sup:Secret1x' | chpasswd", []),
        (
            "useradd -m -s /bin/bash sup; usermod -aG sudo sup; echo sup:Passw0rd1 | chpasswd",
            [
                "new group: name=sup, GID=1002",
                "new user: name=sup, UID=1002, GID=1002, home=/home/sup, shell=/bin/bash, from=none",
                "add 'sup' to group 'sudo'",
                "add 'sup' to shadow group 'sudo'",
                "pam_unix(chpasswd:chauthtok): password changed for sup",
            ],
        ),
        (
            "echo '* * * * * /tmp/x' | crontab -; crontab -l",
            ["(root) REPLACE (root)", "(root) LIST (root)"],
        ),
        (
            "cd /; sudo id -u",
            [
                "    root : PWD=/ ; USER=root ; COMMAND=/usr/bin/id -u",
                "pam_unix(sudo:session): session opened for user root(uid) by (uid)",
                "pam_unix(sudo:session): session closed for user root",
            ],
        ),
        (
            "su nobody -s /bin/sh -c true",
            [
                "(to nobody) root on none",
                "pam_unix(su:session): session opened for user nobody(uid) by (uid)",
                "pam_unix(su:session): session closed for user nobody",
            ],
        ),
    ],
)
def test_what_changes_accounts_and_tables_is_in_the_journal(line: str, expected: list[str]) -> None:
    box = Box()
    if expected:
        assert told(box, line, len(expected)) == expected
    else:
        before = box.run("journalctl | wc -l").out
        box.run(line)
        assert box.run("journalctl | wc -l").out == before


def test_a_line_has_its_program_and_number() -> None:
    box = Box()
    box.run("logger -t kit hello")
    assert re.search(rb" kit\[\d+\]: hello\n$", box.run("journalctl -n 1").out)


def test_a_router_logs_too_and_only_the_newest_lines_are_kept() -> None:
    box = Box("busybox-mips")
    box.run("logger -t kit -p daemon.err broken")
    assert b" daemon.err kit[" in box.run("logread | tail -1").out
    box.run("for i in $(seq 1 400); do logger line $i; done")
    assert len(box.machine.overlay.runtime["journal"]) == 300
