"""Files that clients send, fetch and move, with real clients against a real machine's file tree."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from urltrap.machine.persona import generate
from urltrap.model.event import BudgetSpent, CommandEntered, Disconnected, Uploaded
from urltrap.model.settings import SessionLimits
from urltrap.quarantine.quarantine import Quarantine
from urltrap.sensors.emulated import EmulatedMachines, load_base_image

from .conftest import PASSWORD, Trap, TrapBuilder

needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="openssh-client is not installed")
PAYLOAD = os.urandom(200_000)


@pytest.fixture(scope="module")
def image() -> tuple[Any, Any]:
    persona = generate(b"p" * 32, "debian-12", time.time())
    return load_base_image(persona, {}), persona


@pytest.fixture
async def real(trap_builder: TrapBuilder, image: tuple[Any, Any]) -> Trap:
    quarantine = Quarantine(trap_builder.folder / "quarantine")
    return await trap_builder(maker=EmulatedMachines(*image, SessionLimits(), quarantine))


class Client:
    """Debian's own ssh, scp and sftp; the password comes from an askpass program."""

    def __init__(self, folder: Path, port: int) -> None:
        askpass = folder / "askpass"
        askpass.write_text(f"#!/bin/sh\necho {PASSWORD}\n")
        askpass.chmod(0o700)
        self.port = port
        self.options = [
            "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1",
        ]  # fmt: skip
        self.env = {
            **os.environ,
            "SSH_ASKPASS": str(askpass),
            "SSH_ASKPASS_REQUIRE": "force",
            "DISPLAY": ":0",
        }
        self.env.pop("SSH_AUTH_SOCK", None)

    async def run(self, *command: str, given: bytes = b"") -> tuple[int, bytes, bytes]:
        process = await asyncio.create_subprocess_exec(
            *command, env=self.env, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        async with asyncio.timeout(60):
            out, err = await process.communicate(given)
        assert process.returncode is not None
        return process.returncode, out, err


@pytest.fixture
def client(real: Trap, tmp_path: Path) -> Client:
    return Client(tmp_path, real.port)


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    path = tmp_path / "bot.x86"
    path.write_bytes(PAYLOAD)
    return path


async def uploaded(trap: Trap, count: int = 1) -> list[Any]:
    await trap.journal.wait_for(Disconnected)
    found = trap.journal.of(Uploaded)
    assert len(found) == count
    return found


@needs_ssh
@pytest.mark.parametrize("old", [False, True])
async def test_scp_brings_a_file_which_becomes_an_artifact_and_can_be_fetched(
    real: Trap, client: Client, payload: Path, tmp_path: Path, old: bool
) -> None:
    flags = ["-O"] if old else []
    port = ["-P", str(client.port)]
    code, _, err = await client.run(
        "scp", *client.options, *port, *flags, str(payload), "root@127.0.0.1:/tmp/"
    )
    assert (code, err) == (0, b"")
    (event,) = await uploaded(real)
    assert (event.path, event.size, event.complete) == (b"/tmp/bot.x86", len(PAYLOAD), True)
    assert event.via == ("scp" if old else "sftp")
    assert real.sensor.services.artifacts.content(event.sha256).read(0, 1 << 20) == PAYLOAD
    back = tmp_path / "back"
    code, _, err = await client.run(
        "scp", *client.options, *port, *flags, "root@127.0.0.1:/tmp/bot.x86", str(back)
    )
    assert (code, err) == (0, b"")
    assert back.read_bytes() == PAYLOAD


@needs_ssh
@pytest.mark.parametrize("old", [False, True])
async def test_scp_brings_a_folder(real: Trap, client: Client, tmp_path: Path, old: bool) -> None:
    (tmp_path / "kit" / "sub").mkdir(parents=True)
    (tmp_path / "kit" / "a").write_text("a")
    (tmp_path / "kit" / "sub" / "b").write_text("b")
    flags = ["-O"] if old else []
    code, _, err = await client.run(
        "scp",
        *client.options,
        "-P",
        str(client.port),
        "-r",
        *flags,
        str(tmp_path / "kit"),
        "root@127.0.0.1:/tmp",
    )
    assert (code, err) == (0, b"")
    found = await uploaded(real, 2)
    assert {event.path for event in found} == {b"/tmp/kit/a", b"/tmp/kit/sub/b"}


@needs_ssh
@pytest.mark.parametrize("old", [False, True])
async def test_scp_of_a_missing_file_fails_in_scps_words(client: Client, tmp_path: Path, old: bool) -> None:
    flags = ["-O"] if old else []
    code, _, err = await client.run(
        "scp",
        *client.options,
        "-P",
        str(client.port),
        *flags,
        "root@127.0.0.1:/tmp/none",
        str(tmp_path / "x"),
    )
    assert code == 1
    assert b"No such file or directory" in err


@needs_ssh
async def test_sftp_lists_renames_removes_and_uploads(real: Trap, client: Client, payload: Path) -> None:
    script = f"cd /tmp\nput {payload} x\nchmod 755 x\nrename x y\nls -l y\nmkdir d\nrm y\nrmdir d\nls\npwd\n"
    code, out, err = await client.run(
        "sftp",
        "-oBatchMode=no",
        *client.options,
        "-P",
        str(client.port),
        "-b",
        "-",
        "root@127.0.0.1",
        given=script.encode(),
    )
    assert (code, err) == (0, b"")
    assert b"-rwxr-xr-x" in out and b"200000" in out and b"Remote working directory: /tmp" in out
    (event,) = await uploaded(real)
    assert event.sha256 and event.path == b"/tmp/x"
    assert [each.text for each in real.journal.of(CommandEntered)] == [b"sftp"]


async def test_an_upload_that_breaks_off_is_kept_as_far_as_it_came(real: Trap) -> None:
    async with real.connect() as connection, connection.start_sftp_client() as sftp:
        file = await sftp.open("/tmp/part", "wb")
        await file.write(b"first half")
        connection.abort()
    (event,) = await uploaded(real)
    assert (event.size, event.complete) == (10, False)


async def test_an_upload_beyond_the_limit_fails_like_a_full_disk(
    trap_builder: TrapBuilder, image: tuple[Any, Any]
) -> None:
    limits = SessionLimits(upload_bytes=1000)
    quarantine = Quarantine(trap_builder.folder / "quarantine")
    trap = await trap_builder(maker=EmulatedMachines(*image, limits, quarantine), limits=limits)
    async with trap.connect() as connection, connection.start_sftp_client() as sftp:
        with pytest.raises(asyncssh.SFTPFailure):
            async with sftp.open("/tmp/big", "wb") as file:
                await file.write(b"x" * 2000)
        with pytest.raises(asyncssh.SFTPFailure):
            async with sftp.open("/tmp/far", "wb") as file:
                await file.write(b"x", offset=1 << 40)
        with pytest.raises(asyncssh.SFTPFailure):
            async with sftp.open("/tmp/half", "wb") as file:
                await file.write(b"x" * 800)
                await file.write(b"x" * 800)
    await trap.journal.wait_for(Disconnected)
    half = [event for event in trap.journal.of(Uploaded) if event.path == b"/tmp/half"]
    assert [(event.size, event.complete) for event in half] == [(800, False)]
    assert [event.what for event in trap.journal.of(BudgetSpent)] == ["upload_bytes"]


async def test_asyncssh_finds_openssh_extensions_and_the_home_directory(real: Trap) -> None:
    async with real.connect() as connection, connection.start_sftp_client() as sftp:
        assert await sftp.getcwd() == "/root"
        assert "passwd" in await sftp.listdir("/etc")
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await sftp.stat("/nowhere")
        assert (await sftp.statvfs("/")).bsize == 4096


async def test_bytes_that_are_no_sftp_end_the_subsystem_as_sftp_server_ends(real: Trap) -> None:
    async with real.connect(encoding=None) as connection:
        process = await connection.create_process(subsystem="sftp", encoding=None)
        process.stdin.write(b"\xff" * 100)
        await process.wait()
        assert process.exit_status == 11


async def test_a_planted_key_lets_its_owner_in_and_a_changed_password_counts(
    trap_builder: TrapBuilder, image: tuple[Any, Any]
) -> None:
    quarantine = Quarantine(trap_builder.folder / "quarantine")
    maker = EmulatedMachines(*image, SessionLimits(), quarantine)
    where: list[Trap] = []
    trap = await trap_builder(
        maker=maker,
        authority=lambda address, user, word: maker.password_answer(
            where[0].sensor.machines.peek(address), user, word
        ),
        keys=lambda address, user: maker.authorized_keys(where[0].sensor.machines.peek(address), user),
    )
    where.append(trap)
    key = asyncssh.generate_private_key("ssh-ed25519")
    line = key.export_public_key().decode()
    with pytest.raises(asyncssh.PermissionDenied):
        await trap.connect(password=None, client_keys=[key])
    async with trap.connect() as connection, connection.start_sftp_client() as sftp:
        await sftp.makedirs("/root/.ssh", exist_ok=True)
        async with sftp.open("/root/.ssh/authorized_keys", "w") as file:
            await file.write('# mine\ncommand="x" ' + line)
    async with trap.connect(password=None, client_keys=[key]) as connection:
        assert connection.get_extra_info("username") == "root"
