"""What a server's certificate says of itself. Attackers make them: everything is optional, bounded, and unverified."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID

from urltrap.model.capture import Certificate

T = TypeVar("T")

_LONGEST = 300
_MOST_NAMES = 32
_BAD = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)


def read_certificate(der: bytes) -> Certificate:
    """The certificate `der` (DER), with the fields that can be read; of a broken one its SHA-256 only."""
    sha256 = hashlib.sha256(der).hexdigest()
    with warnings.catch_warnings():
        # Serial numbers and names that break the rules are what interests us here.
        warnings.simplefilter("ignore")
        try:
            certificate = x509.load_der_x509_certificate(der)
        except _BAD:
            return Certificate(sha256=sha256)
        return Certificate(
            sha256=sha256,
            subject=_text(lambda: certificate.subject.rfc4514_string()),
            issuer=_text(lambda: certificate.issuer.rfc4514_string()),
            serial=_text(lambda: f"{certificate.serial_number:x}"),
            not_before=_or_none(lambda: certificate.not_valid_before_utc),
            not_after=_or_none(lambda: certificate.not_valid_after_utc),
            names=_or_none(lambda: _names(certificate)) or [],
        )


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    except x509.ExtensionNotFound:
        return []
    names = found.value
    assert isinstance(names, x509.SubjectAlternativeName)
    return [_visible(str(name.value)) for name in list(names)[:_MOST_NAMES]]


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except _BAD:
        return None


def _text(read: Callable[[], str]) -> str:
    return _visible(_or_none(read) or "")


def _visible(text: str) -> str:
    """Names are attackers' text: control characters are shown, and the length is bounded."""
    return (text if text.isprintable() else ascii(text)[1:-1])[:_LONGEST]
