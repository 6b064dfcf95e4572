"""Keys as OpenSSH stores and shows them (PROTOCOL, PROTOCOL.key of its source; RFC 4253 section 6.6).

Ed25519 and ECDSA keys are whole. An RSA key has the form of one, but its factors are not proven prime: finding primes
takes longer than an attacker may keep the processor busy.
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, SECP521R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Random = Callable[[int], bytes]
_MAGIC = b"openssh-key-v1\0"
_SMALL = [n for n in range(3, 2000, 2) if all(n % each for each in range(3, math.isqrt(n) + 1, 2))]


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _number(value: int) -> bytes:
    return _string(value.to_bytes(value.bit_length() // 8 + 1, "big"))


@dataclass(frozen=True, slots=True)
class Key:
    """A pair: the public blob, the private fields behind the key's name, comment."""

    name: str
    bits: int
    blob: bytes
    secret: bytes
    comment: str

    @property
    def line(self) -> str:
        """The line of a .pub file."""
        return f"{self.name} {base64.b64encode(self.blob).decode()} {self.comment}".rstrip()

    def private(self, passphrase: str, random: Random) -> bytes:
        """The file of the private key. With a passphrase what is encrypted is noise: nobody can tell."""
        check = random(4)
        inner = check + check + self.secret + _string(self.comment.encode("utf-8", "surrogateescape"))
        block = 16 if passphrase else 8
        inner += bytes(range(1, 1 + -len(inner) % block))
        if passphrase:
            head = _string(b"aes256-ctr") + _string(b"bcrypt")
            head += _string(_string(random(16)) + struct.pack(">I", 16))
            inner = random(len(inner))
        else:
            head = _string(b"none") + _string(b"none") + _string(b"")
        whole = _MAGIC + head + struct.pack(">I", 1) + _string(self.blob) + _string(inner)
        text = base64.b64encode(whole).decode()
        lines = [text[at : at + 70] for at in range(0, len(text), 70)]
        return "\n".join(
            ["-----BEGIN OPENSSH PRIVATE KEY-----", *lines, "-----END OPENSSH PRIVATE KEY-----", ""]
        ).encode()


