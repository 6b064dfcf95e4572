"""Packets in the clear: sshd's answers to what is wrong with them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.wire.ssh.packets import Reaction, Verdict, react_before_keys, read_header, username_changed


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
