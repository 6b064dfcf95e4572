"""HTTP clients: which arguments of their command lines are fetched, which only look like a URL.

Options are those of the manual pages of GNU wget 1.21, curl 7.88, BusyBox 1.35, aria2 1.36, axel 2.17, lynx 2.9.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from urltrap.recover.ask import Ask
from urltrap.recover.clients.options import basename, options, text_of

_WGET_SHORT = b"OoaPtTUeiBQwARDIXlY"
_WGET_LONG = frozenset({
    b"output-document", b"output-file", b"append-output", b"directory-prefix", b"tries", b"timeout", b"user-agent",
    b"execute", b"input-file", b"base", b"quota", b"wait", b"header", b"referer", b"post-data", b"post-file",
    b"method", b"body-data", b"body-file", b"user", b"password", b"http-user", b"http-password", b"ftp-user",
    b"ftp-password", b"proxy-user", b"proxy-password", b"limit-rate", b"load-cookies", b"save-cookies",
    b"ca-certificate", b"certificate", b"private-key", b"bind-address", b"dns-timeout", b"connect-timeout",
    b"read-timeout", b"waitretry", b"level", b"accept", b"reject", b"domains", b"secure-protocol",
})  # fmt: skip
_CURL_SHORT = b"oAeHduxbcCDFKmrTUwXyYzQEtP"
_CURL_LONG = frozenset({
    b"output", b"user-agent", b"referer", b"header", b"data", b"data-binary", b"data-raw", b"data-urlencode",
    b"data-ascii", b"json", b"user", b"proxy", b"cookie", b"cookie-jar", b"continue-at", b"dump-header", b"form",
    b"form-string", b"config", b"max-time", b"range", b"upload-file", b"proxy-user", b"write-out", b"request",
    b"speed-time", b"speed-limit", b"time-cond", b"quote", b"cert", b"key", b"cacert", b"capath", b"connect-timeout",
    b"retry", b"retry-delay", b"retry-max-time", b"max-redirs", b"limit-rate", b"interface", b"resolve", b"url",
    b"connect-to", b"socks5", b"socks5-hostname", b"socks4", b"socks4a", b"preproxy", b"doh-url", b"ciphers",
    b"tls-max", b"output-dir", b"oauth2-bearer", b"max-filesize", b"noproxy", b"dns-servers", b"unix-socket",
})  # fmt: skip
_ARIA_LONG = frozenset({
    b"dir", b"out", b"log", b"split", b"max-connection-per-server", b"header", b"user-agent", b"referer",
    b"input-file", b"max-tries", b"timeout",
})  # fmt: skip


def wget(arguments: Sequence[bytes]) -> Iterator[Ask]:
    """GNU and BusyBox wget; the ``-g HOST -l LOCAL -r REMOTE`` of Huawei's routers."""
    operands: list[bytes] = []
    output = folder = remote = agent = b""
    huawei = False
    reads: list[bytes] = []
    found = list(options(arguments, _WGET_SHORT, _WGET_LONG))
    if any(name == b"g" for name, _ in found):
        # ``-g`` is no option of GNU wget: there the other letters mean what they do for tftp.
        huawei = True
        found = list(options(arguments, b"lrPup", _WGET_LONG))
    for name, value in found:
        if name == b"":
            operands.append(value)
        elif name in (b"O", b"output-document"):
            output = value
        elif name in (b"P", b"directory-prefix"):
            folder = value
        elif name in (b"U", b"user-agent"):
            agent = value
        elif name in (b"i", b"input-file"):
            reads.append(value)
        elif huawei and name == b"l":
            output = value
        elif huawei and name == b"r":
            remote = value
    if huawei and remote and operands:
        yield Ask(
            b"http://" + operands[0] + b"/" + remote.lstrip(b"/"),
            "wget",
            text_of(output),
            agent,
            from_words=True,
        )
        return
    for url in _meant(operands):
        target = output or _local_name(url, folder, b"index.html")
        yield Ask(url, "wget", text_of(target), agent)
    for url in reads:  # the option takes a URL as well as a file
        if b"://" in url:
            yield Ask(url, "wget", "", agent)


def _meant(operands: list[bytes]) -> list[bytes]:
    """Without names of files where another operand has a scheme: what a lost line end has pulled in."""
    if len(operands) > 1 and any(b"://" in word for word in operands):
        return [word for word in operands if b"://" in word or b"/" in word.strip(b"/")]
    return operands


def _local_name(url: bytes, folder: bytes, empty: bytes) -> bytes:
    rest = url.partition(b"://")[2] or url
    name = basename(rest.partition(b"#")[0]) if b"/" in rest else b""
    return (folder.rstrip(b"/") + b"/" if folder else b"") + (name or empty)


def curl(arguments: Sequence[bytes]) -> Iterator[Ask]:
    """curl: several URLs, each with its own -o or -O."""
    urls: list[bytes] = []
    outputs: list[bytes] = []
    agent = b""
    words = [
        b"-" + word[1:] if word[:1] == b"-" and word[1:2].isalpha() and word[:2] != b"--" else word
        for word in arguments
    ]
    for name, value in options(words, _CURL_SHORT, _CURL_LONG):
        if name in (b"", b"url"):
            urls.append(value)
        elif name in (b"o", b"output"):
            outputs.append(value)
        elif name in (b"O", b"remote-name"):
            outputs.append(b"")
        elif name == b"remote-name-all":
            outputs += [b""] * len(arguments)
        elif name in (b"A", b"user-agent"):
            agent = value
    for number, url in enumerate(_meant(urls)):
        if number < len(outputs):
            target = outputs[number] or _local_name(url, b"", b"")
        else:
            target = b"-"
        yield Ask(url, "curl", text_of(target), agent)


def operands(client: str, short: bytes = b"", long: frozenset[bytes] = frozenset()) -> _Operands:
    """A client whose operands are URLs; `short` and `long` are its options that take a value."""
    return _Operands(client, short, long)


class _Operands:
    def __init__(self, client: str, short: bytes, long: frozenset[bytes]) -> None:
        self.client, self.short, self.long = client, short, long

    def __call__(self, arguments: Sequence[bytes]) -> Iterator[Ask]:
        output = b""
        found: list[bytes] = []
        for name, value in options(arguments, self.short, self.long):
            if name == b"":
                found.append(value)
            elif name in (b"o", b"O", b"out", b"output"):
                output = value
        for url in found:
            yield Ask(url, self.client, text_of(output or _local_name(url, b"", b"")))


aria2c = operands("aria2c", b"doljsxUikmt", _ARIA_LONG)
axel = operands("axel", b"onsUHT")
fetch = operands("fetch", b"oTwSB")
lynx = operands("lynx")
http_ie = operands("httpie", b"o")


def lwp_download(arguments: Sequence[bytes]) -> Iterator[Ask]:
    """``lwp-download URL [LOCAL]``, ``lwp-request [-m METHOD] URL``, ``GET URL``."""
    rest = [value for name, value in options(arguments, b"mbtipCHc", ()) if name == b""]
    if rest:
        yield Ask(
            rest[0], "lwp-download", text_of(rest[1] if len(rest) > 1 else _local_name(rest[0], b"", b""))
        )
