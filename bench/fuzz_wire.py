"""Coverage-guided fuzzing of the protocols with atheris: SSH before keys, Telnet, the log-in dialogue, SFTP, scp.

What must never happen: an exception that is no answer of the protocol (`ProtocolViolation`), an input that takes long,
memory of a connection that grows beyond its bound, or an answer that depends on how the bytes were cut into pieces.

    pip install --group dev  # atheris is in it
    python bench/fuzz_wire.py -max_total_time=3600 -max_len=4096 [CORPUS_FOLDER]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

try:
    import atheris
except ImportError:
    raise SystemExit("this needs atheris: pip install --group dev") from None

with atheris.instrument_imports(include=["urltrap.wire"]):
    from tests.wire.sftp.test_transfers import MemoryFiles

    from urltrap.wire.sftp.scp import ScpCommand, ScpSink, ScpSource, parse_scp
    from urltrap.wire.sftp.server import ProtocolViolation, SftpServer
    from urltrap.wire.ssh.fingerprint import hassh, parse_kexinit
    from urltrap.wire.ssh.groups import read_request
    from urltrap.wire.ssh.identification import Identified, read_identification
    from urltrap.wire.ssh.packets import Verdict, react_before_keys, react_with_keys, read_header, with_room
    from urltrap.wire.telnet.login import LoginDialogue, Tried
    from urltrap.wire.telnet.options import MAX_SUBNEGOTIATION, Data, TelnetServer

SLOWEST = 1.0


def pieces(data: bytes) -> list[bytes]:
    """The bytes as a client may send them: lengths come out of the bytes themselves."""
    parts, at = [], 0
    while at < len(data):
        size = data[at] % 61 + 1
        parts.append(data[at : at + size])
        at += size
    return parts


def ssh(data: bytes) -> None:
    """Identification, then packets in the clear, then each payload where it is looked into."""
    result = read_identification(data)
    rest = result.rest if isinstance(result, Identified) else data
    for _ in range(200):
        header = read_header(rest)
        if header.verdict is not Verdict.ACCEPT:
            return
        assert 0 < header.length <= len(rest)
        packet, rest = rest[: header.length], rest[header.length :]
        payload = packet[5 : len(packet) - packet[4]]
        for strict in (False, True):
            react_before_keys(header.type, expected=frozenset({30}), keys_ready=strict, strict=strict)
            react_with_keys(header.type, logged_in=strict, log_in_began=True, expected=None)
        offered = parse_kexinit(payload)
        if offered is not None:
            assert len(hassh(offered.client_algorithms)) == 32
        with_room(payload)
        if len(payload) >= 13:
            low, wanted, high = (int.from_bytes(payload[at : at + 4], "big") for at in (1, 5, 9))
            read_request(low, wanted, high)


def telnet(data: bytes) -> None:
    """Options and log-in, whole and in pieces; what was typed is the same either way."""
    whole, cut = TelnetServer(), TelnetServer()
    typed = _typed(whole, [data])
    assert typed == _typed(cut, pieces(data))
    assert len(cut._sub) <= MAX_SUBNEGOTIATION
    dialogue = LoginDialogue("host")
    for part in pieces(typed):
        outcome = dialogue.receive(part)
        dialogue.take()
        for _ in range(20):
            if not isinstance(outcome, Tried):
                break
            assert len(outcome.user) <= 255 and len(outcome.password) <= 255
            outcome = dialogue.refused()
        if outcome is not None:
            return


def _typed(server: TelnetServer, parts: list[bytes]) -> bytes:
    found = b"".join(
        event.data for part in parts for event in server.receive(part) if isinstance(event, Data)
    )
    server.take()
    return found


def sftp(data: bytes) -> None:
    """A stream for the SFTP server, behind its greeting."""
    files = MemoryFiles()
    server = SftpServer(files, lambda: 0.0)
    try:
        server.receive(b"\0\0\0\x05\x01\0\0\0\x03")
        for part in pieces(data):
            server.receive(part)
            if sum(map(len, files.data.values())) > 1_000_000:
                break
    except ProtocolViolation:
        pass
    finally:
        server.close()


def scp(data: bytes) -> None:
    """A command line, and both directions of the protocol."""
    parse_scp(data)
    sink = ScpSink(MemoryFiles(), b"/tmp")
    source = ScpSource(MemoryFiles(), ScpCommand(False, True, False, (b"/etc", b"/none")))
    for part in pieces(data):
        for side in (sink, source):
            side.receive(part)
            side.take()
    for side in (sink, source):
        side.end()
        assert side.status is not None


TARGETS: tuple[Callable[[bytes], None], ...] = (ssh, telnet, sftp, scp)


def one_input(data: bytes) -> None:
    """One input: its first byte chooses the protocol."""
    if not data:
        return
    target = TARGETS[data[0] % len(TARGETS)]
    began = time.process_time()
    target(data[1:])
    took = time.process_time() - began
    if took > SLOWEST:
        raise AssertionError(f"{took:.2f} s of CPU in {target.__name__}")


def main() -> None:
    """Hand over to libFuzzer."""
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
