"""The collector's own TLS certificate, which sensors pin by its fingerprint; no authority is needed."""

from __future__ import annotations

import fcntl
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from urltrap.model.fleet_settings import FleetSettings

_YEARS = 20


class CertificateError(Exception):
    """The certificate or its key cannot be used; the message says which file and what to do."""


def certificate_files(settings: FleetSettings, folder: Path) -> tuple[Path, Path]:
    """Certificate and key: those that are set, else our own below `folder`, made where they are missing."""
    if settings.certificate or settings.key:
        if not (settings.certificate and settings.key):
            raise CertificateError("set both fleet.certificate and fleet.key, or neither")
        return Path(settings.certificate), Path(settings.key)
    certificate, key = folder / "collector.crt", folder / "collector.key"
    if not (certificate.exists() and key.exists()):
        # Collectors start side by side, and `fleet add` may come in between: one makes it, the others take it.
        with (folder / "certificate.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (certificate.exists() and key.exists()):
                _make(certificate, key)
    return certificate, key


def fingerprint(certificate: Path) -> str:
    """SHA-256 of the (first) certificate of a PEM file, in hexadecimal."""
    try:
        loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise CertificateError(f"{certificate} cannot be read as a certificate: {error}") from error
    return loaded.fingerprint(hashes.SHA256()).hex()


def server_context(settings: FleetSettings, folder: Path) -> ssl.SSLContext:
    """TLS for the collector's port, 1.2 and newer."""
    certificate, key = certificate_files(settings, folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise CertificateError(f"{certificate} and {key} cannot be used: {error}") from error
    return context


def _make(certificate: Path, key: Path) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    # Nothing in it tells whose it is: scanners read the certificates of the whole Internet.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    pem = secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for path, content in ((key, pem), (certificate, made.public_bytes(serialization.Encoding.PEM))):
        temporary = path.with_suffix(".new")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
