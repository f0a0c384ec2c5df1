"""Each key that changes while the bot runs: changed on a running bot, by SIGHUP, and seen to act.

One bot runs for all of them. Each case begins with the settings with which that was started, and has
a person of its own.
"""

import json
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import count

import httpx
import pytest
import trio

from discordianai.operations.snapshot import from_json
from discordianai.sandbox.asgi_server import free_port
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import CHANNELS, Channel, Interaction, User, direct_messages, person
from discordianai.sandbox.discord.api_objects import GUILD_ID
from discordianai.sandbox.providers import Fault, ServiceOptions
from discordianai.sandbox.providers.provider_faults import FaultKind
from discordianai.settings.keys import NAME, declared
from discordianai.settings.tables import Settings
from tests.end_to_end.conftest import UNLIMITED, Scene
from tests.end_to_end.sharing import SharedScene, shared_scene

GENERAL, HELP, RANDOM = CHANNELS
MODEL = 'models."gpt-6-luna"'
SPENT = "You have reached your daily limit."
LONG_WAIT = r"Please wait (?:[6-9]\d{3}) seconds"
AT_ONCE = ServiceOptions(first_token=0.0, between_tokens=0.0, perplexity_rates=())
TAKEN_OVER = "settings reloaded"


PORT = free_port()
STARTED: Mapping[str, Mapping[str, object]] = {
    **UNLIMITED,
    "operations": {"port": PORT},
    "routing": {"strategy": "openai"},
}


@dataclass(frozen=True)
class Stage:
    """A running bot, and somebody who has never asked it anything."""

    scene: Scene
    user: User

    async def change(self, **tables: Mapping[str, object]) -> None:
        """Settings of these tables, beside those with which the bot was started; `__` stands for a dot."""
        changes = {name.replace("__", "."): keys for name, keys in tables.items()}
        await self.set({**STARTED, **changes})

    async def set(self, tables: Mapping[str, Mapping[str, object]]) -> None:
        """These settings from now on."""
        before = self.scene.log().count(TAKEN_OVER)
        self.scene.sandbox.write_settings(tables)
        self.scene.bot.process.send_signal(signal.SIGHUP)
        with trio.fail_after(60):
            while self.scene.log().count(TAKEN_OVER) == before:  # noqa: ASYNC110  # a file tells nobody
                await trio.sleep(0.01)

    async def ask(self, prompt: str = "why?", channel: Channel = GENERAL) -> Interaction:
        """A question that is acknowledged."""
        discord = self.scene.sandbox.discord
        return await discord.invoke("ask", {"prompt": prompt}, user=self.user, channel=channel)

    async def is_answered(self, prompt: str = "why?", channel: Channel = GENERAL) -> None:
        async with self.asks_openai():
            await self.ask(prompt, channel)

    @asynccontextmanager
    async def asks_openai(self) -> AsyncIterator[None]:
        """What runs inside makes the bot have a question answered; the edits would take a second more."""
        service = self.scene.sandbox.openai
        before = service.paths.total()
        yield
        with trio.fail_after(60):
            while service.paths.total() == before:  # noqa: ASYNC110  # a counter tells nobody
                await trio.sleep(0.01)

    async def is_told(self, words: str, prompt: str = "why?", channel: Channel = GENERAL) -> Interaction:
        """That is what a question gets."""
        asked = await self.ask(prompt, channel)
        await reads(asked, words)
        return asked

    @asynccontextmanager
    async def stalled(self, channel: Channel = GENERAL) -> AsyncIterator[None]:
        """An answer is under way, and gets no further, while the block runs."""
        self.scene.sandbox.openai.misbehave(Fault(FaultKind.STALL, after=20))
        asked = await self.ask("why is the sky blue?", channel)
        await asked.wait_until(lambda i: "Stop" in buttons(i))
        yield
        self.scene.sandbox.discord.press(asked.messages[-1], "Stop", self.user)
        await asked.wait_until(lambda i: "Stop" not in buttons(i))

    async def has_connections(self, **figures: int) -> None:
        """Wait until OpenAI's pool has these figures."""
        async with httpx.AsyncClient(timeout=60) as client:
            with trio.fail_after(60):
                while True:
                    snapshot = from_json((await client.get(f"http://127.0.0.1:{PORT}/api/snapshot")).content)
                    if figures.items() <= asdict(snapshot.pools["openai"]).items():
                        return
                    await trio.sleep(0.02)


Case = Callable[[Stage], Awaitable[None]]
"""Changes a key, and sees what it does."""


