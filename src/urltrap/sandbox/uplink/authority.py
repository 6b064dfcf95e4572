"""The installation's own certificate authority, which its boxes trust: every HTTPS server of the world is us."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import os
import secrets
import ssl
import warnings
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

FILE = "sandbox-ca.pem"
"""In the folder of keys: the private key and the certificate."""
_SUBJECT = (
    (NameOID.COUNTRY_NAME, "US"),
    (NameOID.ORGANIZATION_NAME, "Internet Security Research Group"),
    (NameOID.COMMON_NAME, "ISRG Root X4"),
)
_DAY = datetime.timedelta(days=1)
_MAX_CONTEXTS = 512
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Authority:
    """Makes servers' certificates. `key` and `certificate` are the authority's own."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self.certificate = certificate
        self._contexts: dict[str, ssl.SSLContext] = {}

    @classmethod
    def of(cls, keys: Path) -> Authority:
        """That of an installation, made where there is none yet. OSError, ValueError where it cannot be read."""
        place = keys / FILE
        try:
            pem = place.read_bytes()
        except FileNotFoundError:
            _write_once(place, _make())
            pem = place.read_bytes()
        key = serialization.load_pem_private_key(pem, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{place} holds no elliptic curve key; remove it and start again")
        return cls(key, x509.load_pem_x509_certificate(pem))

    @cached_property
    def _leaf_keys(self) -> tuple[_Key, ...]:
        """Those of all servers; small clients know the second kind alone."""
        return (
            ec.generate_private_key(ec.SECP256R1()),
            rsa.generate_private_key(public_exponent=65_537, key_size=2048),
        )

    @property
    def pem(self) -> bytes:
        """The certificate, as lists of trusted ones have it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def context(self, name: str) -> ssl.SSLContext:
        """A server of this name or address, by whatever version and ciphers an old client in a box knows."""
        made = self._contexts.get(name)
        if made is None:
            if len(self._contexts) >= _MAX_CONTEXTS:
                self._contexts.pop(next(iter(self._contexts)))
            made = self._contexts[name] = self._make_context(name)
        return made

    def _make_context(self, name: str) -> ssl.SSLContext:
        alternative: x509.GeneralName
        try:
            alternative = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            alternative = x509.DNSName(name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with warnings.catch_warnings():  # that such versions are old is known
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
        context.set_ciphers("ALL:!aNULL:!eNULL:@SECLEVEL=0")
        context.set_alpn_protocols(["http/1.1"])
        for key in self._leaf_keys:
            # The library takes files only: this one is in memory and gone with its descriptor.
            file = os.memfd_create("leaf", os.MFD_CLOEXEC)
            try:
                with open(file, "wb", closefd=False) as writer:
                    writer.write(_private(key) + self._leaf(key, name, alternative))
                context.load_cert_chain(f"/proc/self/fd/{file}")
            finally:
                os.close(file)
        return context

    def _leaf(self, key: _Key, name: str, alternative: x509.GeneralName) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        leaf = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 20 * _DAY)
            .not_valid_after(now + 70 * _DAY)
            .add_extension(x509.SubjectAlternativeName([alternative]), False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False)
            .sign(self._key, hashes.SHA256())
        )
        return leaf.public_bytes(serialization.Encoding.PEM)


def hash_name(certificate: x509.Certificate) -> str:
    """The name that OpenSSL looks for in a folder of certificates (X509_NAME_hash(3), openssl-rehash(1)): a hash of
    the subject in its canonical form, whose texts are in small letters."""
    body = b""
    for part in certificate.subject.rdns:
        pairs = b""
        for each in part:
            oid = x509.Name(
                [each]
            ).public_bytes()  # SEQUENCE { SET { SEQUENCE { OID, value } } }, all of them short
            kind = oid[6 : 8 + oid[7]]
            text = " ".join(str(each.value).lower().split()).encode()
            pairs += _tagged(0x30, kind + _tagged(0x0C, text))
        body += _tagged(0x31, pairs)
    digest = hashlib.sha1(body, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}.0"


def _tagged(tag: int, body: bytes) -> bytes:
    """DER of less than 128 bytes."""
    return bytes([tag, len(body)]) + body


def _make() -> bytes:
    key = ec.generate_private_key(ec.SECP384R1())
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(kind, value) for kind, value in _SUBJECT])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 900 * _DAY)
        .not_valid_after(now + 6000 * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .add_extension(usage, True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .sign(key, hashes.SHA384())
    )
    return _private(key) + certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: _Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_once(place: Path, pem: bytes) -> None:
    """Write it unless somebody else has meanwhile: two processes start at once."""
    new = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(file, "wb") as writer:
            writer.write(pem)
            writer.flush()
            os.fsync(file)
        try:
            os.link(new, place)
        except FileExistsError:
            return
    finally:
        new.unlink(missing_ok=True)
