"""What is asked behind log-in: global requests, channels, commands, terminals, files, forwards."""

from __future__ import annotations

from urltrap.ops.audit import messages as m
from urltrap.ops.audit.probe import Action, Probe, Stage, Step

_OPEN = m.channel_open()
_PTY, _SHELL = m.pty(), m.request("shell")
_SFTP = m.request("subsystem", m.string("sftp"))
_INIT = m.data(m.string(b"\x01" + m.u32(3)))


def _entered(name: str, *steps: Step, weight: int = 3, until: str = "", hide_data: bool = False,
             whole: bool = False) -> Probe:  # fmt: skip
    return Probe(name, Stage.ENTERED, steps, weight, until, hide_data=hide_data, whole=whole)


def _sftp(*packets: bytes) -> bytes:
    return m.data(b"".join(map(m.string, packets)))


def _global(name: str, request: str, rest: bytes = b"", weight: int = 3) -> Probe:
    return _entered(name, m.global_request(request, rest), weight=weight, until="REQUEST_")


def _opening(name: str, kind: str, rest: bytes = b"", weight: int = 3) -> Probe:
    return _entered(name, m.channel_open(kind, rest), weight=weight)


def _running(name: str, command: str, *after: Step, weight: int = 3) -> Probe:
    return _entered(name, _OPEN, m.execute(command), *after, weight=weight, until="CLOSE")


def _asking(name: str, payload: bytes, weight: int = 2) -> Probe:
    return _entered(name, _OPEN, payload, weight=weight, until="CHANNEL_")


_TARGET = m.string("127.0.0.1") + m.u32(1) + m.string("127.0.0.1") + m.u32(40_000)

