"""What is asked once keys are in use: services, methods of log-in, tries."""

from __future__ import annotations

from urltrap.ops.audit import messages as m
from urltrap.ops.audit.probe import Action, Probe, Stage, Step

_NOBODY = "no-such-user-7"


def _keyed(
    name: str, *steps: Step, weight: int = 2, strict: bool = False, until: str = "", whole: bool = False
) -> Probe:
    return Probe(name, Stage.KEYED, steps, weight, until, strict, whole=whole)


def _served(name: str, *steps: Step, weight: int = 3, until: str = "") -> Probe:
    return Probe(name, Stage.SERVED, steps, weight, until)


def _key(name: str, blob: bytes, *, signed: bytes | None = None, method: str = "publickey") -> bytes:
    head = bytes([signed is not None]) + m.string(name) + m.string(blob)
    return m.userauth("root", method, head + (m.string(signed) if signed is not None else b""))


_ED25519 = m.string("ssh-ed25519") + m.string(bytes(range(32)))
_RSA = m.string("ssh-rsa") + m.mpint(65_537) + m.mpint((1 << 2047) + 12_345)
_DSS = m.string("ssh-dss") + m.mpint((1 << 1023) + 1) + m.mpint((1 << 159) + 1) + m.mpint(2) + m.mpint(3)
_CERTIFICATE = m.string("ssh-ed25519-cert-v01@openssh.com") + m.string(bytes(32)) * 3
_SIGNATURE = m.string("ssh-ed25519") + m.string(bytes(64))
_NONE = m.userauth("root", "none")
_TRY = m.password("root", "no-such-password")

