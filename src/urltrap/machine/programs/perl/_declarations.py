"""use and no, my, our and state."""

from __future__ import annotations

import re
from typing import Any

from urltrap.machine.programs.perl._expressions import ASSIGN
from urltrap.machine.programs.perl._named import Named
from urltrap.machine.programs.perl._scopes import Scope, full_name
from urltrap.machine.programs.perl._values import Node


class Declarations(Named):
    """The part of the parser that declares."""

    def _s_use(self, line: int, label: str) -> Node:
        return self.use("use")

    def _s_no(self, line: int, label: str) -> Node:
        return self.use("no")

    def use(self, word: str) -> Node:
        """use and no: pragmas are kept while compiling, modules are loaded at once."""
        line = self.line()
        self._pass(word)
        self.skip()
        shared = self.shared
        if found := re.compile(r"v?\d[\d._]*").match(self.src, self.pos):
            self.pos = found.end()
            self._version(found[0], line)
            self.take(";")
            return Node("nop", line)
        name = self.word()
        if not name:
            raise self.error()
        self._pass(name)
        self.skip()
        if found := re.compile(r"v?\d[\d._]*(?=\s|;|$)").match(self.src, self.pos):
            self.pos = found.end()
        given: Node | None = None
        if self.char() not in (";", "}", ""):
            given = self.expression()
        self.take(";")
        on = word == "use"
        if name.islower():
            shared.begin.note(name)
        if name == "strict":
            items = [] if given is None else given.a if given.k == "list" else [given]
            words = {each.a for each in items if each.k == "const"}
            if not words or "vars" in words:
                shared.strict_vars = on
            if not words or "subs" in words:
                shared.strict_subs = on
            if not words or "refs" in words:
                shared.strict_refs = on
            return Node("nop", line)
        if name == "warnings":
            shared.warnings = on if given is None or on else shared.warnings
            return Node("nop", line)
        if name in ("feature", "experimental"):
            shared.say = shared.say or on
            return Node("nop", line)
        if name == "vars" and given is not None:
            for each in given.a if given.k == "list" else [given]:
                self.share(str(each.a))
            return Node("nop", line)
        if name == "utf8":
            shared.utf8 = on
        return shared.begin.use(self, name, given, line, on)  # type: ignore[no-any-return]

    def share(self, name: str) -> None:
        """A global variable that the whole program may name, as `use vars` and imports make it."""
        scope: Scope = self.scope
        while scope.parent is not None:
            scope = scope.parent
        scope.names[name] = full_name(name[1:], self.shared.package)

    def _version(self, text: str, line: int) -> None:
        if text.startswith("v"):
            parts = [int(each or 0) for each in text[1:].split(".")]
        else:
            head, _, tail = text.partition(".")
            tail = tail.replace("_", "")
            parts = [int(head), int((tail + "000")[:3] or 0)]
            if "." in text and text.count(".") > 1:
                parts = [int(each or 0) for each in text.split(".")]
        wanted = tuple((*parts, 0, 0)[:2])
        self.shared.begin.need_version(self, text, wanted, line)
        if wanted >= (5, 10):
            self.shared.say = True
        if wanted >= (5, 12):
            self.shared.strict_vars = self.shared.strict_subs = self.shared.strict_refs = True
        if wanted >= (5, 35):
            self.shared.warnings = True

    def declaration(self, how: str) -> Node:
        """my, our, state, whose word is passed."""
        line = self.line()
        names: list[tuple[str, str]] = []
        many = self.take("(")
        while True:
            sigil = self.char()
            if sigil in ("$", "@", "%"):
                self.pos += 1
                name = self.word() or "_"
                if not self.word():
                    raise self.error()
                self.before, self.token = self.token, self.pos - 1
                self.pos += len(name)
                names.append((sigil, name))
            elif many and self.take_word("undef"):
                names.append(("undef", ""))
            elif not (many and sigil == ")"):
                raise self.error()
            if not many or not self.take(","):
                break
        if many:
            self.need(")")
        variables: list[Node] = []
        pending: list[Any] = []
        for sigil, name in names:
            if sigil == "undef":
                variables.append(Node("func", line, "undef", []))
            elif how == "our":
                full = full_name(name, self.shared.package)
                self.scope.names[sigil + name] = full
                variables.append(Node(sigil + "glob", line, full))
            else:
                # `my $x = $x` means the outer one: the name is there from the next statement on.
                slot = self.scope.sub.size
                self.scope.sub.size += 1
                pending.append((sigil + name, slot))
                variables.append(Node(sigil + "pad", line, slot, name))
        if how == "our":
            return Node("list", line, variables, True) if many else variables[0]
        self.scope.sub.pending += [(self.scope, name, slot) for name, slot in pending]
        made = Node("my", line, variables, many, how == "state")
        if self.peek("=") and not self.peek("==") and not self.peek("=~"):
            self._pass("=")
            right = self.parse(ASSIGN)
            listy = many or variables[0].k[0] in "@%"
            if how == "state":
                return Node("state", line, made, right, listy)
            return Node("lassign" if listy else "sassign", line, made, right)
        return made
