"""Command lines of download programs: which of their arguments are URLs, which only look like one.

Options are those of the manual pages of GNU wget 1.21, curl 7.88, BusyBox 1.35 (wget, tftp, ftpget) and tftp-hpa.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from urltrap.recover.words import Command, Word

_PREFIXES = {
    b"busybox", b"sudo", b"nohup", b"exec", b"time", b"command", b"builtin", b"env", b"setsid", b"then", b"do",
    b"else", b"if", b"elif", b"while", b"until", b"!", b"{", b"stdbuf", b"nice", b"ionice", b"xargs", b"doas",
    b"timeout", b"watch",
}  # fmt: skip
_SHELLS = {b"sh", b"bash", b"ash", b"dash", b"zsh", b"ksh", b"su", b"busybox"}
_ASSIGNMENT = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*=")
_NUMBER = re.compile(rb"[0-9.]+[smhd]?")

# Options whose value is an argument of their own. Short ones as letters, long ones by name.
_WGET_SHORT = b"OoaPtTUeiBQwARDIXlY"
_WGET_LONG = {
    b"output-document", b"output-file", b"append-output", b"directory-prefix", b"tries", b"timeout", b"user-agent",
    b"execute", b"input-file", b"base", b"quota", b"wait", b"header", b"referer", b"post-data", b"post-file",
    b"method", b"body-data", b"body-file", b"user", b"password", b"http-user", b"http-password", b"ftp-user",
    b"ftp-password", b"proxy-user", b"proxy-password", b"limit-rate", b"load-cookies", b"save-cookies",
    b"ca-certificate", b"certificate", b"private-key", b"bind-address", b"dns-timeout", b"connect-timeout",
    b"read-timeout", b"waitretry", b"level", b"accept", b"reject", b"domains", b"secure-protocol",
}  # fmt: skip
_CURL_SHORT = b"oAeHduxbcCDFKmrTUwXyYzQEtP"
_CURL_LONG = {
    b"output", b"user-agent", b"referer", b"header", b"data", b"data-binary", b"data-raw", b"data-urlencode",
    b"data-ascii", b"json", b"user", b"proxy", b"cookie", b"cookie-jar", b"continue-at", b"dump-header", b"form",
    b"form-string", b"config", b"max-time", b"range", b"upload-file", b"proxy-user", b"write-out", b"request",
    b"speed-time", b"speed-limit", b"time-cond", b"quote", b"cert", b"key", b"cacert", b"capath", b"connect-timeout",
    b"retry", b"retry-delay", b"retry-max-time", b"max-redirs", b"limit-rate", b"interface", b"resolve",
    b"connect-to", b"socks5", b"socks5-hostname", b"socks4", b"socks4a", b"preproxy", b"doh-url", b"ciphers",
    b"tls-max", b"output-dir", b"oauth2-bearer", b"max-filesize", b"noproxy", b"dns-servers", b"unix-socket",
}  # fmt: skip
_NOT_FETCHED = {b"referer", b"user-agent", b"header", b"e", b"A", b"H", b"U", b"proxy", b"x"}
_TFTP_SHORT = b"lrbm"
_FTPGET_SHORT = b"upP"


@dataclass(slots=True)
class Asked:
    """What one command line would fetch.

    `direct`: (word, URL text) of arguments that are URLs, scheme perhaps missing. `built`: URLs put together from
    several words. `ignored`: words whose URLs are told to the server or used on the way, not fetched.
    """

    client: str
    direct: list[tuple[Word, bytes]] = field(default_factory=list)
    built: list[tuple[Word, bytes]] = field(default_factory=list)
    ignored: list[Word] = field(default_factory=list)


def basename(word: bytes) -> bytes:
    """The last part of a path."""
    return word.rpartition(b"/")[2]


def program(command: Command) -> tuple[bytes, list[Word]]:
    """Name and arguments of what a command runs, looking through assignments, `sudo`, `busybox` and their kind."""
    words = [word for word in command.words if not word.target]
    index = 0
    prefixed = False
    while index < len(words):
        text = words[index].text
        name = basename(text)
        if _ASSIGNMENT.match(text):
            index += 1
        elif name in _PREFIXES:
            prefixed = True
            index += 1
        elif prefixed and (text.startswith(b"-") or _NUMBER.fullmatch(text)):
            index += 1  # options and numbers of the prefix (`timeout 10`, `nice -n 5`)
        else:
            return name, words[index + 1 :]
    return b"", []


def inner_text(name: bytes, arguments: list[Word]) -> Word | None:
    """The word that is itself a shell text: of `sh -c TEXT`, `su -c TEXT`, `eval TEXT`; None where there is none."""
    if name == b"eval":
        return arguments[0] if arguments else None
    if name in _SHELLS:
        for index, word in enumerate(arguments[:-1]):
            if re.fullmatch(rb"-[a-z]*c", word.text):
                return arguments[index + 1]
    return None


def asked(name: bytes, arguments: list[Word]) -> Asked | None:
    """What a download program would fetch with these arguments; None for any other program."""
    reader = _READERS.get(name.lower())
    return reader(arguments) if reader else None


def _options(
    arguments: list[Word], short: bytes, long: set[bytes]
) -> Iterator[tuple[bytes, Word | None, bytes]]:
    """(option name or b"" for an operand, word that holds the value, value)."""
    index = 0
    operands_only = False
    while index < len(arguments):
        word = arguments[index]
        text = word.text
        index += 1
        if operands_only or not text.startswith(b"-") or text == b"-":
            yield b"", word, text
        elif text == b"--":
            operands_only = True
        elif text.startswith(b"--"):
            name, has_value, value = text[2:].partition(b"=")
            if has_value:
                yield name, word, value
            elif name in long and index < len(arguments):
                yield name, arguments[index], arguments[index].text
                index += 1
            else:
                yield name, None, b""
        else:
            for place in range(1, len(text)):
                letter = text[place : place + 1]
                if letter not in short or letter == b"":
                    yield letter, None, b""
                    continue
                if place + 1 < len(text):
                    yield letter, word, text[place + 1 :]
                elif index < len(arguments):
                    yield letter, arguments[index], arguments[index].text
                    index += 1
                break


def _wget(arguments: list[Word]) -> Asked:
    found = Asked("wget")
    for name, word, value in _options(arguments, _WGET_SHORT, _WGET_LONG):
        if name == b"" and word is not None:
            found.direct.append((word, value))
        elif word is not None and name in (b"U", b"user-agent", b"referer", b"header", b"e", b"execute"):
            found.ignored.append(word)
    return found


def _curl(arguments: list[Word]) -> Asked:
    found = Asked("curl")
    for name, word, value in _options(arguments, _CURL_SHORT, _CURL_LONG | {b"url"}):
        if word is not None and name in (b"", b"url"):
            found.direct.append((word, value))
        elif word is not None and name in _NOT_FETCHED:
            found.ignored.append(word)
    return found


def _operands(arguments: list[Word]) -> Asked:
    """Programs whose operands are URLs and that attackers call without options that matter."""
    found = Asked("wget")
    found.direct = [(word, word.text) for word in arguments if not word.text.startswith(b"-")]
    return found


def _tftp(arguments: list[Word]) -> Asked:
    """BusyBox `tftp -g -r REMOTE [-l LOCAL] HOST [PORT]`; tftp-hpa `tftp [-m MODE] HOST [PORT] -c get REMOTE`."""
    found = Asked("tftp")
    operands: list[Word] = []
    remote = local = None
    getting = putting = command = False
    for name, word, value in _options(arguments, _TFTP_SHORT, set()):
        if name == b"" and word is not None:
            operands.append(word)
        elif name == b"r":
            remote = value
        elif name == b"l":
            local = value
        elif name == b"g":
            getting = True
        elif name == b"p":
            putting = True
        elif name == b"c":
            command = True
    if not operands:
        return found
    host, port, rest = operands[0], b"", operands[1:]
    if rest and rest[0].text.isdigit():
        port, rest = b":" + rest[0].text, rest[1:]
    if command or (rest and rest[0].text == b"get"):
        files = [word.text for word in rest[1:]] if rest and rest[0].text == b"get" else []
        # `get LOCAL` and `get REMOTE LOCAL` both name the remote file first.
        wanted = files[0] if files else None
    else:
        wanted = (remote or local) if getting and not putting else None
    if wanted:
        found.built.append((host, b"tftp://" + host.text + port + b"/" + wanted.lstrip(b"/")))
    return found


def _ftpget(arguments: list[Word]) -> Asked:
    """BusyBox `ftpget [-c] [-v] [-u USER] [-p PASS] [-P PORT] HOST [LOCAL] REMOTE`."""
    found = Asked("ftpget")
    operands: list[Word] = []
    port = b""
    for name, word, value in _options(arguments, _FTPGET_SHORT, set()):
        if name == b"" and word is not None:
            operands.append(word)
        elif name == b"P":
            port = b":" + value
    if len(operands) >= 2:
        host, remote = operands[0], operands[2] if len(operands) > 2 else operands[1]
        found.built.append((host, b"ftp://" + host.text + port + b"/" + remote.text.lstrip(b"/")))
    return found


_READERS = {
    b"wget": _wget,
    b"wget2": _wget,
    b"curl": _curl,
    b"tftp": _tftp,
    b"atftp": _tftp,
    b"ftpget": _ftpget,
    b"fetch": _operands,
    b"aria2c": _operands,
    b"axel": _operands,
    b"lwp-download": _operands,
    b"lynx": _operands,
}
