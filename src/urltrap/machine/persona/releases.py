"""Kernels and distribution texts as they were published (Debian's kernel changelogs, OpenWrt's release notes)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class KernelRelease:
    """A kernel package: ABI name without flavour, package version, day of its build (YYYY-MM-DD)."""

    abi: str
    package: str
    day: str

    @property
    def built(self) -> float:
        """Unix seconds of the build's day."""
        return datetime.fromisoformat(self.day).replace(tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class ToolVersions:
    """Upstream versions that programs tell beside their ``--version`` texts: in user agents, variables and banners."""

    bash: str
    curl: str
    openssl: str
    perl: str
    procps: str
    python: str
    sudo: str
    wget: str


DEBIAN_12_TOOLS = ToolVersions(
    bash="5.2.15", curl="7.88.1", openssl="3.0.22", perl="5.36.0", procps="4.0.2", python="3.11.2", sudo="1.9.13p3",
    wget="1.21.3",
)  # fmt: skip
DEBIAN_13_TOOLS = ToolVersions(
    bash="5.2.37", curl="8.14.1", openssl="3.5.9", perl="5.40.1", procps="4.0.4", python="3.13.5", sudo="1.9.16p2",
    wget="1.25.0",
)  # fmt: skip

DEBIAN_12_KERNELS = (
    KernelRelease("6.1.0-18", "6.1.76-1", "2024-02-01"),
    KernelRelease("6.1.0-21", "6.1.90-1", "2024-05-03"),
    KernelRelease("6.1.0-25", "6.1.106-3", "2024-08-26"),
    KernelRelease("6.1.0-28", "6.1.119-1", "2024-11-22"),
    KernelRelease("6.1.0-31", "6.1.128-1", "2025-02-07"),
    KernelRelease("6.1.0-37", "6.1.140-1", "2025-05-22"),
    KernelRelease("6.1.0-40", "6.1.153-1", "2025-09-20"),
    KernelRelease("6.1.0-41", "6.1.158-1", "2025-11-09"),
    KernelRelease("6.1.0-47", "6.1.170-3", "2026-05-08"),
    KernelRelease("6.1.0-48", "6.1.172-1", "2026-05-15"),
    KernelRelease("6.1.0-49", "6.1.174-1", "2026-05-26"),
    KernelRelease("6.1.0-50", "6.1.176-1", "2026-07-02"),
    KernelRelease("6.1.0-51", "6.1.177-1", "2026-07-16"),
    KernelRelease("6.1.0-52", "6.1.180-1", "2026-08-03"),
    KernelRelease("6.1.0-53", "6.1.187-1", "2026-09-07"),
    KernelRelease("6.1.0-54", "6.1.190-1", "2026-10-16"),
    KernelRelease("6.1.0-56", "6.1.192-2", "2026-11-16"),
)

DEBIAN_13_KERNELS = (
    KernelRelease("6.12.41+deb13", "6.12.41-1", "2025-08-12"),
    KernelRelease("6.12.43+deb13", "6.12.43-1", "2025-08-27"),
    KernelRelease("6.12.48+deb13", "6.12.48-1", "2025-09-20"),
    KernelRelease("6.12.57+deb13", "6.12.57-1", "2025-11-05"),
    KernelRelease("6.12.63+deb13", "6.12.63-1", "2025-12-30"),
    KernelRelease("6.12.69+deb13", "6.12.69-1", "2026-02-08"),
    KernelRelease("6.12.73+deb13", "6.12.73-1", "2026-02-17"),
    KernelRelease("6.12.90+deb13", "6.12.90-1", "2026-05-22"),
    KernelRelease("6.12.94+deb13", "6.12.94-1", "2026-06-20"),
    KernelRelease("6.12.95+deb13", "6.12.95-1", "2026-07-04"),
    KernelRelease("6.12.96+deb13", "6.12.96-1", "2026-07-20"),
    KernelRelease("6.12.101+deb13", "6.12.101-1", "2026-08-05"),
    KernelRelease("6.12.107+deb13", "6.12.107-1", "2026-08-29"),
    KernelRelease("6.12.111+deb13", "6.12.111-1", "2026-09-28"),
    KernelRelease("6.12.113+deb13", "6.12.113-1", "2026-10-15"),
    KernelRelease("6.12.116+deb13", "6.12.116-1", "2026-11-07"),
)

DEBIAN_BUILDER = "debian-kernel@lists.debian.org"
DEBIAN_12_COMPILER = "gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40"
DEBIAN_13_COMPILER = (
    "x86_64-linux-gnu-gcc-14 (Debian 14.2.0-19) 14.2.0, GNU ld (GNU Binutils for Debian) 2.44"
)

DEBIAN_12_OS_RELEASE = """\
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
SUPPORT_URL="https://www.debian.org/support"
BUG_REPORT_URL="https://bugs.debian.org/"
"""

DEBIAN_13_OS_RELEASE = """\
PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
NAME="Debian GNU/Linux"
VERSION_ID="13"
VERSION="13 (trixie)"
VERSION_CODENAME=trixie
DEBIAN_VERSION_FULL=13.8
ID=debian
HOME_URL="https://www.debian.org/"
SUPPORT_URL="https://www.debian.org/support"
BUG_REPORT_URL="https://bugs.debian.org/"
"""

DEBIAN_MOTD = """
The programs included with the Debian GNU/Linux system are free software;
the exact distribution terms for each program are described in the
individual files in /usr/share/doc/*/copyright.

Debian GNU/Linux comes with ABSOLUTELY NO WARRANTY, to the extent
permitted by applicable law.
"""


@dataclass(frozen=True, slots=True)
class OpenWrtRelease:
    """A firmware release of the series whose BusyBox is 1.35.0: version, revision, kernel, build stamp."""

    version: str
    revision: str
    kernel: str
    stamp: str
    busybox_stamp: str


OPENWRT_RELEASES = (
    OpenWrtRelease(
        "22.03.2", "r19803-9a599fee93", "5.10.146", "Fri Oct 14 22:44:41 2022", "2022-10-14 22:44:41"
    ),
    OpenWrtRelease(
        "22.03.3", "r20028-43d71ad93e", "5.10.161", "Tue Jan 3 00:24:21 2023", "2023-01-03 00:24:21"
    ),
    OpenWrtRelease(
        "22.03.5", "r20134-5f15225c1e", "5.10.176", "Thu Apr 27 20:28:15 2023", "2023-04-27 20:28:15"
    ),
    OpenWrtRelease(
        "22.03.6", "r20265-f85a79bcb4", "5.10.201", "Thu Nov 16 17:04:39 2023", "2023-11-16 17:04:39"
    ),
)

OPENWRT_COMPILER = {
    "mips": "mips-openwrt-linux-musl-gcc (OpenWrt GCC 11.2.0 {revision}) 11.2.0, GNU ld (GNU Binutils) 2.37",
    "armv7l": "arm-openwrt-linux-muslgnueabi-gcc (OpenWrt GCC 11.2.0 {revision}) 11.2.0, GNU ld (GNU Binutils) 2.37",
}


def openwrt_os_release(release: OpenWrtRelease, target: str, architecture: str) -> str:
    """/etc/os-release of an OpenWrt image for `target` and package architecture."""
    return (
        'NAME="OpenWrt"\n'
        f'VERSION="{release.version}"\n'
        'ID="openwrt"\n'
        'ID_LIKE="lede openwrt"\n'
        f'PRETTY_NAME="OpenWrt {release.version}"\n'
        f'VERSION_ID="{release.version}"\n'
        'HOME_URL="https://openwrt.org/"\n'
        'BUG_URL="https://bugs.openwrt.org/"\n'
        'SUPPORT_URL="https://forum.openwrt.org/"\n'
        f'BUILD_ID="{release.revision}"\n'
        f'OPENWRT_BOARD="{target}"\n'
        f'OPENWRT_ARCH="{architecture}"\n'
        'OPENWRT_TAINTS=""\n'
        'OPENWRT_DEVICE_MANUFACTURER="OpenWrt"\n'
        'OPENWRT_DEVICE_MANUFACTURER_URL="https://openwrt.org/"\n'
        'OPENWRT_DEVICE_PRODUCT="Generic"\n'
        'OPENWRT_DEVICE_REVISION="v0"\n'
        f'OPENWRT_RELEASE="OpenWrt {release.version} {release.revision}"\n'
    )
