"""Dialogues with the mail server of every host."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from urltrap.wire.internet.smtp import KEPT_BODY, Dialogue, Mail


def test_a_mail_is_taken_whatever_the_pieces() -> None:
    said = (
        b"EHLO me\r\nMAIL FROM:<a@x.example> SIZE=3\r\nRCPT TO:<b@y.example>\r\nRCPT TO: c@z.example\r\nDATA\r\n"
        b"Subject: s\r\n\r\n..dots\r\n.\r\nQUIT\r\n"
    )
    for size in (1, 5, len(said)):
        dialogue = Dialogue(b"mx.example")
        found = [each for at in range(0, len(said), size) for each in dialogue.receive(said[at : at + size])]
        (mail,) = [each for each in found if isinstance(each, Mail)]
        assert (mail.sender, mail.recipients) == (b"a@x.example", (b"b@y.example", b"c@z.example"))
        assert mail.body == b"Subject: s\r\n\r\n..dots\r\n" and mail.size == len(mail.body)
        replies = [each[:3] for each in found if isinstance(each, bytes)]
        assert replies == [b"250", b"250", b"250", b"250", b"354", b"250", b"221"] and dialogue.ended


def test_tls_is_offered_once_and_what_came_with_the_wish_is_not_read() -> None:
    dialogue = Dialogue(b"mx.example")
    assert b"STARTTLS" in dialogue.receive(b"EHLO a\r\n")[0]  # type: ignore[operator]
    dialogue.receive(b"STARTTLS\r\nMAIL FROM:<a@b>\r\n")
    assert dialogue.wants_tls and dialogue.receive(b"NOOP\r\n") == []
    assert b"STARTTLS" not in Dialogue(b"mx.example", secure=True).receive(b"EHLO a\r\n")[0]  # type: ignore[operator]


def test_a_large_mail_is_counted_and_its_beginning_kept() -> None:
    dialogue = Dialogue(b"mx.example")
    dialogue.receive(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
    for _ in range(10):
        dialogue.receive(b"z" * 10_000)
    (mail, _) = dialogue.receive(b"\r\n.\r\n")
    assert isinstance(mail, Mail) and len(mail.body) == KEPT_BODY and mail.size == 100_002


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_nothing_raises(pieces: list[bytes]) -> None:
    dialogue = Dialogue(b"mx.example")
    for piece in pieces:
        dialogue.receive(piece)