PROBES: tuple[Probe, ...] = (
    _entered("what comes after log-in", weight=4, whole=True),
    _global("a keep-alive", "keepalive@openssh.com", weight=4),
    _global("a keep-alive the old way", "keep-alive@example.com"),
    _global("an unknown global request", "no-such@example.com"),
    _entered("an unknown global request without reply", m.global_request("no-such@example.com", reply=False)),
    _global("a global request without a name", "", weight=2),
    _global("no more sessions", "no-more-sessions@openssh.com"),
    _entered("a session after no more sessions", m.global_request("no-more-sessions@openssh.com"), _OPEN),
    _global("an empty proof of host keys", "hostkeys-prove-00@openssh.com", weight=2),
    _global("a proof of an unknown host key", "hostkeys-prove-00@openssh.com", m.string("x"), weight=2),
    _global("a reverse forward of a port of root", "tcpip-forward", m.string("127.0.0.1") + m.u32(70_000), weight=2),
    _global("the end of no forward", "cancel-tcpip-forward", m.string("127.0.0.1") + m.u32(9), weight=2),
    _global("a cut reverse forward", "tcpip-forward", m.string("127.0.0.1"), weight=2),
    _global("the end of no reverse forward to a socket", "cancel-streamlocal-forward@openssh.com", m.string("/x"), 2),
    _entered("three global requests", *[m.global_request(f"x{n}@y") for n in range(3)]),
    _entered("an answer to no global request", b"\x51", weight=2),
    _entered("a refusal of no global request", b"\x52", weight=2),
    _entered("a log-in try after log-in", m.userauth("root", "none"), weight=3),
    _entered("a service after log-in", m.service(), weight=3),
    _entered("another service after log-in", m.service("ssh-connection"), weight=2),
    _entered("IGNORE after log-in", b"\x02" + m.string("x"), weight=2),
    _entered("an unknown message after log-in", b"\xc8", weight=2),
    *(_entered(f"message {kind} after log-in", bytes([kind]) + m.u32(0), weight=2)
      for kind in (0, 6, 7, 8, 21, 30, 51, 52, 60, 83, 101, 127, 128, 191, 192, 255)),
    _entered("a new key exchange after log-in", Action.REKEY, _OPEN, m.execute("echo hi"), until="CLOSE"),
    _entered("a new key exchange within a channel", _OPEN, Action.REKEY, m.execute("echo hi"), until="CLOSE"),
    _entered("DISCONNECT after log-in", b"\x01" + m.u32(11) + m.string("bye") + m.string("")),
    _entered("the client ends after log-in", Action.END),
    # ---- opening ----
    _opening("a session", "session", weight=5),
    _opening("a session with rubbish", "session", b"more", weight=2),
    _opening("an unknown kind of channel", "no-such-channel", weight=4),
    _opening("a channel of X11", "x11", m.string("127.0.0.1") + m.u32(1)),
    _opening("a channel of an agent", "auth-agent@openssh.com", weight=2),
    _opening("a channel of a forward", "forwarded-tcpip", _TARGET, weight=2),
    _opening("a forward to a closed port", "direct-tcpip", _TARGET, weight=4),
    _opening("a forward to a name of this machine", "direct-tcpip",
             m.string("localhost") + m.u32(1) + m.string("127.0.0.1") + m.u32(1)),
    _opening("a forward to port 0", "direct-tcpip", m.string("127.0.0.1") + m.u32(0) + m.string("x") + m.u32(0), 2),
    _opening("a forward to port 70000", "direct-tcpip",
             m.string("127.0.0.1") + m.u32(70_000) + m.string("x") + m.u32(0), 2),
    _opening("a cut forward", "direct-tcpip", m.string("127.0.0.1"), weight=2),
    _opening("a forward to a socket that is not there", "direct-streamlocal@openssh.com",
             m.string("/no/such/socket") + m.string("") + m.u32(0)),
    _opening("a tunnel device", "tun@openssh.com", m.u32(1, 0x7FFFFFFF), weight=2),
    _opening("a tunnel device of another mode", "tun@openssh.com", m.u32(9, 0x7FFFFFFF), weight=2),
    _entered("a cut opening", b"\x5a" + m.string("session"), weight=2),
    _entered("a channel of a tiny window", m.channel_open(window=0), m.execute("echo hi"), weight=2),
    _entered("a channel that takes no packet", m.channel_open(largest=0), m.execute("echo hi"), weight=2),
    _entered("a channel of a huge window", m.channel_open(window=0xFFFFFFFF), m.execute("echo hi"), until="CLOSE"),
    _entered("a channel of an odd number", m.channel_open(number=4_000_000_000), weight=2),
    _entered("ten sessions", *[m.channel_open(number=n) for n in range(10)], weight=3),
    _entered("eleven sessions", *[m.channel_open(number=n) for n in range(11)], weight=3),
    _entered("two sessions of the same number", _OPEN, _OPEN, weight=2),
    _entered("two commands in two sessions", _OPEN, m.execute("echo one"), Action.PAUSE,
             m.channel_open(number=1), m.execute("echo two", channel=1)),
    _entered("a second session after the first has ended", _OPEN, m.execute("echo one"), Action.PAUSE, m.close(),
             Action.PAUSE, m.channel_open(number=1), m.execute("echo two")),
    # ---- commands ----
    _running("a command", "echo hi", weight=5),
    _running("a command without output", "true", weight=3),
    _running("a command that fails", "exit 7", weight=3),
    _running("a command that does not exist", "no-such-command-7", weight=3),
    _running("a command that writes errors", "echo oops >&2", weight=4),
    _running("a command that writes both", "echo out; sleep 0.1; echo err >&2", weight=3),
    _running("an empty command", "", weight=2),
    _running("a command that reads its input", "cat", m.data(b"hello\n"), m.eof(), weight=3),
    _running("a command whose input ends at once", "cat", m.eof(), weight=3),
    _running("a command that ignores its input", "echo hi", m.data(b"hello\n"), m.eof(), weight=2),
    _running("a command killed by a signal", "kill -TERM $$", weight=3),
    _running("a command killed hard", "kill -KILL $$", weight=3),
    _running("a command that is sent a signal", "sleep 20", Action.PAUSE, m.request("signal", m.string("TERM"),
             reply=False)),
    _running("a command that is sent an unknown signal", "sleep 0.2", m.request("signal", m.string("NOPE")), weight=2),
    _running("a command with a zero byte", "echo a\0b", weight=2),
    _running("a long command", "echo " + "a" * 20_000, weight=2),
    _running("much output", "head -c 200000 /dev/zero | tr '\\0' a | tail -c 100", weight=2),
    _entered("a command without reply", _OPEN, m.execute("echo hi", reply=False), until="CLOSE"),
    _entered("two commands in one session", _OPEN, m.execute("sleep 0.3; echo one"), m.execute("echo two"),
             until="CLOSE"),
    _entered("a command after a command", _OPEN, m.execute("echo one"), Action.PAUSE, m.execute("echo two")),
    _entered("a session that the client closes", _OPEN, m.close(), weight=3),
    _entered("a session that the client ends", _OPEN, m.eof(), weight=2),
    _entered("a command that the client closes", _OPEN, m.execute("sleep 20"), Action.PAUSE, m.close()),
    _entered("a close after the end", _OPEN, m.execute("echo hi"), Action.PAUSE, m.close(), Action.PAUSE, m.close()),
    _entered("a request for a channel that is closed", _OPEN, m.execute("true"), Action.PAUSE, m.close(), Action.PAUSE,
             m.execute("echo hi"), weight=2),
    _entered("data before a command", _OPEN, m.data(b"x"), weight=2),
    _entered("more data than the window", _OPEN, m.execute("sleep 1"), Action.PAUSE, m.data(b"x" * 40_000), weight=2),
    _entered("data of another kind", _OPEN, m.execute("cat"), b"\x5f" + m.u32(0, 1) + m.string("x"), weight=2),
    _entered("data after the end", _OPEN, m.execute("cat"), m.eof(), m.data(b"x"), weight=2),
    _entered("the end twice", _OPEN, m.execute("cat"), m.eof(), m.eof(), weight=2),
    _entered("a window of too much", _OPEN, m.adjust(0xFFFFFFFF), weight=2),
    *(_entered(f"message {kind} for no channel", bytes([kind]) + m.u32(7) + bytes(12), weight=2)
      for kind in (91, 92, 93, 94, 95, 96, 97, 98, 99, 100)),
    _entered("a confirmation of an open channel", _OPEN, b"\x5b" + m.u32(0, 0, 100, 100), weight=2),
    _entered("CHANNEL_SUCCESS from the client", _OPEN, b"\x63" + m.u32(0), weight=2),
    # ---- requests ----
    _asking("LANG", m.environment("LANG", "C.UTF-8"), weight=3),
    _asking("LC_ALL", m.environment("LC_ALL", "C"), weight=3),
    _asking("an environment variable that is not accepted", m.environment("LD_PRELOAD", "/x"), weight=3),
    _asking("NO_COLOR", m.environment("NO_COLOR", "1"), weight=2),
    _asking("COLORTERM", m.environment("COLORTERM", "truecolor"), weight=2),
    _asking("an environment variable without a name", m.environment("", "x"), weight=1),
    _asking("a terminal", _PTY, weight=3),
    _asking("a terminal of no size", m.pty(columns=0, rows=0), weight=2),
    _asking("a terminal of an unknown kind", m.pty(term="no-such"), weight=2),
    _asking("a terminal with modes", m.pty(modes=b"\x35\0\0\0\0\x80\0\0\x96\0\x81\0\0\x96\0\0"), weight=2),
    _asking("a cut terminal", m.request("pty-req", m.string("xterm")), weight=2),
    _entered("a terminal twice", _OPEN, _PTY, _PTY, weight=2),
    _asking("an agent", m.request("auth-agent-req@openssh.com"), weight=3),
    _asking("an agent the old way", m.request("auth-agent-req"), weight=1),
    _asking("X11", m.request("x11-req", b"\0" + m.string("MIT-MAGIC-COOKIE-1") + m.string("00" * 16) + m.u32(0)),
             weight=3),
    _asking("a new size before a terminal", m.request("window-change", m.u32(80, 24, 0, 0)), weight=2),
    _asking("a cut new size", m.request("window-change", m.u32(80)), weight=1),
    _asking("a break", m.request("break", m.u32(500)), weight=2),
    _asking("a signal before a command", m.request("signal", m.string("TERM")), weight=2),
    _asking("an unknown request", m.request("no-such@example.com"), weight=4),
    _asking("end of writing", m.request("eow@openssh.com"), weight=1),
    _asking("an exit status from the client", m.request("exit-status", m.u32(0)), weight=2),
    _asking("an unknown subsystem", m.request("subsystem", m.string("no-such")), weight=3),
    _asking("a cut subsystem", m.request("subsystem"), weight=2),
    _entered("a keep-alive of the channel", _OPEN, m.request("keepalive@openssh.com"), weight=3, until="CHANNEL_"),
    _entered("an agent twice", _OPEN, *[m.request("auth-agent-req@openssh.com")] * 2, weight=1),
    # ---- terminals ----
    _entered("a command on a terminal", _OPEN, _PTY, m.execute("echo hi"), until="CLOSE", weight=4),
    _entered("a shell on a terminal", _OPEN, _PTY, _SHELL, hide_data=True, weight=4),
    _entered("a shell that ends", _OPEN, _PTY, _SHELL, m.data(b"exit\r"), until="CLOSE", hide_data=True, weight=4),
    _entered("a shell without a terminal", _OPEN, _SHELL, m.data(b"echo hi; exit 3\n"), until="CLOSE",
             hide_data=True, weight=4),
    _entered("a shell whose input ends", _OPEN, _SHELL, m.eof(), until="CLOSE", hide_data=True, weight=3),
    _entered("a command that asks for its terminal", _OPEN, _PTY, m.execute("test -t 0 && echo yes"), until="CLOSE"),
    _entered("a command that asks for its size", _OPEN, m.pty(columns=132, rows=43), m.execute("stty size"),
             until="CLOSE"),
    _entered("a command that asks for its variables", _OPEN, m.environment("LANG", "C.UTF-8"),
             m.environment("FOO", "bar"), m.execute("echo $LANG,$FOO,$TERM"), until="CLOSE"),
    _entered("a command on a terminal that asks for TERM", _OPEN, m.pty(term="vt220"), m.execute("echo $TERM"),
             until="CLOSE"),
    _entered("interrupting a command on a terminal", _OPEN, _PTY, m.execute("sleep 20"), Action.PAUSE, m.data(b"\x03"),
             until="CLOSE", weight=3),
    # ---- files ----
    _entered("the start of SFTP", _OPEN, _SFTP, _INIT, weight=4),
    _entered("SFTP of version 6", _OPEN, _SFTP, _sftp(b"\x01" + m.u32(6)), weight=3),
    _entered("SFTP of version 1", _OPEN, _SFTP, _sftp(b"\x01" + m.u32(1)), weight=2),
    _entered("SFTP without its start", _OPEN, _SFTP, _sftp(b"\x10" + m.u32(1) + m.string(".")), weight=2),
    _entered("the real path of the root", _OPEN, _SFTP, _INIT, _sftp(b"\x10" + m.u32(1) + m.string("/")), weight=2),
    _entered("the real path of the home", _OPEN, _SFTP, _INIT, _sftp(b"\x10" + m.u32(1) + m.string(".")), weight=2),
    _entered("a file that is not there", _OPEN, _SFTP, _INIT,
             _sftp(b"\x11" + m.u32(1) + m.string("/no/such/file")), weight=3),
    _entered("opening a file that is not there", _OPEN, _SFTP, _INIT,
             _sftp(b"\x03" + m.u32(1) + m.string("/no/such/file") + m.u32(1, 0)), weight=2),
    _entered("a handle that is none", _OPEN, _SFTP, _INIT, _sftp(b"\x04" + m.u32(1) + m.string("x")), weight=2),
    _entered("an unknown SFTP message", _OPEN, _SFTP, _INIT, _sftp(b"\x63" + m.u32(1)), weight=2),
    _entered("an unknown extension of SFTP", _OPEN, _SFTP, _INIT, _sftp(b"\xc8" + m.u32(1) + m.string("x@y")),
             weight=2),
    _entered("the limits of SFTP", _OPEN, _SFTP, _INIT,
             _sftp(b"\xc8" + m.u32(1) + m.string("limits@openssh.com")), weight=2),
    _entered("expansion of a path", _OPEN, _SFTP, _INIT,
             _sftp(b"\xc8" + m.u32(1) + m.string("expand-path@openssh.com") + m.string("~")), weight=2),
    _entered("SFTP that ends", _OPEN, _SFTP, _INIT, m.eof(), until="CLOSE", weight=3),
    _entered("an SFTP message of 300 kB", _OPEN, _SFTP, m.data(m.u32(300_000) + b"\x01"), weight=2),
    _entered("copying a file that is not there", _OPEN, m.execute("scp -f /no/such/file"), m.data(b"\0"),
             until="CLOSE"),
    _entered("copying to a place that is not there", _OPEN, m.execute("scp -t /no/such/dir/x"),
             m.data(b"C0644 3 x\n"), until="CLOSE"),
    _entered("copying rubbish", _OPEN, m.execute("scp -t /tmp"), m.data(b"X\n"), until="CLOSE"),
)  # fmt: skip
