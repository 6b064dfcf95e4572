"""How parsing and running can end early: syntax errors, and the jumps of break, return and exit."""

from __future__ import annotations


class ShellSyntaxError(Exception):
    """The text is no program.

    `kind`: "token" (an unexpected one), "eof" (the text ended inside a command), "match" (the text ended inside a
    quotation; `token` is the missing character), "text" (`token` is the whole message, in the dialect's own words).
    `token_type`: "eof", "newline", "word", "redir" or "op" (operators and reserved words). `line_text` is the source
    line that bash repeats. `incomplete` is True where more text could complete the command (PS2).
    """

    def __init__(
        self,
        kind: str,
        token: str,
        line: int,
        *,
        token_type: str = "op",
        expected: str = "",
        line_text: str = "",
        incomplete: bool = False,
        status: int = 2,
    ) -> None:
        super().__init__(kind, token, line)
        self.kind = kind
        self.token = token
        self.line = line
        self.token_type = token_type
        self.expected = expected
        self.line_text = line_text
        self.incomplete = incomplete
        self.status = status


class ShellJump(Exception):
    """Base of the jumps that leave the normal flow of a running script."""


class BreakLoop(ShellJump):
    """``break N``: leave N loops."""

    def __init__(self, levels: int) -> None:
        super().__init__(levels)
        self.levels = levels


class ContinueLoop(ShellJump):
    """``continue N``: go on with the Nth enclosing loop."""

    def __init__(self, levels: int) -> None:
        super().__init__(levels)
        self.levels = levels


class ReturnFrom(ShellJump):
    """``return``: leave a function or a sourced file."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class ExitShell(ShellJump):
    """``exit``, ``set -e``, a fatal error: end this shell process."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class DiscardLine(ShellJump):
    """An expansion failed and its message is printed: the rest of the command line is dropped."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class ExpansionError(Exception):
    """An expansion or an arithmetic expression failed. `message` is what stands behind the prefix.

    `fatal_status` is set where a non-interactive shell ends with it (``${x:?}``, ``set -u``).
    """

    def __init__(self, message: str, *, fatal_status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fatal_status = fatal_status