def buttons(shown: Interaction) -> list[str]:
    components = shown.messages[-1].components if shown.messages else []
    return [part.get("label", "") for row in components for part in row["components"]]


def is_complete(shown: Interaction) -> bool:
    return "Again" in buttons(shown)


async def reads(shown: Interaction, words: str) -> None:
    """Wait for a text that matches."""
    try:
        await shown.wait_until(lambda i: re.search(words, i.text) is not None)
    except trio.TooSlowError:
        raise AssertionError(f"{words!r} is not in {shown.text!r}") from None


# Who may ask


async def admins(bot: Stage) -> None:
    discord = bot.scene.sandbox.discord
    await reads(await discord.invoke("status", user=bot.user), "Only the bot's admins can use this.")
    await bot.change(discord={"admin_user_ids": [bot.user.id]})
    await reads(await discord.invoke("status", user=bot.user), r"\*\*Ready\*\*")


def closed_by(key: str, value: object, words: str, channel: Channel = GENERAL) -> Case:
    """Who may ask before the change may not do so after it."""

    async def case(bot: Stage) -> None:
        await bot.is_answered(channel=channel)
        await bot.change(discord={key: value})
        await bot.is_told(words, channel=channel)

    return case


async def allowed_users(bot: Stage) -> None:
    await closed_by("allowed_user_ids", [1], "only")(bot)


async def blocked_users(bot: Stage) -> None:
    await closed_by("blocked_user_ids", [bot.user.id], "You can't use this bot here.")(bot)


async def direct(bot: Stage) -> None:
    channel = direct_messages(bot.user)
    await closed_by("direct_messages", False, "I don't answer direct messages.", channel)(bot)


async def guests(bot: Stage) -> None:
    elsewhere = Channel(77, "elsewhere", 78)
    discord, prompt = bot.scene.sandbox.discord, {"prompt": "why?"}
    async with bot.asks_openai():
        await discord.invoke("ask", prompt, user=bot.user, channel=elsewhere, guest=True)
    await bot.change(discord={"guests": False})
    asked = await discord.invoke("ask", prompt, user=bot.user, channel=elsewhere, guest=True)
    await reads(asked, "I only answer in servers that I am a member of.")


# What is asked, and with what


async def instructions(bot: Stage) -> None:
    await bot.change(assistant={"instructions": "Speak like a llama."})
    await bot.is_answered()
    assert bot.scene.sandbox.openai.requests[-1]["instructions"] == "Speak like a llama."


async def context_tokens(bot: Stage) -> None:
    prompt = "why? " * 1000
    await bot.is_answered(prompt)
    await bot.set({**STARTED, MODEL: {"context_tokens": 1000}})
    await bot.is_told("too long", prompt)


# What it may cost


def priced(**prices: float) -> Case:
    """A price that a person's money does not cover."""

    async def case(bot: Stage) -> None:
        limited = {**STARTED, "daily_limits.user": {"money": 0.001}}
        await bot.set({**limited, MODEL: {"input_price": 0.0, "output_price": 0.0}})
        await bot.is_answered()
        await bot.set({**limited, MODEL: {"input_price": 0.0, "output_price": 0.0, **prices}})
        # The first answer may still be under way, and be charged by the new price.
        await bot.is_told("left of your daily limit; this question may cost up to|reached your daily limit")

    return case


async def cached_price(bot: Stage) -> None:
    """A question of more than a thousand tokens, and one that goes on from it."""
    shown = {**STARTED, "assistant": {"show_usage": True}}
    prices = {"input_price": 1000.0, "output_price": 0.0}
    await bot.set({**shown, MODEL: prices})
    await bot.is_told(r"tokens · \$[1-9]\.\d\d", "why? " * 1000)
    await bot.set({**shown, MODEL: {**prices, "cached_price": 0.0}})
    await bot.is_told(r"tokens · \$0\.\d{4}")


async def search_price(bot: Stage) -> None:
    """One who asks for the web goes to Perplexity, whose preset has no price of its own here."""
    discord, query = bot.scene.sandbox.discord, {"query": "tides"}
    limited = {**STARTED, "daily_limits.user": {"money": 1.0}}
    prices = {"input_price": 0.0, "output_price": 0.0}
    await bot.set({**limited, 'models."fast"': prices})
    await reads(await discord.invoke("search", query, user=bot.user), "Perplexity · fast")
    await bot.set({**limited, 'models."fast"': {**prices, "search_price": 1000.0}})
    await reads(await discord.invoke("search", query, user=bot.user), "this question may cost up to")


