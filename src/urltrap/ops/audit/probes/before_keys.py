"""What is asked before any key is in use: identification lines, packets, key exchange."""

from __future__ import annotations

from urltrap.ops.audit import messages as m
from urltrap.ops.audit.probe import Action, Probe, Stage, Step

V = m.VERSION
_KINDS_BEFORE = (
    *range(0, 8),
    19,
    22,
    29,
    *range(30, 36),
    49,
    50,
    51,
    53,
    60,
    79,
    80,
    90,
    94,
    100,
    127,
    128,
    191,
    192,
    200,
    255,
)
_KEX = {
    "curve25519": "curve25519-sha256",
    "libssh": "curve25519-sha256@libssh.org",
    "nistp256": "ecdh-sha2-nistp256",
    "nistp384": "ecdh-sha2-nistp384",
    "nistp521": "ecdh-sha2-nistp521",
    "group14": "diffie-hellman-group14-sha256",
    "group16": "diffie-hellman-group16-sha512",
    "group18": "diffie-hellman-group18-sha512",
    "gex": "diffie-hellman-group-exchange-sha256",
    "sntrup": "sntrup761x25519-sha512",
    "sntrup@": "sntrup761x25519-sha512@openssh.com",
    "mlkem": "mlkem768x25519-sha256",
    "old group14": "diffie-hellman-group14-sha1",
    "old group1": "diffie-hellman-group1-sha1",
    "old gex": "diffie-hellman-group-exchange-sha1",
}
# The base point of each curve: a valid value for everybody.
_POINT = {
    "nistp256": "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e16"
    "2bce33576b315ececbb6406837bf51f5",
    "nistp384": "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7"
    "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
    "nistp521": "0400c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8"
    "de3348b3c1856a429bf97e7e31c2e5bd66011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee7"
    "2995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650",
}  # fmt: skip


def _greeted(name: str, *steps: Step, weight: int = 2) -> Probe:
    return Probe(name, Stage.GREETED, steps, weight)


def _packets(name: str, *payloads: bytes, weight: int = 2) -> Probe:
    return _greeted(name, V + b"".join(map(m.packet, payloads)), weight=weight)


