"""Terms: variables with what is behind them, quotes, numbers, brackets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from urltrap.machine.programs.perl import _quotes
from urltrap.machine.programs.perl._lexing import (
    IDENTIFIER,
    WORD,
)
from urltrap.machine.programs.perl._literals import Literals
from urltrap.machine.programs.perl._scopes import Scope, full_name, is_special
from urltrap.machine.programs.perl._values import Node, Unsupported, norm

_DECIMAL = re.compile(r"(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?")
_VERSION = re.compile(r"v\d+(?:\.\d+)*\b|\d+\.\d+\.\d+(?:\.\d+)*")
_PUNCTUATION = re.compile(r"\^\w|[&`'+!@/\\,;.\-_0-9\[\]<>()|\"^:?$~=%#*{}]")
_BRACED = re.compile(r"\{\s*(\^?\w+(?:::\w+)*|::\w+(?:::\w+)*)\s*\}")
_KEY = re.compile(r"\{\s*(-?[A-Za-z_]\w*)\s*\}")


class Terms(Literals):
    """The lower half of the parser."""

    scope: Scope

    if TYPE_CHECKING:

        def expression(self) -> Node: ...
        def assignment(self) -> Node: ...
        def block(self) -> Node: ...
        def arguments(self) -> list[Node]: ...

    def within(self, text: str, line: int) -> Terms:
        """A parser of a text inside this program, with the same variables."""
        made = type(self)(text, self.shared, line)
        made.scope = self.scope
        return made

    # variables
    def variable(self, sigil: str, name: str) -> Node:
        """The node of a named variable: its kind is the sigil and "pad" or "glob"."""
        line = self.line()
        found = self.scope.find(sigil + name)
        if isinstance(found, int):
            return Node(sigil + "pad", line, found, name)
        if isinstance(found, str):
            return Node(sigil + "glob", line, found)
        if self.shared.strict_vars and sigil in "$@%" and not is_special(name):
            self.shared.complain(
                f'Global symbol "{sigil}{name}" requires explicit package name (did you forget to declare '
                f'"my {sigil}{name}"?) at {self.shared.name} line {line}.\n'
            )
        full = full_name(name, self.shared.package)
        if sigil in "$@%":
            self.shared.seen(full, line)
        return Node(sigil + "glob", line, full)

    def _base(self, quoted: bool) -> tuple[str, Any]:
        """What follows a sigil: ("name", name) or ("ref", node of the reference)."""
        src = self.src
        if not quoted:
            self.skip()
        if found := IDENTIFIER.match(src, self.pos):
            name = found[0]
            if quoted:
                if name.endswith("::"):
                    name = name[:-2]
                if "'" in name:
                    name = name.partition("'")[0]
            self.pos += len(name)
            return "name", name
        if src.startswith("{", self.pos):
            if found := _BRACED.match(src, self.pos):
                self.pos = found.end()
                return "name", found[1]
            self.pos += 1
            inner = self.expression() if not self._is_block() else Node("do", self.line(), self.block_body())
            self.need("}")
            return "ref", inner
        if src.startswith("$", self.pos) and re.compile(r"\$+(?:\w|\{|::)").match(src, self.pos):
            self.pos += 1
            kind, base = self._base(quoted)
            return "ref", self.variable("$", base) if kind == "name" else Node(
                "$deref", self.line(), base, self.shared.strict_refs
            )
        if found := re.compile(r"::[A-Za-z_]\w*|\d+").match(src, self.pos):
            self.pos = found.end()
            return "name", found[0]
        if found := _PUNCTUATION.match(src, self.pos):
            self.pos = found.end()
            return "name", found[0]
        raise self.error()

    def _is_block(self) -> bool:
        return (
            self.word() in ("my", "local", "if", "foreach")
            and ";" in self.src[self.pos : self.src.find("}", self.pos)]
        )

    def block_body(self) -> Node:
        """Statements up to a closing brace that is left."""
        raise self.error()

    def _of(self, sigil: str, kind: str, base: Any) -> Node:
        return (
            self.variable(sigil, base)
            if kind == "name"
            else Node(sigil + "deref", self.line(), base, self.shared.strict_refs)
        )

    def scalar(self, quoted: bool = False, pattern: bool = False) -> Node:
        """What begins with "$", with its first subscript."""
        line = self.line()
        self.before, self.token = self.token, self.pos
        self.pos += 1
        if self.src.startswith("#", self.pos) and re.compile(r"#(?:\$|\{|\w|::)").match(self.src, self.pos):
            self.pos += 1
            kind, base = self._base(quoted)
            return Node("alen", line, self._of("@", kind, base))
        kind, base = self._base(quoted)
        if not quoted and base not in ("$",):
            at = self.pos
            self.skip()
            if self.src[self.pos : self.pos + 1] not in "[{":
                self.pos = at
        if self.src.startswith("[", self.pos) and not (
            kind == "name" and quoted and not self._indexes(base, pattern)
        ):
            return Node("aelem", line, self._of("@", kind, base), self._index())
        if self.src.startswith("{", self.pos) and not (
            pattern and re.compile(r"\{\d*,?\d*\}").match(self.src, self.pos)
        ):
            if (
                kind == "name"
                and base in ("$", "/", "\\", ",", ";", ".", "|", "&", "`", "'", "!")
                and (quoted or base != "!")
            ):
                return self._of("$", kind, base)
            return Node("helem", line, self._of("%", kind, base), self.key())
        return self._of("$", kind, base)

    def _indexes(self, base: str, pattern: bool) -> bool:
        if pattern:
            return _quotes.is_index(self.src, self.pos)
        if base in ("$", "&", "/", "\\", ",", ";", ".", "!", "@"):
            return False
        return (
            re.compile(r"\[(?:-?\d+|\s*[$\w+*/ #{}@()-]*)\]|\[[-$\w ].*?\]").match(self.src, self.pos)
            is not None
        )

    def _index(self) -> Node:
        self.need("[")
        found = self.expression()
        self.need("]")
        return found

    def key(self) -> Node:
        """{key}: a bare word stands for itself."""
        line = self.line()
        if found := _KEY.match(self.src, self.pos):
            self.pos = found.end()
            return Node("const", line, found[1])
        self.need("{")
        if not self.char():
            raise self.unclosed(True)
        if self.peek("}"):
            raise self.error()
        found_node = self.expression()
        self.need("}")
        return found_node

    def after(self, node: Node, quoted: bool = False, pattern: bool = False) -> Node:
        """What stands behind a term: subscripts, arrows."""
        while True:
            line = self.line()
            if not quoted:
                at = self.pos
                self.skip()
            if self.src.startswith("->", self.pos):
                start = self.pos
                self.pos += 2
                if not quoted:
                    self.skip()
                char = self.src[self.pos : self.pos + 1]
                if char == "[" and not (pattern and not _quotes.is_index(self.src, self.pos)):
                    node = Node(
                        "aelem", line, Node("@deref", line, node, self.shared.strict_refs), self._index()
                    )
                elif char == "{":
                    node = Node(
                        "helem", line, Node("%deref", line, node, self.shared.strict_refs), self.key()
                    )
                elif char == "@" and self.src.startswith("@*", self.pos):
                    self.pos += 2
                    node = Node("@deref", line, node, self.shared.strict_refs)
                    if quoted:
                        return Node("joinarray", line, node)
                elif quoted:
                    self.pos = start
                    return node
                elif char == "(":
                    node = Node("dyncall", line, node, self.arguments(), None, self.shared.strict_refs)
                elif self.src.startswith("%*", self.pos):
                    self.pos += 2
                    node = Node("%deref", line, node, self.shared.strict_refs)
                elif self.src.startswith("$*", self.pos):
                    self.pos += 2
                    node = Node("$deref", line, node, self.shared.strict_refs)
                elif self.src.startswith("$#*", self.pos):
                    self.pos += 3
                    node = Node("alen", line, Node("@deref", line, node, self.shared.strict_refs))
                elif char == "@" and self.src[self.pos + 1 : self.pos + 2] in "[{":
                    self.pos += 1
                    node = self._slice("ref", node)
                else:
                    node = self._method(node, line)
                continue
            subscripted = node.k in ("aelem", "helem", "dyncall")
            if subscripted and self.src.startswith("[", self.pos):
                if quoted and not (not pattern or _quotes.is_index(self.src, self.pos)):
                    return node
                node = Node("aelem", line, Node("@deref", line, node, self.shared.strict_refs), self._index())
            elif subscripted and self.src.startswith("{", self.pos):
                if pattern and re.compile(r"\{\d*,?\d*\}").match(self.src, self.pos):
                    return node
                node = Node("helem", line, Node("%deref", line, node, self.shared.strict_refs), self.key())
            elif subscripted and not quoted and self.src.startswith("(", self.pos):
                node = Node("dyncall", line, node, self.arguments(), None, self.shared.strict_refs)
            else:
                if not quoted:
                    self.pos = at
                return node

    def _method(self, node: Node, line: int) -> Node:
        name: Any
        if self.src.startswith("$", self.pos):
            name = self.scalar()
        else:
            name = self.word()
            if not name:
                raise self.error()
            self.before, self.token = self.token, self.pos
            self.pos += len(name)
        args = self.arguments() if self.src.startswith("(", self.pos) else []
        return Node("method", line, node, name, args)

    def _slice(self, kind: str, base: Any) -> Node:
        line = self.line()
        if self.src.startswith("[", self.pos):
            self.pos += 1
            node = Node("aslice", line, self._of("@", kind, base), self._list_to("]"))
        else:
            self.pos += 1
            node = Node("hslice", line, self._of("%", kind, base), self._list_to("}"))
        return node

    def _list_to(self, closing: str) -> Node:
        found = Node("list", self.line(), []) if self.peek(closing) else self.expression()
        self.need(closing)
        return found

    def array(self, quoted: bool = False) -> Node:
        """What begins with "@": an array or a slice."""
        self.before, self.token = self.token, self.pos
        self.pos += 1
        kind, base = self._base(quoted)
        if not quoted:
            at = self.pos
            self.skip()
            if self.src[self.pos : self.pos + 1] not in "[{":
                self.pos = at
        if self.src[self.pos : self.pos + 1] in ("[", "{"):
            return self._slice(kind, base)
        return self._of("@", kind, base)

    def quoted_variable(self, pattern: bool) -> Node:
        """A variable in a string."""
        return self.after(self.scalar(True, pattern), True, pattern)

    def quoted_array(self) -> Node:
        """An array in a string."""
        return self.array(True)

    def number(self) -> Node:
        """A numeric literal."""
        line = self.line()
        if found := re.compile(r"0[0-7_]*([89])").match(self.src, self.pos):
            self.shared.complain(
                f"Illegal octal digit '{found[1]}' at {self.shared.name} line {line}, at end of line\n"
            )
        if (found := _VERSION.match(self.src, self.pos)) is not None:
            self.pos = found.end()
            return Node("const", line, "".join(chr(int(each)) for each in found[0].lstrip("v").split(".")))
        if found := re.compile(r"0[xX]([0-9A-Fa-f_]+)|0[bB]([01_]+)|0([0-7_]+)(?![\d.])").match(
            self.src, self.pos
        ):
            self.before, self.token = self.token, self.pos
            self.pos = found.end()
            base = 16 if found[1] else 2 if found[2] else 8
            return Node(
                "const", line, norm(int((found[1] or found[2] or found[3]).replace("_", "") or "0", base))
            )
        found = _DECIMAL.match(self.src, self.pos)
        if found is None:
            raise self.error()
        self.before, self.token = self.token, self.pos
        self.pos = found.end()
        text = found[0].replace("_", "")
        if len(text) > 400:
            raise Unsupported("a number that is too long")
        return Node("const", line, norm(int(text)) if text.isdecimal() else float(text))

    def bare(self) -> str:
        """A simple word that is passed; empty where there is none."""
        found = self.match(WORD)
        return found[0] if found else ""
