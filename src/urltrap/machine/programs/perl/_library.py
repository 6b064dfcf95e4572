# ruff: noqa: E501 - tables and messages read best with several on a line
"""What scripts import most: Base64, digests, lists, dumps, POSIX, times, files."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import posixpath
from typing import Any

from urltrap.machine.api import decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.perl import _calls, _functions, _lists
from urltrap.machine.programs.perl._files import handle_of, path_of, text_of
from urltrap.machine.programs.perl._modules import Native, constants, module
from urltrap.machine.programs.perl._values import (
    Dual,
    Gen,
    Hash,
    Node,
    Ref,
    Scalar,
    Unsupported,
    kind_of,
    looks_like_number,
    num,
    string,
    to_bytes,
    truth,
    value_of,
    values,
    whole,
)
from urltrap.machine.programs.perl._vm import Vm


def plain(how: Any) -> Native:
    """A native sub of values: how(vm, value, …)."""

    def run(vm: Vm, args: list[Any], want: Any) -> Any:
        try:
            return how(vm, *values(args))
        except TypeError as problem:
            raise Unsupported("arguments of a module's sub") from problem

    return run


def _bytes(vm: Vm, v: Any, name: str) -> bytes:
    text = string(v)
    if any(char > "\u00ff" for char in text):
        raise vm.die("Wide character in subroutine entry")
    return to_bytes(text)


def _encode_base64(vm: Vm, v: Any = None, end: Any = "\n") -> str:
    text = base64.b64encode(_bytes(vm, v, "encode_base64")).decode()
    vm.grow(len(text))
    mark = string(end)
    if mark == "":
        return text
    return "".join(text[at : at + 76] + mark for at in range(0, len(text), 76))


def _decode_base64(vm: Vm, v: Any = None) -> str:
    kept = "".join(
        each for each in string(v).partition("=")[0] if each.isascii() and (each.isalnum() or each in "+/")
    )
    kept = kept[: len(kept) - (len(kept) % 4 == 1)]
    vm.grow(len(kept))
    try:
        return base64.b64decode(kept + "=" * (-len(kept) % 4)).decode("latin-1")
    except binascii.Error:
        return ""


@module(
    "MIME::Base64", "encode_base64 decode_base64", "encoded_base64_length decode_base64url encode_base64url"
)
def _base64() -> dict[str, Native]:
    return {
        "encode_base64": plain(_encode_base64), "decode_base64": plain(_decode_base64),
        "encode": plain(_encode_base64), "decode": plain(_decode_base64),
        "encode_base64url": plain(lambda vm, v: _encode_base64(vm, v, "").rstrip("=").translate(str.maketrans("+/", "-_"))),
        "decode_base64url": plain(lambda vm, v: _decode_base64(vm, string(v).translate(str.maketrans("-_", "+/")))),
    }  # fmt: skip


def _digest(name: str, how: str) -> Native:
    def run(vm: Vm, args: list[Any], want: Any) -> str:
        data = b"".join(_bytes(vm, each, name) for each in values(args))
        vm.steps += len(data) >> 6
        made = hashlib.new(name, data)
        if how == "hex":
            return made.hexdigest()
        if how == "base64":
            return base64.b64encode(made.digest()).decode().rstrip("=")
        return made.digest().decode("latin-1")

    return run


class _Digesting:
    """The methods of Digest::MD5 and Digest::SHA objects, whose hash keeps what was added."""

    def __init__(self, algorithm: str, package: str) -> None:
        self.algorithm, self.package = algorithm, package

    def new(self, vm: Vm, args: list[Any], want: Any) -> Ref:
        kind = values(args)[1] if len(args) > 1 else None
        made = Hash(
            {
                "data": Scalar(""),
                "kind": Scalar(self.algorithm if kind is None else f"sha{string(kind).lstrip('sha-SHA')}"),
            }
        )
        made.bless = self.package
        return Ref(made)

    def add(self, vm: Vm, args: list[Any], want: Any) -> Any:
        owner, *rest = values(args)
        place = owner.t.at("data")
        place.v = string(place.v) + "".join(map(string, rest))
        vm.grow(len(place.v))
        return owner

    def addfile(self, vm: Vm, args: list[Any], want: Any) -> Gen:
        owner, file = values(args)[:2]
        handle = handle_of(vm, file)
        if handle is not None:
            text = yield from handle.readline(vm, None)
        else:
            try:
                text = vm.p.fs.read(path_of(file)).decode("latin-1")
            except SysError as problem:
                vm.set_errno(problem)
                raise vm.die(f"Open failed: {problem.words}") from None
        place = owner.t.at("data")
        place.v = string(place.v) + string(text)
        return owner

    def finish(self, how: str) -> Native:
        def run(vm: Vm, args: list[Any], want: Any) -> Any:
            place = values(args)[0].t.at("data")
            data, place.v = string(place.v), ""
            kind = string(values(args)[0].t.at("kind").v)
            return _digest(kind if kind in hashlib.algorithms_guaranteed else "sha1", how)(vm, [data], want)

        return run

    def table(self) -> dict[str, Native]:
        """Its methods by name."""
        return {
            "new": self.new, "add": self.add, "addfile": self.addfile, "digest": self.finish("raw"),
            "hexdigest": self.finish("hex"), "b64digest": self.finish("base64"),
        }  # fmt: skip


@module("Digest::MD5", "", "md5 md5_hex md5_base64")
def _md5() -> dict[str, Native]:
    return {"md5": _digest("md5", "raw"), "md5_hex": _digest("md5", "hex"), "md5_base64": _digest("md5", "base64"),
            **_Digesting("md5", "Digest::MD5").table()}  # fmt: skip


_SHA = " ".join(f"sha{n} sha{n}_hex sha{n}_base64" for n in (1, 224, 256, 384, 512))


@module("Digest::SHA", "", _SHA)
def _sha() -> dict[str, Native]:
    found: dict[str, Native] = {}
    for size in (1, 224, 256, 384, 512):
        for suffix, how in (("", "raw"), ("_hex", "hex"), ("_base64", "base64")):
            found[f"sha{size}{suffix}"] = _digest(f"sha{size}", how)
    return {**found, **_Digesting("sha1", "Digest::SHA").table()}


# List::Util, Scalar::Util
def _first(how: str) -> Native:
    def run(vm: Vm, args: list[Any], want: Any) -> Gen:
        code, *items = args
        before = vm.sv("main::_")
        hits = 0
        answer: Any = None if how == "first" else ""
        try:
            for each in items:
                place = each if isinstance(each, Scalar) else Scalar(each)
                vm.scalars["main::_"] = place
                if truth((yield from _calls.call(vm, value_of(code), [], False))):
                    hits += 1
                    if how == "first":
                        return place.v
                    if how == "any":
                        return 1
        finally:
            vm.scalars["main::_"] = before
        if how == "all":
            answer = 1 if hits == len(items) else ""
        elif how == "none":
            answer = 1 if not hits else ""
        return answer

    return run


def _reduce(vm: Vm, args: list[Any], want: Any) -> Gen:
    code, *items = values(args)
    if not items:
        return None
    first = vm.scalars["main::a"] = Scalar(items[0])
    second = vm.scalars["main::b"] = Scalar()
    for each in items[1:]:
        second.v = each
        first.v = yield from _calls.call(vm, code, [], False)
    return first.v


def _unique(vm: Vm, args: list[Any], want: Any) -> Any:
    found = list({string(each): each for each in reversed(values(args))}.values())[::-1]
    return found if want else len(found)


def _shuffled(vm: Vm, args: list[Any], want: Any) -> list[Any]:
    found = values(args)
    for at in range(len(found) - 1, 0, -1):
        other = vm.p.random(at + 1)
        found[at], found[other] = found[other], found[at]
    return found


@module(
    "List::Util", "", "first sum sum0 min max minstr maxstr reduce shuffle uniq any all none product pairs"
)
def _list_util() -> dict[str, Native]:
    def number(does: Any, empty: Any = None) -> Native:
        return lambda vm, args, want: does([num(each) for each in values(args)]) if args else empty

    def text(does: Any) -> Native:
        return lambda vm, args, want: does([string(each) for each in values(args)]) if args else None

    return {
        "first": _first("first"), "any": _first("any"), "all": _first("all"), "none": _first("none"),
        "sum": number(sum), "sum0": number(sum, 0), "min": number(min), "max": number(max), "minstr": text(min),
        "maxstr": text(max), "product": number(math.prod, 1), "reduce": _reduce, "uniq": _unique, "shuffle": _shuffled,
    }  # fmt: skip


@module("Scalar::Util", "", "blessed reftype looks_like_number refaddr weaken dualvar")
def _scalar_util() -> dict[str, Native]:
    from urltrap.machine.programs.perl._values import address

    return {
        "blessed": plain(lambda vm, v: v.t.bless if type(v) is Ref else None),
        "reftype": plain(lambda vm, v: kind_of(v.t) if type(v) is Ref else None),
        "looks_like_number": plain(lambda vm, v: _functions.is_numeric(v)),
        "refaddr": plain(lambda vm, v: address(v.t) if type(v) is Ref else None), "weaken": plain(lambda vm, v: None),
        "dualvar": plain(lambda vm, n, s: Dual(whole(n), string(s))),
    }  # fmt: skip


# files and machine
def _fileparse(vm: Vm, path: Any, *suffixes: Any) -> list[Any]:
    text = string(path)
    folder, slash, name = text.rpartition("/")
    return [name, folder + slash if slash else "./", ""]


@module("File::Basename", "fileparse basename dirname")
def _basename() -> dict[str, Native]:
    def base(vm: Vm, path: Any, *suffixes: Any) -> str:
        name = posixpath.basename(string(path).rstrip("/")) or string(path)
        for each in suffixes:
            if name.endswith(string(each)) and name != string(each):
                return name[: -len(string(each))]
        return name

    return {
        "basename": plain(base), "fileparse": plain(_fileparse),
        "dirname": plain(lambda vm, path: posixpath.dirname(string(path).rstrip("/")) or ("/" if string(path)[:1] == "/" else ".")),
    }  # fmt: skip


@module("Cwd", "cwd getcwd", "abs_path realpath")
def _cwd() -> dict[str, Native]:
    def real(vm: Vm, path: Any = ".") -> Any:
        try:
            return text_of(vm.p.fs.realpath(path_of(path)))
        except SysError as problem:
            vm.set_errno(problem)
            return None

    here = plain(lambda vm: text_of(vm.p.cwd))
    return {"cwd": here, "getcwd": here, "abs_path": plain(real), "realpath": plain(real)}


@module("Sys::Hostname", "hostname")
def _hostname() -> dict[str, Native]:
    return {"hostname": plain(lambda vm: vm.p.hostname)}


@module("File::Path", "mkpath rmtree", "make_path remove_tree")
def _file_path() -> dict[str, Native]:
    def make(vm: Vm, *paths: Any) -> int:
        done = 0
        for path in paths:
            if type(path) is Ref:
                continue
            parts = path_of(path).split("/")
            for at in range(1, len(parts) + 1):
                try:
                    vm.p.fs.mkdir("/".join(parts[:at]) or "/", 0o777 & ~vm.p.umask)
                    done += 1
                except SysError:
                    continue  # it is there already, or the next one tells
        return done

    def remove(vm: Vm, *paths: Any) -> Gen:
        pid = vm.p.spawn(
            ["rm", "-rf", "--", *map(path_of, (each for each in paths if type(each) is not Ref))]
        )
        yield from vm.p.wait(pid)
        return len(paths)

    return {
        "mkpath": plain(make),
        "make_path": plain(make),
        "rmtree": plain(remove),
        "remove_tree": plain(remove),
    }


@module("File::Copy", "copy move cp mv")
def _file_copy() -> dict[str, Native]:
    def run(program: str) -> Native:
        def does(vm: Vm, source: Any, target: Any) -> Gen:
            try:
                vm.p.fs.stat(path_of(source))
            except SysError as problem:
                vm.set_errno(problem)
                return 0
            pid = vm.p.spawn([program, "--", path_of(source), path_of(target)])
            ended = yield from vm.p.wait(pid)
            return int(ended is not None and ended[1] == 0)

        return plain(does)

    return {"copy": run("cp"), "cp": run("cp"), "move": run("mv"), "mv": run("mv")}


@module("Encode", "encode decode encode_utf8 decode_utf8", "is_utf8 find_encoding")
def _encode() -> dict[str, Native]:
    def to(vm: Vm, name: Any, text: Any, *rest: Any) -> str:
        codec = "utf-8" if "utf" in string(name).lower() and "16" not in string(name) else None
        if codec is None:
            raise Unsupported("an encoding")
        return string(text).encode(codec, "surrogatepass").decode("latin-1")

    def back(vm: Vm, name: Any, data: Any, *rest: Any) -> str:
        if "utf" not in string(name).lower() or "16" in string(name):
            raise Unsupported("an encoding")
        return to_bytes(string(data)).decode("utf-8", "replace")

    return {
        "encode": plain(to), "decode": plain(back), "encode_utf8": plain(lambda vm, v: to(vm, "utf8", v)),
        "decode_utf8": plain(lambda vm, v, *rest: back(vm, "utf8", v)),
    }  # fmt: skip


__all__ = ["constants", "decode", "local", "looks_like_number", "plain"]
_ = (_lists, Node)
