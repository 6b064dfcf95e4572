"""Passwords: which hashes they get, who may change them, and what su and sudo make of them."""

from __future__ import annotations

import re

import pytest
from tests.machine.programs.support import CONNECTION, NOW, Box, installation

from urltrap.machine.persona import Kind
from urltrap.machine.unix_crypt import new_setting, portable_crypt
from urltrap.sensors.unix_passwords import system_crypt

USERS = (
    "useradd -m -s /bin/bash -G sudo tim; useradd -m -s /bin/bash joe; "
    "echo tim:rIght-1|chpasswd; echo joe:rIght-2|chpasswd"
)
needs_yescrypt = pytest.mark.skipif(
    system_crypt(b"x", "$y$j9T$0123456789abcdefghijk.$") is None,
    reason="this system's crypt(3) knows no yescrypt",
)


@pytest.fixture
def box() -> Box:
    made = Box()
    assert made.run(USERS).status == 0
    return made


def as_user(box: Box, name: str, line: str, stdin: bytes = b"") -> tuple[int | None, bytes, bytes]:
    """Status, output and errors of a command of another user, without terminal."""
    login = box.machine.login(name, CONNECTION, box.now)
    root, box.login = box.login, login
    try:
        result = box.run(line, stdin)
    finally:
        box.login = root
    return result.status, result.out, result.err


def shadow(box: Box, name: str) -> str:
    (line,) = [row for row in box.read("/etc/shadow").decode().splitlines() if row.startswith(f"{name}:")]
    return line.split(":")[1]


@needs_yescrypt
@pytest.mark.parametrize("kind", ["debian-12", "debian-13"])
def test_a_changed_password_of_a_debian_machine_is_a_true_yescrypt_hash(kind: Kind) -> None:
    box = Box(kind, crypt=system_crypt)
    box.run("echo root:Geheim.77 | chpasswd")
    kept = shadow(box, "root")
    assert re.fullmatch(r"\$y\$j9T\$[./0-9A-Za-z]{21}[./01]\$[./0-9A-Za-z]{43}", kept)
    assert system_crypt(b"Geheim.77", kept) == kept
    assert box.machine.check_password("root", b"Geheim.77")
    assert not box.machine.check_password("root", b"Geheim.78")
    box.run("printf 'Zweites-1\\nZweites-1\\n' | passwd")
    assert box.machine.check_password("root", b"Zweites-1") and shadow(box, "root").startswith("$y$j9T$")


@pytest.mark.parametrize("kind", ["busybox-mips", "busybox-arm"])
def test_a_device_hashes_by_md5_as_its_own_accounts_are(kind: Kind) -> None:
    box = Box(kind, crypt=system_crypt)
    assert box.run("printf 'neu-123\\nneu-123\\n' | passwd").status == 0
    assert re.fullmatch(r"\$1\$[./0-9A-Za-z]{8}\$[./0-9A-Za-z]{22}", shadow(box, "root"))
    assert box.machine.check_password("root", b"neu-123")


@pytest.mark.parametrize(
    ("words", "begins"),
    [("-c MD5", "$1$"), ("-m", "$1$"), ("-c SHA256", "$5$"), ("-c SHA512", "$6$"), ("-e", "plain")],
)
def test_chpasswd_makes_the_kind_that_it_is_asked_for(box: Box, words: str, begins: str) -> None:
    assert box.run(f"echo tim:plain | chpasswd {words}").status == 0
    assert shadow(box, "tim").startswith(begins)


def test_crypt_agrees_with_the_systems_for_the_kinds_that_are_made_in_python() -> None:
    letters = iter(range(1, 1000))
    for kind in "156":
        setting = new_setting(kind, lambda below: next(letters) * 7 % below)
        assert portable_crypt(b"pass", setting) == system_crypt(b"pass", setting)
    assert portable_crypt(b"p", "$5$rounds=1500$salt$") == system_crypt(b"p", "$5$rounds=1500$salt$")
    assert portable_crypt(b"p", "$5$rounds=99999999$salt$") is None
    assert portable_crypt(b"p", "$y$j9T$salt$") is None and portable_crypt(b"p", "ab") is None


