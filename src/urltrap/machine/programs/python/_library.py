# ruff: noqa: E501 - tables of names read best with several on a line
"""Modules that only compute: base64, binascii, hashlib, json, struct, zlib, math, string."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re as host_re
import string
import struct
import zlib
from collections.abc import Callable
from typing import Any

from urltrap.machine.programs.python import _calls, _expressions
from urltrap.machine.programs.python._imports import functions, lent, module
from urltrap.machine.programs.python._objects import (
    CLASSES,
    EXCEPTIONS,
    Class,
    Gen,
    Instance,
    PyError,
    Unsupported,
    error,
)
from urltrap.machine.programs.python._vm import LARGEST, Vm

_BINASCII = Class("Error", (EXCEPTIONS["ValueError"],), module="binascii")
_JSON = Class("JSONDecodeError", (EXCEPTIONS["ValueError"],), module="json.decoder")
_STRUCT = Class("error", (EXCEPTIONS["Exception"],), module="struct")
_ZLIB = Class("error", (EXCEPTIONS["Exception"],), module="zlib")


def _guarded(cls: Class, kind: Any, call: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the host's whose own error becomes ours."""

    def run(vm: Vm, *args: Any, **given: Any) -> Any:
        vm.steps += sum(len(each) for each in args if isinstance(each, (str, bytes))) >> 8
        try:
            return call(*args, **given)
        except kind as problem:
            raise PyError(Instance(cls, {"args": (str(problem),)})) from None

    return run


@module("base64")
def _base64(vm: Vm) -> dict[str, Any]:
    names = (
        "b64encode", "b64decode", "standard_b64encode", "standard_b64decode", "urlsafe_b64encode", "urlsafe_b64decode",
        "b32encode", "b32decode", "b16encode", "b16decode", "encodebytes", "decodebytes", "b85encode", "b85decode",
    )  # fmt: skip
    return functions(
        "base64", **{name: _guarded(_BINASCII, binascii.Error, getattr(base64, name)) for name in names}
    )


@module("binascii")
def _binascii(vm: Vm) -> dict[str, Any]:
    names = ("hexlify", "unhexlify", "a2b_base64", "b2a_base64", "crc32", "b2a_hex", "a2b_hex")
    made = functions(
        "binascii", **{name: _guarded(_BINASCII, binascii.Error, getattr(binascii, name)) for name in names}
    )
    return {**made, "Error": _BINASCII}


@module("hashlib")
def _hashlib(vm: Vm) -> dict[str, Any]:
    def made(name: str) -> Callable[..., Any]:
        def run(vm: Vm, data: Any = b"", **given: Any) -> Any:
            if isinstance(data, str):
                raise error("TypeError", "Strings must be encoded before hashing")
            vm.steps += len(data) >> 8
            return hashlib.new(name, data)

        return run

    names = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_512")
    return functions(
        "hashlib", **{name: made(name) for name in names},
        new=lambda vm, name, data=b"": made(name.lower())(vm, data) if name.lower() in names else _no_hash(name),
    )  # fmt: skip


def _no_hash(name: str) -> Any:
    raise error("ValueError", f"unsupported hash type {name}")


@module("json")
def _json(vm: Vm) -> dict[str, Any]:
    def loads(vm: Vm, text: Any, **given: Any) -> Any:
        if given:
            raise Unsupported("json.loads")
        try:
            found = json.loads(text)
        except json.JSONDecodeError as problem:
            raise PyError(
                Instance(_JSON, {"args": (str(problem),), "msg": problem.msg, "pos": problem.pos})
            ) from None
        vm.grow(len(text))
        vm.steps += len(text) >> 6
        return found

    def dumps(vm: Vm, value: Any, **given: Any) -> Any:
        if set(given) - {"indent", "sort_keys", "separators", "ensure_ascii", "default"}:
            raise Unsupported("json.dumps")
        if given.get("default") not in (None, CLASSES[str]):
            raise Unsupported("json.dumps")
        if isinstance(given.get("indent"), int) and given["indent"] > 1000:
            raise error("MemoryError")
        given["default"] = (lambda value: str(value)) if given.get("default") else _no_json
        return json.dumps(value, **given)

    def load(vm: Vm, file: Any) -> Gen:
        return loads(vm, (yield from file.m_read(vm)))

    def dump(vm: Vm, value: Any, file: Any, **given: Any) -> Gen:
        yield from file.m_write(vm, dumps(vm, value, **given))

    return {**functions("json", loads=loads, dumps=dumps, load=load, dump=dump), "JSONDecodeError": _JSON}


