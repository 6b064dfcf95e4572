"""Key exchange as the profile's server does it, where asyncssh does something else.

asyncssh's sntrup761 needs a system library, its Diffie-Hellman a part of `cryptography` that is going away and its
group exchange knows fixed primes only and checks little.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import sha512
from typing import Any

import pqcrypto.kem.sntrup_761 as sntrup761
from asyncssh import kex as asyncssh_kex
from asyncssh import kex_dh
from asyncssh.crypto import Curve25519DH
from asyncssh.misc import ProtocolError
from asyncssh.packet import MPInt, SSHPacket
from gmpy2 import powmod

from urltrap.wire.ssh.groups import (
    Group,
    choose_group,
    exponent_bits,
    fallback_bits,
    public_value_is_valid,
    read_request,
)

SNTRUP_NAMES = (b"sntrup761x25519-sha512", b"sntrup761x25519-sha512@openssh.com")
_FIXED = {bits: (generator, prime) for bits, generator, prime in kex_dh._dh_gex_groups}

KEXDH_INIT, GEX_INIT, GEX_REQUEST = 30, 32, 34


class Sntrup761:
    """Streamlined NTRU Prime 761 behind asyncssh's interface of a key-encapsulation method."""

    pubkey_bytes, privkey_bytes, ciphertext_bytes, secret_bytes = 1158, 1763, 1039, 32

    def __init__(self, _algorithm: bytes) -> None:
        self._secret_key = b""

    def get_public(self) -> bytes:
        """A fresh public key (client side)."""
        public, self._secret_key = sntrup761.keygen()
        return bytes(public)

    def encaps(self, public: bytes) -> tuple[bytes, bytes]:
        """(shared secret, ciphertext) for the peer's public key; ValueError where it has the wrong length."""
        if len(public) != self.pubkey_bytes:
            raise ValueError("wrong length of an sntrup761 public key")
        ciphertext, secret = sntrup761.encaps(public)
        return bytes(secret), bytes(ciphertext)

    def decaps(self, ciphertext: bytes) -> bytes:
        """The shared secret of a ciphertext (client side)."""
        if len(ciphertext) != self.ciphertext_bytes:
            raise ValueError("wrong length of an sntrup761 ciphertext")
        return bytes(sntrup761.decaps(self._secret_key, ciphertext))


def register_sntrup761() -> None:
    """Make asyncssh know sntrup761 without its system library; harmless to repeat."""
    known = asyncssh_kex.get_kex_algs()
    for name in SNTRUP_NAMES:
        if name not in known:
            arguments = (Sntrup761, b"sntrup761", Curve25519DH)
            asyncssh_kex.register_kex_alg(name, kex_dh._KexHybridECDH, sha512, arguments, True)


def _needed(connection: Any) -> int:
    """Bytes of key material that the longest of the chosen ciphers and MACs needs."""
    chosen = (connection._enc_alg_cs, connection._enc_alg_sc, connection._mac_alg_cs, connection._mac_alg_sc)
    return 64 if any(b"chacha20" in name or b"sha2-512" in name for name in chosen) else 32


def _server_shared(kex: Any) -> bytes:
    """Answer the client's value with our own; both as sshd checks and sizes them."""
    if not public_value_is_valid(kex._e, kex._p):
        raise ProtocolError("Diffie-Hellman value out of range")
    secret = kex.own_secret or _own_value(kex)
    return bytes(MPInt(int(powmod(kex._e, secret, kex._p))))


def _own_value(kex: Any) -> int:
    """Draw the secret of this exchange, and make of it the value that the client is shown."""
    secret = secrets.randbits(exponent_bits(_needed(kex._conn), kex._p.bit_length())) | 1
    # Python's own power takes eight times as long: two of 8192 bits would hold everybody up for a tenth of a second.
    kex._f = int(powmod(kex._g, secret, kex._p))
    return secret


class FixedGroup(kex_dh._KexDH):
    """diffie-hellman-group14, 16 and 18."""

    own_secret: int | None = None

    expected = frozenset({KEXDH_INIT})

    def _compute_server_shared(self) -> bytes:
        return _server_shared(self)


class GroupExchange(kex_dh._KexDHGex):
    """diffie-hellman-group-exchange with the primes of the profile's moduli file."""

    groups: Sequence[Group] = ()
    own_secret: int | None = None

    @property
    def expected(self) -> frozenset[int]:
        """The message that may come next."""
        return frozenset({GEX_INIT if self._p else GEX_REQUEST})

    def _compute_server_shared(self) -> bytes:
        return _server_shared(self)

    def _process_request(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        self._gex_data = packet.get_remaining_payload()
        asked = read_request(packet.get_uint32(), packet.get_uint32(), packet.get_uint32())
        packet.check_end()
        if asked is None:
            raise ProtocolError("group exchange out of range")
        group = choose_group(self.groups, asked, secrets.randbelow)
        generator, prime = (group.generator, group.prime) if group else _FIXED[fallback_bits(asked.maximum)]
        self._init_group(generator, prime)
        self._gex_data += MPInt(prime) + MPInt(generator)
        self.send_packet(self._group_type, MPInt(prime), MPInt(generator))
        # As sshd does, and half of the work is done before the client's value is there: no turn takes all of it.
        self.own_secret = _own_value(self)

    _packet_handlers = {
        GEX_REQUEST: _process_request,
        GEX_INIT: kex_dh._KexDHBase._process_init,
    }


class NistCurve(kex_dh._KexECDH):
    """ecdh-sha2-nistp256, 384 and 521: OpenSSH takes whole points only, no compressed ones."""

    def _compute_server_shared(self) -> bytes:
        if self._client_pub[:1] != b"\4":
            raise ProtocolError("a point that is not whole")
        return super()._compute_server_shared()


def as_the_server_does(kex: Any, groups: Sequence[Group]) -> Any:
    """The exchange that asyncssh has chosen, with our way of doing it where they differ."""
    if isinstance(kex, kex_dh._KexDHGex):
        made = GroupExchange(kex.algorithm, kex._conn, kex._hash_alg)
        made.groups = groups
        return made
    if isinstance(kex, kex_dh._KexDH):
        return FixedGroup(kex.algorithm, kex._conn, kex._hash_alg, kex._g, kex._p)
    if isinstance(kex, kex_dh._KexECDH) and b"nistp" in kex.algorithm:
        kex.__class__ = NistCurve
    return kex


def expected_messages(kex: Any) -> frozenset[int]:
    """The message types that this exchange waits for from a client."""
    return getattr(kex, "expected", frozenset({KEXDH_INIT}))