def test_an_ordinary_user_changes_his_own_password_by_the_set_uid_program(box: Box) -> None:
    said = as_user(box, "tim", "passwd", b"rIght-1\nOther-99x\nOther-99x\n")
    assert said == (
        0, b"Changing password for tim.\n",
        b"Current password: New password: Retype new password: passwd: password updated successfully\n",
    )  # fmt: skip
    assert box.machine.check_password("tim", b"Other-99x")
    box.run("chmod u-s /usr/bin/passwd")
    status, _, said_now = as_user(box, "tim", "passwd", b"Other-99x\nThird-77x\nThird-77x\n")
    assert status == 10 and said_now.endswith(b"manipulation error\npasswd: password unchanged\n")


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        (b"rIght-1\nabc\nabc\n", b"You must choose a longer password.\n"),
        (b"rIght-1\nrIght-1\nrIght-1\n", b"The password has not been changed.\n"),
        (b"rIght-1\nabcdefg\nabcdefg\n", b"Bad: new password is too simple\n"),
        (b"rIght-1\nabcdcba9abcdcba\nabcdcba9abcdcba\n", b"Bad: new password cannot be a palindrome\n"),
    ],
)
def test_pam_refuses_a_users_bad_choice_and_asks_again(box: Box, typed: bytes, fault: bytes) -> None:
    status, _, said = as_user(box, "tim", "passwd", typed)
    assert status == 10
    assert fault + b"New password: Password change has been aborted.\n" in said


def test_a_wrong_password_takes_its_time_and_changes_nothing(box: Box) -> None:
    before = box.now
    status, _, said = as_user(box, "tim", "passwd", b"wrong\nOther-99x\nOther-99x\n")
    assert (status, said) == (
        10, b"Current password: passwd: Authentication token manipulation error\npasswd: password unchanged\n",
    )  # fmt: skip
    assert 1.5 < box.now - before < 3
    assert box.machine.check_password("tim", b"rIght-1")


def test_su_wants_the_password_of_who_one_becomes(box: Box) -> None:
    assert as_user(box, "tim", "su joe -c id", b"rIght-2\n")[:2] == (
        0, b"uid=1003(joe) gid=1003(joe) groups=1003(joe)\n",
    )  # fmt: skip
    before = box.now
    assert as_user(box, "tim", "su -c id", b"guess\n") == (1, b"", b"Password: su: Authentication failure\n")
    assert 1.5 < box.now - before < 3
    box.run("echo root:new-One-1|chpasswd")
    assert as_user(box, "tim", "su -c id", b"new-One-1\n")[1].startswith(b"uid=0(root)")
    assert as_user(box, "tim", "su", b"")[0] == 1
    box.run("chmod u-s /usr/bin/su")
    assert as_user(box, "tim", "su -c id", b"new-One-1\n")[0] == 1


def test_sudo_asks_three_times_and_then_gives_up(box: Box) -> None:
    before = box.now
    status, out, said = as_user(box, "tim", "sudo -S id", b"a\nb\nc\nrIght-1\n")
    assert (status, out) == (1, b"")
    prompt = b"[sudo] password for tim: "
    assert said == prompt + (b"Sorry, try again.\n" + prompt) * 2 + b"sudo: 3 incorrect password attempts\n"
    assert 4.5 < box.now - before < 9


def test_sudo_runs_for_its_group_and_remembers_the_password_for_a_while(box: Box) -> None:
    status, out, said = as_user(box, "tim", "sudo -S id; sudo -n id -u; sudo -k; sudo -n id", b"rIght-1\n")
    assert out == b"uid=0(root) gid=0(root) groups=0(root)\n0\n"
    assert said == b"[sudo] password for tim: sudo: a password is required\n" and status == 1
    assert as_user(box, "joe", "sudo -S id", b"rIght-2\n") == (
        1, b"", b"[sudo] password for joe: joe is not in the sudoers file.\n",
    )  # fmt: skip


def test_sudo_l_tells_what_the_files_say(box: Box) -> None:
    assert box.run("sudo -l").out.splitlines()[1] == (
        rb"    env_reset, mail_badpass, secure_path=/usr/local/sbin\:/usr/local/bin\:/usr/sbin\:/usr/bin\:/sbin\:/bin, "
        b"use_pty"
    )
    box.run("echo 'joe ALL=(ALL) NOPASSWD: /usr/bin/id, /usr/bin/systemctl restart ssh' > /etc/sudoers.d/joe")
    status, out, _ = as_user(box, "joe", "sudo -l")
    assert (status, out.splitlines()[-1]) == (
        0, b"    (ALL) NOPASSWD: /usr/bin/id, /usr/bin/systemctl restart ssh",
    )  # fmt: skip
    assert as_user(box, "joe", "sudo id -u")[:2] == (0, b"0\n")
    assert (
        b"not allowed to execute '/usr/bin/ls' as root" in as_user(box, "joe", "sudo -S ls", b"rIght-2\n")[2]
    )


