"""GNU wget's options, by the short names under which the program asks for them, and its version."""

from __future__ import annotations

from urltrap.machine.api import Process
from urltrap.machine.programs._release import upstream_version
from urltrap.machine.programs._words import words

HINT = "Usage: {0} [OPTION]... [URL]...\n\nTry `{0} --help' for more options.\n"
_VALUES = words(
    "execute:e output-file:o append-output:a input-file:i base:B bind-address: tries:t output-document:O "
    "progress: timeout:T dns-timeout:dt connect-timeout:ct read-timeout:rt wait:w waitretry: limit-rate: "
    "quota:Q directory-prefix:P cut-dirs: http-user:user http-password:password user:user password:password "
    "header:header max-redirect: referer:referer user-agent:U load-cookies: save-cookies: post-data:post "
    "post-file:post-file method:method body-data: body-file: secure-protocol: certificate: private-key: "
    "ca-certificate: ca-directory: ftp-user:user ftp-password:password level:l accept:A reject:R domains:D "
    "include-directories:I exclude-directories:X start-pos: prefer-family: restrict-file-names: "
    "local-encoding: remote-encoding: config: default-page: rejected-log: warc-file: compression: ciphers: "
    "report-speed: input-metalink: "
)
_FLAGS = words(
    "background:b debug:d quiet:q verbose:v no-verbose:nv force-html:F no-clobber:nc continue:c "
    "show-progress:sp timestamping:N no-use-server-timestamps: server-response:S spider:spider no-proxy: "
    "random-wait: no-dns-cache: inet4-only:4 inet6-only:6 no-directories: force-directories:x "
    "no-host-directories: protocol-directories: adjust-extension:E no-cache: no-cookies: keep-session-cookies: "
    "ignore-length: no-http-keep-alive: content-disposition:cd content-on-error:coe trust-server-names:tsn "
    "auth-no-challenge: https-only: no-check-certificate: no-check-certificate=quiet: no-hsts: "
    "no-remove-listing: no-glob: no-passive-ftp: passive-ftp: recursive:r delete-after: convert-links:k "
    "backup-converted:K mirror:m page-requisites:p follow-ftp: relative:L no-parent:np span-hosts:H "
    "retry-connrefused: unlink: xattr: no-config: no-iri: no-netrc: ask-password: use-askpass: "
    "show-progress:sp "
)
LONG: dict[str, str] = {}
for _word in _VALUES:
    _name, _, _meaning = _word.partition(":")
    LONG[_name + ":"] = _meaning or _name
for _word in _FLAGS:
    _name, _, _meaning = _word.partition(":")
    LONG[_name] = _meaning or _name
LONG |= {"help": "help", "version": "V"}
SHORT = "46bcdFhkKLmNpqrSvVxEHA:B:D:I:O:P:Q:R:T:U:X:a:e:i:l:n:o:t:w:"

_VERSION = """\
GNU Wget {version} built on linux-gnu.

-cares +digest -gpgme +https +ipv6 +iri +large-file -metalink +nls 
+ntlm +opie +psl +ssl/gnutls 

Wgetrc: 
    /etc/wgetrc (system)
Locale: 
    /usr/share/locale 
Compile: 
    gcc -DHAVE_CONFIG_H -DSYSTEM_WGETRC="/etc/wgetrc" 
    -DLOCALEDIR="/usr/share/locale" -I. -I../../src -I../lib 
    -I../../lib -Wdate-time -D_FORTIFY_SOURCE=2 
    -I/usr/include/p11-kit-1 -DHAVE_LIBGNUTLS -DNDEBUG -g -O2 
    -ffile-prefix-map=/build/reproducible-path/wget-{version}=. 
    -fstack-protector-strong -Wformat -Werror=format-security 
    -DNO_SSLv2 -D_FILE_OFFSET_BITS=64 -g -Wall 
Link: 
    gcc -I/usr/include/p11-kit-1 -DHAVE_LIBGNUTLS -DNDEBUG -g -O2 
    -ffile-prefix-map=/build/reproducible-path/wget-{version}=. 
    -fstack-protector-strong -Wformat -Werror=format-security 
    -DNO_SSLv2 -D_FILE_OFFSET_BITS=64 -g -Wall -Wl,-z,relro -Wl,-z,now 
    -lpcre2-8 -luuid -lidn2 -lnettle -lgnutls -lz -lpsl ../lib/libgnu.a 

Copyright (C) 2015 Free Software Foundation, Inc.
License GPLv3+: GNU GPL version 3 or later
<http://www.gnu.org/licenses/gpl.html>.
This is free software: you are free to change and redistribute it.
There is NO WARRANTY, to the extent permitted by law.

Originally written by Hrvoje Niksic <hniksic@xemacs.org>.
Please send bug reports and questions to <bug-wget@gnu.org>.
"""  # noqa: W291 - the program prints these spaces


def wget_version(p: Process) -> str:
    """The installed version, "1.21.3"."""
    return upstream_version(p, "wget", "1.21.3")


def version_text(p: Process) -> str:
    """What -V prints."""
    return _VERSION.replace("{version}", wget_version(p))
