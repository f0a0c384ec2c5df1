"""What happens on Discord gets through the library to what acts on it, on every session.

The supervisor and the library's own client, over real sockets, against the local Discord; the trio side is
a double.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import count

import httpx
import pytest
import trio
from pydantic import SecretStr

from discordianai.answering.open_questions import OpenQuestions
from discordianai.conversations.guild_retention import GuildList
from discordianai.discord.commands.registry import COMMANDS, OfferedCommands
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.gateway.intents import GRANT_IT
from discordianai.discord.gateway.listener import GatewayParts
from discordianai.discord.gateway.session_limit import WRONG_TOKEN, ListenerRefused
from discordianai.discord.gateway.supervisor import GatewaySupervisor
from discordianai.discord.interactions.admission import Admission
from discordianai.discord.interactions.backend import JOURNAL_WITHIN
from discordianai.discord.messages.port import MessageRefused
from discordianai.discord.messages.refused_calls import Call
from discordianai.discord.messages.rest import DiscordApi
from discordianai.discord.options import BotOptions
from discordianai.dispatch.options import ServerRateOptions, UserRateOptions
from discordianai.option import Live
from discordianai.sandbox.discord import CHANNELS, DiscordOptions, LocalDiscord, open_local_discord
from discordianai.sandbox.discord.api_objects import BOT_ID, GUILD
from discordianai.sandbox.discord.user_actions import MESSAGE_CONTENT, remove_bot, say, type_into
from tests.discord.commands.builders import OFFER
from tests.doubles.backend import FakeBackend

pytestmark = pytest.mark.filterwarnings(
    "ignore:parameter 'timeout' of type 'float':DeprecationWarning"  # so the library opens its WebSocket
)

AT_ONCE = DiscordOptions(identify_interval=0.0)
"""A session may begin whenever it likes."""

DEFAULT, MENTIONS = BotOptions(), BotOptions(respond_to="mentions")


class Scene:
    """A supervisor between a Discord and a backend."""

    def __init__(
        self, discord: LocalDiscord, client: httpx.AsyncClient, options: BotOptions = DEFAULT
    ) -> None:
        self.discord = discord
        self.client = client
        self.backend = FakeBackend()
        self.figures = DiscordCounter()
        token = options.token or SecretStr(discord.options.token)
        options = replace(options, token=token, api_url=discord.api_url)
        users, servers = Live(UserRateOptions(in_flight=100)), Live(ServerRateOptions())
        open_questions = OpenQuestions(100, users, trio.lowlevel.current_trio_token())
        admission = Admission(OFFER, users, servers, open_questions, count(1))
        self.api = api = DiscordApi(client, discord.api_url, options.token_text)
        offered = OfferedCommands(COMMANDS, OFFER)
        parts = GatewayParts(Live(options), offered, admission, api, self.figures)
        self.supervisor = GatewaySupervisor(parts)

    async def until(self, true: Callable[[], object]) -> None:
        """Wait until this is so."""
        with trio.fail_after(20):
            while not true():  # noqa: ASYNC110  # another thread's doing tells nobody
                await trio.sleep(0.01)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """The bot hears, and its commands are registered, while the block runs."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.supervisor.run, self.backend)
            with trio.fail_after(60):
                await self.discord.wait_ready()
            await self.until(lambda: self.backend.guilds)
            yield
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def a_scene(discord: DiscordOptions = AT_ONCE, options: BotOptions = DEFAULT) -> AsyncIterator[Scene]:
    async with open_local_discord(discord) as local, httpx.AsyncClient(timeout=60) as client:
        yield Scene(local, client, options)


