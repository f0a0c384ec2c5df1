"""Each event of the gateway takes its steps in order, once, and gives back what it holds where it is stopped.

The library's own client speaks to the local Discord; the trio side is a double.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import aiohttp
import httpx
import pytest
import trio
from interactions.api.http.route import Route
from interactions.client.errors import HTTPException
from structlog.testing import capture_logs

from discordianai.answering.journal import JournalResult
from discordianai.answering.open_questions import OpenQuestions
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.pending_questions import StoredQuestion, TurnId
from discordianai.discord.audit_log import PrivilegedAct, RefusalCause
from discordianai.discord.commands.registry import COMMANDS, OfferedCommands
from discordianai.discord.discord_statistics import DiscordCounter, Unacknowledged
from discordianai.discord.events import message_event
from discordianai.discord.events.guild_cache import GuildCache
from discordianai.discord.gateway.http_client import ListenerHTTPClient, RestUnavailable
from discordianai.discord.interactions import handler as handling
from discordianai.discord.interactions.activity_limits import COMMANDS as MOST_COMMANDS
from discordianai.discord.interactions.activity_limits import FORMS, PRESSES, SUGGESTIONS
from discordianai.discord.interactions.admission import Admission
from discordianai.discord.interactions.handler import (
    ACKNOWLEDGE_TIMEOUT,
    ALREADY_ENDED,
    TRY_AGAIN,
    InteractionHandler,
)
from discordianai.discord.interactions.outcomes import FAILED
from discordianai.discord.interactions.router import NOTHING_ASKED, InteractionRouter
from discordianai.discord.messages.application_limits import ApplicationLimits
from discordianai.discord.messages.buttons import Action, Button, about_turn
from discordianai.discord.options import BotOptions
from discordianai.dispatch.options import ServerRateOptions, UserRateOptions
from discordianai.option import Live
from discordianai.sandbox.discord import (
    CHANNELS,
    Interaction,
    LocalDiscord,
    open_local_discord,
    person,
    sandbox_interaction,
)
from discordianai.sandbox.discord.api_objects import BOT_ID
from discordianai.sandbox.discord.user_actions import submit, use_menu
from tests.asyncio_loop import run_asyncio
from tests.discord.commands.builders import OFFER
from tests.doubles.backend import FakeBackend

PROMPT = {"type": 3, "name": "prompt", "description": "Your question", "required": True}
PRIVATE = {"type": 5, "name": "private", "description": "Only you see the answer"}
DECLARED = [
    {"name": "ask", "description": "Ask me anything", "options": [PROMPT, PRIVATE]},
    {"name": "help", "description": "What I can do"},
    {"name": "status", "description": "How I am"},
    {"name": "Ask about this", "type": 3},
]
DEFERRED, UPDATE = 5, 6
BLOCKED = 13
MANY = Live(UserRateOptions(in_flight=100))


@dataclass
class Scene:
    """A handler on a loop of its own, between a Discord and a backend."""

    discord: LocalDiscord
    open_questions: OpenQuestions
    backend: FakeBackend = field(default_factory=FakeBackend)
    figures: DiscordCounter = field(default_factory=DiscordCounter)

    def __post_init__(self) -> None:
        options = Live(BotOptions(blocked_user_ids=(person(BLOCKED).id,)))
        self._router = InteractionRouter(options, OfferedCommands(COMMANDS, OFFER), GuildCache())
        user, server = Live(UserRateOptions()), Live(ServerRateOptions())
        self._admission = Admission(OFFER, user, server, self.open_questions, count(1))

    async def with_handler(self, use: Callable[[InteractionHandler], Awaitable[object]]) -> None:
        async def main() -> None:
            http = ListenerHTTPClient(ApplicationLimits(), logger=logging.getLogger("interactions"))
            await http.login(self.discord.options.token)
            try:
                await use(InteractionHandler(http, self._router, self._admission, self.backend, self.figures))
            finally:
                await http.close()

        with trio.fail_after(30):
            await run_asyncio(main)

    async def take(self, *interactions: Interaction) -> None:
        """The gateway tells of these, one after the other."""

        async def use(handler: InteractionHandler) -> None:
            for interaction in interactions:
                await handler.interaction(interaction.payload)

        await self.with_handler(use)

    async def take_refused(self, interaction: Interaction, seconds: float, *, page: bool) -> None:
        """The same while Discord, or Cloudflare with a `page`, accepts no acknowledgement for so long."""
        refuse = (
            partial(self.discord.ban, seconds)
            if page
            else partial(self.discord.limit_rate, "/callback", seconds)
        )
        token = trio.lowlevel.current_trio_token()

        async def use(handler: InteractionHandler) -> None:
            token.run_sync_soon(refuse)  # now, when the login is over
            await asyncio.sleep(0.1)
            await handler.interaction(interaction.payload)

        await self.with_handler(use)

    async def take_messages(self, *payloads: Mapping[str, Any]) -> None:
        async def use(handler: InteractionHandler) -> None:
            for payload in payloads:
                await handler.message(payload, BOT_ID)

        await self.with_handler(use)

    def ask(self, prompt: str = "why?", *, private: bool = False) -> Interaction:
        return self.discord.invoke_now("ask", {"prompt": prompt, "private": private})

    def press(self, button: Button) -> Interaction:
        """A button under some answer to the person who presses it."""
        message = {"id": "77", "channel_id": str(CHANNELS[0].id), "flags": 0}
        data = {"custom_id": button.custom_id, "component_type": 2}
        return self.discord.interact(3, data, person(), CHANNELS[0], message=message)

    @property
    def kinds(self) -> Mapping[str, int]:
        return self.figures.now().interactions


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    async with open_local_discord() as discord, httpx.AsyncClient(timeout=60) as client:
        path = f"{discord.api_url}/applications/{BOT_ID}/commands"
        await client.put(path, json=DECLARED, headers={"Authorization": f"Bot {discord.options.token}"})
        monkeypatch.setattr(Route, "BASE", discord.api_url)
        yield Scene(discord, OpenQuestions(100, MANY, trio.lowlevel.current_trio_token()))


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """For floods: a busy machine takes longer than Discord's three seconds to acknowledge them all."""
    monkeypatch.setattr(sandbox_interaction, "ACKNOWLEDGE_WITHIN", 60.0)