def _no_json(value: Any) -> Any:
    from urltrap.machine.programs.python._objects import class_of

    raise TypeError(f"Object of type {class_of(value).name} is not JSON serializable")


@module("struct")
def _struct(vm: Vm) -> dict[str, Any]:
    size = _guarded(_STRUCT, struct.error, struct.calcsize)

    def checked(name: str) -> Callable[..., Any]:
        does = _guarded(_STRUCT, struct.error, getattr(struct, name))

        def run(vm: Vm, layout: Any, *args: Any) -> Any:
            if host_re.search(r"\d{7,}", str(layout)) or size(vm, layout) > LARGEST:
                raise error("MemoryError")
            return does(vm, layout, *args)

        return run

    names = ("pack", "unpack", "calcsize", "unpack_from")
    return {**functions("struct", **{name: checked(name) for name in names}), "error": _STRUCT}


@module("zlib")
def _zlib(vm: Vm) -> dict[str, Any]:
    def decompress(data: bytes, wbits: int = 15, bufsize: int = 0) -> bytes:
        opened = zlib.decompressobj(wbits)
        out = opened.decompress(data, LARGEST)
        if opened.unconsumed_tail:
            raise error("MemoryError")
        if not opened.eof:
            raise zlib.error("Error -5 while decompressing data: incomplete or truncated stream")
        return out

    return {
        **functions("zlib", decompress=_guarded(_ZLIB, zlib.error, decompress),
                    compress=_guarded(_ZLIB, zlib.error, zlib.compress)),
        **lent(crc32=zlib.crc32, adler32=zlib.adler32), "error": _ZLIB,
    }  # fmt: skip


@module("math")
def _math(vm: Vm) -> dict[str, Any]:
    names = ("sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "exp", "log", "log2", "log10", "floor", "ceil",
             "fabs", "fmod", "hypot", "gcd", "isnan", "isinf", "degrees", "radians", "trunc", "isqrt", "lcm",
             "copysign", "modf", "isclose", "log1p", "sinh", "cosh", "tanh", "dist", "fsum")  # fmt: skip

    def small(name: str) -> Callable[..., Any]:
        def run(vm: Vm, *args: int) -> int:
            if any(isinstance(each, int) and each > 3000 for each in args):
                raise Unsupported(f"math.{name}")
            return int(getattr(math, name)(*args))

        return run

    return {
        "pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan, "tau": math.tau,
        **lent(**{name: getattr(math, name) for name in names}),
        **functions("math", factorial=small("factorial"), comb=small("comb"), perm=small("perm"), pow=lambda vm, a, b:
                    math.pow(a, b), prod=_prod),
    }  # fmt: skip


def _prod(vm: Vm, values: Any, start: Any = 1) -> Gen:
    import ast

    for each in (yield from _calls.listed(vm, values)):
        start = yield from _expressions.binary(vm, ast.Mult, start, each)
    return start


@module("string")
def _string(vm: Vm) -> dict[str, Any]:
    names = ("ascii_letters", "ascii_lowercase", "ascii_uppercase", "digits", "hexdigits", "octdigits", "punctuation",
             "printable", "whitespace")  # fmt: skip
    return {**{name: getattr(string, name) for name in names}, **lent(capwords=string.capwords)}