PROBES: tuple[Probe, ...] = (
    _keyed("what comes with the keys", weight=4, whole=True),
    _keyed("what comes with the keys of a strict exchange", weight=4, strict=True, whole=True),
    _keyed("the service ssh-userauth", m.service(), weight=3, until="SERVICE"),
    _keyed("the service twice", m.service(), m.service(), weight=4),
    _keyed("the service five times", *[m.service()] * 5, weight=4),
    _keyed("the service ssh-connection", m.service("ssh-connection"), weight=3),
    _keyed("an unknown service", m.service("no-such-service"), weight=3),
    _keyed("a service without a name", m.service(""), weight=2),
    _keyed("a service with rubbish", m.service() + b"more", weight=2),
    _keyed("a log-in try before the service", _NONE, weight=3),
    _keyed("a password before the service", _TRY, weight=3),
    _keyed("a channel before log-in", m.channel_open(), weight=3),
    _keyed("a global request before log-in", m.global_request("keepalive@openssh.com"), weight=3),
    _keyed("channel data before log-in", m.data(b"x"), weight=2),
    _keyed("IGNORE with keys", b"\x02" + m.string("x"), weight=2),
    _keyed("an empty IGNORE with keys", b"\x02", weight=2),
    _keyed("DEBUG with keys", b"\x04\0" + m.u32(0, 0), weight=2),
    _keyed("a cut DEBUG with keys", b"\x04", weight=2),
    _keyed("UNIMPLEMENTED with keys", b"\x03" + m.u32(0), weight=2),
    _keyed("a cut UNIMPLEMENTED with keys", b"\x03", weight=2),
    _keyed("IGNORE within strict keys", b"\x02" + m.string("x"), weight=2, strict=True),
    _keyed("DISCONNECT with keys", b"\x01" + m.u32(11) + m.string("bye") + m.string(""), weight=2),
    _keyed("EXT_INFO from the client", b"\x07" + m.u32(1) + m.string("x") + m.string("y"), weight=2),
    _keyed("EXT_INFO twice", *[b"\x07" + m.u32(1) + m.string("x") + m.string("y")] * 2, weight=2),
    _keyed("an empty EXT_INFO", b"\x07" + m.u32(0), weight=2),
    _keyed("a cut EXT_INFO", b"\x07" + m.u32(3), weight=2),
    _keyed("a KEXINIT with keys that fits nothing", m.kexinit("a", "b", "c", "d", "e"), weight=2),
    _keyed("NEWKEYS with keys", b"\x15", weight=2),
    _keyed("a value without KEXINIT", b"\x1e" + m.string(b"\x09" + bytes(31)), weight=2),
    *(_keyed(f"message {kind} with keys", bytes([kind]) + m.u32(0), weight=2)
      for kind in (0, 6, 8, 19, 22, 29, 31, 34, 49, 51, 52, 53, 59, 60, 61, 66, 79, 81, 82, 83, 89, 91, 99, 101, 127,
                   128, 192, 193, 200, 255)),
    _keyed("a new key exchange before log-in", m.kexinit(), m.service(), weight=3),
    _keyed("the client ends with keys", Action.END, weight=2),
    _served("the method none", _NONE, weight=5, until="USERAUTH"),
    _served("the method none twice", _NONE, Action.PAUSE, _NONE, weight=3),
    _served("the method none for nobody", m.userauth(_NOBODY, "none"), weight=3, until="USERAUTH"),
    _served("an empty user", m.userauth("", "none"), weight=3, until="USERAUTH"),
    _served("a user of 300 characters", m.userauth("u" * 300, "none"), weight=2, until="USERAUTH"),
    _served("a user of binary", m.userauth("\x01\x02\x03", "none"), weight=2, until="USERAUTH"),
    _served("a user with a zero byte", m.userauth("ro\0ot", "none"), weight=2),
    _served("a user with a style", m.userauth("root:skey", "none"), weight=2, until="USERAUTH"),
    _served("an unknown method", m.userauth("root", "no-such-method"), weight=3, until="USERAUTH"),
    _served("a method without a name", m.userauth("root", ""), weight=2, until="USERAUTH"),
    _served("keyboard-interactive", m.userauth("root", "keyboard-interactive", m.string("") * 2), weight=4, until="U"),
    _served("hostbased", m.userauth("root", "hostbased", m.string("x") * 5), weight=3, until="USERAUTH"),
    _served("gssapi-with-mic", m.userauth("root", "gssapi-with-mic", m.u32(0)), weight=3, until="USERAUTH"),
    _served("another service of log-in", m.userauth("root", "none", service_name="no-such"), weight=2),
    _served("the service ssh-userauth of log-in", m.userauth("root", "none", service_name="ssh-userauth"), weight=2),
    _served("a wrong password", _TRY, weight=4, until="USERAUTH"),
    _served("a wrong password for nobody", m.password(_NOBODY, "x"), weight=4, until="USERAUTH"),
    _served("an empty password", m.password("root", ""), weight=3, until="USERAUTH"),
    _served("a password of 2000 characters", m.password("root", "p" * 2_000), weight=2, until="USERAUTH"),
    _served("a change of password", m.userauth("root", "password", b"\1" + m.string("a") * 2), weight=2, until="USER"),
    _served("a cut password", m.userauth("root", "password", b"\0"), weight=2),
    _served("a password with rubbish", _TRY + b"more", weight=2),
    _served("none with rubbish", _NONE + b"more", weight=2),
    _served("a cut log-in try", b"\x32" + m.string("root"), weight=2),
    _served("another user in between", _NONE, Action.PAUSE, m.userauth(_NOBODY, "none"), weight=3),
    _served("another service in between", _NONE, Action.PAUSE,
            m.userauth("root", "none", service_name="ssh-userauth"), weight=2),
    _served("the service again between tries", _NONE, m.service(), Action.PAUSE, _NONE, weight=4),
    _served("seven times none", *[_NONE] * 7, weight=3),
    _served("seven unknown methods", *[m.userauth("root", "x")] * 7, weight=3),
    _served("seven keys", *[_key("ssh-ed25519", _ED25519)] * 7, weight=3),
    _served("a key that is unknown", _key("ssh-ed25519", _ED25519), weight=3, until="USERAUTH"),
    _served("an RSA key that is unknown", _key("rsa-sha2-256", _RSA), weight=3, until="USERAUTH"),
    _served("an RSA key the old way", _key("ssh-rsa", _RSA), weight=2, until="USERAUTH"),
    _served("a DSS key", _key("ssh-dss", _DSS), weight=2, until="USERAUTH"),
    _served("a key whose name does not fit", _key("rsa-sha2-256", _ED25519), weight=2, until="USERAUTH"),
    _served("a key of an unknown kind", _key("no-such", m.string("no-such")), weight=2, until="USERAUTH"),
    _served("an empty key", _key("ssh-ed25519", b""), weight=2, until="USERAUTH"),
    _served("a broken key", _key("ssh-ed25519", _ED25519[:20]), weight=2, until="USERAUTH"),
    _served("a certificate", _key("ssh-ed25519-cert-v01@openssh.com", _CERTIFICATE), weight=1, until="USERAUTH"),
    _served("a signature of an unknown key", _key("ssh-ed25519", _ED25519, signed=_SIGNATURE), weight=3, until="USER"),
    _served("a key bound to no host key",
            m.userauth("root", "publickey-hostbound-v00@openssh.com",
                       b"\0" + m.string("ssh-ed25519") + m.string(_ED25519) + m.string("x")), weight=2),
    _served("a channel instead of a try", m.channel_open(), weight=3),
    _served("a global request instead of a try", m.global_request("x"), weight=3),
    _served("an answer that nobody asked for", b"\x3d" + m.u32(0), weight=2),
    _served("message 60 instead of a try", b"\x3c" + m.u32(0), weight=2),
    _served("message 200 instead of a try", b"\xc8", weight=2),
    _served("SERVICE_ACCEPT from the client", b"\x06" + m.string("ssh-userauth"), weight=2),
    _served("another service instead of a try", m.service("ssh-connection"), weight=2),
    _served("a new key exchange between tries", _NONE, m.kexinit(), _NONE, weight=2),
    _served("the client ends instead of a try", Action.END, weight=2),
)  # fmt: skip