_LINES: list[tuple[str, bytes, int]] = [
    ("nothing", b"", 3),
    ("a web request", b"GET / HTTP/1.0\r\n\r\n", 5),
    ("a TLS greeting", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(range(32, 120)), 3),
    ("an SMB greeting", b"\x00\x00\x00\x54\xff\x53\x4d\x42" + bytes(60), 2),
    ("empty lines", b"\r\n\r\n", 5),
    ("one empty line", b"\r\n", 3),
    ("HELP", b"HELP\r\n", 3),
    ("eight returns", b"\r" * 8, 4),
    ("eight line feeds", b"\n" * 8, 4),
    ("spaces", b"        \r\n", 2),
    ("protocol 1.5", b"SSH-1.5-x\r\n", 4),
    ("protocol 1.3", b"SSH-1.3-x\r\n", 2),
    ("protocol 1.99", b"SSH-1.99-x\r\n", 3),
    ("protocol 1.98", b"SSH-1.98-x\r\n", 2),
    ("protocol 1337", b"SSH-1337-OpenSSH_9.0\r\n", 5),
    ("protocol 1111", b"SSH-1111-OpenSSH_9.0\r\n", 5),
    ("protocol 2.1", b"SSH-2.1-x\r\n", 3),
    ("protocol 2.99", b"SSH-2.99-x\r\n", 2),
    ("protocol 2.00", b"SSH-2.00-x\r\n", 2),
    ("protocol 02.0", b"SSH-02.0-x\r\n", 1),
    ("protocol 3.0", b"SSH-3.0-x\r\n", 4),
    ("protocol 9.9", b"SSH-9.9-x\r\n", 4),
    ("protocol 0.0", b"SSH-0.0-x\r\n", 1),
    ("protocol -2.0", b"SSH--2.0-x\r\n", 1),
    ("protocol of a huge number", b"SSH-99999999999.0-x\r\n", 2),
    ("protocol with spaces", b"SSH- 2. 0-x\r\n", 1),
    ("protocol of letters", b"SSH-a.b-x\r\n", 1),
    ("no software", b"SSH-2.0-\r\n", 3),
    ("a space as software", b"SSH-2.0- \r\n", 1),
    ("two dashes", b"SSH-2.0--\r\n", 1),
    ("lower case", b"ssh-2.0-x\r\n", 3),
    ("no dash", b"SSH-2.0\r\n", 3),
    ("SSH- only", b"SSH-\r\n", 2),
    ("SSH only", b"SSH\r\n", 2),
    ("a space before", b" SSH-2.0-x\r\n", 2),
    ("software that is not ASCII", b"SSH-2.0-\xff\xfe\r\n", 3),
    ("UTF-8 software", "SSH-2.0-\u00fcber\r\n".encode(), 2),
    ("a tab in the software", b"SSH-2.0-a\tb\r\n", 1),
    ("a comment", b"SSH-2.0-x some comment here\r\n", 1),
    ("a zero byte", b"SSH-2.0-a\0b\r\n", 3),
    ("a zero byte at the end", b"SSH-2.0-a\0\r\n", 2),
    ("a zero byte at once", b"\0" * 4, 2),
    ("a return within", b"SSH-2.0-a\rb\r\n", 2),
    ("two returns", b"SSH-2.0-x\r\r\n", 1),
    ("a line feed only", b"SSH-2.0-x\n", 3),
    ("255 characters", b"SSH-2.0-" + b"a" * 245 + b"\r\n", 2),
    ("256 characters", b"SSH-2.0-" + b"a" * 246 + b"\r\n", 2),
    ("260 characters", b"SSH-2.0-" + b"a" * 260 + b"\r\n", 2),
    ("8000 characters", b"SSH-2.0-" + b"a" * 7_992 + b"\r\n", 2),
    ("8192 characters", b"SSH-2.0-" + b"a" * 8_184 + b"\r\n", 1),
    ("8193 characters", b"SSH-2.0-" + b"a" * 8_185 + b"\r\n", 1),
    ("8200 characters", b"SSH-2.0-" + b"a" * 8_192 + b"\r\n", 1),
    ("8192 bytes without line end", b"a" * 8_192, 2),
    ("9000 bytes without line end", b"a" * 9_000, 3),
    ("a line before the identification", b"hello\r\n" + V, 3),
    ("an identification that was sent twice", V * 2, 4),
    ("the identification of a scanner", b"SSH-2.0-x SSH_Version_Mapper\r\n", 2),
    ("the identification of a prober", b"SSH-2.0-Probe-x\r\n", 2),
    ("half an identification", b"SSH-2.0-OpenSS", 2),
    ("libssh", b"SSH-2.0-libssh_0.10.6\r\n", 2),
    ("Go", b"SSH-2.0-Go\r\n", 2),
    ("PuTTY", b"SSH-2.0-PuTTY_Release_0.78\r\n", 2),
    ("an old OpenSSH", b"SSH-2.0-OpenSSH_3.9p1\r\n", 1),
    ("an old SSH", b"SSH-2.0-2.0.13 SSH Secure Shell\r\n", 1),
    ("CISCO", b"SSH-2.0-Cisco-1.25\r\n", 1),
    ("a line in the middle", V + b"hello there\r\n", 4),
    ("returns behind the identification", V + b"\r\n" * 8, 4),
    ("line feeds behind the identification", V + b"\n" * 8, 4),
]  # fmt: skip

