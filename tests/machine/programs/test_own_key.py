"""ssh to the machine itself with a key: what attackers try when they have implanted one."""

from __future__ import annotations

import pytest
from tests.machine.programs.support import Box

MADE = 'mkdir -p ~/.ssh; ssh-keygen -t ed25519 -N "" -f ~/.ssh/id_ed25519 -q; '
MADE += "cat ~/.ssh/id_ed25519.pub >> ~/.ssh/authorized_keys; "
SSH = "ssh -o StrictHostKeyChecking=no -o BatchMode=yes"


@pytest.fixture
def box() -> Box:
    return Box()


def test_an_implanted_key_opens(box: Box) -> None:
    found = box.run(
        f"{MADE}{SSH} localhost 'id -un; echo $SSH_CONNECTION | cut -d\" \" -f1,3,4'; "
        f"rm ~/.ssh/*.pub; {SSH} 127.0.0.1 uname"
    )
    assert found.out == b"root\n127.0.0.1 127.0.0.1 22\nLinux\n"


def test_another_key_does_not(box: Box) -> None:
    found = box.run(f'{MADE}ssh-keygen -t rsa -N "" -f /tmp/k -q; {SSH} -i /tmp/k localhost id; echo $?')
    assert found.out == b"255\n"
    assert found.err.endswith(b"root@localhost: Permission denied (publickey,password).\r\n")


def test_a_key_that_others_can_read_is_ignored(box: Box) -> None:
    found = box.run(f"{MADE}chmod 644 ~/.ssh/id_ed25519; {SSH} localhost id; echo $?")
    assert found.out == b"255\n"
    assert b"Permissions 0644 for '/root/.ssh/id_ed25519' are too open.\r\n" in found.err


def test_no_key_opens_another_users_account() -> None:
    user = next(user.name for user in Box().machine.persona.users if user.uid >= 1000)
    found = Box(user=user).run(f"{MADE}{SSH} root@localhost id; echo $?; {SSH} localhost id -un")
    assert found.out.decode() == f"255\n{user}\n"
