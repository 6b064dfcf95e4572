"""Terms that begin with a name: functions with their ways to take arguments, calls, bare words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from urltrap.machine.programs.perl._expressions import ASSIGN, OPERATOR, UNARY_NAMED
from urltrap.machine.programs.perl._lexing import IDENTIFIER
from urltrap.machine.programs.perl._listops import ListOperators
from urltrap.machine.programs.perl._names import (
    FIRST_HANDLE,
    HANDLES,
    LEAST,
    LIST,
    NO_TERM,
    NONE,
    PRINT_HANDLE,
    QUOTES,
    UNARY,
)
from urltrap.machine.programs.perl._scopes import full_name
from urltrap.machine.programs.perl._values import Node, Unsupported


class Named(ListOperators):
    """The part of the parser that knows names."""

    if TYPE_CHECKING:

        def block(self) -> Node: ...
        def declaration(self, how: str) -> Node: ...
        def eval_term(self, line: int) -> Node: ...
        def use(self, word: str) -> Node: ...

    def named(self, name: str) -> Node:
        """A term that begins with this name, which is not yet passed."""
        line = self.line()
        start = self.pos
        after = self.pos + len(name)
        if re.compile(r"\s*=>").match(self.src, after) and "::" not in name:
            self._pass(name)
            return Node("const", line, name)
        if name in QUOTES or name.split("'")[0] in QUOTES:
            word = name.split("'")[0]
            rest = self.src[start + len(word) : start + len(word) + 1]
            if not (rest == "" or rest in ",;)" or (rest == "=" and word in ("s", "y", "m", "q"))):
                self._pass(word)
                return self.quote_like(word)
        if "'" in name:
            name = name.split("'")[0]
        self._pass(name)
        how = getattr(self, f"_n_{name}", None)
        if how is not None:
            own: Node = how(line)
            return own
        if name.startswith("CORE::"):
            name = name.removeprefix("CORE::").removeprefix("GLOBAL::")
        if full_name(name, self.shared.package) in self.shared.imported:
            return self._user(name, line)
        if name in NONE:
            if self.take("("):
                self.need(")")
            return Node("func", line, name, [])
        if name in UNARY or name in LIST:
            made = self._unary_function(name, line) if name in UNARY else self._list_function(name, line)
            lists = any(each.k in ("@glob", "@pad", "list", "call") for each in made.b)
            if len(made.b) < LEAST.get(name, 0) and not lists:
                self._too_few(name, start if not made.b else self.before)
            return made
        if name in NO_TERM:
            self.pos = start
            raise self.error()
        return self._user(name, line)

    def _too_few(self, name: str, start: int) -> None:
        place = f"{self.shared.name} line {self.line()}"
        self.skip()
        near = self.src[start : self.pos + (self.src[self.pos - 1 : self.pos] not in (")", "\n"))].rstrip()
        near += "\n" if not self.src[self.pos :].strip() else ""
        self.shared.complain(f'Not enough arguments for {name} at {place}, near "{near}"\n')

    # functions of perl's own
    def _unary_function(self, name: str, line: int) -> Node:
        if self.peek("("):
            items = self._handle_args(name) if name in FIRST_HANDLE else self.arguments()
            return Node("func", line, name, items)
        if self._no_argument():
            return Node("func", line, name, [])
        if name in FIRST_HANDLE and (handle := self._bare_handle()):
            return Node("func", line, name, [handle])
        if name == "require" and (word := self.word()) and not word.startswith(("v", "q")):
            self._pass(word)
            return Node("func", line, name, [Node("const", line, word.replace("::", "/") + ".pm")])
        return Node(
            "func",
            line,
            name,
            [self.parse(UNARY_NAMED if name not in ("ref", "defined", "scalar") else UNARY_NAMED + 1)],
        )

    def _no_argument(self) -> bool:
        char = self.char()
        if char in ("", ";", ")", "]", "}", ",", ":", "?"):
            return True
        found = OPERATOR.match(self.src, self.pos)
        if self.src.startswith("->", self.pos):
            return True
        if found is not None and found[0] not in (
            "-",
            "+",
            "<",
            "%",
            "&",
            "*",
            "<<",
            "--",
            "++",
            "/",
            "//",
            "not",
            "&&",
        ):
            return not (
                found[0] in ("x", "..", ".")
                and self.src[self.pos + 1 : self.pos + 2].isdigit()
                and found[0] == "."
            )
        if found is not None and found[0] in ("&&", "//", "*"):
            return True
        if found is not None and found[0] in ("-", "+", "<", "/", "%"):
            return (
                self.src[self.pos + 1 : self.pos + 2].isspace()
                or self.src[self.pos + 1 : self.pos + 2] == "="
            )
        return self.word() in NO_TERM - {"not"}

    def _bare_handle(self) -> Node | None:
        """A file handle as a bare word."""
        word = self.word()
        if not word or word in self.shared.subs or not re.fullmatch(r"[A-Z_][A-Z0-9_]*|[A-Za-z]\w*", word):
            return None
        rest = self.src[self.pos + len(word) :].lstrip()
        if rest.startswith(("(", "=>", "::", "->")) or (
            not word.isupper() and not rest.startswith((",", ")", ";"))
        ):
            return None
        if word in UNARY or word in LIST or word in NONE or hasattr(self, f"_n_{word}") or word in QUOTES:
            return None
        line = self.line()
        self._pass(word)
        self.shared.seen(full_name(word, self.shared.package), line)
        return Node("handle", line, full_name(word, self.shared.package))

    def _handle_args(self, name: str) -> list[Node]:
        self.need("(")
        if self.take(")"):
            return []
        first = self._bare_handle()
        if first is None:
            found = self.expression()
            self.need(")")
            return found.a if found.k == "list" and not found.b else [found]
        items = [first]
        while self.take(",") or self.take("=>"):
            if self.peek(")"):
                break
            second = self._bare_handle() if name in ("accept", "pipe") else None
            items.append(second or self.parse(ASSIGN))
        self.need(")")
        return items

    def _list_function(self, name: str, line: int) -> Node:
        if self.peek("("):
            items = self._handle_args(name) if name in FIRST_HANDLE else self.arguments()
            return Node("func", line, name, items)
        if name in FIRST_HANDLE and (handle := self._bare_handle()):
            items = [handle]
            while self.take(",") or self.take("=>"):
                second = self._bare_handle() if name in ("accept", "pipe") else None
                items.append(second or self.parse(ASSIGN))
            return Node("func", line, name, items)
        if name in ("exec", "system") and self.peek("{"):
            self._pass("{")
            self.expression()
            self.need("}")
        return Node("func", line, name, self.list_items())

    def _print(self, name: str, line: int) -> Node:
        brackets = self.take("(")
        handle: Node | None = None
        if self.peek("{"):
            self._pass("{")
            handle = self._bare_handle()
            if handle is None or not self.peek("}"):
                handle = self.expression()
            self.need("}")
        elif self.word() in NO_TERM:
            pass
        elif found := PRINT_HANDLE.match(self.src, self.pos):
            self._pass(found[1])
            handle = self.variable("$", found[1][1:])
        elif (
            (word := self.word())
            and (word in HANDLES or re.fullmatch(r"[A-Za-z_]\w*", word))
            and not re.compile(
                r"\s*(?:[(,.;=?:<>|&*x]|->|::|[-+/]\s|(?:x|eq|ne|lt|gt|le|ge|cmp|and|or|if|unless|for|foreach|while|until)\b)"
            ).match(self.src, self.pos + len(word))
        ):
            known = (
                word in UNARY or word in LIST or word in NONE or hasattr(self, f"_n_{word}") or word in QUOTES
            )
            if not known and full_name(word, self.shared.package) not in self.shared.subs:
                self._pass(word)
                handle = Node("handle", line, full_name(word, self.shared.package))
                self.shared.seen(handle.a, line)
        elif word in HANDLES and not self.src.startswith("->", self.pos + len(word)):
            self._pass(word)
            handle = Node("handle", line, full_name(word, self.shared.package))
        if brackets:
            items: list[Node] = []
            if not self.take(")"):
                found_node = self.expression()
                items = found_node.a if found_node.k == "list" and not found_node.b else [found_node]
                self.need(")")
            return Node("print", line, name, handle, items)
        return Node("print", line, name, handle, self.list_items())

    def _n_print(self, line: int) -> Node:
        return self._print("print", line)

    def _n_printf(self, line: int) -> Node:
        return self._print("printf", line)

    def _n_say(self, line: int) -> Node:
        if not self.shared.say:
            return self._user("say", line)
        return self._print("say", line)

    def _n_my(self, line: int) -> Node:
        return self.declaration("my")

    def _n_our(self, line: int) -> Node:
        return self.declaration("our")

    def _n_state(self, line: int) -> Node:
        return self.declaration("state")

    def _n_local(self, line: int) -> Node:
        self.scope.local = True
        return Node("local", line, self.parse(19))

    def _n_do(self, line: int) -> Node:
        if self.peek("{"):
            return Node("do", line, self.block())
        return Node("func", line, "dofile", [self.parse(UNARY_NAMED)])

    def _n_eval(self, line: int) -> Node:
        if self.peek("{"):
            return Node("evalblock", line, self.block())
        if self.peek("("):
            items = self.arguments()
            code = items[0] if items else Node("$glob", line, "main::_")
        else:
            code = Node("$glob", line, "main::_") if self._no_argument() else self.parse(UNARY_NAMED)
        return Node("evalstr", line, code, self.scope, self.shared.package)

    def _n_sub(self, line: int) -> Node:
        return self.anonymous_sub()

    def _n_not(self, line: int) -> Node:
        if self.peek("("):
            items = self.arguments()
            return Node("not", line, Node("list", line, items, True) if items else Node("const", line, ""))
        return Node("not", line, self.parse(3))

    def _n_return(self, line: int) -> Node:
        items = Node("list", line, self.list_items(), False)
        return Node("return", line, items.a[0] if len(items.a) == 1 else items if items.a else None)

    def _jump(self, how: str, line: int) -> Node:
        word = self.word()
        label = ""
        if word and word not in ("if", "unless", "while", "until", "for", "foreach", "and", "or"):
            self._pass(word)
            label = word
        return Node("jump", line, how, label)

    def _n_next(self, line: int) -> Node:
        return self._jump("next", line)

    def _n_last(self, line: int) -> Node:
        return self._jump("last", line)

    def _n_redo(self, line: int) -> Node:
        return self._jump("redo", line)

    def _n___PACKAGE__(self, line: int) -> Node:
        return Node("const", line, self.shared.package)

    def _n___FILE__(self, line: int) -> Node:
        return Node("const", line, self.shared.name)

    def _n___LINE__(self, line: int) -> Node:
        return Node("const", line, line)

    def _n_goto(self, line: int) -> Node:
        raise Unsupported("goto")

    def _n_format(self, line: int) -> Node:
        raise Unsupported("format")

    def _n_write(self, line: int) -> Node:
        raise Unsupported("write")

    # calls
    def amper(self) -> Node:
        """&name, &$code, &{…}: a call; without brackets the arguments are the caller's."""
        line = self.line()
        self.before, self.token = self.token, self.pos
        self.pos += 1
        kind, base = self._base(False)
        args: Any = self.arguments() if self.peek("(") else None
        if kind == "name":
            return Node(
                "call",
                line,
                full_name(base, self.shared.package),
                args if args is not None else [],
                args is None,
                True,
            )
        strict = self.shared.strict_refs
        return Node("dyncall", line, base, args if args is not None else [], args is None, strict)

    def _user(self, name: str, line: int) -> Node:
        """A call of a sub of the program, a class, a file handle or a bare word."""
        if name.endswith("::"):
            return Node("const", line, name[:-2])
        full = full_name(name, self.shared.package)
        if self.src.startswith("->", self.pos) or (self.char() and self.src.startswith("->", self.pos)):
            if full in self.shared.subs:
                return Node("call", line, full, [])
            return Node("class", line, name)
        if self.src.startswith("(", self.pos):
            return Node("call", line, full, self.arguments())
        if name == "new" or (full not in self.shared.subs and self._is_class()):
            word = self.word()
            if found := IDENTIFIER.match(self.src, self.pos):
                self._pass(word)
                args = self.arguments() if self.peek("(") else self.list_items()
                return Node("method", line, Node("class", line, found[0]), name, args)
        if full in self.shared.subs:
            if self.peek("{") and full in self.shared.blocks:
                body = self.anonymous_sub()
                self.take(",")
                return Node("call", line, full, [body, *self.list_items()])
            return Node("call", line, full, [] if full in self.shared.bare else self.list_items())
        if name in HANDLES:
            return Node("handle", line, full)
        if (owner := self._indirect()) is not None:
            self._pass(owner)
            args = self.arguments() if self.peek("(") else self.list_items()
            return Node("method", line, Node("class", line, owner), name, args)
        char = self.char()
        if char and (char in "$\"'@" or char.isdigit()):
            raise self.error()
        if self.shared.strict_subs:
            self.shared.barewords.append((name, full, line))
        return Node("bareword", line, name, full, self.shared.strict_subs)

    def _indirect(self) -> str | None:
        """The class of `method Class …`, where a word that is nothing else follows one."""
        word = self.word()
        if not re.fullmatch(r"[A-Za-z_]\w*", word) or word in NO_TERM or word in QUOTES:
            return None
        if (
            word in UNARY
            or word in LIST
            or word in NONE
            or hasattr(self, f"_n_{word}")
            or word in ("print", "say")
        ):
            return None
        if full_name(word, self.shared.package) in self.shared.subs:
            return None
        return None if re.compile(r"\s*(?:=>|->|\(|,)").match(self.src, self.pos + len(word)) else word

    def _is_class(self) -> bool:
        word = self.word()
        return (
            "::" in word
            and not word.endswith("::")
            and self.src[self.pos + len(word) : self.pos + len(word) + 2] != "->"
        )
