"""Python, Perl, PHP, Ruby, JavaScript and PowerShell: their string expressions folded, URLs and commands taken out.

Nothing is run. A small tokenizer and an evaluator of string expressions (concatenation, reversal, base64, hex, rot13,
chr, join, zlib, variables that were assigned before) see through what one-liners hide behind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice

from urltrap.recover.ask import Ask
from urltrap.recover.clients.table import READERS
from urltrap.recover.static.functions import LARGEST, NOT_MINE, evaluate, unbase64
from urltrap.recover.static.text import plain_urls

_DEEPEST = 4
_MOST_TOKENS = 12_000
_TOKENS = rb"""
      (?P<triple> (?:[rbfuRBFU]{0,2})(?:\"{3}(?:[^\\]|\\.)*?\"{3}|'{3}(?:[^\\]|\\.)*?'{3}) )
    | (?P<string> (?:[rbfuRBFU]{1,2}(?=["']))?(?:"(?:[^"\\\n]|\\.|\n)*"|'(?:[^'\\\n]|\\.|\n)*') )
    | (?P<tick>   `[^`]*` )
    | (?P<perlq>  %s )
    | (?P<comment> %h | (?<!:)//[^\n]* | /\*(?:[^*]|\*(?!/))*\*/ )
    | (?P<reverse> \[\s*::\s*-1\s*\] )
    | (?P<number> 0[xX][0-9a-fA-F]+|\d+ )
    | (?P<name>   [$@%]?[A-Za-z_][\w:]*(?:(?:\.|->|::)[A-Za-z_]\w*)* )
    | (?P<space>  \s+ )
    | (?P<op>     . )
    """
_NEVER = rb"(?!)"
_QUOTES = rb"\bq[qwx]?\s?(?:\{[^}]*\}|\([^)]*\)|\[[^\]]*\]|<[^>]*>|(?P<mark>[~!|/^@])(?s:.*?)(?P=mark))"
_HASH = rb"\#[^\n]*"


def _tokens(quotes: bytes, comment: bytes) -> re.Pattern[bytes]:
    return re.compile(_TOKENS.replace(b"%s", quotes).replace(b"%h", comment), re.VERBOSE | re.DOTALL)


_TOKEN = _tokens(_NEVER, _HASH)
_TOKEN_WITH_QUOTES = _tokens(_QUOTES, _HASH)
"""Perl's and Ruby's ``q{…}``, which would be calls or variables elsewhere."""
_TOKEN_WITHOUT_HASH = _tokens(_NEVER, _NEVER)
"""Java's expression languages, where a name may begin so, and JavaScript."""
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_QUOTE_BEGINS = re.compile(rb"q[qwx]?\s?.", re.DOTALL)
_SIMPLE = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"0": b"\0"}
_RUNS = re.compile(
    rb"(?i)(?:^|[.:>])(?:system|popen2?|exec\w*|shell_exec|passthru|proc_open|call|run|check_output|spawn\w*|"
    rb"getoutput|start-process|invoke-expression|iex|qx)$"
)
_CLIENT = re.compile(
    rb"(?:^|[\s;|&(/`'\"])(?:wget|curl|tftp|ftpget|fetch|lwp-download|/bin/(?:ba)?sh|bash|sh|base64)\b"
)
# A name that is split or built, as only a shell puts it together again.
_SHELL_SIGNS = re.compile(rb"\A\s*\$\(|\A[a-z]+(?:''|\"\"|\\)[a-z]+\s|\A\w+\(\)\s*\{|\|\s*(?:ba)?sh\b")
_CONNECTS = re.compile(
    rb"(?i)(?:^|[.:>])(?:connect|connect_ex|fsockopen|pfsockopen|open|new|create_connection|tcpsocket|tcpclient|"
    rb"stream_socket_client|createconnection)$|TCPSocket|TCPClient"
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]{16,}={0,2}\s*")
_PRINTS = frozenset(
    (b"print", b"say", b"echo", b"puts", b"write", b"log", b"printf", b"write-output", b"write-host")
)
_VERBS = frozenset((b"print", b"say", b"echo", b"puts", b"system", b"exec", b"eval", b"iex"))
_WITHOUT_BRACKETS = frozenset(("perl", "ruby", "powershell", "php"))
_ENCODED = re.compile(rb"(?i)-e(?:nc?|ncodedcommand|c)?\s+['\"]?([A-Za-z0-9+/=]{16,})")


@dataclass(slots=True)
class Reading:
    """What a piece of code would fetch (`asks`), texts that it hands to a `shell`, strings that it prints."""

    asks: list[Ask] = field(default_factory=list)
    shell: list[bytes] = field(default_factory=list)
    printed: list[bytes] = field(default_factory=list)


def read_code(code: bytes, language: str, arguments: list[bytes] | None = None, depth: int = 0) -> Reading:
    """Read a program or one-liner in `language` ("python", "perl", "php", "ruby", "node", "powershell", …)."""
    reading = Reading()
    code = code[:LARGEST]
    for match in _ENCODED.finditer(code) if language in ("powershell", "windows") else ():
        inner = unbase64(match[1])
        if inner is not None and depth < _DEEPEST:
            text = inner.decode("utf-16-le", "replace").encode() if b"\0" in inner else inner
            _extend(reading, read_code(text, "powershell", None, depth + 1))
    folder = _Folder(code, language, depth, arguments or [])
    folder.fold()
    for value in folder.values:
        _value(reading, value, language, depth)
    reading.shell += folder.commands
    reading.printed += folder.printed
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
    first = value.split(None, 1)[:1]
    client = bool(first) and first[0].rpartition(b"/")[2].decode("latin-1") in READERS
    shell = client or _CLIENT.search(value) or _SHELL_SIGNS.search(value)
    if shell and (b" " in value.strip() or b"|" in value):
        reading.shell.append(value)
        return
    for url in plain_urls(value):
        reading.asks.append(Ask(url, language))
    if depth < _DEEPEST and len(value) >= 24 and _BASE64.fullmatch(value):
        inner = unbase64(value)
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


class _Folder:
    """Folds string expressions from left to right. `values`: what came out, `commands`: texts given to a shell."""

    def __init__(self, code: bytes, language: str, depth: int, arguments: list[bytes]) -> None:
        self.language = language
        self.depth = depth
        self.values: list[bytes] = []
        self.commands: list[bytes] = []
        self.callbacks: list[Ask] = []
        self.printed: list[bytes] = []
        self.variables: dict[bytes, bytes] = {}
        for number, word in enumerate(arguments, 1):
            self.variables[b"sys.argv"] = self.variables[b"$ARGV"] = word
            self.variables[b"$argv%d" % number] = word
        tokens = _TOKEN
        if language in ("perl", "ruby"):
            tokens = _TOKEN_WITH_QUOTES
        elif language in ("java", "node"):
            tokens = _TOKEN_WITHOUT_HASH
        comments = language not in ("windows", "powershell")
        self.tokens = [
            (match.lastgroup or "", match[0])
            for match in islice(tokens.finditer(code), _MOST_TOKENS)
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
                if isinstance(value, bytes) and self.language == "java" and b" " in value:
                    self.values.append(
                        value
                    )  # an expression's variables reach the process by ways not read here
                if isinstance(value, bytes):
                    self.variables[text] = self.variables.get(text, b"") + value if append else value
                return
        value = self._expression()
        if isinstance(value, bytes):
            self.values.append(value)
        elif isinstance(value, list) and self.language == "java":
            self.values += [each for each in value if isinstance(each, bytes)]
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
            return (left + right)[:LARGEST]
        if isinstance(left, bytes) and isinstance(right, int) and self.language in ("php", "perl", "node"):
            return left + b"%d" % right
        for value in (left, right):
            if isinstance(value, bytes):
                self.values.append(value)
            elif isinstance(value, list) and self.language == "java":
                self.values += [each for each in value if isinstance(each, bytes)]
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
        verb = text.lower() in _VERBS and following[0] in ("name", "string", "perlq", "triple")
        literal = following[0] in ("string", "perlq", "triple") and self.language in _WITHOUT_BRACKETS
        if verb or literal:
            value = self._expression()  # ``system "…"``, ``print pack("H*", "…")``
            return self._apply(text, [value], None)
        return None

    def _apply(self, name: bytes, items: list[object], target: object) -> object:
        last = re.split(rb"\.|->|::", name.lower())[-1]
        owner = re.split(rb"\.|->", name)[0]
        if target is None and owner != name:
            target = self.variables.get(owner)
        texts = [item for item in items if isinstance(item, bytes)]
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
        if last in _PRINTS:
            self.printed += texts
        known = evaluate(last, items, target)
        if known is not NOT_MINE:
            return known
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
            begin = _QUOTE_BEGINS.match(text)
            body = text[begin.end() : -1] if begin else text
            if text[:2] == b"qx":
                self.commands.append(body)
            return body
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
