"""Each mistake of the first hour is made, and the sentence of docs/troubleshooting.md about it is read."""

import errno
import os
import re
import runpy
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from discordianai.cli.main import main
from discordianai.conversations.sqlite.files import DatabaseLock
from discordianai.discord.messages.posting import ChannelMessages
from discordianai.discord.messages.rest import CAUSES, DiscordApi
from discordianai.operations.checks import clock
from discordianai.operations.checks.discord_check import judge_commands, judge_servers
from discordianai.operations.checks.findings import Finding
from discordianai.operations.checks.online import ask_all
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.launcher import Sandbox, open_sandbox
from discordianai.sandbox.providers import Fault
from discordianai.settings import file as settings_file
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## The first hour\n")[2].partition("\n## ")[0]
ROWS = {
    what.replace("`", ""): says
    for what, says in re.findall(r"^\| ([^|]+) \| `(.+?)` \| ", SECTION, re.MULTILINE)
}
"""What the program says, by what is wrong."""

TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDE.abcdefghijklmnopqrstuvwxyz0123456789ab"
SECRETS = {"DISCORD_TOKEN": "a-token", "OPENAI_API_KEY": "a-key"}

WRONG_SECRETS = {
    "client secret": {"DISCORD_TOKEN": "aB3_-" * 6 + "xy"},
    "OAuth2 token": {"DISCORD_TOKEN": "aB3xZ" * 6},
    "public key": {"DISCORD_TOKEN": "0123456789abcdef" * 4},
    "Bot before the token": {"DISCORD_TOKEN": f"Bot {TOKEN}"},
    "DISCORD_TOKEN= before the token": {"DISCORD_TOKEN": f"DISCORD_TOKEN={TOKEN}"},
    "quotes around the token": {"DISCORD_TOKEN": f'"{TOKEN}"'},
    "the other provider's key": {"OPENAI_API_KEY": "pplx-abc"},
    "Discord's token as a key": {"OPENAI_API_KEY": TOKEN},
    "unusable proxy": {"HTTPS_PROXY": "socks9://nowhere"},
}
"""In the environment."""

WRONG_FILES = {
    "line break in settings.toml": f'[discord]\ntoken = "{TOKEN}\\n"\n'.encode(),
    "byte order mark, CRLF, tabs": b"\xef\xbb\xbf[logging]\r\n\tlevel\t=\t'INFO'\r\n",
    "UTF-16": "[logging]\n".encode("utf-16"),
    "typographic quotes": "[logging]\nlevel = “INFO”\n".encode(),
    "a no-break space": "[logging]\nlevel\u00a0= 'INFO'\n".encode(),
    "a path with backslashes": b'[conversations]\ndatabase = "C:\\users\\bot.db"\n',
    "other mistakes in its syntax": b"{'logging': {}}\n",
    "text without quotes": b"[logging]\nlevel = INFO\n",
    "a config.ini inside": b"[Discord]\nDISCORD_TOKEN=abc\n",
}
"""settings.toml."""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with settings that can be used, and no proxy."""
    monkeypatch.chdir(tmp_path)
    for name in ("CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "settings.toml").touch(mode=0o600)
    return tmp_path


Hears = Callable[[str], None]


@pytest.fixture
def hears(capfd: pytest.CaptureFixture[str]) -> Hears:
    """Asserts that what was printed has the sentence of that row, and no secret."""

    def look(what: str) -> None:
        told = capfd.readouterr()
        assert ROWS[what] in told.out + told.err
        assert TOKEN not in told.out + told.err

    return look


def test_no_settings(place: Path, hears: Hears) -> None:
    """Every command says how to get them."""
    (place / "settings.toml").unlink()
    for command in (
        "run",
        "check",
        "invite",
        "settings --diff",
        "advise",
        "backup x",
        "conversations stats",
        "service install --user",
    ):
        assert main(command.split()) == 78
        hears("no settings")


@pytest.mark.parametrize("what", WRONG_SECRETS)
def test_a_wrong_secret(what: str, monkeypatch: pytest.MonkeyPatch, hears: Hears) -> None:
    """Told before anybody is asked."""
    for name, value in WRONG_SECRETS[what].items():
        monkeypatch.setenv(name, value)
    assert main(["check"]) == 78
    hears(what)


@pytest.mark.parametrize("what", WRONG_FILES)
def test_an_odd_file(what: str, place: Path, monkeypatch: pytest.MonkeyPatch, hears: Hears) -> None:
    """What does no harm is taken, the rest is told."""
    if what.startswith("line break"):
        monkeypatch.delenv("DISCORD_TOKEN")
    (place / "settings.toml").write_bytes(WRONG_FILES[what])
    assert main(["check"]) == (0 if what.startswith("byte order") else 78)
    hears(what)


def test_python_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said by the program itself, and before it imports anything."""
    monkeypatch.setattr(sys, "version_info", (3, 10, 1, "final", 0))
    with pytest.raises(SystemExit, match=re.escape(ROWS["Python too old"])):
        runpy.run_module("discordianai", run_name="__main__")


WITHOUT_ITS_PACKAGES = """
import sys
sys.modules["trustme"] = None
from discordianai.cli.main import main
sys.exit(main(["sandbox"]))
"""