_FRAMES: list[tuple[str, bytes, int]] = [
    ("length ffffffff", b"\xff" * 16, 4),
    ("length 80000000", m.raw_packet(1 << 31, 4, 20, 10), 2),
    ("length 0", bytes(16), 4),
    ("length 1", m.raw_packet(1, 0, 0, 10), 2),
    ("length 4", m.raw_packet(4, 0, 0, 10), 2),
    ("length 5", m.raw_packet(5, 4, 20, 10), 2),
    ("length 12, short", m.raw_packet(12, 4, 20, 2), 2),
    ("length 13", m.raw_packet(13, 4, 20, 20), 3),
    ("length 20", m.raw_packet(20, 4, 2, 18), 2),
    ("length 28 unpadded", m.raw_packet(28, 0, 2, 26), 2),
    ("length 32764", m.raw_packet(32_764, 4, 4, 10), 2),
    ("length 35000", m.raw_packet(35_000, 4, 4, 10), 3),
    ("length 40000", m.raw_packet(40_000, 0, 0, 10), 3),
    ("length 65532", m.raw_packet(65_532, 4, 4, 10), 3),
    ("length 262140", m.raw_packet(262_140, 4, 4, 10), 3),
    ("length 262144", m.raw_packet(262_144, 4, 4, 10), 3),
    ("length 262148", m.raw_packet(262_148, 4, 4, 10), 3),
    ("padding longer than the packet", m.raw_packet(12, 200, 20, 10), 3),
    ("padding as long as the packet", m.raw_packet(12, 12, 20, 10), 2),
    ("padding that leaves nothing", m.raw_packet(12, 11, 20, 10), 2),
    ("padding that leaves one byte", m.raw_packet(12, 10, 2, 10), 2),
    ("padding 0", m.raw_packet(12, 0, 2, 10), 3),
    ("padding 3", m.raw_packet(12, 3, 2, 10), 3),
    ("padding 4", m.raw_packet(12, 4, 2, 10), 2),
    ("padding of 255", m.raw_packet(268, 255, 2, 266), 2),
    ("seven bytes", b"\0\0\0\x0c\4\x14\0", 1),
]  # fmt: skip

_KEXINITS: list[tuple[str, bytes, int]] = [
    ("no common key exchange", m.kexinit(kex="foo"), 4),
    ("no key exchange offered", m.kexinit(kex=""), 3),
    ("no common host key", m.kexinit(host_key="ssh-dss"), 4),
    ("no common cipher", m.kexinit(cipher="3des-cbc"), 4),
    ("no cipher", m.kexinit(cipher="none"), 3),
    ("no common MAC", m.kexinit(mac="hmac-md5"), 4),
    ("no common compression", m.kexinit(compression="zlib"), 3),
    ("compression after log-in", m.kexinit(compression="zlib@openssh.com"), 2),
    ("a cipher that brings its own MAC", m.kexinit(cipher="chacha20-poly1305@openssh.com", mac="foo"), 2),
    ("GCM without MAC", m.kexinit(cipher="aes256-gcm@openssh.com", mac=""), 2),
    ("old ssh-rsa only", m.kexinit(host_key="ssh-rsa"), 3),
    ("every algorithm unknown", m.kexinit("a", "b", "c", "d", "e"), 3),
    ("a language", m.kexinit(languages="de"), 1),
    ("reserved bits", m.kexinit(reserved=1), 2),
    ("an empty KEXINIT", b"\x14", 3),
    ("a cookie only", m.kexinit()[:17], 2),
    ("a cut KEXINIT", m.kexinit()[:40], 3),
    ("a KEXINIT without its end", m.kexinit()[:-5], 2),
    ("a KEXINIT with too much", m.kexinit() + b"more", 2),
    ("a wrong guess announced", m.kexinit(follows=1), 2),
    ("a list with empty names", m.kexinit(kex=",,curve25519-sha256"), 2),
    ("a long list", m.kexinit(kex=",".join(f"alg{n}" for n in range(400)) + ",curve25519-sha256"), 2),
    ("markers only", m.kexinit(kex="ext-info-c," + m.STRICT), 2),
    ("a zero byte in a list", m.kexinit(kex="curve25519-sha256\0x"), 1),
]  # fmt: skip


