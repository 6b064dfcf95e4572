"""getcap, setcap, getpcaps, capsh: capabilities of files and processes."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs.registry import program

_ALL = "=ep"


@program("getcap")
def getcap(p: Process) -> Run:
    """Files with capabilities: the image's packages set none that the recorded tree kept."""
    try:
        options, words = getopt(p.argv[1:], "hnrv", {})
    except OptionError as error:
        yield from p.err(
            f"getcap: {error}\nusage: getcap [-h] [-l] [-n] [-r] [-v] <filename> [<filename> ...]\n"
        )
        return 1
    given = {name for name, _ in options}
    if not words or "h" in given:
        yield from p.err(
            "usage: getcap [-h] [-l] [-n] [-r] [-v] <filename> [<filename> ...]\n\n"
            "\tdisplays the capabilities on the queried file(s).\n"
        )
        return 1
    for word in words:
        try:
            p.fs.stat(word)
        except SysError as error:
            yield from p.err(f"{word} ({error.words})\n")
            continue
        if "v" in given:
            yield from p.out(f"{word}\n")
    return 0


_SET_USAGE = """\
usage: setcap [-h] [-q] [-v] [-n <rootid>] (-r|-|<caps>) <filename> [ ... (-r|-|<capsN>) <filenameN> ]

 Note <filename> must be a regular (non-symlink) file.
 -r          remove capability from file
 -           read capability text from stdin
 <capsN>     cap_from_text(3) formatted file capability
 [ Note: capsh --suggest="something..." might help you pick. ]
"""


@program("setcap")
def setcap(p: Process) -> Run:
    """Accept what root sets."""
    words = [word for word in p.argv[1:] if word not in ("-q", "-v", "-r")]
    if not words or (len(words) < 2 and "-r" not in p.argv):
        yield from p.err(_SET_USAGE)
        return 1
    try:
        p.fs.stat(words[-1])
    except SysError as error:
        yield from p.err(f"Failed to set capabilities on file '{words[-1]}': {error.words}\n")
        return 1
    if p.uid:
        yield from p.err("unable to set CAP_SETFCAP effective capability: Operation not permitted\n")
        return 1
    return 0


_PROCESS_USAGE = """\
usage: getcaps [opts] <pid> [<pid> ...]

  This program displays the capabilities on the queried process(es).
  The capabilities are displayed in the cap_from_text(3) format.

  Optional arguments:
     --help, -h or --usage display this message.
     --verbose             use a more verbose output format.
     --ugly or --legacy    use the archaic legacy output format.
     --iab                 show IAB of process too.
     --license             display license info
"""


@program("getpcaps")
def getpcaps(p: Process) -> Run:
    """The capabilities of processes: all for root, none for others."""
    if len(p.argv) == 1:
        yield from p.err(_PROCESS_USAGE)
        return 1
    rows = {row.pid: row for row in p.processes()}
    status = 0
    for word in p.argv[1:]:
        row = rows.get(int(word)) if word.isdigit() and len(word) < 8 else None
        if row is None:
            yield from p.err(f"Failed to get cap's for process {word}: (No such process)\n")
            status = 1
            continue
        yield from p.out(f"{word}: {_ALL if row.uid == 0 else '='}\n")
    return status
