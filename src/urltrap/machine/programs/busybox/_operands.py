"""The applets that print their usage where nothing is behind their name (asked of BusyBox 1.35 itself)."""

from __future__ import annotations

_NAMES = """
ar arping awk basename blkdiscard blockdev brctl chgrp chmod chown chroot chvt cmp cp cpio devmem
diff dirname fallocate fatattr fdisk findfs freeramdisk fsfreeze fstrim ftpget ftpput i2cdetect
i2cdump i2cget i2cset i2ctransfer ifdown ifup insmod ip ipcalc link ln losetup mdev microcom mkdir
mkdosfs mkfifo mknod mkswap modinfo mt mv nc nslookup ping ping6 printf rdate readlink realpath
renice resume rm rmdir rmmod rpm run-parts sed seq setkeycodes setpriv shred sleep ssl_client
start-stop-daemon stat svc svok swapoff swapon tar taskset telnet tftp time timeout touch tr
traceroute traceroute6 truncate ubirename umount unlink unzip usleep uuencode vconfig watch wget
which
"""
NEEDS_OPERANDS = frozenset(_NAMES.split())
