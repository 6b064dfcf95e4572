"""The applets of the BusyBox that the machine claims to have, and the usage texts that were recorded of them."""

from __future__ import annotations

_MARK = "%% "

_FOLDERS = {
    "usr/bin": (
        "[ [[ ar ascii awk basename bc blkdiscard bunzip2 bzcat bzip2 cal chvt clear cmp crc32 cut dc "
        "deallocvt diff dirname dos2unix du dumpleases env expand expr factor fallocate find fold free ftpget "
        "ftpput groups head hexdump hostid id killall last less logger logname lsscsi lzcat lzma md5sum "
        "microcom mkfifo mkpasswd nc nl nproc nsenter nslookup od openvt paste patch printf realpath renice "
        "reset rpm2cpio seq setkeycodes setsid sha1sum sha256sum sha3sum sha512sum shred shuf sort ssl_client "
        "strings svc svok tac tail taskset tee telnet test tftp time timeout top tr traceroute traceroute6 "
        "truncate ts tty unexpand uniq unix2dos unlink unlzma unshare unxz unzip uptime uudecode uuencode w "
        "wc wget which who whoami xargs xxd xz xzcat yes"
    ),
    "sbin": (
        "acpid adjtimex arp blkid blockdev depmod devmem fdisk findfs freeramdisk fstrim getty halt hwclock "
        "ifconfig ifdown ifup init insmod ip ipneigh klogd loadkmap logread losetup lsmod mdev mkdosfs mke2fs "
        "mkswap modinfo modprobe nameif pivot_root poweroff reboot rmmod route run-init start-stop-daemon "
        "swapoff swapon switch_root sysctl syslogd udhcpc uevent vconfig watchdog"
    ),
    "bin": (
        "arch ash base64 cat chgrp chmod chown cp cpio cttyhack date dd df dmesg dnsdomainname dumpkmap echo "
        "egrep false fatattr fgrep getopt grep gunzip gzip hostname ionice ipcalc kill link linux32 linux64 "
        "ln login ls lzop mkdir mknod mktemp more mount mt mv netstat nuke pidof ping ping6 ps pwd readlink "
        "resume rev rm rmdir rpm run-parts sed setpriv sh sleep stat stty sync tar touch true umount uname "
        "uncompress usleep vi watch zcat"
    ),
    "usr/sbin": (
        "arping brctl chroot fsfreeze httpd i2cdetect i2cdump i2cget i2cset i2ctransfer loadfont mim nologin "
        "partprobe rdate ubirename udhcpd"
    ),
    "": ("linuxrc"),
}
APPLETS: dict[str, str] = dict(
    sorted((name, folder) for folder, names in _FOLDERS.items() for name in names.split())
)
"""Every applet, and the folder in which ``busybox --install`` would link it."""


_NOT_ON_DEVICES = frozenset(
    [
        "acpid",
        "adjtimex",
        "ar",
        "ascii",
        "bc",
        "blkdiscard",
        "cal",
        "chvt",
        "cpio",
        "crc32",
        "cttyhack",
        "dc",
        "deallocvt",
        "dos2unix",
        "dumpkmap",
        "factor",
        "fallocate",
        "fatattr",
        "findfs",
        "freeramdisk",
        "fsfreeze",
        "fstrim",
        "getty",
        "httpd",
        "hwclock",
        "i2cdetect",
        "i2cdump",
        "i2cget",
        "i2cset",
        "i2ctransfer",
        "ifdown",
        "ifup",
        "init",
        "ionice",
        "klogd",
        "last",
        "linux32",
        "linux64",
        "linuxrc",
        "loadfont",
        "loadkmap",
        "logread",
        "lsscsi",
        "lzop",
        "mdev",
        "microcom",
        "mim",
        "mkdosfs",
        "mke2fs",
        "mkpasswd",
        "mt",
        "nameif",
        "nologin",
        "nsenter",
        "nuke",
        "openvt",
        "partprobe",
        "rdate",
        "resume",
        "rpm",
        "rpm2cpio",
        "run-init",
        "run-parts",
        "setkeycodes",
        "setpriv",
        "sha3sum",
        "shuf",
        "ssl_client",
        "svc",
        "svok",
        "syslogd",
        "ts",
        "ubirename",
        "udhcpd",
        "uevent",
        "unix2dos",
        "unshare",
        "uudecode",
        "uuencode",
    ]
)
"""What a distribution's build has and a router's has not: it prints, mounts and boots in other ways."""
_ON_DEVICES = {
    "bin": "fsync lock login nice passwd pidof",
    "usr/bin": "crontab flock killall nohup pgrep pkill",
    "usr/sbin": "crond ntpd telnetd",
}
DEVICE_APPLETS: dict[str, str] = dict(
    sorted(
        {
            **{name: folder for name, folder in APPLETS.items() if name not in _NOT_ON_DEVICES},
            **{name: folder for folder, names in _ON_DEVICES.items() for name in names.split()},
        }.items()
    )
)
"""The applets of a router's BusyBox, and where their links are."""


def load_usages(recorded: bytes) -> dict[str, str]:
    """The recorded texts by applet.

    A line "%% NAME" is followed by the text of an applet, from the words behind "Usage: " on.
    """
    found = {}
    for part in recorded.decode().split("\n" + _MARK):
        name, _, text = part.removeprefix(_MARK).partition("\n")
        found[name] = text.removesuffix("\n")
    return found
