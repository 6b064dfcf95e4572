"""Python, Perl, PHP, Ruby, JavaScript and PowerShell: their string expressions folded, URLs and commands taken out.

Nothing is run. A small tokenizer and an evaluator of string expressions (concatenation, reversal, base64, hex, rot13,
chr, join, zlib, variables that were assigned before) see through what one-liners hide behind.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from dataclasses import dataclass, field
from itertools import islice

from urltrap.recover.ask import Ask
from urltrap.recover.static.text import plain_urls

_DEEPEST = 4
_LARGEST = 300_000
_MOST_TOKENS = 12_000
_TOKEN = re.compile(
    rb"""
      (?P<triple> (?:[rbfuRBFU]{0,2})(?:\"{3}(?:[^\\]|\\.)*?\"{3}|'{3}(?:[^\\]|\\.)*?'{3}) )
    | (?P<string> (?:[rbfuRBFU]{1,2}(?=["']))?(?:"(?:[^"\\\n]|\\.|\n)*"|'(?:[^'\\\n]|\\.|\n)*') )
    | (?P<tick>   `[^`]*` )
    | (?P<perlq>  \bq[qwx]?\{[^}]*\}|\bq[qwx]?\([^)]*\) )
    | (?P<comment> \#[^\n]* | (?<!:)//[^\n]* | /\*(?:[^*]|\*(?!/))*\*/ )
    | (?P<reverse> \[\s*::\s*-1\s*\] )
    | (?P<number> 0[xX][0-9a-fA-F]+|\d+ )
    | (?P<name>   [$@%]?[A-Za-z_][\w:]*(?:(?:\.|->|::)[A-Za-z_]\w*)* )
    | (?P<space>  \s+ )
    | (?P<op>     . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SIMPLE = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"0": b"\0"}
_RUNS = re.compile(
    rb"(?i)(?:^|[.:>])(?:system|popen2?|exec\w*|shell_exec|passthru|proc_open|call|run|check_output|spawn\w*|"
    rb"getoutput|start-process|invoke-expression|iex|qx)$"
)
_CLIENT = re.compile(
    rb"(?:^|[\s;|&(/`'\"])(?:wget|curl|tftp|ftpget|fetch|lwp-download|/bin/(?:ba)?sh|bash|sh|base64)\b"
)
_CONNECTS = re.compile(
    rb"(?i)(?:^|[.:>])(?:connect|connect_ex|fsockopen|pfsockopen|open|new|create_connection|tcpsocket|tcpclient|"
    rb"stream_socket_client|createconnection)$|TCPSocket|TCPClient"
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]{16,}={0,2}\s*")
_ENCODED = re.compile(rb"(?i)-e(?:nc?|ncodedcommand|c)?\s+['\"]?([A-Za-z0-9+/=]{16,})")


@dataclass(slots=True)
class Reading:
    """What a piece of code would fetch (`asks`), and texts that it hands to a shell."""

    asks: list[Ask] = field(default_factory=list)
    shell: list[bytes] = field(default_factory=list)


def read_code(code: bytes, language: str, arguments: list[bytes] | None = None, depth: int = 0) -> Reading:
    """Read a program or one-liner in `language` ("python", "perl", "php", "ruby", "node", "powershell", …)."""
    reading = Reading()
    code = code[:_LARGEST]
    for match in _ENCODED.finditer(code) if language in ("powershell", "windows") else ():
        inner = _base64(match[1])
        if inner is not None and depth < _DEEPEST:
            text = inner.decode("utf-16-le", "replace").encode() if b"\0" in inner else inner
            _extend(reading, read_code(text, "powershell", None, depth + 1))
    folder = _Folder(code, language, depth, arguments or [])
    folder.fold()
    for value in folder.values:
        _value(reading, value, language, depth)
    reading.shell += folder.commands
    reading.asks += folder.callbacks
    if language in ("powershell", "windows"):
        for url in plain_urls(code):
            reading.asks.append(Ask(url, language))
    reading.asks = list({(ask.url, ask.kind): ask for ask in reading.asks}.values())
    reading.shell = list(dict.fromkeys(reading.shell))
    return reading


def _extend(reading: Reading, other: Reading) -> None:
    reading.asks += other.asks
    reading.shell += other.shell


def _value(reading: Reading, value: bytes, language: str, depth: int) -> None:
    if _CLIENT.search(value) and (b" " in value or b"|" in value):
        reading.shell.append(value)
        return
    for url in plain_urls(value):
        reading.asks.append(Ask(url, language))
    if depth < _DEEPEST and len(value) >= 24 and _BASE64.fullmatch(value):
        inner = _base64(value)
        if inner is not None and _readable(inner):
            text = inner.decode("utf-16-le", "replace").encode() if inner[1:2] == b"\0" else inner
            _extend(reading, read_code(text, language, None, depth + 1))
            if _CLIENT.search(text):
                reading.shell.append(text)


def _readable(data: bytes) -> bool:
    sample = data[:200].replace(b"\0", b"")
    return bool(sample) and sum(32 <= byte < 127 or byte in b"\r\n\t" for byte in sample) >= 0.95 * len(
        sample
    )


def _base64(data: bytes) -> bytes | None:
    data = re.sub(rb"\s", b"", data)
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


class _Folder:
    """Folds string expressions from left to right. `values`: what came out, `commands`: texts given to a shell."""

    def __init__(self, code: bytes, language: str, depth: int, arguments: list[bytes]) -> None:
        self.language = language
        self.depth = depth
        self.values: list[bytes] = []
        self.commands: list[bytes] = []
        self.callbacks: list[Ask] = []
        self.variables: dict[bytes, bytes] = {}
        for number, word in enumerate(arguments, 1):
            self.variables[b"sys.argv"] = self.variables[b"$ARGV"] = word
            self.variables[b"$argv%d" % number] = word
        comments = language not in ("windows", "powershell")
        self.tokens = [
            (match.lastgroup or "", match[0])
            for match in islice(_TOKEN.finditer(code), _MOST_TOKENS)
            if match.lastgroup != "space" and (match.lastgroup != "comment" or not comments)
        ]
        self.at = 0
        self.nested = 0

    def fold(self) -> None:
        """Read all tokens."""
        while self.at < len(self.tokens):
            self._statement()

    def _peek(self, ahead: int = 0) -> tuple[str, bytes]:
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else ("end", b"")

    def _statement(self) -> None:
        kind, text = self._peek()
        if kind == "name" and self._peek(1)[1] in (b"=", b".", b"+") and not text.endswith(b"="):
            append = self._peek(1)[1] != b"="
            equals = 2 if append else 1
            if self._peek(equals)[1] == b"=" or not append:
                if not append and self._peek(2)[1] == b"=":
                    self.at += 3
                    return
                self.at += equals + 1 if append else 2
                value = self._expression()
                if isinstance(value, bytes):
                    self.variables[text] = self.variables.get(text, b"") + value if append else value
                return
        value = self._expression()
        if isinstance(value, bytes):
            self.values.append(value)
        elif value is None and self._peek() == (kind, text):
            self.at += 1

    def _expression(self) -> object:
        """The value of an expression: bytes, int, list or None where it is not known."""
        self.nested += 1
        try:
            if self.nested > 60:
                self.at += 1
                return None
            value = self._primary()
            while True:
                kind, text = self._peek()
                joins = text in (b"+", b".", b"&") and kind == "op"
                adjacent = kind in ("string", "triple") and isinstance(value, bytes)
                if joins:
                    self.at += 1
                    other = self._primary()
                elif adjacent:
                    other = self._primary()
                else:
                    break
                value = self._joined(value, other)
            return value
        finally:
            self.nested -= 1

    def _joined(self, left: object, right: object) -> object:
        if isinstance(left, bytes) and isinstance(right, bytes):
            return (left + right)[:_LARGEST]
        if isinstance(left, bytes) and isinstance(right, int) and self.language in ("php", "perl", "node"):
            return left + b"%d" % right
        for value in (left, right):
            if isinstance(value, bytes):
                self.values.append(value)
        return None

    def _primary(self) -> object:
        kind, text = self._peek()
        self.at += 1
        value: object = None
        if kind in ("string", "triple", "perlq"):
            value = self._literal(kind, text)
        elif kind == "tick":
            self.commands.append(text[1:-1])
        elif kind == "number":
            return int(text, 0) if text[:2].lower() == b"0x" else int(text[:18])
        elif kind == "name":
            value = self._name(text)
        elif text == b"(":
            items = self._items(b")")
            value = items[0] if len(items) == 1 else items
        elif text == b"[":
            value = self._items(b"]")
        elif text in (b")", b"]", b"}", b";", b","):
            self.at -= 1
            return None
        return self._postfix(value)

    def _postfix(self, value: object) -> object:
        while True:
            kind, text = self._peek()
            if kind == "reverse" and isinstance(value, bytes):
                self.at += 1
                value = value[::-1]
            elif text in (b".", b"-") and self._peek(1)[0] == "name" and self._peek(2)[1] == b"(" and not (
                self.language in ("php", "perl") and text == b"."
            ):  # fmt: skip
                name = self._peek(1)[1]
                self.at += 3
                value = self._apply(name, self._items(b")"), value)
            elif (
                text == b"-"
                and self._peek(1)[1] == b">"
                and self._peek(2)[0] == "name"
                and self._peek(3)[1] == b"("
            ):
                name = self._peek(2)[1]
                self.at += 4
                value = self._apply(name, self._items(b")"), value)
            else:
                return value

    def _items(self, closing: bytes) -> list[object]:
        """Expressions up to a closing bracket."""
        found: list[object] = []
        while True:
            kind, text = self._peek()
            if kind == "end" or text == closing:
                self.at += 1
                return found
            if text in (b",", b"="):
                self.at += 1
                continue
            before = self.at
            value = self._expression()
            if value is not None or self.at > before:
                found.append(value)
            if self.at == before:
                self.at += 1

    def _name(self, text: bytes) -> object:
        if self._peek()[1] == b"(":
            self.at += 1
            return self._apply(text, self._items(b")"), None)
        known = self.variables.get(text)
        if known is not None:
            return known
        following = self._peek()
        if following[0] in ("string", "perlq", "triple") and self.language in (
            "perl",
            "ruby",
            "powershell",
            "php",
        ):
            value = self._expression()  # ``system "…"``, ``print "…"``
            return self._apply(text, [value], None)
        return None

    def _apply(self, name: bytes, items: list[object], target: object) -> object:
        last = re.split(rb"\.|->|::", name.lower())[-1]
        owner = re.split(rb"\.|->", name)[0]
        if target is None and owner != name:
            target = self.variables.get(owner)
        texts = [item for item in items if isinstance(item, bytes)]
        first = texts[0] if texts else target if isinstance(target, bytes) else b""
        if _RUNS.search(name):
            for item in items:
                if isinstance(item, list):
                    words = [word for word in item if isinstance(word, bytes)]
                    self.commands.append(b" ".join(_quoted(word) for word in words))
            if texts:
                self.commands.append(
                    texts[0] if len(texts) == 1 else b" ".join(_quoted(text) for text in texts)
                )
                if last in (b"exec", b"eval", b"iex"):
                    self._nested(texts[0])
            return None
        if last in (b"eval", b"assert", b"compile"):
            for text in texts:
                self._nested(text)
            return None
        if last in (b"b64decode", b"base64_decode", b"decode64", b"frombase64string", b"decodebase64", b"decode_base64",
                    b"atob"):  # fmt: skip
            return _base64(first)
        if last in (b"fromhex", b"unhexlify", b"hex2bin"):
            return _hex(first)
        if last == b"decode" and isinstance(target, bytes):
            codec = first.lower() if texts else b""
            return _base64(target) if codec == b"base64" else _hex(target) if codec == b"hex" else target
        if last in (
            b"encode",
            b"getstring",
            b"strip",
            b"rstrip",
            b"str",
            b"bytes",
            b"bytearray",
            b"trim",
            b"unescape",
        ):
            return first or None
        if last in (b"strrev", b"reverse", b"reversed"):
            return first[::-1] if first else None
        if last in (b"str_rot13", b"rot13"):
            return first.translate(_ROT13)
        if last in (b"decompress", b"gzinflate", b"gzuncompress", b"gzdecode", b"inflate"):
            return _inflate(first)
        if last in (b"chr", b"fromcharcode"):
            numbers = [item for item in items if isinstance(item, int)]
            return bytes(number & 255 for number in numbers)
        if last in (b"join", b"implode"):
            for item in items:
                if isinstance(item, list):
                    glue = target if isinstance(target, bytes) else texts[0] if texts else b""
                    return glue.join(_as_text(each) for each in item)
            return None
        if last == b"replace" and isinstance(target, bytes) and len(texts) == 2:
            return target.replace(texts[0], texts[1])
        if last == b"str_replace" and len(texts) == 3:
            return texts[2].replace(texts[0], texts[1])
        if _CONNECTS.search(name) or last == b"tcpclient":
            self._connects(items)
        for text in texts:
            self.values.append(text)
        for item in items:
            if isinstance(item, list):
                self.values += [each for each in item if isinstance(each, bytes)]
        return None

    def _connects(self, items: list[object]) -> None:
        flat: list[object] = []
        for item in items:
            flat += item if isinstance(item, list) else [item]
        host = next((item for item in flat if isinstance(item, bytes)), b"")
        port = next((item for item in flat if isinstance(item, int)), 0)
        match = re.fullmatch(rb"(?:tcp://)?([A-Za-z0-9._-]+\.[A-Za-z0-9-]+|[0-9.]+):(\d{1,5})", host)
        if match:
            self.callbacks.append(Ask(b"tcp://" + match[1] + b":" + match[2], self.language, kind="callback"))
        elif port and re.fullmatch(rb"[A-Za-z0-9._-]+", host):
            self.callbacks.append(Ask(b"tcp://%s:%d" % (host, port), self.language, kind="callback"))

    def _nested(self, text: bytes) -> None:
        if self.depth < _DEEPEST:
            inner = read_code(text, self.language, None, self.depth + 1)
            self.commands += inner.shell
            self.callbacks += inner.asks

    def _literal(self, kind: str, text: bytes) -> bytes:
        if kind == "perlq":
            if text[:2] == b"qx":
                self.commands.append(text[3:-1])
            return text[text.index(b"{" if b"{" in text[:3] else b"(") + 1 : -1]
        start = next(place for place, byte in enumerate(text) if byte in b"\"'")
        raw = b"r" in text[:start].lower()
        body = text[start + 3 : -3] if kind == "triple" else text[start + 1 : -1]
        single = text[start : start + 1] == b"'"
        if raw or self.language in ("powershell", "windows"):
            return body
        if single and self.language in ("php", "perl", "ruby"):
            return body.replace(b"\\'", b"'").replace(b"\\\\", b"\\")
        value = _ESCAPE.sub(_unescaped, body)
        if self.language in ("perl", "php", "ruby") and b"$" in value:
            for name, known in self.variables.items():
                value = value.replace(b"{" + name + b"}", known).replace(name, known)
        return value


def _unescaped(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes((int(match[1], 16),))
    if match[2]:
        return bytes((int(match[2], 8) & 255,))
    if match[3]:
        return chr(int(match[3], 16)).encode("utf-8", "replace")
    return _SIMPLE.get(match[4], match[4])


def _quoted(word: bytes) -> bytes:
    return b"'" + word.replace(b"'", b"'\\''") + b"'" if re.search(rb"[^\w./:=@%+,-]", word) else word


def _as_text(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return bytes((value & 255,)) if isinstance(value, int) else b""


def _hex(data: bytes) -> bytes | None:
    try:
        return bytes.fromhex(data.decode("ascii", "replace"))
    except ValueError:
        return None


def _inflate(data: bytes) -> bytes | None:
    for bits in (15, -15, 31):
        try:
            return zlib.decompressobj(bits).decompress(data, _LARGEST)
        except zlib.error:
            continue
    return None


_ROT13 = bytes.maketrans(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    b"nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM",
)