async def test_what_people_do_in_commands_reaches_the_backend_acknowledged() -> None:
    """A question, a command of the bot's own, and what is typed into an option with suggestions."""
    async with a_scene() as scene, scene.listening():
        asked = scene.discord.invoke_now("ask", {"prompt": "why?"})
        helped = scene.discord.invoke_now("help")
        typed = type_into(scene.discord, "ask", "model", "terra")
        await scene.until(lambda: scene.backend.handed_over and scene.backend.commands)
        await scene.until(lambda: typed.response_type)
        assert [question.text for question in scene.backend.handed_over] == ["why?"]
        assert (asked.response_type, asked.private) == (5, False)
        assert [command.name for command in scene.backend.commands] == ["help"]
        assert helped.private
        assert scene.figures.now().interactions == {"question": 1, "command": 1, "suggestions": 1}
        assert scene.figures.now().unacknowledged == {}


async def test_a_message_is_a_question_only_where_the_bot_responds_to_mentions() -> None:
    """By default it does not even ask Discord for what people write."""
    words = f"<@{BOT_ID}> why?"
    async with a_scene(DiscordOptions(allowed_intents=-1), MENTIONS) as scene, scene.listening():
        assert scene.discord.counters.intents & MESSAGE_CONTENT
        said = say(scene.discord, words)
        await scene.until(lambda: scene.backend.handed_over)
        (question,) = scene.backend.handed_over
        assert (question.text, question.address.interaction_id) == ("why?", said)
    async with a_scene() as scene, scene.listening():
        assert not scene.discord.counters.intents & MESSAGE_CONTENT


async def test_the_backend_is_told_of_servers_when_they_change_and_not_else() -> None:
    """The first time says that the gateway hears; channels that come and go are no other servers."""
    async with a_scene() as scene, scene.listening():
        assert scene.backend.guilds[-1] == GuildList(frozenset({GUILD.id}), frozenset({0}))
        told = len(scene.backend.guilds)
        scene.discord.dispatch("CHANNEL_UPDATE", CHANNELS[0].json())
        scene.discord.dispatch("GUILD_ROLE_CREATE", {"guild_id": "x", "role": 7})  # nonsense is passed over
        scene.discord.add_thread(CHANNELS[0], "further")
        remove_bot(scene.discord)
        await scene.until(lambda: not scene.backend.guilds[-1].guild_ids)
        assert len(scene.backend.guilds) == told + 1


async def test_a_lost_connection_is_resumed_and_what_was_asked_meanwhile_arrives() -> None:
    """Without another IDENTIFY."""
    async with a_scene() as scene, scene.listening():
        scene.discord.drop_gateway(resumable=True)
        scene.discord.invoke_now("ask", {"prompt": "and now?"})
        await scene.until(lambda: scene.backend.handed_over)
        await scene.until(lambda: scene.figures.now().resumes == 1)
        assert scene.discord.counters.identifies == 1
        assert scene.figures.now().connected


FORBIDDEN = Call("POST /messages", CHANNELS[0].id)
CHANGES: dict[str, Callable[[LocalDiscord], object]] = {
    "of the channel": lambda discord: discord.permissions_changed(),
    "of a role": lambda discord: discord.dispatch(
        "GUILD_ROLE_UPDATE", {"guild_id": str(GUILD.id), "role": {}}
    ),
    "of a role that is gone": lambda discord: discord.dispatch(
        "GUILD_ROLE_DELETE", {"guild_id": str(GUILD.id), "role_id": "77"}
    ),
    "of the bot's own": lambda discord: discord.dispatch(
        "GUILD_MEMBER_UPDATE", {"guild_id": str(GUILD.id), "user": {"id": str(BOT_ID)}, "roles": ["77"]}
    ),
    "that were missed": lambda discord: discord.drop_gateway(resumable=False),
}


