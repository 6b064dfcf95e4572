"""HASSH and the profile's lists."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from urltrap.sensors.ssh.server import shipped_profile
from urltrap.wire.ssh.fingerprint import KexInit, hassh, parse_kexinit
from urltrap.wire.ssh.timing import answer_seconds


def kexinit(*lists: bytes) -> bytes:
    body = b"".join(struct.pack(">I", len(each)) + each for each in lists)
    return b"\x14" + bytes(16) + body + b"\0" * 13


def test_hassh_is_the_md5_of_four_lists() -> None:
    found = parse_kexinit(kexinit(b"kex", b"hk", b"e1", b"e2", b"m1", b"m2", b"c1", b"c2"))
    assert found is not None
    assert found.client_algorithms == b"kex;e1;m1;c1"
    assert found.server_algorithms == b"kex;e2;m2;c2"
    assert hassh(found.client_algorithms) == "ca3028913da64054e1ed49c6e11b647c"


def test_the_servers_own_fingerprint_is_that_of_the_recorded_build() -> None:
    profile, _ = shipped_profile()
    offered = KexInit(
        kex=",".join([*profile.kex, *profile.kex_markers]).encode(),
        ciphers_to_client=",".join(profile.ciphers).encode(),
        macs_to_client=",".join(profile.macs).encode(),
        compressions_to_client=",".join(profile.compressions).encode(),
    )
    assert hassh(offered.server_algorithms) == "425d29fe50d8e4f5e37efb6e24bcf660"


@given(st.binary(max_size=300))
def test_no_payload_breaks_the_parser(payload: bytes) -> None:
    assert parse_kexinit(payload) is None or len(payload) >= 17 + 32


def test_the_time_of_an_answer_depends_on_the_user_only() -> None:
    times = {answer_seconds(b"k", user, 0.018) for user in (b"root", b"nobody", b"admin")}
    assert len(times) == 3 and all(0.018 <= seconds < 0.04 for seconds in times)
    assert answer_seconds(b"k", b"root", 0.018) == answer_seconds(b"k", b"root", 0.0181)
    assert 0.005 <= answer_seconds(b"k", b"root", 0) < 0.0093


def test_only_language_variables_may_be_set_by_a_client() -> None:
    profile, _ = shipped_profile()
    assert [profile.accepts_env(name) for name in (b"LANG", b"LC_ALL", b"LD_PRELOAD", b"\xff")] == [
        True, True, False, False,
    ]  # fmt: skip
