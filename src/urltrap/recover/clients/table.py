"""Which reader understands which program's command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from urltrap.recover.ask import Ask
from urltrap.recover.clients import files, web

Reader = Callable[[Sequence[bytes]], Iterable[Ask]]

READERS: dict[str, Reader] = {
    "wget": web.wget, "wget2": web.wget, "curl": web.curl, "fetch": web.fetch, "aria2c": web.aria2c,
    "axel": web.axel, "lynx": web.lynx, "links": web.lynx, "elinks": web.lynx, "w3m": web.lynx,
    "lwp-download": web.lwp_download, "lwp-request": web.lwp_download, "lwp-mirror": web.lwp_download,
    "GET": web.lwp_download, "http": web.http_ie, "https": web.http_ie,
    "tftp": files.tftp, "atftp": files.tftp, "ftpget": files.ftpget, "ncftpget": files.ncftpget,
    "scp": files.scp, "sftp": files.sftp, "rsync": files.rsync, "git": files.git, "ftp": files.ftp,
    "lftp": files.ftp, "lftpget": web.operands("lftpget"), "snarf": web.operands("snarf"),
    "pip": files.installer("pip"), "pip2": files.installer("pip"), "pip3": files.installer("pip"),
    "gem": files.installer("gem"), "apt": files.installer("apt"), "apt-get": files.installer("apt"),
    "npm": files.installer("npm"), "rpm": files.installer("rpm"),
    "yum": files.installer("yum"), "dnf": files.installer("dnf"), "apk": files.installer("apk"),
    "go": files.installer("go"), "easy_install": files.installer("pip"), "nc": files.nc, "ncat": files.nc,
    "netcat": files.nc, "socat": files.socat, "telnet": files.nc, "cargo": files.installer("cargo"),
}  # fmt: skip
"""Programs by name."""

FED = {"nc": files.nc, "ncat": files.nc, "netcat": files.nc, "socat": files.socat, "telnet": files.nc,
       "ftp": files.ftp, "lftp": files.ftp}  # fmt: skip
"""Those that act on what they read from standard input: their readers take it as a second argument."""
