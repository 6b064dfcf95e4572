"""Named tuples: what uname, stat, getpwnam and sys.version_info give."""

from __future__ import annotations

from typing import Any

from urltrap.machine.programs.python._objects import MISSING, Gen, Thing, Yielded
from urltrap.machine.programs.python._vm import Vm


class Record(Thing):
    """A named tuple: uname_result, stat_result, struct_passwd."""

    def __init__(self, type_name: str, module_name: str, fields: dict[str, Any], shown: str = "") -> None:
        self.type_name, self.module = type_name, module_name
        self.fields = fields
        self.prefix = shown or f"{module_name}.{type_name}"

    def attribute(self, name: str) -> Any:
        """A field."""
        return self.fields.get(name, MISSING)

    def item(self, index: Any) -> Any:
        """By number."""
        return tuple(self.fields.values())[index]

    def length(self) -> int:
        """How many fields."""
        return len(self.fields)

    def iterate(self, vm: Vm) -> Gen:
        """The fields' values."""
        for each in self.fields.values():
            yield Yielded(each)

    def shown(self) -> str:
        """repr."""
        return f"{self.prefix}({', '.join(f'{name}={value!r}' for name, value in self.fields.items())})"


class VersionInfo(Record):
    """sys.version_info: compares as a tuple."""

    def __init__(self, info: Record) -> None:
        super().__init__("version_info", "sys", info.fields, "sys.version_info")

    def compare(self, method: str, other: Any) -> Any:
        """With a tuple."""
        if not isinstance(other, tuple):
            return NotImplemented
        return getattr(tuple(self.fields.values()), method)(other)
