"""``set -x``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.shell.expansion.transform import trace_quote

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


_RESERVED = frozenset(("!", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "then",
                       "until", "while", "{", "}"))  # fmt: skip


def trace(sh: Shell, text: str) -> Gen[None]:
    """One line of the trace; in bash nested substitutions repeat the first character of PS4."""
    prefix = sh.vars.get("PS4")
    if prefix is None:
        prefix = "+ "
    if "$" in prefix or "`" in prefix:
        from urltrap.machine.shell.prompt import expand_prompt_text

        sh.options.discard("xtrace")
        try:
            prefix = yield from expand_prompt_text(sh, prefix)
        finally:
            sh.options.add("xtrace")
    depth = int(sh.extra.get("substitution_depth", 0))
    if depth and prefix and sh.dialect.bash:
        prefix = prefix[0] * depth + prefix
    yield from sh.p.err(f"{prefix}{text}\n")


def trace_words(sh: Shell, words: list[str]) -> Gen[None]:
    """The words of a command that is about to run."""
    if sh.dialect.bash:
        text = " ".join(trace_quote(str(word)) for word in words)
    else:
        quote = str if sh.dialect.name == "dash" else _plain_quote
        text = " ".join(quote(str(word)) for word in words)
        if words and sh.dialect.name == "ash" and str(words[0]) in _RESERVED:
            text = f"'{words[0]}'{text[len(str(words[0])) :]}"
    yield from trace(sh, text)


def _plain_quote(word: str) -> str:
    if not word:
        return "''"
    if any(char in " \t\n;&|<>()$`\\\"'*?[#~=" for char in word):
        return "'" + word.replace("'", "'\"'\"'") + "'"
    return word
