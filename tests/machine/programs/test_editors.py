"""Editors and pagers on a terminal: what is typed changes the file, the screen is put back."""

from __future__ import annotations

import pytest
from tests.machine.loaders.dialogue import Talk, Visit

UP, DOWN, LEFT, RIGHT = "\x1b[A", "\x1b[B", "\x1b[D", "\x1b[C"


@pytest.fixture
def visit() -> Visit:
    return Visit("debian-12", protocol="ssh")


def typed(talk: Talk, *pieces: str) -> str:
    """What came of pieces of input, each of which arrives alone."""
    start = len(talk.text)
    for piece in pieces:
        talk.job.receive(piece.encode("latin-1"))
        talk.drive(5)
    return talk.text[start:]


def test_vi_writes_what_is_typed_and_puts_the_screen_back(visit: Visit) -> None:
    talk = visit.terminal()
    came = typed(talk, "vi /tmp/new\r", "i", "echo one\rtwo", "\x1b", ":wq\r")
    assert '"/tmp/new" [New]' in came and "-- INSERT --" in came
    assert came.count("\x1b[?1049h") == came.count("\x1b[?1049l") == 1
    assert visit.read("/tmp/new") == b"echo one\ntwo\n"
    assert "after" in talk.ask("echo after", "[\r\n]after")


def test_vi_moves_with_arrows_also_while_text_goes_in(visit: Visit) -> None:
    visit.machine.view(0).write("/tmp/f", b"abc\ndef\n")
    typed(visit.terminal(), "vi /tmp/f\r", DOWN, RIGHT, "x", "i", LEFT, "X", "\x1b", ":x\r")
    assert visit.read("/tmp/f") == b"abc\nXdf\n"


def test_vi_keeps_what_was_changed_until_it_is_told_to_leave(visit: Visit) -> None:
    visit.machine.view(0).write("/tmp/f", b"abc\n")
    talk = visit.terminal()
    assert "E37: No write since last change" in typed(talk, "vi /tmp/f\r", "x", ":q\r")
    assert "E492: Not an editor command: nonsense" in typed(talk, ":nonsense\r")
    assert "E486: Pattern not found: zzz" in typed(talk, "/zzz\r")
    assert "E212: Can't open file for writing" in typed(talk, ":w /nowhere/x\r")
    assert "E16: Invalid range" in typed(talk, ":9d\r")
    assert "E484: Can't open file /none" in typed(talk, ":r /none\r")
    assert "E37" in typed(talk, ":e /tmp/g\r")
    typed(talk, ":q!\r")
    assert visit.read("/tmp/f") == b"abc\n"


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        ("dwZZ", b"two three\nfour\n"),
        ("wdwZZ", b"one three\nfour\n"),
        ("$bdbZZ", b"one three\nfour\n"),
        ("WcWX\x1b\0:x\r", b"one X three\nfour\n"),
        ("2dwZZ", b"three\nfour\n"),
        ("d2wZZ", b"three\nfour\n"),
        ("eaX\x1b\0:x\r", b"oneX two three\nfour\n"),
        ("fwrWZZ", b"one tWo three\nfour\n"),
        ("$FwxZZ", b"one to three\nfour\n"),
        ("dtwZZ", b"wo three\nfour\n"),
        ("$dTwZZ", b"one twe\nfour\n"),
        ("/three\rDZZ", b"one two \nfour\n"),
        ("G?three\rxZZ", b"one two hree\nfour\n"),
        ("/t\rnxZZ", b"one two hree\nfour\n"),
        ("/t\rnNxZZ", b"one wo three\nfour\n"),
        ("yyP:x\r", b"one two three\none two three\nfour\n"),
        ("yw$p:x\r", b"one two threeone \nfour\n"),
        ("JxuuZZ", b"one two three\nfour\n"),
        (">>ZZ", b"\tone two three\nfour\n"),
        (">><<ZZ", b"one two three\nfour\n"),
        ("RXY\x1b\0:x\r", b"XYe two three\nfour\n"),
        ("xw.ZZ", b"ne wo three\nfour\n"),
        ("3~ZZ", b"ONE two three\nfour\n"),
        ("djZZ", b""),
        (":2\rx:x\r", b"one two three\nour\n"),
        (":s/\\(one\\) \\(two\\)/\\2 \\1/\r:x\r", b"two one three\nfour\n"),
        (":g!/four/s/o/0/g\r:x\r", b"0ne tw0 three\nfour\n"),
        (":$\riX\x1b\0:.w /tmp/g\r:q!\r", b"one two three\nfour\n"),
        (":1,$s/e$/E/\rZZ", b"one two threE\nfour\n"),
        (":norm AX\rZZ", b"one two threeX\nfour\n"),
        ("ZQ", b"one two three\nfour\n"),
        ("d\x1b\0qqxZZ", b"ne two three\nfour\n"),
        (":x\x7f\x7fxZZ", b"ne two three\nfour\n"),
        ("kkhhxZZ", b"ne two three\nfour\n"),
    ],
)
def test_vi_does_what_its_keys_mean(visit: Visit, keys: str, left: bytes) -> None:
    visit.machine.view(0).write("/tmp/f", b"one two three\nfour\n")
    typed(visit.terminal(), "vi /tmp/f\r", *keys.split("\0"))
    assert visit.read("/tmp/f") == left


