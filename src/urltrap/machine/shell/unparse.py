"""Functions as bash prints them (type, declare -f): commands one per line, indented by four."""

from __future__ import annotations

from urltrap.machine.shell.ast import (
    AndOr,
    ArithCommand,
    ArithFor,
    Assign,
    Background,
    Case,
    CondCommand,
    For,
    FunctionDef,
    Group,
    If,
    Node,
    Pipeline,
    Redir,
    Select,
    Sequence,
    Simple,
    Subshell,
    While,
    Word,
)


def function_text(function: FunctionDef) -> str:
    """The definition as ``declare -f`` prints it."""
    body = function.body
    if isinstance(body, Group):
        inner = _list(body.body, 4)
        return f"{function.name} () \n{{ \n{inner}\n}}" + _redirections(body.redirs)
    return f"{function.name} () \n{{ \n    {_node(body, 4)}\n}}"


def _pad(indent: int) -> str:
    return " " * indent


def _list(node: Node, indent: int) -> str:
    items = node.items if isinstance(node, Sequence) else (node,)
    rows: list[str] = []
    for number, item in enumerate(items):
        last = number == len(items) - 1
        text = _node(item, indent)
        end = "" if last else ("" if isinstance(item, Background) else ";")
        rows.append(_pad(indent) + text + end)
    return "\n".join(rows)


def _word(word: Word | Assign) -> str:
    return word.raw


def _redirections(redirs: tuple[Redir, ...]) -> str:
    out: list[str] = []
    for redir in redirs:
        fd = "" if redir.fd is None else (f"{{{redir.fd}}}" if isinstance(redir.fd, str) else str(redir.fd))
        glue = "" if redir.op in ("<<", "<<-", ">&", "<&") else " "
        out.append(f" {fd}{redir.op}{glue}{redir.target.raw}")
    return "".join(out)


def _simple(node: Simple) -> str:
    pieces = [item.raw for item in node.assigns] + [_word(word) for word in node.words]
    return (" ".join(pieces) + _redirections(node.redirs)).lstrip()


def _node(node: Node, indent: int) -> str:
    if isinstance(node, Simple):
        return _simple(node)
    if isinstance(node, Pipeline):
        glue = [" 2>&1 | " if merged else " | " for merged in node.merge]
        text = "".join(
            _node(each, indent) + (glue[number] if number < len(node.commands) - 1 else "")
            for number, each in enumerate(node.commands)
        )
        return ("time " if node.timed else "") + ("! " if node.negate else "") + text
    if isinstance(node, AndOr):
        return _node(node.first, indent) + "".join(f" {op} {_node(each, indent)}" for op, each in node.rest)
    if isinstance(node, Background) and node.coproc:
        return node.text
    if isinstance(node, Background):
        return _node(node.node, indent) + " &"
    if isinstance(node, Sequence):
        return "; ".join(_node(item, indent) for item in node.items)
    if isinstance(node, FunctionDef):
        return f"function {function_text(node)}".replace("\n", "\n" + _pad(indent))
    return _compound(node, indent) + _redirections(node.redirs)


def _words(words: tuple[Word, ...] | None) -> str:
    return '"$@"' if words is None else " ".join(word.raw for word in words)


def _compound(node: Node, indent: int) -> str:
    pad = _pad(indent)
    deeper = indent + 4
    if isinstance(node, Subshell):
        return f"( {_list(node.body, deeper).lstrip()} )"
    if isinstance(node, Group):
        return "{ \n" + _list(node.body, deeper) + f"\n{pad}}}"
    if isinstance(node, If):
        rows: list[str] = []
        for number, (condition, body) in enumerate(node.clauses):
            keyword = "if" if number == 0 else "elif"
            lead = "" if number == 0 else pad
            rows.append(f"{lead}{keyword} {_node(condition, indent)}; then\n{_list(body, deeper)};")
        if node.otherwise is not None:
            rows.append(f"{pad}else\n{_list(node.otherwise, deeper)};")
        return "\n".join(rows) + f"\n{pad}fi"
    if isinstance(node, While):
        keyword = "until" if node.until else "while"
        return f"{keyword} {_node(node.condition, indent)}; do\n{_list(node.body, deeper)};\n{pad}done"
    if isinstance(node, For | Select):
        keyword = "for" if isinstance(node, For) else "select"
        return (
            f"{keyword} {node.name} in {_words(node.words)};\n{pad}do\n{_list(node.body, deeper)};\n{pad}done"
        )
    if isinstance(node, ArithFor):
        head = "; ".join(part.text.strip() for part in (node.init, node.test, node.step))
        return f"for (({head}))\n{pad}do\n{_list(node.body, deeper)};\n{pad}done"
    if isinstance(node, Case):
        rows = []
        for patterns, inside, terminator in node.items:
            names = " | ".join(word.raw for word in patterns)
            inner = "" if inside is None else _list(inside, indent + 8) + "\n"
            rows.append(f"{_pad(deeper)}{names})\n{inner}{_pad(deeper)}{terminator}")
        return f"case {node.word.raw} in \n" + "\n".join(rows) + f"\n{pad}esac"
    if isinstance(node, ArithCommand | CondCommand):
        return node.text
    return getattr(node, "text", "")
