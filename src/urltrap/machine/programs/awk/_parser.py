"""awk's programs: rules, functions and statements, to trees of tuples.

("block", [s]) ("if", e, s, s or None) ("while", e, s) ("do", s, e) ("for", s, e, s, s) ("forin", n, n, s) ("expr", e)
("print" or "printf", [e], (kind, e) or None) ("delete", n, [e] or None) ("exit", e or None) ("return", e or None)
("next",) ("nextfile",) ("break",) ("continue",)
"""

from __future__ import annotations

from dataclasses import dataclass, field

from urltrap.machine.programs.awk._expressions import Expressions, Node
from urltrap.machine.programs.awk._tokens import AwkError


@dataclass(slots=True)
class Function:
    """A user's function."""

    parameters: list[str]
    body: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Program:
    """BEGIN and END actions, (pattern, second pattern, action or None) rules, functions."""

    begin: list[list[Node]] = field(default_factory=list)
    end: list[list[Node]] = field(default_factory=list)
    rules: list[tuple[Node | None, Node | None, list[Node] | None]] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)


class Parser(Expressions):
    """Recursive descent over the tokens of a program."""

    place = "rule"
    """What is being read: "rule", "function", or "" for BEGIN and END."""
    loops = 0

    # -- program

    def program(self) -> Program:
        """All items."""
        found = Program()
        self.terminators()
        while self.now.kind != "end":
            if self.take("function", "func"):
                self._function(found)
            elif self.take("BEGIN"):
                found.begin.append(self._action(""))
            elif self.take("END"):
                found.end.append(self._action(""))
            else:
                first = second = None
                if not self.at("{"):
                    first = self.expression()
                    if self.take(","):
                        self.newlines()
                        second = self.expression()
                action = self._action() if self.at("{") else None
                found.rules.append((first, second, action))
            if not self.at(";", "\n") and self.now.kind != "end" and self.tokens[self.pos - 1].text != "}":
                raise self.error()
            self.terminators()
        self._check_calls(found)
        if self.complaints:
            raise AwkError(self.complaints, "")
        return found

    def _check_calls(self, found: Program) -> None:
        """Calls of what is defined nowhere, and with too many arguments."""
        for name, count, line in self.calls:
            function = found.functions.get(name)
            if function is not None and count > len(function.parameters) and not self.busybox:
                self.complaints.append(f"line {line}: too many arguments in call to {name}")
        if self.busybox or self.complaints:
            return  # BusyBox finds out when it gets there
        unknown = dict.fromkeys(name for name, _, _ in reversed(self.calls) if name not in found.functions)
        self.complaints += [f"line {self.now.line}: function {name} never defined" for name in unknown]

    def _function(self, found: Program) -> None:
        name = self.now.text
        if self.now.kind not in ("name", "func"):
            raise self.error()
        if name in found.functions:
            self.complain(f"redefinition of {name}", "Duplicate function")
        self.pos += 1
        self.need("(")
        parameters: list[str] = []
        while not self.at(")"):
            self.newlines()
            if self.now.kind not in ("name", "func"):
                raise self.error()
            if self.now.text in parameters:
                self.complain(f"{self.now.text} is duplicated in argument list")
            parameters.append(self.now.text)
            self.pos += 1
            if not self.take(","):
                break
            self.newlines()
        self.need(")")
        self.newlines()
        function = Function(parameters)
        found.functions[name] = function
        function.body = self._action("function")

    def _action(self, place: str = "rule") -> list[Node]:
        self.place = place
        self.need("{")
        body = self._statements()
        self.need("}")
        return body

    def _statements(self) -> list[Node]:
        found: list[Node] = []
        self.terminators()
        while not self.at("}") and self.now.kind != "end":
            found.append(self.statement())
            self.terminators()
        return found

    # -- statements

    def statement(self) -> Node:
        """One statement with its end."""
        self._deeper()
        try:
            return self._statement()
        finally:
            self.depth -= 1

    def _statement(self) -> Node:
        if self.take("{"):
            body = self._statements()
            self.need("}")
            return ("block", body)
        if self.take("if"):
            self.need("(")
            test = self.expression()
            self.need(")")
            self.newlines()
            then = ("block", []) if self.take(";") else self.statement()
            mark = self.pos
            self.terminators()
            if self.take("else"):
                self.newlines()
                return ("if", test, then, ("block", []) if self.take(";") else self.statement())
            self.pos = mark
            return ("if", test, then, None)
        if self.take("while"):
            self.need("(")
            test = self.expression()
            self.need(")")
            return ("while", test, self._body())
        if self.take("do"):
            repeated = self._body()
            self.terminators()
            self.need("while")
            self.need("(")
            test = self.expression()
            self.need(")")
            self._end()
            return ("do", repeated, test)
        if self.take("for"):
            return self._for()
        found = self._simple()
        self._end()
        return found

    def _for(self) -> Node:
        self.need("(")
        ahead = self.tokens[self.pos : self.pos + 4]
        if (
            len(ahead) == 4
            and ahead[0].kind in ("name", "func")
            and ahead[1].text == "in"
            and ahead[2].kind in ("name", "func")
            and ahead[3].text == ")"
        ):
            self.pos += 4
            return ("forin", ahead[0].text, ahead[2].text, self._body())
        start = None if self.at(";") else self._simple()
        self.need(";")
        self.newlines()
        test = None if self.at(";") else self.expression()
        self.need(";")
        self.newlines()
        step = None if self.at(")") else self._simple()
        self.need(")")
        return ("for", start, test, step, self._body())

    def _body(self) -> Node:
        """What a loop repeats; a semicolon alone is nothing."""
        if self.take(";"):
            return ("block", [])
        self.newlines()
        self.loops += 1
        found = self.statement()
        self.loops -= 1
        return found

    def _end(self) -> None:
        if self.at("}") or self.now.kind == "end":
            return
        if not self.take(";", "\n"):
            raise self.error()

    def _simple(self) -> Node:
        if self.at("print", "printf"):
            return self._print()
        name = self.now.text
        if self.take("next", "nextfile"):
            if self.place != "rule":
                self.complain(f"improper use of {name}")
            return (name,)
        if self.take("break", "continue"):
            if not self.loops:
                self.complain(f"{name} statement outside of loop", f"'{name}' not in a loop")
            return (name,)
        if self.take("exit", "return"):
            if name == "return" and self.place != "function":
                self.complain("return outside function body")
            return (name, None if self.at(";", "}", "\n") or self.now.kind == "end" else self.expression())
        if self.take("delete"):
            name = self.now.text
            if self.now.kind not in ("name", "func"):
                raise self.error()
            self.pos += 1
            if self.take("["):
                subscripts = self._list("]")
                return ("delete", name, subscripts)
            return ("delete", name, None)
        return ("expr", self.expression())

    def _print(self) -> Node:
        name = self.now.text
        self.pos += 1
        arguments: list[Node] = []
        self.no_gt += 1
        if not self.at(";", "}", "\n", ">", ">>", "|") and self.now.kind != "end":
            arguments.append(self.expression())
            while self.take(","):
                self.newlines()
                arguments.append(self.expression())
            if len(arguments) == 1 and arguments[0][0] == "group":
                arguments = list(arguments[0][1])
        if name == "printf" and not arguments:
            self.complain("no arguments in call to printf")
        target = None
        if self.at(">", ">>", "|"):
            kind = self.now.text
            self.pos += 1
            target = (kind, self._concatenation(no_pipe=True))
        self.no_gt -= 1
        return (name, arguments, target)


def parse(source: str, busybox: bool) -> Program:
    """An awk program; AwkError."""
    return Parser(source, busybox).program()