def test_nano_asks_for_a_name_and_saves_under_it(visit: Visit) -> None:
    talk = visit.terminal()
    came = typed(talk, "nano /tmp/n\r", "one\rtwi", "\x7fo", UP, "!", "\x18", "y", "\r")
    assert "GNU nano 7.2" in came and "Save modified buffer?" in came and "File Name to Write: /tmp/n" in came
    assert visit.read("/tmp/n") == b"one!\ntwo\n"
    typed(talk, "nano /tmp/n\r", "\x0b", "\x15", "\x15", "\x0f", "2\r", "\x18")
    assert visit.read("/tmp/n2") == b"one!\none!\ntwo\n"
    typed(talk, "nano /tmp/n\r", "zzz", "\x18", "\x03", "\x18", "n")
    assert visit.read("/tmp/n") == b"one!\ntwo\n"
    typed(talk, "nano\r", "x", "\x18", "y", "/tmp/late\x7fr\r")
    assert visit.read("/tmp/latr") == b"x\n"


def test_crontab_edits_in_the_editor_of_the_machine(visit: Visit) -> None:
    talk = visit.terminal()
    typed(talk, "crontab -e\r")
    visit.now += 5
    came = typed(talk, "* * * * * /tmp/x\r", "\x18", "y", "\r")
    assert "crontab: installing new crontab" in came
    assert visit.exec("crontab -l | head -1") == "* * * * * /tmp/x\n"


def test_crontab_of_a_device_edits_beside_the_table() -> None:
    device = Visit("busybox-mips")
    device.exec("mkdir -p /etc/crontabs")
    typed(device.terminal(), "crontab -e\r", "i* * * * * /tmp/x", "\x1b", ":wq\r")
    assert device.exec("crontab -l; ls /etc/crontabs; crontab -r; crontab -l") == (
        "* * * * * /tmp/x\nroot\ncrontab: can't open 'root': No such file or directory\n"
    )
    assert "can't execute 'none': No such file or directory" in device.exec("VISUAL=none crontab -e")


@pytest.mark.parametrize("pager", ["less", "more"])
def test_pagers_stop_at_each_page(visit: Visit, pager: str) -> None:
    talk = visit.terminal()
    came = typed(talk, f"seq 100 > /tmp/n; {pager} /tmp/n\r")
    assert "23\r\n" in came and "24\r\n" not in came
    assert "46\r\n" in typed(talk, " ")
    assert "still" in typed(talk, "q", "echo still\r")
    assert "100" in typed(talk, f"cat /tmp/n | {pager}\r", *"     ", "q")


def test_a_pager_of_nothing_says_how_it_is_used(visit: Visit) -> None:
    talk = visit.terminal()
    assert 'Missing filename ("less --help" for help)' in typed(talk, "less\r")
    assert "more: bad usage" in typed(talk, "more\r")


def test_a_devices_vi_sends_what_busyboxs_sent() -> None:
    visit = Visit("busybox-mips")
    talk = Talk(visit, visit.login().shell("xterm", 40, 12))
    tildes = "".join(f"\x1b[{row};1H~" for row in range(2, 12))
    last = "\x1b[12;1H\x1b[K"
    for keys, sent in (
        ("vi /tmp/vt\r", f"vi /tmp/vt\r\n\x1b[?1049h\x1b[H\x1b[J{tildes}\x1b[1;1H{last}- /tmp/vt 1/1 100%\x1b[1;1H"),
        ("i", f"\x1b[1;1H{last}I /tmp/vt 1/1 100%\x1b[1;1H"),
        ("hello", "\x1b[1;1Hhello\x1b[1;6H"),
        ("\x1b", f"\x1b[1;5H{last}- /tmp/vt [Modified] 1/1 100%\x1b[1;5H"),
        ("o", f"\x1b[2;1H \x1b[2;1H{last}I /tmp/vt [Modified] 2/2 100%\x1b[2;1H"),
        ("world\x1b", f"\x1b[2;1Hworld\x1b[2;5H{last}- /tmp/vt [Modified] 2/2 100%\x1b[2;5H"),
        ("k", f"\x1b[1;5H{last}- /tmp/vt [Modified] 1/2 50%\x1b[1;5H"),
        (":w\r", f"\x1b[1;5H{last}'/tmp/vt' 2L, 12C\x1b[1;5H"),
    ):  # fmt: skip
        before = len(talk.text)
        talk.job.receive(keys.encode())
        talk.drive()
        assert talk.text[before:] == sent
    talk.job.receive(b":q\r")
    talk.drive()
    assert f"{last}\x1b[?1049l" in talk.text and visit.read("/tmp/vt") == b"hello\nworld\n"
