"""The kinds of nodes that are evaluated by the modules which `_eval` needs itself."""

from __future__ import annotations

from urltrap.machine.programs.perl import _assign, _calls, _eval
from urltrap.machine.programs.perl._values import Gen, Node
from urltrap.machine.programs.perl._vm import Frame, Vm


def _step(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    value = yield from (_assign.preop if n.k == "preop" else _assign.postop)(vm, f, n)
    return [value] if w else value


_eval.extend({
    "sassign": _assign.scalar_assign, "opassign": _assign.op_assign, "lassign": _assign.list_assign,
    "state": _assign.state, "call": _calls.call_node, "dyncall": _calls.call_value_node, "method": _calls.method_node,
    "preop": _step, "postop": _step,
})  # fmt: skip