def test_no_sandbox() -> None:
    """Where only the bot is installed."""
    done = subprocess.run(  # noqa: S603  # our own
        [sys.executable, "-c", WITHOUT_ITS_PACKAGES], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(ROWS["no sandbox"])


def test_port_taken(place: Path, hears: Hears) -> None:
    """By another bot, most often."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        (place / "settings.toml").write_text(f"[operations]\nport = {taken.getsockname()[1]}\n")
        assert main(["run"]) == 78
    hears("port taken")


def test_database_in_use(place: Path, hears: Hears) -> None:
    """The same folder twice."""
    (place / "settings.toml").write_text("[operations]\nport = 0\n")
    lock = DatabaseLock(place / "discordianai.sqlite3")
    try:
        assert main(["run"]) == 1
    finally:
        lock.release()
    hears("database in use")


def test_disk_full(place: Path, monkeypatch: pytest.MonkeyPatch, hears: Hears) -> None:
    """While the settings are written."""
    (place / "settings.toml").unlink()

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert main(["init", "--offline"]) == 1
    hears("disk full")
    assert list(place.iterdir()) == []


# What only a service can say


def text(findings: list[Finding]) -> str:
    return "\n".join(f"{finding.found} -> {finding.advice}" for finding in findings)


async def wrong_token(sandbox: Sandbox) -> str:
    sandbox.write_settings({"discord": {"token": TOKEN}})
    return await asked(sandbox)


async def wrong_key(sandbox: Sandbox) -> str:
    sandbox.openai.misbehave(Fault.wrong_key())
    return await asked(sandbox)


async def no_quota(sandbox: Sandbox) -> str:
    sandbox.openai.misbehave(Fault.quota())
    return await asked(sandbox)


async def no_intents(sandbox: Sandbox) -> str:
    sandbox.write_settings({"discord": {"respond_to": "mentions"}})
    return await asked(sandbox)


async def no_commands_yet(sandbox: Sandbox) -> str:
    return await asked(sandbox)


async def no_network(sandbox: Sandbox) -> str:
    sandbox.write_settings({"discord": {"api_url": "https://discord.invalid/api/v10"}})
    return await asked(sandbox)


async def nobody_there(sandbox: Sandbox) -> str:
    sandbox.write_settings({"providers.openai": {"base_url": "https://127.0.0.1:1/v1"}})
    return await asked(sandbox)


async def asked(sandbox: Sandbox) -> str:
    return text(await ask_all(settings_file.load(sandbox.settings, {}), 10.0))


async def not_visible(sandbox: Sandbox) -> str:
    channel = 1
    sandbox.discord.closed_channels.add(channel)
    async with httpx.AsyncClient(timeout=60) as client:
        api = DiscordApi(client, sandbox.discord.api_url, sandbox.discord.options.token)
        with pytest.raises(Exception, match="403") as caught:  # its text is what counts
            await ChannelMessages(api, channel).edit(None, {"content": "here"})
    return str(caught.value)


ONLINE: Mapping[str, Callable[[Sandbox], Awaitable[str]]] = {
    "wrong token": wrong_token,
    "wrong key": wrong_key,
    "no quota": no_quota,
    "no intents": no_intents,
    "no commands yet": no_commands_yet,
    "no network": no_network,
    "nobody answers there": nobody_there,
    "channel not visible": not_visible,
}


@pytest.mark.slow
@pytest.mark.parametrize("what", ONLINE)
async def test_what_a_service_says(
    what: str, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox's, which answers as the original does."""
    async with open_sandbox(tmp_path, authority=authority) as sandbox:
        monkeypatch.setenv("SSL_CERT_FILE", sandbox.environment["SSL_CERT_FILE"])
        told = await ONLINE[what](sandbox)
    assert ROWS[what] in told
    assert TOKEN not in told


@pytest.mark.slow
async def test_a_proxy_that_is_not_there(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Discord is asked past it, the providers are not."""
    async with open_sandbox(tmp_path, authority=authority) as sandbox:
        monkeypatch.setenv("SSL_CERT_FILE", sandbox.environment["SSL_CERT_FILE"])
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("NO_PROXY", "")
        told = await asked(sandbox)
    assert ROWS["proxy not there"] in told


# What no test can bring about: the function that judges it


JUDGED = {
    "in no server": judge_servers(0, 1),
    "no commands yet": judge_commands(0),
    "clock off": clock.judge({"discord": clock.Sample(300.0, 1.0)}),
}


@pytest.mark.parametrize("what", JUDGED)
def test_what_is_judged(what: str) -> None:
    """Of a Discord without servers, and of a clock that is five minutes behind."""
    assert ROWS[what] in text([JUDGED[what]])


def test_no_permission_in_the_channel() -> None:
    """Discord's code for it, in the words of the log."""
    assert ROWS["no permission in the channel"] in CAUSES[50013]


def test_every_row_has_its_test() -> None:
    """A sentence of the page that nothing says any longer would lead nowhere."""
    tried = {*WRONG_SECRETS, *WRONG_FILES, *ONLINE, *JUDGED}
    tried |= {"no settings", "Python too old", "no sandbox", "port taken", "database in use", "disk full"}
    tried |= {"proxy not there", "no permission in the channel"}
    assert tried == set(ROWS)