async def show_usage(bot: Stage) -> None:
    asked = await bot.is_told("OpenAI · gpt-6-luna")
    assert "tokens" not in asked.text
    await bot.change(assistant={"show_usage": True})
    await bot.is_told(r"OpenAI · gpt-6-luna · .* · [\d,]+ tokens")


def limited(table: str, keys: Mapping[str, object], words: str) -> Case:
    async def case(bot: Stage) -> None:
        prices = {MODEL: {"input_price": 1000.0, "output_price": 1000.0}}
        await bot.set({**STARTED, **prices})
        await bot.is_answered()
        await bot.set({**STARTED, **prices, table: keys})
        await bot.is_told(words)

    return case


# How much may be asked


async def requests_of_the_model(bot: Stage) -> None:
    await bot.set({**STARTED, MODEL: {"requests_per_minute": 1}})
    await bot.is_answered()
    await bot.is_told("You're next.")


async def tokens_of_the_model(bot: Stage) -> None:
    await bot.set({**STARTED, MODEL: {"tokens_per_minute": 1}})
    await bot.is_told("OpenAI couldn't answer, so Perplexity did.")


async def questions(bot: Stage) -> None:
    await bot.is_answered()
    await bot.change(rate_limits__user={"questions": 1})
    await bot.is_told("That's a lot of questions.")


async def per_seconds(bot: Stage) -> None:
    await bot.is_answered()
    await bot.change(rate_limits__user={"questions": 1, "per_seconds": 7000.0})
    assert (await bot.is_told(LONG_WAIT)).private


async def in_flight(bot: Stage) -> None:
    """The second one begins when two may."""
    await bot.change(rate_limits__user={"in_flight": 1})
    async with bot.stalled():
        waiting = await bot.ask(channel=HELP)
        await reads(waiting, "Waiting for earlier questions to finish.")
        async with bot.asks_openai():
            await bot.change(rate_limits__user={"in_flight": 2})


async def waiting(bot: Stage) -> None:
    async with bot.stalled():
        await bot.change(rate_limits__user={"in_flight": 1, "waiting": 0})
        await bot.is_told("You have 1 questions open here.", channel=HELP)


async def server_questions(bot: Stage) -> None:
    await bot.is_answered()
    await bot.change(rate_limits__server={"questions": 1})
    await bot.is_told("This server is asking a lot of questions.")


async def server_per_seconds(bot: Stage) -> None:
    await bot.is_answered()
    await bot.change(rate_limits__server={"questions": 1, "per_seconds": 7000.0})
    await bot.is_told(f"This server is asking a lot of questions. {LONG_WAIT}")


# What a provider allows


def waits_by(**limits: object) -> Case:
    """After one question the next has to wait, until more is allowed again.

    What the provider says of its limits counts more than the settings: each answer has to be there, and so
    what came with it, before they are changed.
    """

    async def case(bot: Stage) -> None:
        await (await bot.ask()).wait_until(is_complete)
        await bot.change(rate_limits__openai=limits)
        waits = await bot.is_told("You're next.")
        await bot.set(STARTED)
        await waits.wait_until(is_complete)

    return case


async def provider_tokens(bot: Stage) -> None:
    await bot.change(rate_limits__openai={"tokens_per_minute": 1})
    await bot.is_told("OpenAI couldn't answer, so Perplexity did.")


async def reasoning(bot: Stage) -> None:
    """A model that goes on thinking is given up, and asked again."""
    await bot.change(providers__openai={"reasoning_timeout": 1.0})
    bot.scene.sandbox.openai.misbehave(Fault(FaultKind.STALL))
    await bot.is_told("You asked:")


async def connections(bot: Stage) -> None:
    """One connection is one request in flight."""
    await bot.change(connection_pool__openai={"max_connections": 1})
    async with bot.stalled():
        await bot.is_told("You're next.", channel=HELP)
        await bot.has_connections(max_connections=1, streams_in_use=1)
        async with bot.asks_openai():
            await bot.set(STARTED)


async def keepalive(bot: Stage) -> None:
    await bot.is_answered()
    await bot.has_connections(open_connections=1, idle_connections=1)
    await bot.change(connection_pool__openai={"max_keepalive": 0})
    await bot.has_connections(open_connections=0)


# The log


def logged(wanted: Callable[[str], bool], table: str, keys: Mapping[str, object]) -> Case:
    """Lines of that kind are in the log after the change, and not before."""

    async def case(bot: Stage) -> None:
        began = len(bot.scene.log())
        await bot.is_answered()
        assert not any(map(wanted, bot.scene.log()[began:].splitlines()))
        await bot.set({**STARTED, table: keys})
        began = len(bot.scene.log())
        await bot.is_answered()
        with trio.fail_after(60):
            while not any(map(wanted, bot.scene.log()[began:].splitlines())):  # noqa: ASYNC110  # a file
                await trio.sleep(0.01)

    return case


