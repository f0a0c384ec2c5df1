"""Runs the installed program, as its own process, against the sandbox's Discord and providers."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import DiscordOptions, Interaction
from discordianai.sandbox.launcher import BotDatabase, BotProcess, Sandbox, open_bot, open_sandbox
from discordianai.sandbox.providers import ServiceOptions
from tests.end_to_end import databases
from tests.end_to_end.log_privacy import leaks, private_texts, secrets_of

FAST = ServiceOptions(first_token=0.02, between_tokens=0.0, perplexity_rates=())
"""An answer arrives at once; it is shown after a second, since that is the bot's pace."""

STREAMING = replace(FAST, between_tokens=0.002)
"""An answer can be seen to grow, and breaks off when a part of it is shown."""

RESTARTED = DiscordOptions(identify_interval=0.0)
"""Not to refuse by op 9 a bot that a test starts again at once; systemd does that after ten seconds."""

UNLIMITED: Mapping[str, Mapping[str, object]] = {
    "rate_limits.user": {"questions": 10_000},
    "rate_limits.perplexity": {"requests_per_minute": 10_000, "burst": 10_000},
}


@dataclass(frozen=True)
class Scene:
    """A running bot and its surroundings."""

    sandbox: Sandbox
    bot: BotProcess

    async def ask(self, prompt: str, **more: Any) -> Interaction:
        """A person asks, and nobody else meanwhile; the answer is complete when this returns."""
        options = {"prompt": prompt, **more.pop("options", {})}
        answered = self.answered()
        interaction = await self.sandbox.discord.invoke("ask", options, **more)
        await self.wait_answered(answered + 1)
        return interaction

    def answered(self) -> int:
        """How many answers the bot has completed, as its log tells."""
        return self.log().count("event=answered")

    async def wait_answered(self, count: int, timeout: float = 120.0) -> None:
        """Wait until the bot has completed so many answers."""
        with trio.move_on_after(timeout):
            while self.answered() < count:  # noqa: ASYNC110  # a file tells nobody when it grows
                await trio.sleep(0.02)
            return
        latest = "\n".join(self.log().splitlines()[-20:])
        raise AssertionError(f"{self.answered()} of {count} answers after {timeout} s:\n{latest}")

    def log(self) -> str:
        """What the bot has logged so far."""
        return self.sandbox.log.read_text()


def said(interaction: Interaction) -> str:
    """The answer without the small print below it."""
    return interaction.text.partition("\n\n-# ")[0]


Stage = Callable[..., AbstractAsyncContextManager[Scene]]


@asynccontextmanager
async def open_scene(
    folder: Path,
    authority: Authority,
    settings: Mapping[str, Mapping[str, object]] | None = None,
    discord: DiscordOptions | None = None,
    providers: ServiceOptions = FAST,
    environment: Mapping[str, str] | None = None,
    with_foreign: bool = False,
    database: BotDatabase | None = None,
) -> AsyncIterator[Scene]:
    """Run everything while the block runs; `settings` has changed keys for each table.

    With `with_foreign`, the sandbox's foreign service is a third provider. Without `database`, the bot has a
    file.
    """
    async with open_sandbox(
        folder, authority=authority, discord=discord, providers=providers, database=database
    ) as sandbox:
        third = sandbox.with_foreign if with_foreign else {}
        sandbox.write_settings({**UNLIMITED, **third, **(settings or {})})
        sandbox = replace(sandbox, environment={**sandbox.environment, **(environment or {})})
        async with open_bot(sandbox) as bot:
            await bot.ready()
            yield Scene(sandbox, bot)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """See `on_both_databases`."""
    databases.parametrize(metafunc)


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> str:
    """Where the bot stores: `sqlite`, unless a test runs on both."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture(scope="module")
def database(engine: str, request: pytest.FixtureRequest) -> Iterator[BotDatabase | None]:
    """For the bot that the tests of a module share; None: a file."""
    with databases.opened(engine, request) as opened:
        yield opened


@pytest.fixture
def stage(
    tmp_path: Path, authority: Authority, engine: str, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    """Opens a `Scene`; see `open_scene`."""
    with databases.opened(engine, request) as opened:
        yield partial(open_scene, tmp_path, authority, database=opened)


Tables = Mapping[str, Mapping[str, object]]
"""Changed keys of the settings, for each table."""


@dataclass(frozen=True)
class SharedScene:
    """A scene, and the way to the loop that it runs on."""

    scene: Scene
    portal: BlockingPortal


def shared_scene(folder: Path, authority: Authority, settings: Tables, **more: Any) -> Iterator[SharedScene]:
    """Run everything until the generator is closed; see `open_scene`."""
    with (
        start_blocking_portal("trio") as portal,
        portal.wrap_async_context_manager(open_scene(folder, authority, settings, **more)) as scene,
    ):
        yield SharedScene(scene, portal)


PLAIN: Tables = {"connection_pool.openai": {"max_connections": 60}}


@pytest.fixture(scope="session")
def plain_scene_in_sqlite(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[SharedScene]:
    """See `plain_scene`."""
    yield from shared_scene(tmp_path_factory.mktemp("plain"), authority, PLAIN)


@pytest.fixture(scope="session")
def plain_scene_in_postgres(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, request: pytest.FixtureRequest
) -> Iterator[SharedScene]:
    """See `plain_scene`."""
    with databases.opened("postgres", request) as database:
        yield from shared_scene(tmp_path_factory.mktemp("plain"), authority, PLAIN, database=database)


@pytest.fixture(scope="module")
def plain_scene(engine: str, request: pytest.FixtureRequest) -> SharedScene:
    """For modules that need no settings of their own; those are in the group "plain"."""
    scene: SharedScene = request.getfixturevalue(f"plain_scene_in_{engine}")
    return scene


@pytest.fixture(scope="session")
def limited_scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SharedScene]:
    """With low limits of files, messages and contexts; its modules are in the group "limited"."""
    settings: Tables = {
        "discord": {"max_file_kilobytes": 4, "max_image_kilobytes": 8, "max_messages": 3},
        "conversations": {"context_tokens": 2000},
    }
    yield from shared_scene(tmp_path_factory.mktemp("limited"), authority, settings)


@pytest.fixture(autouse=True)
def logs_are_discreet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test's bot logs a secret, nor at INFO and above what people wrote and were answered, nor asks a
    provider for what it does not take."""
    sandboxes: list[Sandbox] = []
    write_settings = Sandbox.write_settings

    def note(sandbox: Sandbox, changes: Mapping[str, Mapping[str, object]] | None = None) -> None:
        sandboxes.append(sandbox)
        write_settings(sandbox, changes)

    monkeypatch.setattr(Sandbox, "write_settings", note)  # every sandbox does that once at least
    yield
    logs = {sandbox.log for sandbox in sandboxes if sandbox.log.exists()}
    texts = {text for sandbox in sandboxes for text in private_texts(sandbox)}
    secrets = {secret for sandbox in sandboxes for secret in secrets_of(sandbox)}
    told = [event for log in logs for event in leaks(log.read_text(errors="replace"), texts, secrets)]
    assert not told, told[:5]
    rejected = [each for sandbox in sandboxes for service in sandbox.providers for each in service.rejected]
    assert not rejected, "what the bot asks is what the original takes"
