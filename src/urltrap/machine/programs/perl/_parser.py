# ruff: noqa: E501 - tables and messages read best with several on a line
"""Statements: blocks, loops, subs, packages, use; the whole program."""

from __future__ import annotations

import re

from urltrap.machine.programs.perl._declarations import Declarations
from urltrap.machine.programs.perl._expressions import ASSIGN
from urltrap.machine.programs.perl._lexing import DEEPEST, MOST, Refused
from urltrap.machine.programs.perl._scopes import Scope, SubScope, full_name
from urltrap.machine.programs.perl._values import Node, Unsupported

_LABEL = re.compile(r"([A-Za-z_]\w*)\s*:(?![:=])")
_SIGNATURE = re.compile(r"\(([\\$@%&*;+_\s\[\]]*)\)")
_HASH = re.compile(r"\{\s*(?:\}|(?:\w+|\"[^\"]*\"|'[^']*')\s*(?:=>|,))")
"""How a brace begins that makes a hash rather than a block."""
_PHASES = ("BEGIN", "END", "INIT", "CHECK", "UNITCHECK")
_MODIFIERS = ("if", "unless", "while", "until", "for", "foreach")


class Parser(Declarations):
    """The upper half of the parser: `program` answers the tree."""

    def program(self) -> Node:
        """All statements."""
        if len(self.src) > MOST:
            raise Unsupported("a program that is too long")
        body = self._statements("")
        for name, full, line in self.shared.barewords:
            if full not in self.shared.subs:
                self.shared.complain(
                    f'Bareword "{name}" not allowed while "strict subs" in use at {self.shared.name} line {line}.\n'
                )
        if self.shared.complaints:
            raise Refused(
                "".join(self.shared.complaints)
                + f"Execution of {self.shared.name} aborted due to compilation errors.\n"
            )
        return Node("block", 1, body, self.scope.local)

    def program_block(self) -> Node:
        """The whole text as one block."""
        outer, self.scope = self.scope, Scope(self.scope, self.scope.sub)
        body = self._statements("")
        made = Node("block", self.first, body, self.scope.local)
        self.scope = outer
        return made

    def block_body(self) -> Node:
        """Statements up to a closing brace, which is left."""
        outer, self.scope = self.scope, Scope(self.scope, self.scope.sub)
        line = self.line()
        body = self._statements("}")
        made = Node("block", line, body, self.scope.local)
        self.scope = outer
        return made

    def block(self) -> Node:
        """{ … }"""
        shared = self.shared
        saved = (
            shared.strict_vars,
            shared.strict_subs,
            shared.strict_refs,
            shared.warnings,
            shared.package,
            shared.say,
        )
        self.need("{")
        shared.depth += 1
        if shared.depth > DEEPEST:
            raise Unsupported("a program that is nested too deeply")
        made = self.block_body()
        shared.depth -= 1
        self.need("}")
        (
            shared.strict_vars,
            shared.strict_subs,
            shared.strict_refs,
            shared.warnings,
            shared.package,
            shared.say,
        ) = saved
        return made

    def _statements(self, closing: str) -> list[Node]:
        found: list[Node] = []
        while True:
            char = self.char()
            if not char:
                if closing:
                    raise self.unclosed()
                return found
            if char == closing:
                return found
            if char == ";":
                self.pos += 1
                continue
            if char == "}":
                raise self._unmatched()
            if (
                char == "\x04"
                or char == "\x1a"
                or re.compile(r"__(?:END|DATA)__\b").match(self.src, self.pos)
            ):
                end = self.src.find("\n", self.pos)
                self.data = len(self.src) if end < 0 else end + 1
                self.pos = len(self.src)
                return found
            found.append(self.statement())

    def _unmatched(self) -> Refused:
        line = self.line()
        near = self.src[self.token : self.pos + 1] if self.pos - self.token < 200 else "}"
        return Refused(
            "".join(self.shared.complaints)
            + f"Unmatched right curly bracket at {self.shared.name} line {line}, at end of line\n"
            f'syntax error at {self.shared.name} line {line}, near "{near}"\n'
            f"Execution of {self.shared.name} aborted due to compilation errors.\n"
        )

    def statement(self) -> Node:
        """One statement."""
        self.scope.introduce()
        self.skip()
        line = self.line()
        label = ""
        word = self.word()
        if (
            word
            and (found := _LABEL.match(self.src, self.pos))
            and word not in ("default",)
            and "?" not in word
        ):
            label = found[1]
            self.pos = found.end()
            word = self.word()
            if self.char() in ("}", ";", ""):
                return Node("nop", line)
        is_hash = self.pos == self.hash_at or _HASH.match(self.src, self.pos) is not None
        if self.peek("{") and (label or not is_hash):
            return Node("bare", line, self.block(), label, self._continue())
        arrow = word and self.src[self.pos + len(word) :].lstrip().startswith("=>")
        how = None if arrow else getattr(self, f"_s_{word}", None) if word else None
        if how is not None:
            made: Node | None = how(line, label)
            if made is not None:
                return made
        if word in _PHASES and self.src[self.pos + len(word) :].lstrip().startswith("{"):
            self._pass(word)
            made = self._sub_body(word, False)
            if word == "BEGIN":
                self.scope.sub.begins.append(made)
            elif word == "END":
                self.scope.sub.ends.append(made)
            else:
                return Node("phase", line, made)
            return Node("nop", line)
        node = self.expression()
        node = self._modified(node, line)
        if not self.take(";") and self.char() not in ("}", ""):
            raise self.error()
        return node

    def _continue(self) -> Node | None:
        return self.block() if self.take_word("continue") else None

    def _modified(self, node: Node, line: int) -> Node:
        word = self.word()
        if word not in _MODIFIERS:
            return node
        self._pass(word)
        cond = self.expression()
        if word == "if":
            return Node("and", line, cond, node)
        if word == "unless":
            return Node("or", line, cond, node)
        if word in ("while", "until"):
            if node.k == "do":
                return Node("dowhile", line, node, self._tested(cond), word == "until")
            return Node(
                "while",
                line,
                self._negated(word, self._tested(cond)),
                Node("block", line, [node], False),
                "",
                None,
            )
        return Node(
            "foreach",
            line,
            Node("$glob", line, "main::_"),
            cond,
            Node("block", line, [node], False),
            ("", None),
        )

    def _negated(self, word: str, cond: Node) -> Node:
        return Node("not", cond.line, cond) if word in ("until", "unless") else cond

    def _tested(self, cond: Node) -> Node:
        """while (<FH>) means while (defined($_ = <FH>)); so do readdir, shift and each."""
        line = cond.line
        reads = cond.k == "readline" or (cond.k == "func" and cond.a in ("readdir", "glob", "readline"))
        if reads:
            cond = Node("sassign", line, Node("$glob", line, "main::_"), cond)
        elif not (cond.k == "sassign" and (
            cond.b.k == "readline" or (cond.b.k == "func" and cond.b.a in ("readdir", "glob", "shift", "each", "readline"))
        )):  # fmt: skip
            return cond
        return Node("func", line, "defined", [cond])

    def _paren(self) -> Node:
        self.need("(")
        if self.take(")"):
            return Node("const", self.line(), 1)
        found = self.expression()
        self.need(")")
        self.scope.introduce()
        return found

    def _conditional(self, word: str, line: int) -> Node:
        self._pass(word)
        outer, self.scope = self.scope, Scope(self.scope, self.scope.sub)
        branches = [(self._negated(word, self._paren()), self.block())]
        otherwise = None
        while True:
            if self.take_word("elsif"):
                branches.append((self._paren(), self.block()))
            elif self.take_word("else"):
                otherwise = self.block()
                break
            else:
                break
        self.scope = outer
        return Node("if", line, branches, otherwise)

    def _s_if(self, line: int, label: str) -> Node:
        return self._conditional("if", line)

    def _s_unless(self, line: int, label: str) -> Node:
        return self._conditional("unless", line)

    def _loop(self, word: str, line: int, label: str) -> Node:
        self._pass(word)
        outer, self.scope = self.scope, Scope(self.scope, self.scope.sub)
        cond = self._negated(word, self._tested(self._paren()))
        body = self.block()
        made = Node("while", line, cond, body, label, self._continue())
        self.scope = outer
        return made

    def _s_while(self, line: int, label: str) -> Node:
        return self._loop("while", line, label)

    def _s_until(self, line: int, label: str) -> Node:
        return self._loop("until", line, label)

    def _s_for(self, line: int, label: str) -> Node:
        return self._foreach("for", line, label)

    def _s_foreach(self, line: int, label: str) -> Node:
        return self._foreach("foreach", line, label)

    def _foreach(self, word: str, line: int, label: str) -> Node:
        self._pass(word)
        outer, self.scope = self.scope, Scope(self.scope, self.scope.sub)
        var: Node = Node("$glob", line, "main::_")
        if self.take_word("my", "our", "state"):
            self.skip()
            if not self.take("$"):
                raise self.error()
            name = self.bare()
            var = Node("$pad", line, self.scope.declare("$" + name), name)
        elif self.peek("$"):
            self.pos += 1
            var = self.variable("$", self.bare())
        self.need("(")
        if self.take(";"):
            return self._c_style(None, line, label, outer)
        items = Node("list", line, []) if self.peek(")") else self.expression()
        if self.take(";"):
            return self._c_style(items, line, label, outer)
        self.need(")")
        body = self.block()
        after = self._continue()
        self.scope = outer
        return Node("foreach", line, var, items, body, (label, after))

    def _c_style(self, first: Node | None, line: int, label: str, outer: Scope) -> Node:
        self.scope.introduce()
        cond = None if self.peek(";") else self._tested(self.expression())
        self.need(";")
        step = None if self.peek(")") else self.expression()
        self.need(")")
        body = self.block()
        self.scope = outer
        return Node("for", line, first, cond or Node("const", line, 1), body, (label, step))

    # subs and packages
    def _sub_body(self, name: str, named: bool) -> Node:
        outer = self.scope
        sub = SubScope(outer)
        self.scope = sub.top
        prototype = None
        first: list[Node] = []
        self.skip()
        if found := _SIGNATURE.match(self.src, self.pos):
            self.pos = found.end()
            prototype = found[1]
        elif self.peek("("):
            first = self._signature()
        self.scope = Scope(sub.top, sub)
        line = self.line()
        body = self.block()
        body.b = body.b or self.scope.local
        if first:
            body = Node("block", line, [*first, *body.a], body.b)
        self.scope = outer
        if name.endswith("::DESTROY") and body.a:
            raise Unsupported("DESTROY")  # nobody counts references here
        made = Node("sub", line, name, body, sub, (self.shared.package, prototype))
        if named:
            outer.sub.named.append(made)
        return made

    def _signature(self) -> list[Node]:
        line = self.line()
        self.need("(")
        made: list[Node] = []
        variables: list[Node] = []
        args = Node("@glob", line, "main::_")
        while not self.take(")"):
            sigil = self.char()
            if sigil not in ("$", "@", "%"):
                raise self.error()
            self.pos += 1
            name = self.bare()
            var = Node(sigil + "pad", line, self.scope.declare(sigil + name), name)
            variables.append(var)
            if self.take("=") or self.take("//="):
                value = self.parse(ASSIGN)
                few = Node("bin", line, "<", args, Node("const", line, len(variables)))
                made.append(Node("and", line, few, Node("sassign", line, var, value)))
            self.take(",")
        return [Node("lassign", line, Node("my", line, variables, True), args), *made]

    def anonymous_sub(self) -> Node:
        """sub { … } as a value."""
        made = self._sub_body("__ANON__", False)
        made.k = "anonsub"
        return made

    def _s_sub(self, line: int, label: str) -> Node | None:
        found = re.compile(r"sub\s+([A-Za-z_][\w:']*)").match(self.src, self.pos)
        if found is None:
            return None
        self.token = self.pos
        self.pos = found.end()
        name = full_name(found[1], self.shared.package)
        self.shared.subs.add(name)
        self.skip()
        if found := re.compile(r"\(([^)]*)\)").match(self.src, self.pos):
            if found[1].startswith("&"):
                self.shared.blocks.add(name)
            elif not found[1].strip():
                self.shared.bare.add(name)
        if ahead := re.compile(r"(?:\([^)]*\))?\s*;").match(self.src, self.pos):
            self.pos = ahead.end()
            return Node("nop", line)
        return self._sub_body(name, True)

    def _s_package(self, line: int, label: str) -> Node:
        self._pass("package")
        name = self.word()
        self._pass(name)
        self.skip()
        if found := re.compile(r"v?[\d._]+").match(self.src, self.pos):
            self.pos = found.end()
        before = self.shared.package
        self.shared.package = name
        if self.peek("{"):
            body = self.block()
            self.shared.package = before
            return Node("bare", line, body, "", None)
        self.take(";")
        return Node("package", line, name)
