"""Record one package of Debian as `machine/image/record.py` keeps trees: for what only some personas have installed.

    apt-get download cloud-init
    python bench/record_package.py cloud-init_*.deb src/urltrap/machine/data/cloud-init.img.zst

Kept are names, modes and sizes of everything, the texts of what an administrator may read (/etc, units, scripts), and
the entry of dpkg's database; times are left out, as files of a package are as old as the installation.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import tarfile
from pathlib import Path

from urltrap.machine.image.record import Entry, dump_record

_KEPT_BELOW = ("/etc/", "/lib/systemd/", "/usr/bin/", "/usr/lib/cloud-init/", "/usr/share/doc/")
_KEPT_MAX = 60_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("package", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    archive = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", given.package], check=True, capture_output=True
    ).stdout
    control = subprocess.run(["dpkg-deb", "-f", given.package], check=True, capture_output=True).stdout
    name = control.partition(b"Package: ")[2].partition(b"\n")[0].decode()
    entries, names = [], []
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            path = member.name.lstrip(".").rstrip("/")
            names.append(path or "/.")
            if not path:
                continue
            merged = f"/usr{path}" if path.startswith("/lib/") else path  # /lib is a link to /usr/lib
            if member.isdir():
                if path != "/lib":
                    entries.append(Entry(merged, "d", member.mode))
            elif member.issym():
                entries.append(Entry(merged, "l", 0o777, target=member.linkname))
            else:
                entry = Entry(merged, "f", member.mode, size=member.size)
                if path.startswith(_KEPT_BELOW) and member.size < _KEPT_MAX and not path.endswith(".gz"):
                    source = tar.extractfile(member)
                    entry.data = source.read() if source is not None else None
                entries.append(entry)
    listing = "".join(f"{each}\n" for each in names).encode()
    entries.append(Entry(f"/var/lib/dpkg/info/{name}.list", "f", data=listing))
    status = control.replace(b"\n", b"\nStatus: install ok installed\n", 1)
    entries.append(Entry(f"/var/lib/dpkg/info/{name}.status", "f", data=status))
    given.out.write_bytes(dump_record(entries))
    print(f"{len(entries)} entries, {given.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
