"""A path that was walked before leads elsewhere as soon as something on its way is changed."""

from __future__ import annotations

import pytest
from tests.machine.programs.support import CONNECTION, NOW, Box, installation


@pytest.mark.parametrize(
    ("change", "line", "out"),
    [
        ("mv /usr/bin/id /usr/bin/id2", "/usr/bin/id -u; echo $?", b"127\n"),
        ("mv /usr/bin /usr/bin2", "echo /usr/b*; /usr/bin/id -u; echo $?", b"/usr/bin2\n127\n"),
        ("rm /bin; ln -s /tmp /bin; cp /usr/bin/whoami /tmp/id", "/bin/id", b"root\n"),
        ("echo new > /etc/hostname", "cat /etc/hostname", b"new\n"),
        (
            "rm -rf /etc/default; ln -s /etc /etc/default; echo x > /etc/locale",
            "cat /etc/default/locale",
            b"x\n",
        ),
    ],
)
def test_what_was_changed_on_the_way_counts_at_once(change: str, line: str, out: bytes) -> None:
    box = Box()
    before = "cat /etc/hostname /etc/default/locale; /usr/bin/id; /bin/id; ls /usr/bin/id /bin/id"
    box.run(f"{before}; {before}")
    assert box.run(f"{change}; {line}").out.endswith(out)


def test_a_folder_that_was_closed_is_closed_for_others_though_it_was_walked_before() -> None:
    box = Box()
    name = installation()[0].users[1].name
    box.run("mkdir -p /srv/a; echo x > /srv/a/file; cat /srv/a/file /usr/share/base-files/motd")
    user = box.machine.login(name, CONNECTION, NOW)
    root, box.login = box.login, user
    assert box.run("cat /srv/a/file").out == b"x\n"
    box.login = root
    box.run("chmod 700 /srv/a /usr/share/base-files")
    box.login = user
    closed = box.run("cat /srv/a/file /usr/share/base-files/motd")
    assert closed.out == b"" and closed.err.count(b"Permission denied") == 2