def _point(name: str) -> bytes:
    if name in _POINT:
        return m.string(bytes.fromhex(_POINT[name]))
    if name in ("sntrup", "sntrup@"):
        return m.string(bytes(1158) + b"\x09" + bytes(31))
    if name == "mlkem":
        return m.string(bytes(1184) + b"\x09" + bytes(31))
    if name in ("curve25519", "libssh"):
        return m.string(b"\x09" + bytes(31))
    return m.mpint(0xABCDEF0123456789)


def _exchanges() -> list[Probe]:
    probes = []
    for name, algorithm in _KEX.items():
        start = m.kexinit(kex=algorithm)
        if "gex" in name:
            probes.append(
                _packets(f"{name} of 2048 bits", start, b"\x22" + m.u32(2048, 2048, 2048), weight=3)
            )
        else:
            probes.append(_packets(f"{name} with a good value", start, b"\x1e" + _point(name), weight=3))
            probes.append(_packets(f"{name} with an empty value", start, b"\x1e" + m.string(b"")))
            probes.append(_packets(f"{name} with rubbish behind", start, b"\x1e" + _point(name) + b"more"))
            probes.append(_packets(f"{name} without a value", start, b"\x1e"))
    for host_key in ("rsa-sha2-512", "rsa-sha2-256", "ecdsa-sha2-nistp256", "ssh-ed25519"):
        start = m.kexinit(host_key=host_key)
        probes.append(_packets(f"a signature of {host_key}", start, b"\x1e" + _point("curve25519"), weight=3))
    curve = m.kexinit()
    for name, value in {
        "31 bytes": b"a" * 31, "33 bytes": b"a" * 33, "zeros": bytes(32), "one": b"\1" + bytes(31),
        "all ones": b"\xff" * 32,
    }.items():  # fmt: skip
        probes.append(_packets(f"a point of {name}", curve, b"\x1e" + m.string(value), weight=3))
    nist = m.kexinit(kex="ecdh-sha2-nistp256")
    for name, point in {
        "no curve": b"\4" + b"\7" * 64, "infinity": b"\0",
                 "compressed": b"\2" + bytes.fromhex(_POINT["nistp256"])[1:33],
    }.items():  # fmt: skip
        probes.append(_packets(f"a NIST point of {name}", nist, b"\x1e" + m.string(point)))
    dh = m.kexinit(kex="diffie-hellman-group14-sha256")
    for name, number in {
        "0": 0,
        "1": 1,
        "2": 2,
        "3": 3,
        "7": 7,
        "15": 15,
        "of 2048 ones": (1 << 2048) - 1,
    }.items():
        probes.append(_packets(f"e = {name}", dh, b"\x1e" + m.mpint(number), weight=3))
    probes.append(_packets("e = -1", dh, b"\x1e" + m.string(b"\xff")))
    probes.append(_packets("e with leading zeros", dh, b"\x1e" + m.string(bytes(8) + b"\7" * 40)))
    probes.append(_packets("e of 9000 bits", dh, b"\x1e" + m.string(b"\1" * 1_125)))
    gex = m.kexinit(kex="diffie-hellman-group-exchange-sha256")
    for sizes in (
        (8192, 4096, 2048), (1024, 1024, 1024), (1024, 1024, 2048), (1024, 2048, 8192), (2048, 3072, 8192),
        (3072, 3072, 3072), (4096, 4096, 4096), (6144, 6144, 6144), (7680, 7680, 8192), (8192, 8192, 8192),
        (9000, 9000, 9000), (0, 0, 0), (2048, 9000, 16384), (2048, 2500, 2600), (2500, 2500, 2600), (512, 512, 8192),
    ):  # fmt: skip
        name = f"a group of {'/'.join(map(str, sizes))}"
        probes.append(_packets(name, gex, b"\x22" + m.u32(*sizes), weight=3))
    probes.append(_packets("the old request for a group", gex, b"\x1e" + m.u32(2048)))
    probes.append(_packets("a value before the group", gex, b"\x20" + m.mpint(0xABCDEF)))
    probes.append(_packets("two requests for a group", gex, *[b"\x22" + m.u32(2048, 2048, 2048)] * 2))
    probes.append(_packets("a cut request for a group", gex, b"\x22" + m.u32(2048, 2048)))
    return probes