@pytest.mark.parametrize("private", [False, True])
async def test_a_question_is_stored_then_acknowledged_then_handed_over(scene: Scene, private: bool) -> None:
    """Publicly or privately, as it was asked: that cannot change later."""
    asked, acknowledged = scene.ask(private=private), []

    async def journal() -> None:
        acknowledged.append(asked.response_type)

    scene.backend.journal_waits = journal
    await scene.take(asked)
    assert acknowledged == [None]
    assert (asked.response_type, asked.private) == (DEFERRED, private)
    assert scene.backend.calls == ["enqueue", "journal", "hand over"]
    (question,) = scene.backend.handed_over
    assert (question.text, question.protected, question.address.private) == ("why?", True, private)
    assert scene.kinds == {"question": 1}


async def test_refusals_and_acts_of_power_are_accounted_for(scene: Scene) -> None:
    """Commands, buttons, forms and messages alike, silent refusals too; not what is wrong with the words."""
    blocked = person(BLOCKED)
    message = {"id": "77", "channel_id": str(CHANNELS[0].id), "flags": 0}

    def pressed(action: Action, whose: int, permissions: str = "0") -> Interaction:
        data = {"custom_id": f"{action}:{whose}:5", "component_type": 2}
        press = scene.discord.interact(3, data, person(), CHANNELS[0], message=message)
        press.payload["member"]["permissions"] = permissions
        return press

    scene.backend.running = {5}
    await scene.take(
        scene.discord.invoke_now("ask", {"prompt": "why?"}, user=blocked),
        scene.discord.invoke_now("ask", {"prompt": " "}),
        scene.discord.invoke_now("status"),
        pressed(Action.STOP, 999),
        pressed(Action.AGAIN, 999, permissions=str(1 << 13)),
        pressed(Action.STOP, 999, permissions=str(1 << 13)),
        pressed(Action.STOP, person().id),
    )
    mention = {"id": "78", "channel_id": str(CHANNELS[0].id), "guild_id": "900", "content": "why?", "type": 0}
    mention |= {"author": {"id": str(blocked.id), "username": "x"}, "mentions": [{"id": str(BOT_ID)}]}
    mention |= {"member": {"roles": []}}
    await scene.take_messages(mention)
    counted = scene.figures.now().audit
    assert counted.refusals == {
        RefusalCause.ACCESS: 2,
        RefusalCause.PERMISSION: 1,
        RefusalCause.BUTTON: 2,
    }
    assert counted.acts == {PrivilegedAct.STOP: 1}
    assert "refuse" not in scene.backend.calls


