"""How arithmetic reaches the shell's variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.shell.arithmetic import evaluate
from urltrap.machine.shell.errors import ExpansionError
from urltrap.machine.shell.variables import ReadOnlyError

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Shell


class ShellNames:
    """`arithmetic.Names` over a shell."""

    def __init__(self, sh: Shell) -> None:
        self.sh = sh

    def get_name(self, name: str, subscript: str | None) -> str | None:
        """The value of a variable or element."""
        if subscript is None:
            return self.sh.vars.get(name)
        var = self.sh.vars.find(name)
        if var is None:
            return None
        if var.array == "A":
            return var.value.get(subscript.strip("'\"")) if isinstance(var.value, dict) else None  # type: ignore[call-overload]
        key = element_index(self.sh, name, subscript)
        if isinstance(var.value, dict):
            return var.value.get(key)  # type: ignore[call-overload]
        return var.value if key == 0 else None

    def set_name(self, name: str, subscript: str | None, value: str) -> None:
        """Assign to a variable or element."""
        if subscript is None:
            self.sh.set_var(name, value)
            return
        var = self.sh.vars.find(name)
        try:
            if var is not None and var.array == "A":
                self.sh.vars.set_element(name, subscript.strip("'\""), value)
            else:
                self.sh.vars.set_element(name, element_index(self.sh, name, subscript), value)
        except ReadOnlyError:
            raise self.sh.readonly_error(name) from None

    def compared(self, left: int, right: int) -> None:
        """Two numbers were compared: a loop may see by them whether it comes to its end."""
        self.sh.apart = abs(left - right)

    def unset_is_error(self) -> bool:
        """True under ``set -u``."""
        return "nounset" in self.sh.options


def element_index(sh: Shell, name: str, subscript: str) -> int:
    """The index of an indexed array's element; negative ones count from the end."""
    index = evaluate(subscript, ShellNames(sh), sh.dialect.name)
    if index < 0:
        var = sh.vars.find(name)
        if var is not None and isinstance(var.value, dict):
            index += max((int(key) for key in var.value), default=-1) + 1
        else:
            index += 1 if var is not None and var.value is not None else 0
        if index < 0:
            raise ExpansionError(f"{name}[{subscript}]: bad array subscript")
    return index
