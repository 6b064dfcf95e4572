"""perl's command line (perlrun)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

USAGE = """
Usage: {0} [switches] [--] [programfile] [arguments]
  -0[octal/hexadecimal] specify record separator (\\0, if no argument)
  -a                    autosplit mode with -n or -p (splits $_ into @F)
  -C[number/list]       enables the listed Unicode features
  -c                    check syntax only (runs BEGIN and CHECK blocks)
  -d[t][:MOD]           run program under debugger or module Devel::MOD
  -D[number/letters]    set debugging flags (argument is a bit mask or alphabets)
  -e commandline        one line of program (several -e's allowed, omit programfile)
  -E commandline        like -e, but enables all optional features
  -f                    don't do $sitelib/sitecustomize.pl at startup
  -F/pattern/           split() pattern for -a switch (//'s are optional)
  -g                    read all input in one go (slurp), rather than line-by-line (alias for -0777)
  -i[extension]         edit <> files in place (makes backup if extension supplied)
  -Idirectory           specify @INC/#include directory (several -I's allowed)
  -l[octnum]            enable line ending processing, specifies line terminator
  -[mM][-]module        execute "use/no module..." before executing program
  -n                    assume "while (<>) { ... }" loop around program
  -p                    assume loop like -n but print line also, like sed
  -s                    enable rudimentary parsing for switches after programfile
  -S                    look for programfile using PATH environment variable
  -t                    enable tainting warnings
  -T                    enable tainting checks
  -u                    dump core after parsing program
  -U                    allow unsafe operations
  -v                    print version, patchlevel and license
  -V[:configvar]        print configuration summary (or a single Config.pm variable)
  -w                    enable many useful warnings
  -W                    enable all warnings
  -x[directory]         ignore text before #!perl line (optionally cd to directory)
  -X                    disable all warnings

Run 'perldoc perl' for more help with Perl.
"""
_VERSIONS = {"5.36.0": ("83", "2022"), "5.40.1": ("48", "2025")}


def version_text(version: str) -> str:
    """perl -v of Debian's builds."""
    patches, year = _VERSIONS.get(version, _VERSIONS["5.36.0"])
    _, minor, sub = version.split(".")
    return (
        f"\nThis is perl 5, version {minor}, subversion {sub} (v{version}) built for x86_64-linux-gnu-thread-multi\n"
        f"(with {patches} registered patches, see perl -V for more detail)\n\nCopyright 1987-{year}, Larry Wall\n\n"
        "Perl may be copied only under the terms of either the Artistic License or the\n"
        "GNU General Public License, which may be found in the Perl 5 source kit.\n\n"
        "Complete documentation for Perl, including FAQ lists, should be found on\n"
        'this system using "man perl" or "perldoc perl".  If you have access to the\n'
        "Internet, point your browser at https://www.perl.org/, the Perl Home Page.\n\n"
    )


@dataclass
class Switches:
    """What a command line asks for."""

    code: list[str] | None = None
    words: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    loops: bool = False
    prints: bool = False
    splits: bool = False
    pattern: str | None = None
    lines: bool = False
    line_end: str | None = None
    separator: str | None = None
    separator_after_l: bool = False
    slurps: bool = False
    in_place: str | None = None
    warnings: bool = False
    quiet: bool = False
    checks: bool = False
    new: bool = False
    extract: bool = False
    asks: str = ""
    says: str | None = None
    status: int = 0

    def refuse(self, words: str, status: int = 29) -> None:
        """A command line that is wrong."""
        self.says, self.status = words, status

    def add(self, words: list[str]) -> None:
        """Switches of a script's first line."""
        for word in words:
            if not word.startswith("-"):
                return
            self.one(word[1:], [])

    def one(self, letters: str, rest: list[str]) -> None:
        """The switches of one word; what they take from the next words is taken off `rest`."""
        while letters and self.says is None:
            letter, letters = letters[0], letters[1:]
            if letter in "eE":
                if not letters and not rest:
                    self.refuse(f"No code specified for -{letter}.\n")
                    return
                self.code = [*(self.code or []), letters or rest.pop(0)]
                self.new = self.new or letter == "E"
                return
            if letter in "np":
                self.loops = True
                self.prints = self.prints or letter == "p"
            elif letter == "a":
                self.splits = self.loops = True
            elif letter == "F":
                self.splits = self.loops = True
                self.pattern = letters or (rest.pop(0) if rest else "")
                return
            elif letter == "l":
                self.lines = True
                octal = re.match(r"[0-7]{1,3}", letters)
                if octal is not None:
                    self.line_end = chr(int(octal[0], 8))
                    letters = letters[octal.end() :]
                elif self.line_end is None:
                    self.line_end = "\n" if self.separator is None else self.separator
            elif letter == "0":
                found = re.match(r"[xX][0-9A-Fa-f]+|[0-7]{0,4}", letters)
                text = found[0] if found else ""
                letters = letters[len(text) :]
                number = int(text[1:], 16) if text[:1] in ("x", "X") else int(text or "0", 8)
                if text[:1] not in ("x", "X") and number >= 0o400:
                    self.slurps = True
                else:
                    self.slurps = False
                    self.separator = "" if text in ("0", "00") else chr(number)
            elif letter == "g":
                self.slurps = True
            elif letter == "i":
                self.in_place = letters
                return
            elif letter in "mM":
                self._module(letter, letters or (rest.pop(0) if rest else ""))
                return
            elif letter == "I":
                self.folders.append(letters or (rest.pop(0) if rest else ""))
                return
            elif letter in "wW":
                self.warnings = True
            elif letter == "X":
                self.quiet = True
            elif letter == "c":
                self.checks = True
            elif letter == "v":
                self.asks = "v"
            elif letter == "V":
                self.asks = "V" + letters
                return
            elif letter in "h?":
                self.asks = "h"
            elif letter == "x":
                self.extract = True
                return
            elif letter in "CDd":
                return
            elif letter not in "fsStTuU-":
                shown = letter + letters
                self.refuse(f"Unrecognized switch: -{shown}  (-h will show valid options).\n")
                return

    def _module(self, letter: str, text: str) -> None:
        if not text:
            self.refuse(f"Missing argument to -{letter}\n", 2)
            return
        word = "no" if text.startswith("-") else "use"
        plain = re.match(r"-?[\w:]+=(?!>)", text)
        name, _, names = text.lstrip("-").partition("=") if plain else (text.lstrip("-"), "", "")
        if plain:
            self.modules.append(f"{word} {name} qw\0{names.replace(',', ' ')}\0;")
        else:
            self.modules.append(f"{word} {name}{' ()' if letter == 'm' else ''};")


def parse_switches(argv: list[str]) -> Switches:
    """The switches and the words behind them."""
    found = Switches()
    rest = list(argv)
    while rest and found.says is None:
        word = rest[0]
        if word == "--":
            rest.pop(0)
            break
        if not word.startswith("-") or word == "-":
            break
        rest.pop(0)
        if word in ("--version", "--help"):
            found.refuse(f"Unrecognized switch: {word}  (-h will show valid options).\n")
            return found
        found.one(word[1:], rest)
    found.words = rest
    return found