async def test_a_question_that_the_store_does_not_take_is_answered_all_the_same(scene: Scene) -> None:
    """The answer must not promise to come after a restart then."""
    scene.backend.journal_result = JournalResult.NOT_STORED
    await scene.take(asked := scene.ask())
    assert asked.response_type == DEFERRED
    (question,) = scene.backend.handed_over
    assert not question.protected


async def test_a_replayed_interaction_is_not_answered_twice_nor_erased(scene: Scene) -> None:
    """What is stored under its id belongs to the first one."""
    scene.backend.journal_result = JournalResult.REPLAYED
    await scene.take(asked := scene.ask())
    assert asked.response_type is None
    assert asked.refused_acknowledgements == 0
    assert scene.backend.calls == ["enqueue", "journal", "give up"]


async def test_what_comes_twice_is_done_once(scene: Scene) -> None:
    """Two sessions of one shard both hear it; a command would delete, reset or send again."""
    scene.backend.journal_result = JournalResult.STORED
    asked, run = scene.ask(), scene.discord.invoke_now("help")
    await scene.take(asked, run, asked, run)
    await scene.take_messages(MESSAGE, MESSAGE)
    assert len(scene.backend.handed_over) == 2
    assert [command.name for command in scene.backend.commands] == ["help"]
    assert asked.refused_acknowledgements == run.refused_acknowledgements == 0
    assert scene.figures.now().events_repeated == 3