async def test_a_refusal_in_a_thread_is_forgotten_with_its_channels_permissions() -> None:
    """Which the thread has, too, although nothing is told of it then. Other people's roles change nothing."""
    async with a_scene() as scene, scene.listening():
        thread = scene.discord.add_thread(CHANNELS[0], "A thread")
        forbidden, elsewhere = (Call("POST /messages", place) for place in (thread.id, CHANNELS[2].id))
        for call in (forbidden, elsewhere):
            scene.api.limits.note(403, {}, {"code": 50001}, call)
        others = {"guild_id": str(GUILD.id), "user": {"id": "5"}, "roles": ["77"]}
        scene.discord.dispatch("GUILD_MEMBER_UPDATE", others)
        scene.discord.dispatch("CHANNEL_UPDATE", CHANNELS[0].json())

        def allowed() -> bool:
            with suppress(MessageRefused):
                scene.api.limits.refused.check(forbidden)
                return True
            return False

        await scene.until(allowed)
        with pytest.raises(MessageRefused):
            scene.api.limits.refused.check(elsewhere)


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
async def test_a_remembered_refusal_is_forgotten_with_other_permissions(change: str) -> None:
    """Of the channel, of a role, or such as may have changed while there was no session."""
    async with a_scene() as scene, scene.listening():
        limits = scene.api.limits
        limits.note(403, {}, {"code": 50013}, FORBIDDEN)
        with pytest.raises(MessageRefused):
            await limits.enter(FORBIDDEN)
        CHANGES[change](scene.discord)
        with trio.fail_after(30):
            while True:
                with suppress(MessageRefused):
                    await limits.enter(FORBIDDEN)
                    return
                await trio.sleep(0.05)


async def test_an_interaction_that_is_too_old_is_no_error_of_the_librarys(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The bot says in a warning what it means."""
    async with a_scene() as scene, scene.listening():
        scene.discord.fail_next("/callback", 404)
        scene.discord.invoke_now("ask", {"prompt": "why?"})
        await scene.until(lambda: sum(scene.figures.now().unacknowledged.values()))
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_question_whose_session_ends_meanwhile_gets_the_whole_time_of_an_acknowledgement() -> None:
    """The same process goes on, and nobody would take the question up before the next start."""
    async with a_scene() as scene, scene.listening():
        scene.backend.journal_waits = lambda: asyncio.sleep(0.9 * JOURNAL_WITHIN)
        scene.discord.fail_next("/callback", 502, times=100)
        scene.discord.invoke_now("ask", {"prompt": "why?"})
        await scene.until(lambda: scene.backend.calls)
        scene.discord.invalidate_sessions()
        await scene.until(lambda: len(scene.backend.calls) > 2)
        assert scene.backend.calls == ["enqueue", "journal", "hand over"]


async def test_commands_that_discord_knows_are_not_written_again() -> None:
    """Discord allows few such writes a day; and what the servers have of others is no difference."""
    async with a_scene() as scene:
        async with scene.listening():
            pass
        registered = json.dumps(scene.discord.commands, sort_keys=True)
        written = scene.discord.counters.commands_written
        again = Scene(scene.discord, scene.client)
        async with again.listening():
            asked = scene.discord.invoke_now("ask", {"prompt": "still there?"})
            await again.until(lambda: asked.response_type)
        assert scene.discord.counters.commands_written == written
        assert json.dumps(scene.discord.commands, sort_keys=True) == registered


async def test_commands_that_cannot_be_registered_leave_the_bot_listening() -> None:
    """Those that Discord knows already work."""
    async with a_scene() as scene:
        async with scene.listening():
            pass
        again = Scene(scene.discord, scene.client)
        scene.discord.fail_next("/commands", 403, times=10)
        async with again.listening():
            scene.discord.invoke_now("help")
            await again.until(lambda: again.backend.commands)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [(BotOptions(token=SecretStr("wrong")), WRONG_TOKEN), (MENTIONS, GRANT_IT)],
    ids=["token", "intents"],
)
async def test_what_no_retry_gets_over_ends_it_with_what_the_operator_must_change(
    options: BotOptions, sentence: str
) -> None:
    """A token that Discord refuses, and intents that the bot has not been granted."""
    async with a_scene(options=options) as scene:
        with trio.fail_after(30), pytest.raises(ListenerRefused) as refused:
            await scene.supervisor.run(scene.backend)
        assert sentence in str(refused.value)
