"""Expressions: operators by their precedence (perlop), and terms that begin with a character."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from urltrap.machine.programs.perl._lexing import DEEPEST
from urltrap.machine.programs.perl._terms import Terms
from urltrap.machine.programs.perl._values import Node, Unsupported

OPERATOR = re.compile(
    r"\*\*=|\|\|=|&&=|//=|\.\.\.|<=>|<<=|>>=|\*\*|\+=|-=|\*=|/=|\.=|%=|x=(?![=~])|&=|\|=|\^=|=>|==|!=|=~|!~|~~|<=|>=|<<"
    r"|>>|&&|\|\||//|\.\.|\+\+|--|[-+*/%.<>&|^?=,]|(?:lt|gt|le|ge|eq|ne|cmp|isa|and|or|not|xor)\b|x(?=\d+\b)|x\b"
)
_BINARY: dict[str, tuple[int, str]] = {
    "or": (1, "l"), "xor": (1, "l"), "and": (2, "l"),
    "..": (7, "n"), "...": (7, "n"), "||": (8, "l"), "//": (8, "l"), "&&": (9, "l"), "|": (10, "l"), "^": (10, "l"),
    "&": (11, "l"), "==": (12, "n"), "!=": (12, "n"), "<=>": (12, "n"), "eq": (12, "n"), "ne": (12, "n"),
    "cmp": (12, "n"), "<": (13, "n"), ">": (13, "n"), "<=": (13, "n"), ">=": (13, "n"), "lt": (13, "n"),
    "gt": (13, "n"), "le": (13, "n"), "ge": (13, "n"), "<<": (15, "l"), ">>": (15, "l"), "+": (16, "l"),
    "-": (16, "l"), ".": (16, "l"), "*": (17, "l"), "/": (17, "l"), "%": (17, "l"), "x": (17, "l"),
    "~~": (12, "n"), "=~": (18, "l"), "!~": (18, "l"), "**": (20, "r"),
}  # fmt: skip
_ASSIGN = {
    "=",
    "+=",
    "-=",
    "*=",
    "/=",
    ".=",
    "%=",
    "x=",
    "&=",
    "|=",
    "^=",
    "**=",
    "||=",
    "&&=",
    "//=",
    "<<=",
    ">>=",
}
COMMA, ASSIGN, TERNARY, UNARY_NAMED, NOT = 4, 5, 6, 14, 3
_LOGIC = {"and": "and", "&&": "and", "or": "or", "||": "or", "//": "dor"}
_LISTS = frozenset({"list", "@pad", "@glob", "@deref", "%pad", "%glob", "%deref", "aslice", "hslice"})
LVALUES = frozenset({
    "$pad", "$glob", "$deref", "aelem", "helem", "my", "local", "alen", "func", "cond", "assign", "preop", "postop",
    "call", "method", "dyncall", "*glob", "*deref", *_LISTS,
})  # fmt: skip
FILE_TESTS = "rwxoRWXOezsfdlpSugkbctTBAMC"
_TEST = re.compile(rf"-([{FILE_TESTS}])(?![\w:]|\s*=>|\s*\()|-([{FILE_TESTS}])(?=\s*\()")


class Expressions(Terms):
    """The middle of the parser."""

    if TYPE_CHECKING:

        def named(self, name: str) -> Node: ...
        def block_body(self) -> Node: ...
        def anonymous_sub(self) -> Node: ...
        def amper(self) -> Node: ...

    def expression(self) -> Node:
        """A whole expression, lists and the low "or" included."""
        return self.parse(1)

    def assignment(self) -> Node:
        """An expression without commas."""
        return self.parse(ASSIGN)

    def parse(self, least: int) -> Node:
        """An expression of operators that bind at least this much."""
        self.shared.depth += 1
        if self.shared.depth > DEEPEST:
            raise Unsupported("a program that is nested too deeply")
        try:
            return self._parse(least)
        finally:
            self.shared.depth -= 1

    def _parse(self, least: int) -> Node:
        line = self.line()
        if least <= NOT and self.take_word("not"):
            left = Node("not", line, self.parse(NOT))
        elif least <= COMMA and self.char() in ("", ";", ")", "]", "}"):
            raise self.error()
        else:
            left = self.unary()
        while True:
            self.skip()
            found = OPERATOR.match(self.src, self.pos)
            if found is None:
                return left
            op = found[0]
            line = self.line()
            if op == "," or op == "=>":
                if least > COMMA:
                    return left
                left = self._comma(left)
            elif op == "?":
                if least > TERNARY:
                    return left
                self._pass(op)
                yes = self.parse(ASSIGN)
                self.need(":")
                left = Node("cond", line, left, yes, self.parse(TERNARY if least > ASSIGN else ASSIGN))
            elif op in _ASSIGN:
                if least > ASSIGN:
                    return left
                left = self._assign(op, left, line)
            elif op in ("++", "--"):
                self._pass(op)
                left = Node("postop", line, op, left)
            elif op in _BINARY:
                level, side = _BINARY[op]
                if level < least:
                    return left
                self._pass(op)
                right = self.parse(level if side == "r" else level + 1)
                left = self._binary(op, left, right, line)
            else:
                return left

    def _pass(self, op: str) -> None:
        self.before, self.token = self.token, self.pos
        self.pos += len(op)

    def _comma(self, first: Node) -> Node:
        items = [first]
        line = first.line
        while self.peek(",") or self.peek("=>"):
            self._pass("," if self.peek(",") else "=>")
            while self.peek(","):
                self._pass(",")
            if self.char() in ("", ")", "]", "}", ";") or self._ends():
                break
            items.append(self.parse(ASSIGN))
        return Node("list", line, items)

    def _ends(self) -> bool:
        word = self.word()
        if word not in ("if", "unless", "while", "until", "for", "foreach", "or", "and"):
            return False
        return not self.src[self.pos + len(word) :].lstrip().startswith("=>")

    def _assign(self, op: str, left: Node, line: int) -> Node:
        if left.k not in LVALUES and left.k != "list":
            what = {"const": "constant item", "interp": "string"}.get(left.k)
            if what is not None:
                self._pass(op)
                self.parse(ASSIGN)
                kind = "scalar assignment" if op == "=" else "assignment"
                near = self.src[self.token : self.pos + 1]
                self.shared.complain(
                    f'Can\'t modify {what} in {kind} at {self.shared.name} line {self.line()}, near "{near}"\n'
                )
                return left
            raise Unsupported(f"assignment to {left.k}")
        self._pass(op)
        right = self.parse(ASSIGN)
        if op != "=":
            return Node("opassign", line, op[:-1], left, right)
        if is_list(left):
            return Node("lassign", line, left, right)
        return Node("sassign", line, left, right)

    def _binary(self, op: str, left: Node, right: Node, line: int) -> Node:
        if op in _LOGIC:
            return Node(_LOGIC[op], line, left, right)
        if op in ("=~", "!~"):
            return self._bound(op, left, right, line)
        if op in ("..", "..."):
            return Node("range", line, left, right)
        if op == "xor":
            return Node("xor", line, left, right)
        if op == "x" and left.k == "list" and left.b:
            return Node("repeat", line, left, right)
        return Node("bin", line, op, left, right)

    def _bound(self, op: str, left: Node, right: Node, line: int) -> Node:
        if right.k in ("match", "subst", "trans") and right.a is None:
            right.a = left
            made = right
        else:
            made = Node("match", line, left, Node("regex", line, right, ""))
        return Node("not", line, made) if op == "!~" else made

    def unary(self) -> Node:
        """Prefix operators, then a term with what stands behind it."""
        self.skip()
        line = self.line()
        char = self.src[self.pos : self.pos + 1]
        two = self.src[self.pos : self.pos + 2]
        if char == "!" and two != "!~":
            self._pass("!")
            return Node("not", line, self.parse(19))
        if char == "~":
            self._pass("~")
            return Node("neg", line, self.parse(19), True)
        if char == "\\":
            self._pass("\\")
            return Node("refgen", line, self.parse(19))
        if two in ("++", "--"):
            self._pass(two)
            return Node("preop", line, two, self.parse(21))
        if char == "-":
            return self._minus(line)
        if char == "+":
            self._pass("+")
            return self.parse(19)
        node = self.after(self.term())
        self.skip()
        if two_after := OPERATOR.match(self.src, self.pos):
            if two_after[0] == "**":
                self._pass("**")
                return Node("bin", line, "**", node, self.parse(19))
            if two_after[0] in ("++", "--"):
                self._pass(two_after[0])
                return Node("postop", line, two_after[0], node)
        return node

    def _minus(self, line: int) -> Node:
        if found := _TEST.match(self.src, self.pos):
            letter = found[1] or found[2]
            self.before, self.token = self.token, self.pos
            self.pos += 2
            after = self.char()
            if after in ("", ";", ")", "}", ",", "?", ":", "=") or (
                OPERATOR.match(self.src, self.pos) and after in "&|.<>"
            ):
                return Node("filetest", line, letter, None)
            if self.word() == "_":
                self._pass("_")
                return Node("filetest", line, letter, Node("laststat", line))
            return Node("filetest", line, letter, self.parse(UNARY_NAMED + 1))
        self._pass("-")
        word = self.word()
        if (
            word
            and not self.src[self.pos + len(word) :].lstrip().startswith("(")
            and word not in self.shared.subs
            and (
                word
                not in (
                    "shift",
                    "pop",
                    "length",
                    "time",
                    "abs",
                    "int",
                    "sqrt",
                    "index",
                    "log",
                    "exp",
                    "sin",
                    "cos",
                )
            )
        ):
            self._pass(word)
            return Node("const", line, "-" + word)
        return Node("neg", line, self.parse(19))

    def term(self) -> Node:
        """One term, without what stands behind it."""
        self.skip()
        src = self.src
        char = src[self.pos : self.pos + 1]
        line = self.line()
        if char == "$":
            return self.scalar()
        if char == "@":
            return self.array()
        if char == "%":
            return self._hash(line)
        if char == "&":
            return self.amper()
        if char == "*":
            self.pos += 1
            kind, base = self._base(False)
            if self.peek("{"):
                raise Unsupported("a part of a glob")
            if kind == "name":
                return Node("*glob", line, self.global_name(base))
            return Node("*deref", line, base)
        if char == '"':
            self._pass('"')
            return self.double('"')
        if char == "'":
            self._pass("'")
            from urltrap.machine.programs.perl._lexing import plain

            return Node("const", line, plain(self.delimited("'"), "'"))
        if char == "`":
            self._pass("`")
            return Node("qx", line, self.interpolate(self.delimited("`"), line))
        if char.isdigit() or (char == "." and src[self.pos + 1 : self.pos + 2].isdigit()):
            return self.number()
        if char == "(":
            return self._parens(line)
        if char == "[":
            self._pass("[")
            return Node("anonarray", line, self._items("]"))
        if char == "{":
            self._pass("{")
            return Node("anonhash", line, self._items("}"))
        if char == "<":
            return self.here() or self.angle()
        if char == "/":
            self._pass("/")
            return Node("match", line, None, self.regex("/", line))
        name = self.word()
        if name:
            return self.named(name)
        raise self.error()

    def global_name(self, name: str) -> str:
        """The full name."""
        from urltrap.machine.programs.perl._scopes import full_name

        return full_name(name, self.shared.package)

    def _hash(self, line: int) -> Node:
        self.before, self.token = self.token, self.pos
        self.pos += 1
        kind, base = self._base(False)
        if self.src[self.pos : self.pos + 1] == "{" and kind == "name" and base not in ("+", "-"):
            self.pos += 1
            return Node("kvslice", line, self._of("%", kind, base), self._list_to("}"))
        if kind == "name" and base in ("+", "-"):
            return Node("%glob", line, "main::" + base)
        return self._of("%", kind, base)

    def _items(self, closing: str) -> Node:
        if self.take(closing):
            return Node("list", self.line(), [])
        while self.take(","):
            pass
        found = self.expression()
        self.need(closing)
        return found if found.k == "list" and not found.b else Node("list", found.line, [found])

    def _parens(self, line: int) -> Node:
        self._pass("(")
        if self.take(")"):
            made = Node("list", line, [], True)
        else:
            found = self.expression()
            self.need(")")
            made = Node("list", line, found.a if found.k == "list" and not found.b else [found], True)
        at = self.pos
        self.skip()
        if self.src.startswith("[", self.pos):
            self.pos += 1
            index = self.expression()
            self.need("]")
            return Node("lslice", line, made, index)
        self.pos = at
        return made

    def arguments(self) -> list[Node]:
        """(…) behind a function."""
        self.need("(")
        if self.take(")"):
            return []
        found = self.expression()
        self.need(")")
        return found.a if found.k == "list" and not found.b else [found]

    def _any(self) -> Any:
        return None


def is_list(node: Node) -> bool:
    """Whether an assignment to it is one of lists."""
    if node.k == "my":
        return bool(node.b) or node.a[0].k[0] in "@%"
    if node.k == "local":
        return is_list(node.a)
    if node.k == "list":
        return True
    return node.k in _LISTS