def test_sudo_hands_on_a_clean_environment_in_its_own_order(box: Box) -> None:
    out = box.run("LANG=C SECRET=1 sudo GIVEN=2 env").out.decode().splitlines()
    assert [line.partition("=")[0] for line in out] == [
        "LANG", "PATH", "MAIL", "LOGNAME", "USER", "HOME", "SHELL", "TERM", "SUDO_COMMAND", "SUDO_USER", "SUDO_UID",
        "SUDO_GID", "GIVEN",
    ]  # fmt: skip


def test_the_password_that_let_a_user_in_is_his_for_sudo_too() -> None:
    box = Box()
    name = installation()[0].users[1].name
    box.login = box.machine.login(name, CONNECTION, NOW, b"welcome")
    assert box.run("sudo -S id -u", b"welcome\n").out == b"0\n"
    other = Box()
    other.login = other.machine.login(name, CONNECTION, NOW, b"welcome")
    assert other.run("sudo -S id -u", b"another\n").out == b""
    other.machine.view(0).write(
        "/etc/shadow", f"{name}:{portable_crypt(b'set', '$1$abc$')}:1::::::\n".encode()
    )
    assert other.run("sudo -S id -u", b"welcome\n").out == b""
    assert other.run("sudo -S id -u", b"set\n").out == b"0\n"


def test_login_on_a_terminal_lets_another_user_in() -> None:
    box = Box()
    box.run(USERS)
    said = box.run("login", b"tim\nrIght-1\nwhoami; exit\n", terminal=True)
    assert b"login: " in said.out and b"Password: " in said.out and b"\rtim\r\n" in said.out
    wrong = box.run("login", b"tim\nno\ntim\nno\ntim\nno\n", terminal=True)
    assert wrong.out.count(b"Login incorrect") == 3 and wrong.status == 1


def test_adduser_asks_for_password_and_person_and_joins_the_common_group() -> None:
    box = Box()
    said = box.run("adduser zed", b"pw\npw\nZed Z\n1\n\n\n\ny\n")
    assert said.status == 0
    assert said.err == b"New password: Retype new password: passwd: password updated successfully\n"
    assert said.out.startswith(b"Adding user `zed' ...\nAdding new group `zed' (")
    assert said.out.endswith(b"extra groups `users' ...\nAdding user `zed' to group `users' ...\n")
    assert b"zed:Zed Z,1,,:" not in box.read("/etc/passwd") and b":Zed Z,1,,:/home/zed:" in box.read(
        "/etc/passwd"
    )
    assert box.machine.check_password("zed", b"pw")
    assert box.run("adduser zed sudo; id -nG zed").out.endswith(b"zed sudo users\n")


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("adduser ...", 1, b"adduser: Please enter a username matching the regular expression\n"),
        ("adduser a b c", 1, b"adduser: Only one or two names allowed.\n"),
        ("adduser zed nogroup1", 1, b"adduser: The user `zed' does not exist.\n"),
        (
            "useradd -o -u 0 x",
            0,
            b"useradd warning: x's uid 0 outside of the UID_MIN 1000 and UID_MAX 60000 range.\n",
        ),
        ("useradd -s /none x", 0, b"useradd: Warning: missing or non-executable shell '/none'\n"),
        ("usermod -s /none nobody1", 6, b"usermod: Warning: missing or non-executable shell '/none'\n"),
        ("gpasswd -d root sudo", 3, b"gpasswd: user 'root' is not a member of 'sudo'\n"),
        (
            "passwd -d root; passwd -u root",
            3,
            b"passwd: unlocking the password would result in a passwordless",
        ),
        ("chpasswd -c FOO </dev/null", 2, b"chpasswd: unsupported crypt method: FOO\n"),
    ],
)
def test_accounts_are_refused_in_the_real_words(line: str, status: int, said: bytes) -> None:
    result = Box().run(line)
    assert result.status == status and result.err.startswith(said)
