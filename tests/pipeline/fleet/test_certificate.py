"""The collector's own certificate: made once, whoever comes first."""

from __future__ import annotations

import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from urltrap.model.fleet_settings import FleetSettings
from urltrap.pipeline.fleet.certificate import certificate_files, fingerprint, server_context


def test_collectors_that_start_together_have_one_certificate_and_its_key(tmp_path: Path) -> None:
    together = Barrier(8)

    def start(_number: int) -> str:
        together.wait()
        server_context(FleetSettings(), tmp_path)  # which refuses a key that is not the certificate's
        return fingerprint(certificate_files(FleetSettings(), tmp_path)[0])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1
    assert isinstance(server_context(FleetSettings(), tmp_path), ssl.SSLContext)
    assert not list(tmp_path.glob("*.new"))
    assert (tmp_path / "collector.key").stat().st_mode & 0o777 == 0o600