async def test_a_question_that_discord_forgot_before_it_was_acknowledged_is_given_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer would reach nobody; the figures tell that it was late."""
    monkeypatch.setattr(handling, "ACKNOWLEDGE_TIMEOUT", 0.2)

    async def slow() -> None:
        await asyncio.sleep(0.3)
        scene.discord.advance(4.0)

    scene.backend.journal_waits = slow
    await scene.take(asked := scene.ask())
    assert asked.refused_acknowledgements == 1
    assert scene.backend.calls == ["enqueue", "journal", "give up, forget"]
    assert scene.figures.now().unacknowledged == {Unacknowledged.LATE: 1}


async def test_where_nobody_knows_whether_the_acknowledgement_arrived_the_question_is_answered(
    scene: Scene,
) -> None:
    """The person may see the bot think, and must not wait for ever."""
    scene.discord.fail_next("/callback", 503, times=100)
    await scene.take(scene.ask())
    assert scene.backend.calls == ["enqueue", "journal", "hand over"]


async def test_of_many_acknowledgements_of_a_person_that_fail_one_is_logged(scene: Scene) -> None:
    """A flood would fill the log; all are counted."""
    scene.discord.fail_next("/callback", 403, times=20)
    with capture_logs() as logs:
        await scene.take(*(scene.discord.invoke_now("help") for _ in range(20)))
    told = [log["event"] for log in logs if log["log_level"] == "warning"]
    assert told == ["interaction not acknowledged"]
    assert scene.figures.now().unacknowledged == {Unacknowledged.FAILED: 20}


async def test_an_acknowledgement_that_met_a_503_is_sent_again_in_time(scene: Scene) -> None:
    """The library leaves that one to us."""
    scene.discord.fail_next("/callback", 503, times=2)
    await scene.take(asked := scene.ask())
    assert asked.response_type is not None
    assert scene.backend.calls == ["enqueue", "journal", "hand over"]


async def test_an_acknowledgement_that_may_be_sent_again_in_time_is(scene: Scene) -> None:
    """Not before Discord says, and once."""
    await scene.take_refused(asked := scene.ask(), 0.8, page=False)
    assert asked.response_type is not None
    assert scene.discord.counters.rate_limited == 1
    assert scene.backend.calls == ["enqueue", "journal", "hand over"]


@pytest.mark.parametrize("page", [True, False])
async def test_an_acknowledgement_that_would_come_too_late_is_not_waited_for(
    scene: Scene, page: bool
) -> None:
    """The answer comes in the channel, and Discord is asked once."""
    began = trio.current_time()
    await scene.take_refused(scene.ask(), 60.0, page=page)
    assert trio.current_time() - began < ACKNOWLEDGE_TIMEOUT - 0.5
    assert len(scene.discord.counters.while_banned) + scene.discord.counters.rate_limited == 1
    assert scene.backend.calls == ["enqueue", "journal", "hand over"]


class Page:
    """A response without an error code of Discord's: something before it has answered."""

    status, reason = 403, "Forbidden"


