"""getopt_long(3) as the programs use it: permutation, abbreviations, and its own error texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class OptionError(Exception):
    """A wrong option; the text is getopt's, without the program's name."""


def getopt(
    args: Sequence[str], short: str, long: Mapping[str, str] | None = None
) -> tuple[list[tuple[str, str]], list[str]]:
    """Options in order as (name, value) and the operands.

    `short` as getopt(3): ":" behind a letter for a value, "::" for an optional one, a leading "+" stops at the first
    operand. `long` maps names to "" (no value), ":" or "::"; names are given back with "--". OptionError.
    """
    long = long or {}
    stop = short.startswith("+")
    short = short.lstrip("+")
    found: list[tuple[str, str]] = []
    operands: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return found, operands + rest
        if word.startswith("--"):
            found.append(_long(word, long, rest))
        elif word.startswith("-") and len(word) > 1:
            _short(word[1:], short, rest, found)
        elif stop:
            return found, [word, *rest]
        else:
            operands.append(word)
    return found, operands


def _long(word: str, long: Mapping[str, str], rest: list[str]) -> tuple[str, str]:
    name, given, value = word[2:].partition("=")
    matches = [name] if name in long else sorted(each for each in long if each.startswith(name))
    if not matches:
        raise OptionError(f"unrecognized option '{word if given == '' else '--' + name}'")
    if len(matches) > 1:
        shown = " ".join(f"'--{each}'" for each in matches)
        raise OptionError(f"option '--{name}' is ambiguous; possibilities: {shown}")
    full = matches[0]
    if given and long[full] == "":
        raise OptionError(f"option '--{full}' doesn't allow an argument")
    if long[full] == ":" and not given:
        if not rest:
            raise OptionError(f"option '--{full}' requires an argument")
        value = rest.pop(0)
    return f"--{full}", value


def _short(letters: str, short: str, rest: list[str], found: list[tuple[str, str]]) -> None:
    while letters:
        letter, letters = letters[0], letters[1:]
        at = short.find(letter)
        if at < 0 or letter == ":":
            raise OptionError(f"invalid option -- '{letter}'")
        wants = len(short[at + 1 : at + 3]) - len(short[at + 1 : at + 3].lstrip(":"))
        if wants == 0:
            found.append((letter, ""))
            continue
        if not letters and wants == 1:
            if not rest:
                raise OptionError(f"option requires an argument -- '{letter}'")
            letters = rest.pop(0)
        found.append((letter, letters))
        return
