"""Dialogues with the FTP server of every host."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from urltrap.wire.internet.ftp import MAX_LINE, Dialogue, Wanted


def _dialogue() -> Dialogue:
    return Dialogue("198.51.100.9", lambda: 40_001)


def test_a_client_logs_in_goes_about_and_asks_for_a_file() -> None:
    dialogue = _dialogue()
    asked = b"USER anonymous\r\nPASS a@b\r\nSYST\r\nTYPE I\r\nCWD pub\r\nPWD\r\nPASV\r\nRETR ../x/./y.sh\r\nQUIT\r\n"
    found = [each for at in range(len(asked)) for each in dialogue.receive(asked[at : at + 1])]
    replies = [each[:3] for each in found if isinstance(each, bytes)]
    assert replies == [b"331", b"230", b"215", b"200", b"250", b"257", b"227", b"221"]
    assert b'"/pub"' in found[5] and b"(198,51,100,9,156,65)" in found[6]  # type: ignore[operator]
    assert found[7] == Wanted("RETR", b"/x/y.sh", b"../x/./y.sh")
    assert (dialogue.user, dialogue.password, dialogue.ended) == (b"anonymous", b"a@b", True)


def test_nobody_is_called_back_and_nothing_is_changed() -> None:
    dialogue = _dialogue()
    dialogue.receive(b"USER a\r\nPASS b\r\n")
    replies = dialogue.receive(
        b"PORT 192,0,2,1,4,1\r\nEPRT |1|192.0.2.1|80|\r\nDELE x\r\nRETR x\r\nAUTH TLS\r\nFOO\r\n"
    )
    assert [each[:3] for each in replies if isinstance(each, bytes)] == [
        b"500", b"500", b"550", b"425", b"530", b"500",
    ]  # fmt: skip


def test_before_the_log_in_nothing_is_told() -> None:
    assert _dialogue().receive(b"EPSV\r\nLIST\r\n") == [b"530 Please login with USER and PASS.\r\n"] * 2


def test_a_line_without_an_end_ends_the_dialogue() -> None:
    dialogue = _dialogue()
    assert dialogue.receive(b"x" * (MAX_LINE + 1))[0][:3] == b"500" and dialogue.ended  # type: ignore[index]


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_nothing_raises(pieces: list[bytes]) -> None:
    dialogue = _dialogue()
    dialogue.receive(b"USER a\r\nPASS b\r\nPASV\r\n")
    for piece in pieces:
        dialogue.receive(piece)