def is_json(line: str) -> bool:
    try:
        return "event" in json.loads(line)
    except ValueError:
        return False


def is_debug(line: str) -> bool:
    return "level=debug" in line


CASES: Mapping[str, Case] = {
    "assistant.instructions": instructions,
    "assistant.show_usage": show_usage,
    "connection_pool.NAME.max_connections": connections,
    "connection_pool.NAME.max_keepalive": keepalive,
    "daily_limits.server.money": limited("daily_limits.server", {"money": 1e-9}, "This server has reached"),
    "daily_limits.server.tokens": limited("daily_limits.server", {"tokens": 1}, "This server has reached"),
    "daily_limits.user.money": limited("daily_limits.user", {"money": 1e-9}, SPENT),
    "daily_limits.user.tokens": limited("daily_limits.user", {"tokens": 1}, SPENT),
    "discord.admin_user_ids": admins,
    "discord.allowed_channel_ids": closed_by(
        "allowed_channel_ids", [HELP.id], "I don't answer in this channel."
    ),
    "discord.allowed_role_ids": closed_by("allowed_role_ids", [1], "You need another role"),
    "discord.allowed_user_ids": allowed_users,
    "discord.blocked_channel_ids": closed_by(
        "blocked_channel_ids", [RANDOM.id], "I don't answer in this channel.", RANDOM
    ),
    "discord.blocked_guild_ids": closed_by("blocked_guild_ids", [GUILD_ID], "I don't answer in this server."),
    "discord.blocked_role_ids": closed_by("blocked_role_ids", [9], "You can't use this bot here."),
    "discord.blocked_user_ids": blocked_users,
    "discord.direct_messages": direct,
    "discord.guests": guests,
    "logging.format": logged(is_json, "logging", {"format": "json"}),
    "logging.level": logged(is_debug, "logging", {"level": "DEBUG"}),
    "logging.levels.NAME": logged(is_debug, "logging.levels", {'"discordianai.dispatch"': "DEBUG"}),
    "models.NAME.cached_price": cached_price,
    "models.NAME.context_tokens": context_tokens,
    "models.NAME.input_price": priced(input_price=1000.0),
    "models.NAME.output_price": priced(output_price=1000.0),
    "models.NAME.requests_per_minute": requests_of_the_model,
    "models.NAME.tokens_per_minute": tokens_of_the_model,
    "providers.NAME.reasoning_timeout": reasoning,
    "models.NAME.search_price": search_price,
    "rate_limits.NAME.burst": waits_by(requests_per_minute=2, burst=1),
    "rate_limits.NAME.requests_per_minute": waits_by(requests_per_minute=1),
    "rate_limits.NAME.tokens_per_minute": provider_tokens,
    "rate_limits.server.per_seconds": server_per_seconds,
    "rate_limits.server.questions": server_questions,
    "rate_limits.user.in_flight": in_flight,
    "rate_limits.user.per_seconds": per_seconds,
    "rate_limits.user.questions": questions,
    "rate_limits.user.waiting": waiting,
}

MEMBER = 9
"""A role that everybody of these has."""

_people = count(400)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SharedScene]:
    yield from shared_scene(tmp_path_factory.mktemp("live"), authority, STARTED, providers=AT_ONCE)


def live_keys() -> set[str]:
    """As the file has them; what there is one of for each provider stands there once."""
    providers = Settings().providers.by_name
    return {
        ".".join("NAME" if part in {NAME, *providers} else part for part in key.path)
        for key in declared()
        if key.live
    }


def test_every_live_key_has_its_case() -> None:
    """A key that is declared to change live, and is not seen to do so, may have been forgotten somewhere."""
    assert live_keys() == CASES.keys()


@pytest.mark.slow
@pytest.mark.xdist_group("live settings")
@pytest.mark.parametrize("key", CASES)
def test_a_live_key_acts_as_soon_as_it_is_changed(scene: SharedScene, key: str) -> None:
    """Without a restart, and for all who go by it."""

    async def play() -> None:
        newcomer = person(next(_people))
        bot = Stage(scene.scene, User(newcomer.id, newcomer.name, roles=(MEMBER,)))
        await bot.set(STARTED)
        await CASES[key](bot)

    try:
        scene.portal.call(play)
    finally:
        scene.portal.call(Stage(scene.scene, person()).set, STARTED)
