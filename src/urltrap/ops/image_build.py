"""Build the machine's base images from real packages: `urltrap image build`.

A throw-away root file system is made by mmdebstrap from the package sources that this machine is set up with, looked
over, and kept as names, owners, times,
sizes and the texts that somebody may read. Nothing in it is ever executed by us.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from urltrap.machine.image.record import Entry, dump_record

PACKAGES = (
    "systemd-sysv",
    "dbus",
    "systemd-timesyncd",
    "udev",
    "openssh-server",
    "openssh-client",
    "openssh-sftp-server",
    "wget",
    "curl",
    "cron",
    "net-tools",
    "iproute2",
    "procps",
    "sudo",
    "nano",
    "vim-tiny",
    "python3-minimal",
    "perl",
    "busybox",
    "ca-certificates",
    "iptables",
    "nftables",
    "less",
    "xz-utils",
    "bzip2",
    "ifupdown",
    "isc-dhcp-client",
    "iputils-ping",
    "netbase",
    "bsdextrautils",
    "bsdutils",
    "lsb-release",
    "pciutils",
    "usbutils",
    "dmidecode",
    "e2fsprogs",
    "kmod",
    "file",
    "lsof",
    "psmisc",
    "openssl",
    "tar",
    "gzip",
    "unzip",
    "rsync",
    "screen",
    "ncurses-bin",
    "ncurses-term",
    "locales",
    "tzdata",
    "passwd",
    "login",
    "apt",
    "apt-utils",
    "gpgv",
    "cpio",
    "dmsetup",
    "fdisk",
    "iputils-tracepath",
    "logrotate",
    "whiptail",
    "sensible-utils",
    "init-system-helpers",
    "libpam-systemd",
    "netcat-traditional",
    "bind9-host",
    "xxd",
    "bc",
    "zstd",
    "polkitd",
    "util-linux-extra",
    "eject",
    "acpid",
    "qemu-guest-agent",
    "unattended-upgrades",
)
"""What a careless small server has."""

EXTRA = {"trixie": ("wtmpdb", "lastlog2")}
SUITES = {"debian-12": "bookworm", "debian-13": "trixie"}

PROGRAM_NAMES = {
    "mawk": "awk",
    "python3.11": "python3",
    "python3.13": "python3",
    "vim.tiny": "vi",
    "nc.traditional": "nc",
    "xtables-nft-multi": "iptables",
    "xtables-legacy-multi": "iptables",
    "which.debianutils": "which",
    "perl5.36.0": "perl",
    "perl5.40.1": "perl",
    "less": "less",
    "tempfile": "mktemp",
    "bzip2": "bzip2",
}
"""Files whose program is known under another name."""

_BIN = ("/usr/bin/", "/usr/sbin/", "/usr/libexec/", "/usr/lib/openssh/", "/usr/local/")
_KEEP = (
    "/etc/",
    "/usr/lib/os-release",
    "/usr/lib/systemd/system/",
    "/usr/lib/lsb/",
    "/usr/lib/init/",
    "/usr/share/base-",
    "/usr/share/zoneinfo/",
    "/usr/lib/sysctl.d/",
    "/usr/lib/udev/rules.d/",
    "/usr/share/common-licenses/",
    "/usr/share/misc/",
    "/usr/lib/locale/",
    "/usr/share/debianutils/",
    "/var/lib/systemd/",
    "/var/lib/pam/",
)
_SKIP_CONTENT = (
    "/etc/ssl/certs/",
    "/etc/ssh/moduli",
    "/usr/share/misc/magic.mgc",
    "/usr/share/misc/pci.ids",
    "/usr/share/misc/usb.ids",
    "/var/lib/usbutils/",
    "/etc/ld.so.cache",
    "/usr/share/common-licenses/",
    "/usr/share/zoneinfo/right/",
    "/usr/share/zoneinfo/posix/",
    "/usr/lib/udev/rules.d/",
)
_LEAVE_OUT = (
    "/proc/",
    "/sys/",
    "/dev/",
    "/run/",
    "/tmp/",
    "/var/tmp/",
    "/var/cache/apt/",
    "/var/lib/apt/lists/",
    "/root/",
    "/home/",
    "/var/log/",
    "/etc/ssh/ssh_host_",
    "/etc/resolv.conf",
    "/etc/hostname",
    "/etc/machine-id",
    "/var/lib/dbus/machine-id",
    "/etc/apt/sources.list",
    "/var/lib/systemd/random-seed",
)
_ARCHIVES = re.compile(
    rb"\b(?:deb|security|archive|ftp|snapshot|registry|files|mirrors?)\.[a-z]+\.(?:org|com|net)\b"
)
"""Hosts that packages come from: a text that names one says where the image was built, so it is left out."""

_STATUS_FIELDS = (
    "Package",
    "Essential",
    "Status",
    "Priority",
    "Section",
    "Installed-Size",
    "Maintainer",
    "Architecture",
    "Multi-Arch",
    "Source",
    "Version",
    "Depends",
    "Pre-Depends",
    "Description",
)
KEEP_BYTES = 70_000


class BuildError(RuntimeError):
    """An image cannot be built here; the message says what is missing."""


def build_image(kind: str, output: Path, *, sources: Sequence[Path] = (), scratch: Path | None = None) -> int:
    """Make the base image of `kind` ("debian-12", "debian-13", "busybox") and write it to `output`; its size in bytes.

    `sources` are apt source files for the suite (default: what this machine's apt uses, if that is the same suite).
    The Debian kinds need root and mmdebstrap, "busybox" a busybox that can be asked for its applets; BuildError where
    one is missing or the packages cannot be had.
    """
    if kind == "busybox":
        return _write(output, dump_record(busybox_applets()))
    suite = suite_of(kind)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="urltrap-image-") as folder:
        root = Path(folder) / "root"
        make_root(suite, root, sources)
        return _write(output, dump_record(record(root)))


def suite_of(kind: str) -> str:
    """Debian's name for the release of `kind`; BuildError where a root file system of it cannot be made here."""
    suite = SUITES.get(kind)
    if suite is None:
        raise BuildError(f"no packages are known for {kind!r}: one of busybox, {', '.join(SUITES)}")
    if shutil.which("mmdebstrap") is None:
        raise BuildError("mmdebstrap is missing: apt-get install mmdebstrap")
    if os.geteuid() != 0:
        raise BuildError("building an image needs root (mmdebstrap --mode=root): run it with sudo")
    return suite


def make_root(suite: str, root: Path, sources: Sequence[Path] = ()) -> None:
    """Unpack the packages of a small server into `root`. BuildError where they cannot be had."""
    packages = ",".join((*PACKAGES, *EXTRA.get(suite, ())))
    command = [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        "--mode=root",
        f"--include={packages}",
        suite,
        str(root),
    ]
    command += [str(path) for path in (sources or _own_sources())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"mmdebstrap failed ({done.returncode}): {done.stderr.strip()[-600:]}")


def busybox_applets() -> list[Entry]:
    """The links that this machine's busybox makes for itself, as the tree of a device begins with them."""
    if shutil.which("busybox") is None:
        raise BuildError("busybox is missing: apt-get install busybox")
    done = subprocess.run(["busybox", "--list-full"], capture_output=True, text=True, check=True)
    entries = [Entry("/bin/busybox", "f", 0o755, size=1024, program="busybox", elf=True)]
    for path in done.stdout.split():
        if path not in ("bin/busybox", "linuxrc"):
            entries.append(
                Entry(f"/{path}", "l", 0o777, target="busybox" if path.startswith("bin/") else "/bin/busybox")
            )
    return entries


def _write(output: Path, blob: bytes) -> int:
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_suffix(".tmp")
    temporary.write_bytes(blob)
    temporary.replace(output)
    return len(blob)


def _own_sources() -> list[Path]:
    folder = Path("/etc/apt/sources.list.d")
    found = sorted(folder.glob("debian*.sources")) if folder.is_dir() else []
    single = Path("/etc/apt/sources.list")
    if not found and single.is_file():
        found = [single]
    if not found:
        raise BuildError(
            "this machine's apt has no Debian sources: put a file of them (debian.sources) into "
            "/etc/apt/sources.list.d and run this again"
        )
    return found


def record(root: Path, *, built_after: float | None = None) -> list[Entry]:
    """Look a root file system over. Files changed after `built_after` (unix seconds; default: ten minutes before the
    build made the machine's id) are recorded without a time: they were made by the installation itself.

    Keys, names and addresses of the machine that builds are left out: the persona brings its own."""
    base = os.fsencode(root)
    limit = built_after if built_after is not None else (root / "etc/machine-id").lstat().st_mtime - 600
    entries: list[Entry] = []
    first_names: dict[tuple[int, int], str] = {}
    for path, info in _walk(base):
        name = os.fsdecode(path)
        mtime = 0 if info.st_mtime >= limit else int(info.st_mtime)
        entry = Entry(name, "f", stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, mtime)
        if stat.S_ISDIR(info.st_mode):
            entry.kind = "d"
        elif stat.S_ISLNK(info.st_mode):
            entry.kind, entry.mode = "l", 0o777
            entry.target = os.fsdecode(os.readlink(base + path))
        elif stat.S_ISREG(info.st_mode):
            first = first_names.setdefault((info.st_dev, info.st_ino), name)
            if first != name:
                entry.kind, entry.target = "h", first
            else:
                entry.size = info.st_size
                _look_into(base + path, entry)
        else:
            continue
        entries.append(entry)
    return entries


def _walk(base: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    pending = [b"/"]
    while pending:
        folder = pending.pop()
        with os.scandir(base + folder) as found:
            children = sorted(found, key=lambda each: each.name)
        for child in children:
            path = os.path.join(folder, child.name)
            if os.fsdecode(path).startswith(_LEAVE_OUT):
                continue
            info = child.stat(follow_symlinks=False)
            yield path, info
            if stat.S_ISDIR(info.st_mode):
                pending.append(path)


def _look_into(path: bytes, entry: Entry) -> None:
    with open(path, "rb") as file:
        data = file.read(min(entry.size, 4_000_000))
    name = entry.path.rpartition("/")[2]
    runs = entry.mode & 0o111 and entry.path.startswith(_BIN)
    if data.startswith(b"\x7fELF"):
        entry.elf = True
        entry.program = PROGRAM_NAMES.get(name, name)
        return
    if runs:
        entry.program = PROGRAM_NAMES.get(name, name)
    if entry.path == "/var/lib/dpkg/status":
        entry.data = _short_status(data)
    elif _worth_keeping(entry, data, bool(runs)):
        entry.data = data


def _worth_keeping(entry: Entry, data: bytes, runs: bool) -> bool:
    path = entry.path
    if len(data) != entry.size or entry.size > KEEP_BYTES or _ARCHIVES.search(data):
        return False
    if path.startswith(_SKIP_CONTENT):
        return False
    if path.startswith("/var/lib/dpkg/info/"):
        return path.endswith(".list")
    return runs or path.startswith(_KEEP)


def _short_status(data: bytes) -> bytes:
    # dpkg's status without long descriptions, conffile sums and home pages: what dpkg -l, -s and apt show first.
    out: list[bytes] = []
    for paragraph in data.split(b"\n\n"):
        kept: list[bytes] = []
        for line in paragraph.split(b"\n"):
            field = line.partition(b":")[0].decode("ascii", "replace")
            if line[:1] not in (b" ", b"\t") and field in _STATUS_FIELDS:
                kept.append(line)
        if kept:
            out.append(b"\n".join(kept))
    return b"\n\n".join(out) + b"\n\n"
