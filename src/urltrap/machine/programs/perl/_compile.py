"""From text to what can run: parsing with the pragmas and modules of `use`."""

from __future__ import annotations

from typing import Any

from urltrap.machine.errors import SysError
from urltrap.machine.programs.perl._lexing import Compiling, Refused
from urltrap.machine.programs.perl._parser import Parser
from urltrap.machine.programs.perl._scopes import Scope, SubScope, is_special
from urltrap.machine.programs.perl._values import Code, Node, PerlDie, Scalar, Unsupported, string
from urltrap.machine.programs.perl._vm import Vm

_MOST = 400_000


class Begin:
    """What happens while a program is compiled."""

    def __init__(self, vm: Vm) -> None:
        self.vm = vm

    def need_version(self, parser: Parser, text: str, wanted: tuple[int, ...], line: int) -> None:
        """use VERSION."""
        if wanted > self.vm.version[:2]:
            have = "v" + ".".join(map(str, self.vm.version))
            shown = (
                "v" + ".".join((*text[1:].split("."), "0")[:3])
                if text[0] == "v"
                else f"v{wanted[0]}.{wanted[1]}.0"
            )
            raise Refused(
                f"Perl {shown} required--this is only {have}, stopped at {parser.shared.name} line {line}.\n"
                f"BEGIN failed--compilation aborted at {parser.shared.name} line {line}.\n"
            )

    def note(self, name: str) -> None:
        """A pragma was used: %INC tells."""
        from urltrap.machine.programs.perl import _modules

        file = _modules.file_of(name)
        self.vm.hv("main::INC").h.setdefault(file, Scalar(f"/usr/share/perl/5.{self.vm.version[1]}/{file}"))

    def use(self, parser: Parser, name: str, given: Node | None, line: int, on: bool) -> Node:
        """use MODULE LIST: the module is there at once, its subs are known to the parser."""
        from urltrap.machine.programs.perl import _modules

        vm = self.vm
        shared = parser.shared
        if not on:
            return Node("nop", line)
        for each in ("strict", "warnings"):
            self.note(each)  # every module uses them itself
        if name == "lib":
            for word in reversed(constants(given)):
                vm.av("main::INC").a.insert(0, Scalar(word))
            return Node("nop", line)
        if name in ("parent", "base"):
            words = [each for each in constants(given) if each != "-norequire"]
            for word in words:
                vm.av(f"{shared.package}::ISA").a.append(Scalar(word))
                if "-norequire" not in constants(given) and not any(
                    each.startswith(f"{word}::") for each in shared.subs
                ):
                    _modules.load(vm, word, line, shared.name, missing_ok=name == "base")
            return Node("nop", line)
        if name == "constant":
            return self._constants(parser, given, line)
        found = _modules.load(vm, name, line, shared.name)
        if isinstance(found, Node):
            return found
        wanted = None if given is None else constants(given)
        for each in _modules.import_into(vm, name, shared.package, wanted):
            shared.subs.add(each)
            shared.imported.add(each)
            if each.rpartition("::")[2] in ("first", "any", "all", "none", "reduce"):
                shared.blocks.add(each)
            elif vm.subs[each].prototype == "" or each.endswith("::time"):
                shared.bare.add(each)
        for each in _modules.variables(name, wanted):
            parser.share(each)
        return Node("nop", line)

    def _constants(self, parser: Parser, given: Node | None, line: int) -> Node:
        package = parser.shared.package
        if given is None:
            return Node("nop", line)
        items = given.a.a if given.k == "anonhash" else given.a if given.k == "list" else [given]
        if given.k == "anonhash":
            for each in items[::2]:
                parser.shared.subs.add(f"{package}::{each.a}")
                parser.shared.bare.add(f"{package}::{each.a}")
            return Node("constants", line, package, given, True)
        parser.shared.subs.add(f"{package}::{items[0].a}")
        parser.shared.bare.add(f"{package}::{items[0].a}")
        return Node("constants", line, package, Node("list", line, items), False)


def constants(node: Node | None) -> list[str]:
    """The words of an import list that is written down."""
    if node is None:
        return []
    if node.k == "list":
        return [word for each in node.a for word in constants(each)]
    if node.k == "const":
        return [string(node.a)]
    return []


def compile_program(vm: Vm, text: str, name: str, line: int = 1) -> tuple[Node, SubScope, str | None]:
    """The tree of a program, its scope, and what stands behind __END__; Refused with perl's words."""
    shared = Compiling(name)
    shared.begin = Begin(vm)
    shared.warnings = vm.warnings
    shared.say = vm.state.get((-6, 0), False)
    vm.compiling = shared
    sub = SubScope(None)
    parser = Parser(text, shared, line)
    parser.scope = sub.top
    tree = parser.program()
    vm.warnings = (vm.warnings or shared.warnings) and not vm.state.get((-9, 0))
    shared.warnings = vm.warnings
    if vm.warnings:
        vm.state[(-10, 0)] = sorted(
            full for full, times in shared.uses.items() if times == 1 and _is_own(vm, full, sub)
        )
    return tree, sub, None if parser.data is None else text[parser.data :]


def _is_own(vm: Vm, full: str, sub: SubScope) -> bool:
    """Whether a global name is one of the program's, not of perl or a module."""
    package, _, name = full.rpartition("::")
    if package == "main":
        return not is_special(name) and all(sigil + name not in sub.top.names for sigil in "$@%")
    return not any(each.startswith(f"{package}::") for each in vm.subs) and f"{package}::ISA" not in vm.arrays


def compile_string(vm: Vm, text: str, scope: Scope, package: str) -> tuple[Node, SubScope]:
    """The tree of eval's string within the variables around it; what is wrong with it dies."""
    if len(text) > _MOST:
        raise Unsupported("a string to evaluate that is too long")
    vm.steps += len(text) >> 1
    outer = vm.compiling
    shared = Compiling(vm.name)
    shared.begin = Begin(vm)
    shared.subs, shared.imported, shared.blocks, shared.bare = (
        outer.subs,
        outer.imported,
        outer.blocks,
        outer.bare,
    )
    shared.package = package
    shared.warnings, shared.say = outer.warnings, outer.say
    shared.strict_vars, shared.strict_subs, shared.strict_refs = (
        outer.strict_vars,
        outer.strict_subs,
        outer.strict_refs,
    )
    sub = SubScope(scope)
    parser = Parser(text, shared)
    parser.scope = Scope(sub.top, sub)
    try:
        tree = parser.program()
    except Refused as problem:
        words = str(problem)
        ended = f"Execution of {shared.name} aborted due to compilation errors.\n"
        raise PerlDie(words.removesuffix(ended)) from None
    return tree, sub


def read_file(vm: Vm, path: str) -> str | None:
    """The text of a file of the machine; None where it cannot be read."""
    try:
        return vm.p.fs.read(path, _MOST).decode("latin-1")
    except SysError as problem:
        vm.set_errno(problem)
        return None


def constant_sub(package: str, name: str, value: list[Any]) -> Code:
    """The sub of a constant."""

    def native(vm: Vm, args: list[Any], want: Any) -> Any:
        return list(value) if want else (value[-1] if value else None)

    return Code(name, package, native=native)
