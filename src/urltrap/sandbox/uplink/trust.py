"""The installation's authority among those that a box trusts."""

from __future__ import annotations

import os
from pathlib import Path

from urltrap.sandbox.bundle import FIRST_UID
from urltrap.sandbox.uplink.authority import Authority, hash_name

BUNDLE = "etc/ssl/certs/ca-certificates.crt"
"""What wget and curl read on Debian (update-ca-certificates(8)); Python and Perl look into its folder, by hash."""


def trust(layer: Path, image: Path, authority: Authority) -> None:
    """Put it into the persona's layer over the image's list. OSError where the layer cannot be written."""
    place = layer / BUNDLE
    folder = layer
    for name in Path(BUNDLE).parts[:-1]:
        folder /= name
        if not folder.is_dir():
            folder.mkdir()
            folder.chmod(0o755)
            os.chown(folder, FIRST_UID, FIRST_UID)
    try:
        known = (image / BUNDLE).read_bytes()
    except FileNotFoundError:  # an image without certificates trusts this one alone
        known = b""
    for path, content in (
        (place, known + authority.pem),
        (folder / hash_name(authority.certificate), authority.pem),
    ):
        path.write_bytes(content)
        path.chmod(0o644)
        os.chown(path, FIRST_UID, FIRST_UID)
