"""curl's command line: letters that combine, long names that may be cut short, groups divided by --next."""

from __future__ import annotations

import re
from collections.abc import Sequence

from urltrap.machine.programs._words import words

_VALUED = words(
    "abstract-unix-socket alt-svc aws-sigv4 cacert capath cert cert-type ciphers config connect-timeout connect-to "
    "continue-at cookie cookie-jar crlfile curves data data-ascii data-binary data-raw data-urlencode delegation "
    "dns-interface dns-ipv4-addr dns-ipv6-addr dns-servers doh-url dump-header egd-file engine etag-compare "
    "etag-save expect100-timeout form form-string ftp-account ftp-alternative-to-user ftp-method ftp-port "
    "ftp-ssl-ccc-mode happy-eyeballs-timeout-ms header hostpubmd5 hostpubsha256 hsts interface json keepalive-time "
    "key key-type krb libcurl limit-rate local-port login-options mail-auth mail-from mail-rcpt max-filesize "
    "max-redirs max-time netrc-file noproxy oauth2-bearer output output-dir parallel-max pass pinnedpubkey preproxy "
    "proto proto-default proto-redir proxy proxy-header proxy-user pubkey quote random-file range rate referer "
    "request request-target resolve retry retry-delay retry-max-time sasl-authzid service-name socks4 socks4a "
    "socks5 socks5-hostname speed-limit speed-time stderr telnet-option tftp-blksize time-cond tls-max "
    "tls13-ciphers trace trace-ascii unix-socket upload-file url url-query user user-agent write-out tlsuser "
    "tlspassword"
)
_FLAGS = words(
    "anyauth append basic ca-native cert-status compressed compressed-ssh create-dirs crlf digest disable "
    "disable-eprt disable-epsv disallow-username-in-url doh-insecure fail fail-early fail-with-body false-start "
    "form-escape ftp-create-dirs ftp-pasv ftp-skip-pasv-ip get globoff haproxy-protocol head help http0.9 http1.0 "
    "http1.1 http2 http2-prior-knowledge http3 ignore-content-length include insecure ipv4 ipv6 "
    "junk-session-cookies list-only location location-trusted manual metalink negotiate netrc netrc-optional next "
    "no-alpn no-buffer no-clobber no-keepalive no-npn no-progress-meter no-sessionid ntlm parallel "
    "parallel-immediate path-as-is post301 post302 post303 progress-bar proxy-insecure proxytunnel raw "
    "remote-header-name remote-name remote-name-all remote-time remove-on-error retry-all-errors retry-connrefused "
    "show-error silent ssl ssl-allow-beast ssl-no-revoke ssl-reqd sslv2 sslv3 styled-output "
    "suppress-connect-headers tcp-fastopen tcp-nodelay test-event tftp-no-options tlsv1 tlsv1.0 tlsv1.1 tlsv1.2 "
    "tlsv1.3 tr-encoding trace-time use-ascii verbose version xattr"
)
OPTIONS: dict[str, bool] = {**dict.fromkeys(_VALUED, True), **dict.fromkeys(_FLAGS, False)}
"""Long options, and whether they take a value."""
LETTERS = {
    "0": "http1.0", "1": "tlsv1", "2": "sslv2", "3": "sslv3", "4": "ipv4", "6": "ipv6", "a": "append",
    "A": "user-agent", "b": "cookie", "B": "use-ascii", "c": "cookie-jar", "C": "continue-at", "d": "data",
    "D": "dump-header", "e": "referer", "E": "cert", "f": "fail", "F": "form", "g": "globoff", "G": "get",
    "h": "help", "H": "header", "i": "include", "I": "head", "j": "junk-session-cookies", "J": "remote-header-name",
    "k": "insecure", "K": "config", "l": "list-only", "L": "location", "m": "max-time", "M": "manual", "n": "netrc",
    "N": "no-buffer", "o": "output", "O": "remote-name", "p": "proxytunnel", "P": "ftp-port", "q": "disable",
    "Q": "quote", "r": "range", "R": "remote-time", "s": "silent", "S": "show-error", "t": "telnet-option",
    "T": "upload-file", "u": "user", "U": "proxy-user", "v": "verbose", "V": "version", "w": "write-out",
    "x": "proxy", "X": "request", "Y": "speed-limit", "y": "speed-time", "z": "time-cond", "Z": "parallel",
    "#": "progress-bar", ":": "next",
}  # fmt: skip
"""The letters of options."""
_NUMERIC = frozenset(
    ("max-time", "connect-timeout", "retry", "retry-delay", "max-redirs", "speed-limit", "speed-time")
)


class UsageError(Exception):
    """A wrong command line; the text is curl's."""


def parse(argv: Sequence[str]) -> list[tuple[dict[str, list[str]], list[str]]]:
    """Groups of (options by long name with all their values, URLs). UsageError."""
    groups: list[tuple[dict[str, list[str]], list[str]]] = [({}, [])]
    rest = list(argv)
    ended = False
    while rest:
        word = rest.pop(0)
        opts, urls = groups[-1]
        if ended or not word.startswith("-") or word == "-":
            urls.append(word)
        elif word == "--":
            ended = True
        elif word.startswith("--"):
            name = _full(word)
            if name == "next":
                groups.append(({}, []))
            elif OPTIONS.get(name):
                _take(opts, urls, name, word, rest.pop(0) if rest else None)
            else:
                opts.setdefault(name, []).append("")
        else:
            letters = word[1:]
            while letters:
                letter, letters = letters[0], letters[1:]
                found = LETTERS.get(letter)
                if found is None:
                    raise UsageError(f"option {word}: is unknown")
                if found == "next":
                    groups.append(({}, []))
                    opts, urls = groups[-1]
                elif OPTIONS[found]:
                    value = letters if letters else (rest.pop(0) if rest else None)
                    _take(opts, urls, found, word, value)
                    break
                else:
                    opts.setdefault(found, []).append("")
    return groups


def _take(opts: dict[str, list[str]], urls: list[str], name: str, word: str, value: str | None) -> None:
    if value is None:
        raise UsageError(f"option {word}: requires parameter")
    if name in _NUMERIC and not re.fullmatch(r"\d+(\.\d+)?", value):
        raise UsageError(f"option {word}: expected a proper numerical parameter")
    if name == "url":
        urls.append(value)
    else:
        opts.setdefault(name, []).append(value)


def _full(word: str) -> str:
    name = word[2:]
    if name in OPTIONS:
        return name
    if name.startswith("no-") and name[3:] in OPTIONS:
        return name
    matches = [each for each in OPTIONS if each.startswith(name)] if name else []
    if len(matches) == 1:
        return matches[0]
    raise UsageError(f"option {word}: is {'ambiguous' if matches else 'unknown'}")