def _orders() -> list[Probe]:
    empty = {2: m.u32(0), 3: m.u32(0), 4: b"\0" + m.u32(0, 0), 5: m.string("ssh-userauth")}
    probes = []
    for kind in _KINDS_BEFORE:
        payload = bytes([kind]) + empty.get(kind, b"\0\0\0\0")
        probes.append(_packets(f"message {kind} first", payload, weight=3))
        if kind != 30:
            probes.append(_packets(f"message {kind} within the exchange", m.kexinit(), payload, weight=3))
    strict = m.kexinit(kex="curve25519-sha256," + m.STRICT)
    ignore = b"\x02" + m.u32(0)
    bye = b"\x01" + m.u32(11) + m.string("bye") + m.string("")
    good = b"\x1e" + _point("curve25519")
    probes += [
        _packets("DISCONNECT first", bye, weight=3),
        _packets("NEWKEYS first", b"\x15", weight=3),
        _packets("KEXINIT twice", m.kexinit(), m.kexinit(), weight=3),
        _packets("KEXINIT three times", *[m.kexinit()] * 3),
        _packets("KEXINIT after the value", m.kexinit(), good, m.kexinit()),
        _packets("the value twice", m.kexinit(), good, good),
        _packets("NEWKEYS before the value", m.kexinit(), b"\x15"),
        _packets("IGNORE before NEWKEYS", m.kexinit(), good, ignore),
        _packets("DISCONNECT before NEWKEYS", m.kexinit(), good, bye),
        _packets("SERVICE_REQUEST before NEWKEYS", m.kexinit(), good, m.service()),
        _packets("a log-in try before NEWKEYS", m.kexinit(), good, m.userauth("root", "none")),
        _packets("NEWKEYS with rubbish", m.kexinit(), good, b"\x15more"),
        _packets("rubbish behind NEWKEYS", m.kexinit(), good, b"\x15", b"\x02" + bytes(60)),
        _packets("IGNORE within a strict exchange", strict, ignore),
        _packets("DEBUG within a strict exchange", strict, b"\x04\0" + m.u32(0, 0)),
        _packets("UNIMPLEMENTED within a strict exchange", strict, b"\x03" + m.u32(0)),
        _packets("SERVICE_REQUEST within a strict exchange", strict, m.service()),
        _packets("a strict KEXINIT that is not first", ignore, strict),
        _packets("a strict KEXINIT twice", strict, strict),
        _packets("DISCONNECT within a strict exchange", strict, bye),
        _packets("a guess that is wrong and its value", m.kexinit(follows=1), good, good),
        _greeted("the client ends at once", Action.END, weight=2),
        _greeted("the client ends after its identification", V, Action.END),
        _greeted("the client ends after its KEXINIT", V + m.packet(m.kexinit()), Action.END),
        _greeted("the identification in two parts", b"SSH-2.0-Open", Action.PAUSE, b"SSH_9.6\r\n"),
        _greeted("the header of a packet in two parts", V + b"\0\0\0", Action.PAUSE, b"\x0c\4\x02" + bytes(10)),
    ]  # fmt: skip
    return probes


PROBES: tuple[Probe, ...] = (
    *(_greeted(name, data, weight=weight) for name, data, weight in _LINES),
    *(_greeted(name, V + data, weight=weight) for name, data, weight in _FRAMES),
    *(_packets(name, payload, weight=weight) for name, payload, weight in _KEXINITS),
    *_exchanges(),
    *_orders(),
)
