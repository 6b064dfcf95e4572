"""sysupgrade and firstboot of an OpenWrt device: scripts there as here. Nothing is flashed: an image that is no OpenWrt
image is refused, as the real one does, and one that is forced on takes the machine down."""

from __future__ import annotations

SYSUPGRADE = """\
#!/bin/sh

usage() {
\tcat <<EOF
Usage: $0 [<upgrade-option>...] <image file or URL>
       $0 [-q] [-i] [-c] [-u] [-o] [-k] <backup-command> <file>

upgrade-option:
\t-f <config>  restore configuration from .tar.gz (file or url)
\t-i           interactive mode
\t-c           attempt to preserve all changed files in /etc/
\t-o           attempt to preserve all changed files in /, except those
\t             from packages but including changed confs.
\t-u           skip from backup files that are equal to those in /rom
\t-n           do not save configuration over reflash
\t-p           do not attempt to restore the partition table after flash.
\t-k           include in backup a list of current installed packages at
\t             /etc/backup/installed_packages.txt
\t-T | --test
\t             Verify image and config .tar.gz but do not actually flash.
\t-F | --force
\t             Flash image even if image checks fail, this is dangerous!
\t-q           less verbose
\t-v           more verbose
\t-h | --help  display this help

backup-command:
\t-b | --create-backup <file>
\t             create .tar.gz of files specified in sysupgrade.conf
\t             then exit. Does not flash an image. If file is '-',
\t             i.e. stdout, verbosity is set to 0 (i.e. quiet).
\t-r | --restore-backup <file>
\t             restore a .tar.gz created with sysupgrade -b
\t             then exit. Does not flash an image. If file is '-',
\t             the archive is read from stdin.
\t-l | --list-backup
\t             list the files that would be backed up when calling
\t             sysupgrade -b. Does not create a backup file.

EOF
\texit "$1"
}

kept() {
\tfor each in /etc/config/* /etc/crontabs/* /etc/dropbear/* /etc/group /etc/hosts /etc/inittab /etc/opkg/*.conf \\
\t\t/etc/passwd /etc/profile /etc/rc.local /etc/shadow /etc/shells /etc/shinit; do
\t\t[ -f "$each" ] && echo "$each"
\tdone
}

stamp() {
\techo "$(date) upgrade: $*" >&2
}

force= test= image=
while [ -n "$1" ]; do
\tcase "$1" in
\t\t-h|--help) usage 0 ;;
\t\t-l|--list-backup) kept; exit 0 ;;
\t\t-b|--create-backup)
\t\t\t[ -n "$2" ] || usage 1
\t\t\tstamp "Saving config files..."
\t\t\ttar czf "$2" $(kept) 2>/dev/null
\t\t\texit $? ;;
\t\t-r|--restore-backup)
\t\t\t[ -r "$2" ] || { echo "Backup archive '$2' not found." >&2; exit 1; }
\t\t\tstamp "Restoring config files..."
\t\t\ttar -C / -xzf "$2"
\t\t\texit $? ;;
\t\t-F|--force) force=1 ;;
\t\t-T|--test) test=1 ;;
\t\t-f) shift ;;
\t\t-*) ;;
\t\t*) image="$1" ;;
\tesac
\tshift
done

[ -n "$image" ] || usage 1
case "$image" in
\thttp://*|https://*)
\t\twget -O /tmp/sysupgrade.img "$image" || exit 1
\t\timage=/tmp/sysupgrade.img ;;
esac
[ -f "$image" ] || {
\techo "Image file '$image' not found." >&2
\texit 1
}
stamp "Image metadata not present"
stamp "Use sysupgrade -F to override this check when downgrading or flashing to vendor firmware"
[ -n "$force" ] || {
\techo "Image check failed." >&2
\texit 1
}
echo "Image check failed but --force given - will update anyway!" >&2
[ -n "$test" ] && exit 0
stamp "Saving config files..."
stamp "Commencing upgrade. Closing all shell sessions."
reboot
"""

FIRSTBOOT = """\
#!/bin/sh

[ "$1" = -y ] || {
\tprintf 'This will erase all settings and remove any installed packages. Are you sure? [N/y]\\n'
\tread -r answer
\tcase "$answer" in
\t\ty|Y|yes|YES) ;;
\t\t*) exit 0 ;;
\tesac
}
echo "/dev/mtdblock3 is mounted as /overlay, only erasing files"
"""