def generate(kind: str, bits: int, random: Random, comment: str) -> Key:
    """A new key: "rsa", "ecdsa" or "ed25519"; all chance comes from `random`."""
    if kind == "ed25519":
        seed = random(32)
        public = (
            Ed25519PrivateKey.from_private_bytes(seed)
            .public_key()
            .public_bytes(Encoding.Raw, PublicFormat.Raw)
        )
        blob = _string(b"ssh-ed25519") + _string(public)
        return Key("ssh-ed25519", 256, blob, blob + _string(seed + public), comment)
    if kind == "ecdsa":
        curve = {256: SECP256R1(), 384: SECP384R1(), 521: SECP521R1()}[bits]
        value = int.from_bytes(random(bits // 8 + 8), "big") % ((1 << (bits - 1)) - 1) + 1
        point = (
            derive_private_key(value, curve)
            .public_key()
            .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        )
        name = f"ecdsa-sha2-nistp{bits}"
        blob = _string(name.encode()) + _string(f"nistp{bits}".encode()) + _string(point)
        return Key(name, bits, blob, blob + _number(value), comment)
    exponent = 65_537
    while True:
        p, q = _factor(bits - bits // 2, random), _factor(bits // 2, random)
        if (
            math.gcd(p, q) == 1
            and math.gcd(exponent, (p - 1) * (q - 1)) == 1
            and (p * q).bit_length() == bits
        ):
            break
    d = pow(exponent, -1, (p - 1) * (q - 1))
    blob = _string(b"ssh-rsa") + _number(exponent) + _number(p * q)
    secret = _string(b"ssh-rsa") + b"".join(map(_number, (p * q, exponent, d, pow(q, -1, p), p, q)))
    return Key("ssh-rsa", bits, blob, secret, comment)


def _factor(bits: int, random: Random) -> int:
    """An odd number of `bits` bits, the two highest set, without small factors."""
    value = int.from_bytes(random(bits // 8 + 1), "big") & ((1 << bits) - 1) | (3 << (bits - 2)) | 1
    while any(not value % each for each in _SMALL):
        value += 2
    return value


def parse_line(line: str) -> tuple[str, bytes, str] | None:
    """(kind, blob, comment) of a line of a public key or authorized_keys file; None where it holds no key."""
    words = line.split()
    for at, word in enumerate(words[:-1]):
        if word.startswith(("ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-")):
            try:
                blob = base64.b64decode(words[at + 1], validate=True)
            except ValueError:
                return None
            if blob[4 : 4 + len(word)] != word.encode():
                return None
            return word, blob, " ".join(words[at + 2 :])
    return None


def public_of(text: str) -> str | None:
    """The public line of an unencrypted private key file; None where it is none."""
    body = "".join(line for line in text.splitlines() if line and not line.startswith("-"))
    try:
        data = base64.b64decode(body, validate=True)
    except ValueError:
        return None
    if not data.startswith(_MAGIC):
        return None
    fields: list[bytes] = []
    at = len(_MAGIC)
    for number in range(5):
        if number == 3:
            at += 4
        if at + 4 > len(data):
            return None
        (length,) = struct.unpack_from(">I", data, at)
        fields.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    blob, inner = fields[3], fields[4]
    (length,) = struct.unpack_from(">I", blob) if len(blob) > 4 else (0,)
    name = blob[4 : 4 + length].decode("ascii", "replace")
    comment = ""
    if fields[0] == b"none":
        padding = inner[-1] if inner and inner[-1] < 9 else 0
        bare = inner[:-padding] if padding and inner.endswith(bytes(range(1, padding + 1))) else inner
        for size in range(min(300, len(bare) - 4)):
            if struct.unpack_from(">I", bare, len(bare) - size - 4)[0] == size:
                comment = bare[len(bare) - size :].decode("utf-8", "surrogateescape")
                break
    return f"{name} {base64.b64encode(blob).decode()} {comment}".rstrip()


def bits_of(kind: str, blob: bytes) -> int:
    """The length of a key in bits."""
    if kind.startswith("ecdsa-sha2-nistp"):
        return int(kind[16:])
    if kind == "ssh-rsa":
        at = 4 + len(kind)
        (length,) = struct.unpack_from(">I", blob, at)
        return int.from_bytes(blob[at + 8 + length :], "big").bit_length()
    return 256


def fingerprint(blob: bytes, how: str = "sha256") -> str:
    """``SHA256:…`` or ``MD5:aa:bb…``."""
    if how == "md5":
        return "MD5:" + hashlib.md5(blob).digest().hex(":")
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def randomart(blob: bytes, kind: str, bits: int) -> str:
    """The picture of a key: where a bishop goes on a board of 17 by 9 (sshkey.c, fingerprint_randomart)."""
    width, height, signs = 17, 9, " .o+=*BOX@%&#/^SE"
    board = [[0] * height for _ in range(width)]
    x, y = width // 2, height // 2
    for byte in hashlib.sha256(blob).digest():
        for _ in range(4):
            x = min(width - 1, max(0, x + (1 if byte & 1 else -1)))
            y = min(height - 1, max(0, y + (1 if byte & 2 else -1)))
            if board[x][y] < len(signs) - 3:
                board[x][y] += 1
            byte >>= 2
    board[width // 2][height // 2] = len(signs) - 2
    board[x][y] = len(signs) - 1
    title = f"[{kind.upper()} {bits}]"
    if len(title) > width:
        title = f"[{kind.upper()}]"
    rows = [
        "|" + "".join(signs[min(board[x][y], len(signs) - 1)] for x in range(width)) + "|"
        for y in range(height)
    ]
    return "\n".join([f"+{_dashes(title, width)}+", *rows, f"+{_dashes('[SHA256]', width)}+"])


def _dashes(title: str, width: int) -> str:
    left = (width - len(title)) // 2
    return "-" * left + title + "-" * (width - left - len(title))
