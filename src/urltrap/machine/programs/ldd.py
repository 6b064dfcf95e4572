"""ldd: the libraries of a program, as its dynamic section names them (Debian 12 and 13, amd64)."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.fs.program import ProgramContent
from urltrap.machine.proc.figures import noise
from urltrap.machine.programs.registry import program

_NEEDED = {
    "ls": "libselinux.so.1", "bash": "libtinfo.so.6", "grep": "libpcre2-8.so.0", "ps": "libproc2.so.0", "curl":
    "libcurl.so.4 libz.so.1", "ssh": "libselinux.so.1 libgssapi_krb5.so.2 libcrypto.so.3 libz.so.1", "wget":
    "libpcre2-8.so.0 libuuid.so.1 libidn2.so.0 libnettle.so.8 libgnutls.so.30 libz.so.1 libpsl.so.5", "python3":
    "libm.so.6 libz.so.1 libexpat.so.1", "perl": "libm.so.6 libcrypt.so.1", "mount": "libmount.so.1 libselinux.so.1",
    "sudo": "libaudit.so.1 libselinux.so.1 libsudo_util.so.0", "top": "libproc2.so.0 libtinfo.so.6", "vi":
    "libm.so.6 libtinfo.so.6 libselinux.so.1 libacl.so.1", "systemctl": "libcap.so.2 libselinux.so.1 liblzma.so.5 "
    "liblz4.so.1 libzstd.so.1 libm.so.6 libblkid.so.1 libgcrypt.so.20 libmount.so.1 libcrypto.so.3", "cp":
    "libselinux.so.1 libacl.so.1 libattr.so.1", "mv": "libselinux.so.1 libacl.so.1 libattr.so.1", "sort":
    "libcrypto.so.3", "md5sum": "libcrypto.so.3", "sha256sum": "libcrypto.so.3", "openssl":
    "libssl.so.3 libcrypto.so.3", "tar": "libacl.so.1 libselinux.so.1", "find": "libselinux.so.1", "stat":
    "libselinux.so.1", "id": "libselinux.so.1",
}  # fmt: skip
_OF_LIBRARIES = {"libselinux.so.1": ("libpcre2-8.so.0",), "libmount.so.1": ("libblkid.so.1",),
                 "libgcrypt.so.20": ("libgpg-error.so.0",), "libaudit.so.1": ("libcap-ng.so.0",)}  # fmt: skip
_FOLDER = "/lib/x86_64-linux-gnu"


@program("ldd")
def ldd(p: Process) -> Run:
    """Print what a program loads."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if "--version" in p.argv:
        yield from p.out(f"ldd (Debian GLIBC {'2.41-12' if p.persona.kind == 'debian-13' else '2.36-9+deb12u10'}) "
                         f"{'2.41' if p.persona.kind == 'debian-13' else '2.36'}\n")  # fmt: skip
        return 0
    if not words:
        yield from p.err("ldd: missing file arguments\nTry `ldd --help' for more information.\n")
        return 1
    status = 0
    for word in words:
        if len(words) > 1:
            yield from p.out(f"{word}:\n")
        try:
            content = p.fs.content(word)
        except SysError as error:
            yield from p.err(f"ldd: {word if '/' in word else './' + word}: {error.words}\n")
            status = 1
            continue
        if not isinstance(content, ProgramContent) or content.static:
            yield from p.err("\tnot a dynamic executable\n")
            status = 1
            continue
        yield from p.out(_lines(p, content.program))
    return status


def _lines(p: Process, name: str) -> str:
    wanted = [*_NEEDED.get(name, "").split(), "libc.so.6"]
    for library in wanted:
        wanted += [each for each in _OF_LIBRARIES.get(library, ()) if each not in wanted]
    at = 0x7F00_00000000 + p.random(0xFFFFFFF) * 4096
    out = [f"\tlinux-vdso.so.1 (0x{0x7FFC_00000000 + p.random(0xFFFFF) * 4096:016x})\n"]
    for library in wanted:
        at -= (1 + int(noise(p.persona, library, 0) * 400)) * 4096
        out.append(f"\t{library} => {_FOLDER}/{library} (0x{at:016x})\n")
    return (
        "".join(out)
        + f"\t/lib64/ld-linux-x86-64.so.2 (0x{0x7F00_00000000 + p.random(0xFFFFFFF) * 4096:016x})\n"
    )
