"""Random operations on the tree against a plain dictionary: path to bytes (file) or None (directory)."""

from __future__ import annotations

import errno

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.machine.fs.support import Desk

from urltrap.machine.errors import SysError

NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: "/tmp/" + "/".join(names))
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), PATHS, st.binary(max_size=20)),
        st.tuples(st.just("append"), PATHS, st.binary(max_size=20)),
        st.tuples(st.just("mkdir"), PATHS, st.none()),
        st.tuples(st.just("unlink"), PATHS, st.none()),
        st.tuples(st.just("rmdir"), PATHS, st.none()),
        st.tuples(st.just("rename"), PATHS, PATHS),
        st.tuples(st.just("truncate"), PATHS, st.integers(0, 30)),
        st.tuples(st.just("visit"), PATHS, st.none()),
    ),
    max_size=30,
)
Model = dict[str, bytes | None]


def parent_problem(model: Model, path: str) -> int:
    names = path.split("/")
    for depth in range(2, len(names) - 1):
        above = "/".join(names[: depth + 1])
        if above not in model:
            return errno.ENOENT
        if model[above] is not None:
            return errno.ENOTDIR
    return 0


def expected(model: Model, what: str, path: str, value: object) -> int:
    """Apply an operation to the model; the errno that it must give."""
    if problem := parent_problem(model, path):
        return problem
    there = path in model
    is_dir = there and model[path] is None
    children = any(other.startswith(path + "/") for other in model)
    if what in ("write", "append"):
        if is_dir:
            return errno.EISDIR
        assert isinstance(value, bytes)
        model[path] = (model.get(path) or b"") + value if what == "append" else value
    elif what == "truncate":
        if not there:
            return errno.ENOENT
        if is_dir:
            return errno.EISDIR
        assert isinstance(value, int)
        model[path] = (model[path] or b"")[:value].ljust(value, b"\0")
    elif what == "mkdir":
        if there:
            return errno.EEXIST
        model[path] = None
    elif what == "unlink":
        if not there:
            return errno.ENOENT
        if is_dir:
            return errno.EISDIR
        del model[path]
    elif what == "rmdir":
        if not there:
            return errno.ENOENT
        if not is_dir:
            return errno.ENOTDIR
        if children:
            return errno.ENOTEMPTY
        del model[path]
    elif what == "rename":
        assert isinstance(value, str)
        return expected_rename(model, path, value, is_dir=is_dir)
    return 0


def expected_rename(model: Model, path: str, new: str, *, is_dir: bool) -> int:
    if problem := parent_problem(model, new):
        return problem
    if path not in model:
        return errno.ENOENT
    if new == path:
        return 0
    if is_dir and new.startswith(path + "/"):
        return errno.EINVAL
    if new in model:
        if model[new] is None:
            if not is_dir:
                return errno.EISDIR
            if any(other.startswith(new + "/") for other in model):
                return errno.ENOTEMPTY
        elif is_dir:
            return errno.ENOTDIR
    model.pop(new, None)
    for old in [other for other in model if other == path or other.startswith(path + "/")]:
        model[new + old[len(path) :]] = model.pop(old)
    return 0


def perform(desk: Desk, what: str, path: str, value: object) -> int:
    fs = desk.root
    try:
        if what in ("write", "append"):
            assert isinstance(value, bytes)
            fs.write(path, value, append=what == "append")
        elif what == "rename":
            assert isinstance(value, str)
            fs.rename(path, value)
        elif what == "truncate":
            assert isinstance(value, int)
            fs.truncate(path, value)
        else:
            getattr(fs, what)(path)
    except SysError as problem:
        return problem.errno
    return 0


def everything(desk: Desk, path: str = "/tmp") -> Model:
    found: Model = {}
    for name in desk.root.listdir(path):
        below = f"{path}/{name}"
        if desk.root.stat(below).is_dir:
            found[below] = None
            found.update(everything(desk, below))
        else:
            found[below] = desk.root.read(below)
    return found


@settings(max_examples=150, deadline=None)
@given(OPERATIONS)
def test_the_tree_behaves_as_a_dictionary_of_paths(operations: list[tuple[str, str, object]]) -> None:
    desk, model = Desk(), Model()
    for what, path, value in operations:
        if what == "visit":
            desk = desk.again()
            continue
        assert perform(desk, what, path, value) == expected(model, what, path, value), (what, path, value)
        assert everything(desk) == model
    live = [node for node in desk.overlay.nodes.values() if node.nlink > 0]
    assert len(live) == len(model) + len(
        [each for each in live if each.number < len(desk.overlay.image.nodes)]
    )