@pytest.mark.parametrize(
    "failure",
    [HTTPException(Page()), RestUnavailable("not now"), aiohttp.ServerDisconnectedError()],  # type: ignore[arg-type]  # what it reads of one
)
async def test_a_question_whose_acknowledgement_no_error_of_discords_refuses_is_answered(
    scene: Scene, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person has seen nothing yet, and would hear nothing more."""

    async def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(ListenerHTTPClient, "post_initial_response", fail)
    await scene.take(scene.ask())
    assert scene.backend.calls == ["enqueue", "journal", "hand over"]


async def test_an_acknowledgement_whose_connection_broke_is_sent_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have arrived: Discord says so then, and that is as good."""
    sent, send = 0, ListenerHTTPClient.post_initial_response

    async def break_off(*arguments: object) -> None:
        nonlocal sent
        sent += 1
        await send(*arguments)  # type: ignore[arg-type]  # whatever they are
        if sent == 1:
            raise aiohttp.ServerDisconnectedError

    monkeypatch.setattr(ListenerHTTPClient, "post_initial_response", break_off)
    await scene.take(asked := scene.ask())
    assert (sent, asked.response_type) == (2, DEFERRED)
    assert scene.backend.calls == ["enqueue", "journal", "hand over"]
    assert scene.figures.now().unacknowledged == {}


@pytest.mark.parametrize("step", ["journal", "acknowledge"])
async def test_a_cancelled_question_is_given_up_and_stays_stored(scene: Scene, step: str) -> None:
    """Nobody knows whether it was acknowledged: the next process looks."""
    if step == "journal":
        scene.backend.journal_waits = lambda: asyncio.sleep(60)
    else:
        scene.discord.fail_next("/callback", 502, times=100)  # the client tries again, after pauses

    async def use(handler: InteractionHandler) -> None:
        task = asyncio.create_task(handler.interaction(scene.ask().payload))
        while "journal" not in scene.backend.calls:  # noqa: ASYNC110  # a double tells nobody
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    await scene.with_handler(use)
    assert scene.backend.calls == ["enqueue", "journal", "give up"]


@pytest.mark.parametrize("step", ["journal", "enqueue", "hand_over"])
async def test_a_bug_gives_the_question_up_and_its_person_is_told(
    scene: Scene, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No later process answers what the person has read to have failed."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(scene.backend, step, broken)
    await scene.take(asked := scene.ask())
    assert asked.text == FAILED
    assert scene.backend.calls[-1] == "give up, forget"


async def test_a_question_beyond_the_limits_is_refused_in_words_and_goes_nowhere(scene: Scene) -> None:
    scene.open_questions.close()
    await scene.take(asked := scene.ask())
    assert asked.private
    assert "restarting" in asked.text
    assert scene.backend.calls == []
    assert scene.kinds == {"refusal": 1}


@pytest.mark.parametrize("words", ["Do they? " + "x" * 3991, "**Do** ||they||?"])
async def test_what_was_written_into_a_form_is_given_back_where_it_is_refused(
    scene: Scene, words: str
) -> None:
    """Discord shows it nowhere else; each refusal of a form comes this way."""
    used = use_menu(scene.discord, "Ask about this", "Llamas spit.")
    await scene.take(used)
    scene.open_questions.close()
    await scene.take(sent := submit(scene.discord, used, words), again := submit(scene.discord, used, words))
    for refused in (sent, again):
        assert refused.private
        assert [embed["description"] for embed in refused.messages[0].embeds] == [words]
    assert "restarting" in sent.text
    assert "open for too long" in again.text


async def test_where_discord_accepts_no_words_of_a_form_its_refusal_is_told_alone(scene: Scene) -> None:
    used = use_menu(scene.discord, "Ask about this", "Llamas spit.")
    await scene.take(used)
    scene.open_questions.close()
    scene.discord.refused_texts = {'"embeds"': (400, 240000)}
    await scene.take(sent := submit(scene.discord, used, "See https://harmful.example"))
    assert "restarting" in sent.text
    assert sent.messages[0].embeds == []


async def test_a_bug_over_a_form_gives_back_what_was_written(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = use_menu(scene.discord, "Ask about this", "Llamas spit.")
    await scene.take(used)

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(InteractionRouter, "route", broken)
    await scene.take(sent := submit(scene.discord, used, "Do they?"))
    assert sent.text == FAILED
    assert [embed["description"] for embed in sent.messages[0].embeds] == ["Do they?"]


async def test_a_command_is_acknowledged_in_private_and_run_as_often_as_its_limit_allows(
    scene: Scene,
) -> None:
    asked = [scene.discord.invoke_now("help") for _ in range(MOST_COMMANDS + 1)]
    await scene.take(*asked)
    assert [command.name for command in scene.backend.commands] == ["help"] * MOST_COMMANDS
    assert asked[0].private
    assert "Please wait" in asked[-1].text
    assert scene.kinds == {"command": MOST_COMMANDS, "refusal": 1}


async def test_stop_cancels_what_goes_on_and_says_where_nothing_does(scene: Scene) -> None:
    stop = Button(Action.STOP, person().id, "55")
    first, second = scene.press(stop), scene.press(stop)
    scene.backend.running = {55}
    await scene.take(first)
    assert first.response_type == UPDATE
    scene.backend.running = set()
    await scene.take(second)
    assert second.text == ALREADY_ENDED
    assert scene.kinds == {"cancel": 2, "refusal": 1}


@pytest.mark.usefixtures("unhurried")
async def test_a_stop_that_is_pressed_a_hundred_times_is_passed_on_a_few_times(scene: Scene) -> None:
    """Each press is answered; another person's is passed on all the same."""
    stop = Button(Action.STOP, person().id, "55")
    scene.backend.running = {55}
    presses = [scene.press(stop) for _ in range(100)]
    await scene.take(*presses)
    assert {press.response_type for press in presses} == {UPDATE}
    assert 1 <= scene.backend.cancels <= 3
    await scene.take(scene.press(Button(Action.STOP, person().id, "56")))
    assert scene.backend.cancels <= 4


@pytest.mark.usefixtures("unhurried")
async def test_pressing_again_without_end_does_not_search_the_store_without_end(scene: Scene) -> None:
    again = about_turn(Action.AGAIN, person().id, TurnId("7.8"))
    presses = [scene.press(again) for _ in range(PRESSES + 10)]
    await scene.take(*presses)
    assert scene.backend.recalls == PRESSES
    assert "Please wait" in presses[-1].text


async def test_an_option_that_is_typed_too_fast_gets_no_suggestions(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is answered, and nothing is looked up for it."""
    looked_up: list[str] = []

    def complete(_commands: OfferedCommands, _name: str, focused: str, _typed: str) -> tuple[str, ...]:
        looked_up.append(focused)
        return ("gpt-6-luna",)

    monkeypatch.setattr(OfferedCommands, "complete", complete)
    typed = [
        scene.discord.interact(
            4,
            {
                "name": "ask",
                "type": 1,
                "options": [{"name": "model", "type": 3, "value": "g", "focused": True}],
            },
            person(),
            CHANNELS[0],
        )
        for _ in range(SUGGESTIONS + 5)
    ]
    await scene.take(*typed)
    assert len(looked_up) == SUGGESTIONS
    assert {option.response_type for option in typed} == {8}


async def test_forms_are_not_opened_without_end(scene: Scene) -> None:
    used = [use_menu(scene.discord, "Ask about this", "hello") for _ in range(FORMS + 5)]
    await scene.take(*used)
    assert [each.response_type for each in used] == [9] * FORMS + [4] * 5


async def test_again_asks_what_the_store_knows_and_says_where_it_does_not_tell(scene: Scene) -> None:
    again = about_turn(Action.AGAIN, person().id, TurnId("7.8"))
    place = CHANNELS[0]
    first, second = scene.press(again), scene.press(again)
    key = ConversationKey(place.id, person().id)
    scene.backend.said = StoredQuestion("what was it?", person().id, place.guild_id, key)
    await scene.take(first)
    assert [question.text for question in scene.backend.handed_over] == ["what was it?"]
    scene.backend.said = LookupError("too slow")
    await scene.take(second)
    assert second.text == TRY_AGAIN
    assert scene.kinds == {"regenerate": 2, "question": 1, "refusal": 1}


MESSAGE = {
    "id": "5",
    "type": 0,
    "channel_id": str(CHANNELS[0].id),
    "guild_id": str(CHANNELS[0].guild_id),
    "author": person().json(),
    "member": {"roles": []},
    "content": f"<@{BOT_ID}> why?",
    "mentions": [{"id": str(BOT_ID)}],
}


async def test_a_message_is_stored_and_handed_over_without_an_acknowledgement(scene: Scene) -> None:
    await scene.take_messages(MESSAGE)
    assert scene.backend.calls == ["enqueue", "journal", "hand over"]
    (question,) = scene.backend.handed_over
    assert (question.text, question.address.message_id) == ("why?", 5)


async def test_a_message_beyond_the_limits_is_refused_where_it_was_written(scene: Scene) -> None:
    scene.open_questions.close()
    await scene.take_messages(MESSAGE)
    (refused,) = scene.backend.refused
    assert refused.origin.interaction_id == 5
    assert scene.backend.calls == []


@pytest.mark.parametrize("where", ["direct messages", "a server"])
async def test_of_many_messages_that_are_refused_one_a_minute_is_told_so(scene: Scene, where: str) -> None:
    """Everybody reads it, and it takes the place of others' answers; the rest is counted."""
    direct = {**MESSAGE, "guild_id": None, "author": person(BLOCKED).json()}
    if where == "a server":
        scene.open_questions.close()
    theirs = json.loads(json.dumps(direct if where == "direct messages" else MESSAGE))
    await scene.take_messages(*({**theirs, "id": str(number)} for number in range(100, 120)))
    assert len(scene.backend.refused) == 1
    assert scene.figures.now().refusals_unsaid == 19


async def test_a_bare_mention_is_answered_once_a_minute(scene: Scene) -> None:
    bare = {**MESSAGE, "content": f"<@{BOT_ID}>"}
    await scene.take_messages(*({**bare, "id": str(number)} for number in range(100, 105)))
    assert [refused.reason for refused in scene.backend.refused] == [NOTHING_ASKED]


async def test_who_is_blocked_is_not_answered_in_a_server(scene: Scene) -> None:
    await scene.take_messages({**MESSAGE, "author": person(BLOCKED).json()})
    assert scene.backend.refused == []


async def test_a_bug_over_a_message_is_told_in_its_channel(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(scene.backend, "journal", broken)
    await scene.take_messages(MESSAGE)
    (told,) = scene.backend.refused
    assert (told.reason, str(told.origin.interaction_id)) == (FAILED, MESSAGE["id"])
    assert scene.backend.calls == ["enqueue", "give up, forget"]


async def test_a_bug_over_the_messages_of_several_people_is_told_to_each(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one channel one after the other, as refusals are; also where the message could not even be read."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(message_event, "parse", broken)
    await scene.take_messages(*({**MESSAGE, "author": person(number).json()} for number in (1, 2, 3)))
    assert [told.due_in for told in scene.backend.refused] == pytest.approx([0.0, 5.0, 10.0], abs=0.5)


async def test_an_interaction_of_a_kind_that_the_bot_does_not_know_is_answered(scene: Scene) -> None:
    """Discord may add kinds, and whoever uses one waits; Discord's own question is no person's."""
    unknown, ping = scene.ask(), scene.ask()
    unknown.payload["type"], ping.payload["type"] = 77, 1
    await scene.take(unknown, ping)
    assert unknown.text == FAILED
    assert ping.response_type is None


@pytest.mark.parametrize("missing", ["id", "token", "type", "application_id", "data", "user", "channel_id"])
async def test_an_interaction_that_cannot_be_read_is_a_line_in_the_log_and_no_traceback(
    scene: Scene, missing: str
) -> None:
    """Once for each reason, however many come; whoever can be told is told."""
    payload = dict(scene.ask().payload)
    payload["user"] = payload.pop("member")["user"]
    del payload["guild_id"], payload[missing]
    odd = [{**payload, "id": str(asked.id), "token": asked.token} for asked in (scene.ask(), scene.ask())]
    for each in odd:
        if missing in {"id", "token"}:
            del each[missing]

    async def use(handler: InteractionHandler) -> None:
        for each in odd:
            await handler.interaction(each)

    with capture_logs() as logs:
        await scene.with_handler(use)
    told = [log for log in logs if log["log_level"] in {"warning", "error"}]
    assert [log["event"] for log in told] == ["malformed gateway event ignored"]
    if missing not in {"id", "token"}:
        texts = [scene.discord.interactions[each["token"]].text for each in odd]
        assert texts == [FAILED, FAILED]


async def test_an_interaction_that_is_malformed_and_over_is_no_bug(scene: Scene) -> None:
    asked = scene.ask()
    asked.payload = {**asked.payload, "data": 5, "token": "another"}
    with capture_logs() as logs:
        await scene.take(asked)
    assert [log["event"] for log in logs] == [
        "malformed gateway event ignored",
        "person not told of an error",
    ]


@pytest.mark.parametrize("payload", [{}, {"type": 2}, {"type": 2, "id": {"odd": 1}, "token": "x"}])
async def test_an_interaction_that_can_be_answered_nowhere_is_one_line_in_the_log(
    scene: Scene, payload: dict[str, Any]
) -> None:
    """And no bug."""
    asked = scene.ask()
    asked.payload = payload
    with capture_logs() as logs:
        await scene.take(asked)
    assert [log["event"] for log in logs] == ["malformed gateway event ignored"]
