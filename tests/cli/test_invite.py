"""`discordianai invite`, as an operator types it, against the sandbox's Discord."""

import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import trio

from discordianai.cli.main import main
from discordianai.discord.commands.invitation import NEEDED
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord.api_objects import BOT_ID
from discordianai.sandbox.launcher import Sandbox, open_sandbox

SPY = """
import sys
from discordianai.cli.main import main
status = main(sys.argv[1:])
print("\\n".join(["modules", *sys.modules]), file=sys.stderr)
sys.exit(status)
"""
UNSET = (
    "DISCORD_TOKEN",
    "CREDENTIALS_DIRECTORY",
    "STATE_DIRECTORY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
)


async def invite(sandbox: Sandbox) -> "subprocess.CompletedProcess[bytes]":
    environment = {name: value for name, value in sandbox.environment.items() if name not in UNSET}
    return await trio.run_process(
        [sys.executable, "-c", SPY, "invite", "--settings", str(sandbox.settings)],
        env=environment,
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )


async def test_the_link_has_the_application_and_exactly_what_the_bot_needs(
    tmp_path: Path, authority: Authority
) -> None:
    async with open_sandbox(tmp_path, authority=authority) as sandbox:
        # A token is all that it takes: a provider may be chosen later.
        sandbox.write_settings({"providers.openai": {"api_key": ""}, "providers.perplexity": {"api_key": ""}})
        done = await invite(sandbox)
    assert done.returncode == 0, done.stderr
    link = urlsplit(done.stdout.decode().strip())
    asked = parse_qs(link.query)
    assert (link.scheme, link.netloc, link.path) == ("https", "discord.com", "/oauth2/authorize")
    assert asked["client_id"] == [str(BOT_ID)]
    assert asked["scope"] == ["bot applications.commands"]
    assert asked["permissions"] == [str(NEEDED)]
    told, _, modules = done.stderr.decode().partition("modules\n")
    assert told == ""
    assert {"interactions", "aiohttp"}.isdisjoint(modules.splitlines())


def test_it_asks_for_nothing_by_which_a_bot_could_do_harm() -> None:
    administrator, manage_server, manage_messages, mention_everyone = 1 << 3, 1 << 5, 1 << 13, 1 << 17
    assert not NEEDED & (administrator | manage_server | manage_messages | mention_everyone)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sandbox], Awaitable[int]]:
    """The command without a process of its own: its status."""
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)

    async def run(sandbox: Sandbox) -> int:
        return await trio.to_thread.run_sync(main, ["invite", "--settings", str(sandbox.settings)])

    return run


async def test_a_token_that_discord_rejects_is_78_with_where_to_get_one(
    tmp_path: Path,
    authority: Authority,
    typed: Callable[[Sandbox], Awaitable[int]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with open_sandbox(tmp_path, authority=authority) as sandbox:
        sandbox.write_settings({"discord": {"token": "a-wrong-token"}})
        assert await typed(sandbox) == 78
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("Discord rejects the bot's token; set DISCORD_TOKEN to a valid one")
    assert "a-wrong-token" not in told.err


async def test_a_discord_that_is_ill_or_no_discord_is_1(
    tmp_path: Path,
    authority: Authority,
    typed: Callable[[Sandbox], Awaitable[int]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with open_sandbox(tmp_path, authority=authority) as sandbox:
        sandbox.discord.fail_next("/applications/@me", 503)
        assert await typed(sandbox) == 1
        assert capsys.readouterr().err == "Discord answers 503 to /applications/@me; try again later\n"
        sandbox.write_settings({"discord": {"api_url": f"{sandbox.discord.url}/elsewhere"}})
        assert await typed(sandbox) == 1
        assert capsys.readouterr().err == "Discord answers 404 to /applications/@me; check api_url\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a word about Discord."""
    monkeypatch.chdir(tmp_path)
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "settings.toml").write_text("")
    return tmp_path


def test_a_discord_that_is_not_there_is_1(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "a-secret-token")
    (place / "settings.toml").write_text('[discord]\napi_url = "http://127.0.0.1:1/api/v10"\n')
    assert main(["invite"]) == 1
    told = capsys.readouterr()
    assert "Discord could not be reached: ConnectError" in told.err
    assert told.out == ""
    assert "a-secret-token" not in told.err


def test_without_a_token_it_is_78_and_the_only_thing_that_is_told(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["invite"]) == 78
    told = capsys.readouterr().err
    assert told.startswith("discord.token: missing; run `discordianai init`, or set DISCORD_TOKEN")
    assert len(told.splitlines()) == 1


def test_mistakes_in_the_settings_are_78(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "x")
    (place / "settings.toml").write_text("[discord]\ntokn = 1\n")
    assert main(["invite"]) == 78
    assert "discord.tokn: no such key" in capsys.readouterr().err
