"""What is taken over from a changed settings file, what waits, and what a broken one does."""

import signal
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import structlog
import trio
import trio.testing
from structlog.testing import capture_logs

from discordianai.operations.systemd import Notifier
from discordianai.option import Live
from discordianai.settings import file as settings_file
from discordianai.settings.keys import flat, nested
from discordianai.settings.reloading import Reloading, reloading_on_sighup
from discordianai.settings.secret_sources import secrets_of
from discordianai.settings.tables import Settings

WRITTEN = """
[discord]
token = "abc.def"
[providers.openai]
api_key = "sk-old"
[connection_pool.openai]
max_connections = 5
[models."gpt-4.1"]
context_tokens = 9000
"""


class File:
    """settings.toml, and what was told to those who hold its settings."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "settings.toml"
        self.path.write_text(WRITTEN)
        self.first = settings_file.load(self.path)
        self.live = Live(self.first)
        self.told: list[Settings] = []
        self.live.follow(self.told.append)

    async def change(self, text: str) -> list[dict[str, object]]:
        """What is logged about a file that reads like this now."""
        self.path.write_text(text)
        structlog.reset_defaults()
        reloading = Reloading(self.live, partial(settings_file.load, self.path), Notifier({}))
        with capture_logs() as lines:
            async with reloading_on_sighup(reloading):
                await trio.testing.wait_all_tasks_blocked()
                signal.raise_signal(signal.SIGHUP)
                with trio.fail_after(10):
                    while not lines or lines[-1]["log_level"] == "warning":  # noqa: ASYNC110  # a log tells nobody
                        await trio.sleep(0.01)
        return [dict(line) for line in lines]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> File:
    for secret in secrets_of():
        monkeypatch.delenv(secret.variable, raising=False)
    return File(tmp_path)


async def test_what_can_change_is_taken_over_and_the_rest_is_named_and_stays(file: File) -> None:
    changed = WRITTEN.replace("max_connections = 5", "max_connections = 7").replace("9000", "8000")
    changed = changed.replace("sk-old", "sk-new").replace('"abc.def"', '"abc.def"\nblocked_user_ids = [1]')
    lines = await file.change(changed)
    (settings,) = file.told
    assert settings.connection_pool.openai.max_connections == 7
    assert settings.models["gpt-4.1"].context_tokens == 8000
    assert settings.discord.blocked_user_ids == (1,)
    assert settings.providers.openai.api_key == file.first.providers.openai.api_key
    assert [line.get("keys") for line in lines] == [["providers.openai.api_key"], None]
    assert lines[1]["taken_over"] == [
        "connection_pool.openai.max_connections",
        "connection_pool.openai.max_keepalive",  # its default gives way to fewer connections
        "discord.blocked_user_ids",
        "models.gpt-4.1.context_tokens",
    ]
    assert "sk-" not in str(lines)


async def test_a_key_that_is_no_longer_written_has_its_default_again(file: File) -> None:
    await file.change(WRITTEN.replace("max_connections = 5", ""))
    (settings,) = file.told
    assert settings.connection_pool.openai.max_connections == 50


BROKEN: dict[str, Callable[[str], str]] = {
    "no TOML": lambda text: text + "[",
    "no such key": lambda text: text + "[logging]\nlevle = 1",
    "no secret": lambda text: text.replace("api_key", "model"),
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_broken_file_changes_nothing_and_is_complained_about(file: File, kind: str) -> None:
    lines = await file.change(BROKEN[kind](WRITTEN).replace("max_connections = 5", "max_connections = 7"))
    assert file.told == []
    assert [line["log_level"] for line in lines] == ["error"]
    assert lines[0]["problems"]


async def test_a_file_that_is_gone_changes_nothing(file: File) -> None:
    with capture_logs() as lines:
        missing = partial(settings_file.load, file.path.with_name("gone.toml"))
        async with reloading_on_sighup(Reloading(file.live, missing, Notifier({}))):
            await trio.testing.wait_all_tasks_blocked()
            signal.raise_signal(signal.SIGHUP)
            with trio.fail_after(10):
                while not lines:  # noqa: ASYNC110  # a log tells nobody
                    await trio.sleep(0.01)
    assert lines[0]["log_level"] == "error"
    assert file.told == []


async def test_what_is_said_of_a_new_provider_waits_with_it(file: File) -> None:
    """Its limits would be changed at once, were it there already."""
    provider = '[providers.local]\nbase_url = "http://x"\nmodel = "m"\n'
    limits = "[rate_limits.local]\nrequests_per_minute = 5\n"
    changed = WRITTEN.replace("max_connections = 5", "max_connections = 7") + provider + limits
    lines = await file.change(changed)
    (settings,) = file.told
    assert settings.connection_pool.openai.max_connections == 7
    assert [provider.name for provider in settings.configured] == ["openai"]
    later = lines[0]["keys"]
    assert isinstance(later, list)
    assert {"providers.local.model", "rate_limits.local.requests_per_minute"} <= {*later}


async def test_what_does_not_go_together_with_what_waits_is_refused_in_words(file: File) -> None:
    """A shorter context fits the shorter answers of the file, and not the longer ones of the running bot."""
    file.path.write_text(WRITTEN.replace('"sk-old"', '"sk-old"\nmodel = "gpt-4.1"\nmax_answer_tokens = 8000'))
    file.first = settings_file.load(file.path)
    file.live.reconfigure(file.first)
    file.told.clear()
    shorter = WRITTEN.replace('"sk-old"', '"sk-old"\nmodel = "gpt-4.1"\nmax_answer_tokens = 2000')
    lines = await file.change(shorter.replace("9000", "7000"))
    assert file.told == []
    (line,) = lines
    assert (line["log_level"], line["event"]) == ("error", "restart needed: keeping the previous settings")
    assert "max_answer_tokens" in str(line["problems"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[connection_pool.openai]\nmax_connections = 3",
        '[providers.openai]\nbase_url = "https://proxy.example/v1"',
        '[providers.perplexity]\ndialect = "chat"\nmodel = "sonar"',
        '[providers.local]\nbase_url = "http://x"\nmodel = "m"\n[rate_limits.local]\nrequests_per_minute = 5',
        '[logging.levels]\n"discordianai.transport" = "DEBUG"\n[models."a.b"]\ncontext_tokens = 9000',
    ],
)
def test_settings_are_valid_as_they_are(text: str) -> None:
    """A default that gives way to what is written has done so: kept and new values can be put together."""
    settings = Settings.model_validate(tomllib.loads(text))
    assert Settings.model_validate(nested(flat(settings.model_dump()))) == settings
