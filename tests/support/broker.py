"""A NATS broker of a test's own: JetStream, TLS, and only the keys that it was told."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.support.waiting import free_port, until_listening

from urltrap.pipeline.fleet.accounts import Accounts
from urltrap.pipeline.fleet.broker_configuration import broker_configuration
from urltrap.pipeline.fleet.process import collector_key

SECRET = b"s" * 32
KEY = collector_key(SECRET)


def nats_server() -> str:
    """The program; the test is skipped where it is not installed."""
    program = shutil.which("nats-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        pytest.skip("no nats-server: apt-get install nats-server")
    return program


def _certificate(folder: Path, addresses: Sequence[str]) -> tuple[Path, Path]:
    """Certificate and key of a broker that clients find as localhost and at `addresses`."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("localhost"),
                    *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses),
                ]
            ),
            critical=False,
        )
        .sign(secret, hashes.SHA256())
    )
    certificate, key = folder / "broker.crt", folder / "broker.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, key


class TestBroker:
    """A broker in `folder` for the collector that has these accounts, and `KEY`. `names`: more of its addresses."""

    __test__ = False

    def __init__(
        self,
        folder: Path,
        accounts: Accounts,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        prefix: Sequence[str] = (),
        more: str = "",
        tls: bool = True,
        names: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.accounts = accounts
        self.host, self.port = host, port or free_port()
        self._prefix, self._more, self._tls = prefix, more, tls
        self._program = nats_server()
        folder.mkdir(parents=True, exist_ok=True)
        self.ca, self._key = _certificate(folder, names)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """For clients; the certificate is made out to this name."""
        return f"nats://localhost:{self.port}"

    def configure(self) -> Path:
        """Write the configuration as `urltrap fleet broker` prints it, with what it says to add."""
        certificate = (
            f"tls {{ cert_file: {json.dumps(str(self.ca))}, key_file: {json.dumps(str(self._key))} }}\n"
            if self._tls
            else ""
        )
        path = self.folder / "nats.conf"
        path.write_text(
            f"listen: {json.dumps(f'{self.host}:{self.port}')}\n{certificate}"
            f"jetstream {{ store_dir: {json.dumps(str(self.folder / 'store'))} }}\n"
            + broker_configuration(KEY, self.accounts.all())
            + self._more
        )
        return path

    def start(self, wait: bool = True) -> None:
        """Start and wait until it listens."""
        with open(self.folder / "nats.log", "ab") as log:
            self.process = subprocess.Popen(
                [*self._prefix, self._program, "-c", str(self.configure())], stdout=log, stderr=log
            )
        if wait:
            until_listening(self.port, self.process)

    def reload(self) -> None:
        """Take changed accounts over."""
        assert self.process is not None
        self.configure()
        self.process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End it without a word."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
