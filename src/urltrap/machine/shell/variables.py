"""Shell variables: scopes, attributes, arrays, and the environment that programs get."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from urltrap.machine.errors import BudgetError
from urltrap.machine.shell.dynamic import Dynamic
from urltrap.machine.shell.environ import in_order

MAX_BYTES = 8_000_000
"""Characters in all variables of one shell; doubling ``a=$a$a`` ends here."""

_TELL_EVERY = 16_384
Indexed = dict[int, str]
Associative = dict[str, str]


@dataclass(slots=True)
class Var:
    """One variable. `value` is a string, an indexed or an associative array, or None (declared but unset)."""

    value: str | Indexed | Associative | None = None
    exported: bool = False
    readonly: bool = False
    integer: bool = False
    case: str = ""  # "l" or "u"
    nameref: bool = False
    array: str = ""  # "a" or "A"
    owner: object = None  # the table that may change it in place; others copy first

    def scalar(self) -> str | None:
        """The value as ``$name`` gives it: of an array its element 0."""
        value = self.value
        if value is None or isinstance(value, str):
            return value
        return value.get(0) if self.array != "A" else value.get("0")  # type: ignore[call-overload]

    def copy(self) -> Var:
        """A copy that shares nothing that can change."""
        value = self.value
        return replace(self, value=value.copy() if isinstance(value, dict) else value)


class ReadOnlyError(Exception):
    """An assignment to a read-only variable."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Variables:
    """All variables of one shell: the global scope and one per function that is running (dynamic scoping)."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Var]] = [{}]
        self.dynamic = Dynamic()
        self._size = 0
        self._environment: dict[str, str] | None = None
        self._token = object()
        self.hold: Callable[[int], None] | None = None
        self._untold = 0
        self.order: Literal["bash", "ash"] | None = None

    def fork(self) -> Variables:
        """An independent copy for a subshell (dynamic ones are bound again by the shell)."""
        other = Variables()
        other.scopes = [scope.copy() if scope else {} for scope in self.scopes]
        other._size = self._size
        other._environment = self._environment
        other.order = self.order
        self._token = object()  # from now on both copy a variable before they change it
        return other

    def release(self) -> None:
        """The shell has ended: let go of it, so that it is freed at once and not when the garbage is collected."""
        self.dynamic.release()
        self.hold = None

    # -- looking up

    def find(self, name: str) -> Var | None:
        """The variable that `name` means now."""
        for scope in reversed(self.scopes):
            var = scope.get(name)
            if var is not None:
                if var.nameref and isinstance(var.value, str) and var.value and var.value != name:
                    base = var.value.partition("[")[0]
                    return self.find(base) if base != name else var
                return var
        return None

    def target(self, name: str) -> str:
        """The name behind a nameref."""
        for _ in range(8):
            for scope in reversed(self.scopes):
                var = scope.get(name)
                if var is not None:
                    break
            else:
                return name
            if not (var.nameref and isinstance(var.value, str) and var.value and var.value != name):
                return name
            name = var.value
        return name

    def get(self, name: str) -> str | None:
        """The value of ``$name``, None where unset."""
        if name in self.dynamic:
            return self.dynamic.read(name)
        if len(self.scopes) == 1:
            var = self.scopes[0].get(name)
            if var is not None and var.nameref:
                var = self.find(name)
        else:
            var = self.find(name)
        return None if var is None else var.scalar()

    def names(self) -> list[str]:
        """All names, sorted as ``set`` lists them."""
        found: set[str] = set(self.dynamic)
        for scope in self.scopes:
            found.update(scope)
        return sorted(found)

    def environment(self) -> dict[str, str]:
        """What programs get: the exported variables, in the order of the shell that `order` names (None: as made).
        Shared until something changes: copy before changing."""
        if self._environment is None:
            merged: dict[str, str] = {}
            for scope in self.scopes:
                for name, var in scope.items():
                    if var.exported and isinstance(var.value, str):
                        merged[name] = var.value
                    elif name in merged:
                        del merged[name]
            self._environment = in_order(merged, bash=self.order == "bash") if self.order else merged
        return self._environment

    # -- changing

    def changed(self) -> None:
        """Something about exported variables may have changed."""
        self._environment = None

    def account(self, before: int, after: int) -> None:
        """Count the change of size."""
        self._size += after - before
        self._untold += after - before
        if self._size > MAX_BYTES:
            raise BudgetError("variable memory", MAX_BYTES)
        if self.hold is not None and abs(self._untold) > _TELL_EVERY:
            untold, self._untold = self._untold, 0
            self.hold(untold)

    def slot(self, name: str, *, local: bool = False) -> Var:
        """The variable to assign to; made where it does not exist."""
        if local:
            scope = self.scopes[-1]
            var = scope.get(name)
        else:
            for scope in reversed(self.scopes):
                var = scope.get(name)
                if var is not None:
                    break
            else:
                scope, var = self.scopes[0], None
        if var is None:
            var = scope[name] = Var(owner=self._token)
        elif var.owner is not self._token:
            var = scope[name] = var.copy()
            var.owner = self._token
        return var

    def set(self, name: str, value: str, *, export: bool = False) -> None:
        """``name=value`` without attributes that need evaluation (the shell's `assign` handles those)."""
        if name in self.dynamic and self.dynamic.write(name, value):
            return
        var = self.slot(self.target(name))
        if var.readonly:
            raise ReadOnlyError(name)
        old = var.value
        if isinstance(old, dict):
            if var.array == "A":
                old["0"] = value  # type: ignore[index]
            else:
                old[0] = value  # type: ignore[index]
            self.account(0, len(value))
            return
        self.account(len(old) if old else 0, len(value))
        var.value = value
        if export:
            var.exported = True
        if var.exported:
            self._environment = None
        self.dynamic.write(name, value)

    def set_element(self, name: str, key: int | str, value: str, *, append: bool = False) -> None:
        """``name[key]=value``; `key` an int for indexed arrays, a str for associative ones."""
        var = self.slot(self.target(name))
        if var.readonly:
            raise ReadOnlyError(name)
        array: dict[Any, str] = self.as_array(var, associative=isinstance(key, str))
        old = array.get(key, "")
        if append:
            value = old + value
        self.account(len(old), len(value) + 16)
        array[key] = value

    def as_array(self, var: Var, *, associative: bool) -> dict[Any, str]:
        """The array inside `var`, made from its scalar value where it was none."""
        if isinstance(var.value, dict):
            return var.value
        if associative:
            made: Associative = {} if var.value is None else {"0": var.value}
            var.value, var.array = made, "A"
            return made
        indexed: Indexed = {} if var.value is None else {0: var.value}
        var.value, var.array = indexed, "a"
        self._environment = None
        return indexed

    def unset(self, name: str) -> bool:
        """Remove `name`; False where it is read-only."""
        for scope in reversed(self.scopes):
            var = scope.get(name)
            if var is not None:
                if var.readonly:
                    return False
                self._size -= len(var.value) if isinstance(var.value, str) else 0
                if scope is self.scopes[-1] and len(self.scopes) > 1:
                    # a local variable stays local, without a value, until the function ends
                    mine = self.slot(name, local=True)
                    mine.value, mine.array, mine.exported = None, "", False
                else:
                    del scope[name]
                self._environment = None
                break
        self.dynamic.forget(name)
        return True

    def push(self) -> None:
        """Enter a function."""
        self.scopes.append({})

    def pop(self) -> None:
        """Leave a function."""
        scope = self.scopes.pop()
        if scope:
            self._environment = None
            for var in scope.values():
                if isinstance(var.value, str):
                    self._size -= len(var.value)

    def pairs(self) -> Iterator[tuple[str, Var]]:
        """(name, variable) of everything that is not dynamic, sorted by name."""
        merged: dict[str, Var] = {}
        for scope in self.scopes:
            merged.update(scope)
        yield from sorted(merged.items())
