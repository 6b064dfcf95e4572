"""A whole trap process over a data folder, with the real machine behind it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from urltrap.journal import JournalReader
from urltrap.machine.persona import generate
from urltrap.model.admission_settings import AdmissionSettings
from urltrap.model.canary import Canary
from urltrap.model.event import Connected
from urltrap.model.settings import CredentialSettings, SensorSettings, Settings, SshSettings, TelnetSettings
from urltrap.sensors.ssh.server import HOST_KEY_FILES, HostKeyError
from urltrap.sensors.trap import TrapError, run_trap


@pytest.fixture
def folder(tmp_path: Path, host_keys: list[Any]) -> Path:
    for name in ("keys", "overlays", "run"):
        (tmp_path / name).mkdir()
    (tmp_path / "keys" / "secret").write_bytes(b"s" * 32)
    algorithms = ("ssh-rsa", "ecdsa-sha2-nistp256", "ssh-ed25519")
    for name, algorithm in zip(HOST_KEY_FILES, algorithms, strict=True):
        asyncssh.generate_private_key(algorithm).write_private_key(str(tmp_path / "keys" / name))
    persona = generate(b"p" * 32, "debian-12", time.time())
    (tmp_path / "persona.json").write_text(persona.model_dump_json())
    return tmp_path


SETTINGS = Settings(
    sensors=SensorSettings(
        ssh=SshSettings(listen=["127.0.0.1:0"]),
        telnet=TelnetSettings(listen=["127.0.0.1:0"]),
        admission=AdmissionSettings(
            memory_bytes=0
        ),  # the memory of this process is that of the tests before, too
    ),
    credentials=CredentialSettings(accept=["root:pw"]),
)


class Journalled:
    """What the running trap has told."""

    def __init__(self, addresses: list[str], folder: Path) -> None:
        self.ports = {line.split()[0]: int(line.rpartition(":")[2]) for line in addresses}
        self.folder = folder

    def ssh(self, **more: Any) -> Any:
        options = {"username": "root", "password": "pw", "client_keys": None} | more
        return asyncssh.connect(
            "127.0.0.1", self.ports["ssh"], known_hosts=None, config=None, agent_path=None, **options
        )


@asynccontextmanager
async def running(folder: Path, settings: Settings = SETTINGS) -> AsyncIterator[Journalled]:
    stop, dropped = asyncio.Event(), []
    ready: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(
        run_trap(
            settings,
            folder,
            worker="trap-0",
            workers=1,
            ready=ready.set_result,
            stop=stop,
            drop=lambda: dropped.append(True),
        )
    )
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    assert dropped == [True]
    try:
        yield Journalled(ready.result(), folder)
    finally:
        stop.set()
        await task


async def test_both_doors_lead_to_the_same_machine(folder: Path) -> None:
    async with running(folder) as trap:
        async with trap.ssh() as client:
            result = await client.run("echo planted > /root/x; echo $((6*7))")
            assert (result.stdout, result.exit_status) == ("42\n", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", trap.ports["telnet"])
        await reader.readuntil(b"login: ")
        writer.write(b"root\r\npw\r\ncat /root/x\r\nexit\r\n")
        assert b"planted" in await reader.read()
        writer.close()


async def test_a_restart_finds_the_machine_of_an_address_again(folder: Path) -> None:
    async with running(folder) as trap, trap.ssh() as client:
        await client.run("echo mine > /tmp/kept")
    async with running(folder) as trap, trap.ssh() as client:
        assert (await client.run("cat /tmp/kept")).stdout == "mine\n"


async def test_a_password_set_on_the_machine_opens_it_and_the_old_one_does_not(folder: Path) -> None:
    settings = SETTINGS.model_copy(update={"credentials": CredentialSettings(after_tries=(1, 1))})
    async with running(folder, settings) as trap:
        async with trap.ssh(password="first") as client:
            result = await client.run("echo root:changed | chpasswd")
            if result.exit_status:
                pytest.skip("the machine has no chpasswd yet")
        with pytest.raises(asyncssh.PermissionDenied):
            await trap.ssh(password="first")
        async with trap.ssh(password="changed") as client:
            assert (await client.run("echo in")).stdout == "in\n"


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("keys/secret", None, "urltrap init makes it"),
        ("keys/secret", b"short", "too short"),
        ("persona.json", None, "urltrap init makes it"),
        ("persona.json", b"{}", "not a persona of this version"),
        ("keys/ssh_host_rsa_key", None, "urltrap init adds missing ones"),
        ("keys/ssh_host_rsa_key", b"garbage", "urltrap init adds missing ones"),
    ],
)
async def test_a_damaged_data_folder_is_an_error_that_says_what_to_do(
    folder: Path, path: str, content: bytes | None, message: str
) -> None:
    if content is None:
        (folder / path).unlink()
    else:
        (folder / path).write_bytes(content)
    with pytest.raises((TrapError, HostKeyError), match=message):
        async with running(folder):
            pass


async def test_granted_credentials_are_kept_over_a_restart(folder: Path) -> None:
    settings = SETTINGS.model_copy(update={"credentials": CredentialSettings(after_tries=(1, 1))})
    async with running(folder, settings) as trap, trap.ssh(password="mine"):
        pass
    assert list(json.loads((folder / "overlays" / "credentials-trap-0.json").read_text())) == ["127.0.0.1"]
    async with running(folder, settings) as trap:
        with pytest.raises(asyncssh.PermissionDenied):
            await trap.ssh(password="other")
        async with trap.ssh(password="mine"):
            pass


async def test_the_synthetic_attacker_gets_in_by_address_and_password_and_its_session_is_marked(
    folder: Path,
) -> None:
    canary = Canary.of(b"s" * 32)
    word = canary.password.decode()
    async with running(folder) as trap:
        async with trap.ssh(password=word, local_addr=(canary.address(3), 0)) as client:
            assert (await client.run("echo in")).stdout == "in\n"
        with pytest.raises(asyncssh.PermissionDenied):
            await trap.ssh(password="pw", local_addr=(canary.address(3), 0))  # which opens to attackers
        with pytest.raises(asyncssh.PermissionDenied):
            await trap.ssh(password=word)
    with JournalReader(folder / "journal") as reader:
        sessions = {
            event.src_ip: event.session
            for _, event in reader.read("trap-0", None, 10_000)
            if isinstance(event, Connected)
        }
    assert sessions[canary.address(3)].startswith("CANARY")
    assert not sessions["127.0.0.1"].startswith("CANARY")


async def test_a_trap_does_not_start_where_few_files_may_be_open(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (1024, 1024))
    with pytest.raises(TrapError, match="only 1024 files may be open.*LimitNOFILE"):
        async with running(folder):
            pass
