"""Packets: sshd's answers to what is wrong with them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.wire.ssh.compatibility import knows_end_of_writing
from urltrap.wire.ssh.packets import (
    Reaction,
    Verdict,
    not_opening_text,
    react_before_keys,
    react_with_keys,
    read_header,
    stray_channel_text,
    terser,
    username_changed,
)


def packet(payload: bytes, padding: int | None = None) -> bytes:
    filling = 8 - (len(payload) + 5) % 8
    filling += 8 if filling < 4 else 0
    shown = filling if padding is None else padding
    return struct.pack(">IB", len(payload) + filling + 1, shown) + payload + bytes(filling)


@pytest.mark.parametrize(
    ("data", "verdict", "text"),
    [
        (packet(b"\x14abc"), Verdict.ACCEPT, ""),
        (b"\xff" * 16, Verdict.CLOSE, "packet length 4294967295"),
        (bytes(16), Verdict.CLOSE, "packet length 0"),
        (struct.pack(">I", 40_000) + bytes(12), Verdict.CLOSE, "packet length 40000"),
        (struct.pack(">I", 65_532) + bytes(12), Verdict.MORE, ""),
        (struct.pack(">I", 262_148) + bytes(12), Verdict.CLOSE, "packet length 262148"),
        (packet(b"\x02", padding=0), Verdict.DISCONNECT, "Corrupted padlen 0 on input."),
        (struct.pack(">IB", 12, 200) + bytes(11), Verdict.CLOSE, "padding 200 in a packet of 12"),
        (packet(b"\xc8aaa"), Verdict.DISCONNECT, "Invalid ssh2 packet type: 200"),
        (packet(b"\0aaa"), Verdict.DISCONNECT, "Invalid ssh2 packet type: 0"),
        (b"\0\0\0", Verdict.MORE, ""),
    ],
)
def test_headers(data: bytes, verdict: Verdict, text: str) -> None:
    header = read_header(data)
    assert (header.verdict, header.text) == (verdict, text)


KEX = frozenset({30})


@pytest.mark.parametrize(
    ("kind", "expected", "keys_ready", "strict", "reaction"),
    [
        (20, None, False, False, Reaction.HANDLE),
        (20, KEX, False, False, Reaction.UNIMPLEMENTED),
        (5, None, False, False, Reaction.UNIMPLEMENTED),
        (21, None, False, False, Reaction.UNIMPLEMENTED),
        (21, None, True, False, Reaction.HANDLE),
        (30, KEX, False, False, Reaction.HANDLE),
        (31, KEX, False, False, Reaction.UNIMPLEMENTED),
        (2, None, False, False, Reaction.HANDLE),
        (2, KEX, False, True, Reaction.VIOLATION),
        (21, KEX, False, True, Reaction.VIOLATION),
        (50, None, False, False, Reaction.CLOSE),
        (90, KEX, False, True, Reaction.CLOSE),
        (1, KEX, False, True, Reaction.HANDLE),
    ],
)
def test_reactions(
    kind: int, expected: frozenset[int] | None, keys_ready: bool, strict: bool, reaction: Reaction
) -> None:
    assert react_before_keys(kind, expected=expected, keys_ready=keys_ready, strict=strict) is reaction


def test_names_in_a_farewell_are_cut_and_never_read_as_a_format() -> None:
    text = username_changed(("{0}%s", "ssh-connection"), ("b" * 500, "x"))
    assert text == (
        "Change of username or service not allowed: ({0}%s,ssh-connection) -> (" + "b" * 100 + ",x)"
    )


@given(st.binary(max_size=100))
def test_no_input_breaks_it(data: bytes) -> None:
    header = read_header(data)
    assert header.verdict is not Verdict.ACCEPT or len(data) >= header.length >= 8


@pytest.mark.parametrize(
    ("kind", "logged_in", "log_in_began", "expected", "reaction"),
    [(0, True, True, None, Reaction.CLOSE), (192, False, False, None, Reaction.CLOSE),
     (5, False, False, None, Reaction.HANDLE), (5, True, True, None, Reaction.UNIMPLEMENTED),
     (50, False, False, None, Reaction.UNIMPLEMENTED), (50, False, True, None, Reaction.HANDLE),
     (50, True, True, None, Reaction.UNIMPLEMENTED), (90, False, True, None, Reaction.UNIMPLEMENTED),
     (90, True, True, None, Reaction.HANDLE), (20, False, False, None, Reaction.UNIMPLEMENTED),
     (20, True, True, None, Reaction.HANDLE), (20, True, True, frozenset({30}), Reaction.UNIMPLEMENTED),
     (30, True, True, frozenset({30}), Reaction.HANDLE), (30, True, True, None, Reaction.UNIMPLEMENTED),
     (7, False, False, None, Reaction.UNIMPLEMENTED), (2, False, False, None, Reaction.HANDLE)],
)  # fmt: skip
def test_with_keys_only_what_a_stage_has_a_use_for_is_handled(
    kind: int, logged_in: bool, log_in_began: bool, expected: frozenset[int] | None, reaction: Reaction
) -> None:
    assert (
        react_with_keys(kind, logged_in=logged_in, log_in_began=log_in_began, expected=expected) is reaction
    )


def test_messages_for_channels_that_are_not_there_end_in_sshds_words_or_are_ignored() -> None:
    assert stray_channel_text(97, 7) == "oclose packet referred to nonexistent channel 7"
    assert stray_channel_text(98, 7) == "server_input_channel_req: unknown channel 7"
    assert stray_channel_text(93, 7) == ""
    assert not_opening_text(91, 0) == "Received open confirmation for non-opening channel 0."


def test_only_newer_openssh_clients_are_told_that_nobody_reads_their_input_any_more() -> None:
    told = [b"OpenSSH_9.6", b"OpenSSH_5.1", b"OpenSSH_4.3", b"OpenSSH_3.9p1", b"libssh2_1.10", b"Go"]
    assert [knows_end_of_writing(software) for software in told] == [True, True, False, False, False, False]


@pytest.mark.parametrize(
    ("reaction", "kind", "keys", "logged_in", "dropbears"),
    [
        (Reaction.UNIMPLEMENTED, 5, False, False, Reaction.CLOSE),
        (Reaction.UNIMPLEMENTED, 6, False, False, Reaction.CLOSE),
        (Reaction.UNIMPLEMENTED, 7, False, False, Reaction.UNIMPLEMENTED),
        (Reaction.IGNORE, 2, False, False, Reaction.IGNORE),
        (Reaction.CLOSE, 0, True, False, Reaction.UNIMPLEMENTED),
        (Reaction.UNIMPLEMENTED, 61, True, False, Reaction.CLOSE),
        (Reaction.UNIMPLEMENTED, 60, True, False, Reaction.UNIMPLEMENTED),
        (Reaction.UNIMPLEMENTED, 61, True, True, Reaction.UNIMPLEMENTED),
        (Reaction.HANDLE, 50, True, False, Reaction.HANDLE),
    ],
)
def test_dropbear_expects_less_before_log_in(
    reaction: Reaction, kind: int, keys: bool, logged_in: bool, dropbears: Reaction
) -> None:
    assert terser(reaction, kind, with_keys=keys, logged_in=logged_in) is dropbears
