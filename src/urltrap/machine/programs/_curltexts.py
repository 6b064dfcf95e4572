"""What curl says of itself, in the version that the machine's dpkg lists."""

from __future__ import annotations

from urltrap.machine.api import Process
from urltrap.machine.programs._release import openssl_banner, package_version, upstream_version

_LIBRARIES = {
    "7.88.1": "zlib/1.2.13 brotli/1.0.9 zstd/1.5.4 libidn2/2.3.3 libpsl/0.21.2 (+libidn2/2.3.3) libssh2/1.10.0 "
    "nghttp2/1.52.0 librtmp/2.3 OpenLDAP/2.5.13",
    "8.14.1": "zlib/1.3.1 brotli/1.1.0 zstd/1.5.7 libidn2/2.3.8 libpsl/0.21.2 libssh2/1.11.1 nghttp2/1.64.0 "
    "nghttp3/1.8.0 librtmp/2.3 OpenLDAP/2.6.10",
}
_DATES = {"7.88.1": "2023-02-20", "8.14.1": "2025-06-04"}


def curl_version(p: Process) -> str:
    """The installed version, "7.88.1"."""
    return upstream_version(p, "curl", "7.88.1")


def version_text(p: Process) -> str:
    """What -V prints."""
    version = curl_version(p)
    newer = version != "7.88.1"
    libraries = _LIBRARIES.get(version, _LIBRARIES["7.88.1"])
    more, sockets = (" ipfs ipns", " ws wss") if newer else ("", "")
    return (
        f"curl {version} (x86_64-pc-linux-gnu) libcurl/{version} OpenSSL/{openssl_banner(p).split()[1]} {libraries}\n"
        f"Release-Date: {_DATES.get(version, '2023-02-20')}, security patched: {package_version(p, 'curl')}\n"
        f"Protocols: dict file ftp ftps gopher gophers http https imap imaps{more} ldap ldaps mqtt pop3 pop3s rtmp "
        f"rtsp scp sftp smb smbs smtp smtps telnet tftp{sockets}\n"
        f"Features: alt-svc AsynchDNS brotli GSS-API HSTS HTTP2{' HTTP3' if newer else ''} HTTPS-proxy IDN IPv6 "
        f"Kerberos Largefile libz NTLM{'' if newer else ' NTLM_WB'} PSL SPNEGO SSL threadsafe TLS-SRP UnixSockets "
        "zstd\n"
    )


HELP = """\
Usage: curl [options...] <url>
 -d, --data <data>          HTTP POST data
 -f, --fail                 Fail fast with no output on HTTP errors
 -h, --help <category>      Get help for commands
 -i, --include              Include protocol response headers in the output
 -o, --output <file>        Write to file instead of stdout
 -O, --remote-name          Write output to a file named as the remote file
 -s, --silent               Silent mode
 -T, --upload-file <file>   Transfer local FILE to destination
 -u, --user <user:password> Server user and password
 -A, --user-agent <name>    Send User-Agent <name> to server
 -v, --verbose              Make the operation more talkative
 -V, --version              Show version number and quit

This is not the full help, this menu is stripped into categories.
Use "--help category" to get an overview of all categories.
For all options use the manual or "--help all".
"""
HINT = "curl: try 'curl --help' or 'curl --manual' for more information\n"
