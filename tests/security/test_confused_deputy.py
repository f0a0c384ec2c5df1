"""The bot posts for people no more than Discord lets them post themselves, whichever way they ask."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import trio
from interactions.api.http.route import Route

from discordianai.answering.open_questions import OpenQuestions
from discordianai.answering.reply import AnswerEnd
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.pending_questions import StoredQuestion, TurnId
from discordianai.conversations.sqlite.store import open_store
from discordianai.discord.commands.command import QuestionDraft
from discordianai.discord.commands.registry import COMMANDS, OfferedCommands
from discordianai.discord.events.guild_cache import GuildCache
from discordianai.discord.events.interaction import ChannelRules
from discordianai.discord.events.message_content import MessageContent
from discordianai.discord.events.message_event import IncomingMessage
from discordianai.discord.events.permissions import (
    ATTACH_FILES,
    BYPASS_SLOWMODE,
    CREATE_PUBLIC_THREADS,
    MANAGE_THREADS,
    SEND_MESSAGES,
    SEND_MESSAGES_IN_THREADS,
    USE_EXTERNAL_APPS,
    FileRights,
)
from discordianai.discord.interactions.outcomes import AskQuestion
from discordianai.discord.interactions.posting_rights import (
    LOCKED,
    MOST_REMEMBERED,
    NO_THREAD,
    NOT_ALLOWED,
    NOT_FURTHER,
    SLOW_MODE,
    PostingRights,
)
from discordianai.discord.interactions.router import InteractionRouter
from discordianai.discord.messages.buttons import Action, Button, about_turn
from discordianai.discord.messages.reply import (
    open_reply,
)
from discordianai.discord.messages.reply_options import EditPace, ReplyOptions
from discordianai.discord.options import BotOptions
from discordianai.option import Live
from discordianai.records import Place, Question
from discordianai.sandbox.discord import CHANNELS, Channel, Interaction, User, open_local_discord, person
from discordianai.sandbox.discord.api_objects import BOT_ID, GUILD_ID, ORDINARY, THREAD
from discordianai.sandbox.discord.user_actions import submit, use_menu
from tests.discord.builders import origin
from tests.discord.builders import question as a_question
from tests.discord.commands.builders import OFFER
from tests.discord.interactions.test_handler import MANY, Scene
from tests.doubles.messages import FakeMessages

DEFERRED = 5
HERE = CHANNELS[0]
IN_THREAD = Channel(900, "a thread", GUILD_ID, THREAD, parent_id=HERE.id)
BOOLEAN = {"type": 5, "description": "x"}
DECLARED = [
    {
        "name": "ask",
        "description": "Ask me anything",
        "options": [
            {"type": 3, "name": "prompt", "description": "x", "required": True},
            {**BOOLEAN, "name": "thread"},
            {**BOOLEAN, "name": "private"},
        ],
    },
    {"name": "Ask about this", "type": 3},
]


def without(permission: int) -> User:
    """Somebody who lacks it."""
    return replace(person(), permissions=ORDINARY & ~permission)


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    async with open_local_discord() as discord, httpx.AsyncClient(timeout=60) as client:
        path = f"{discord.api_url}/applications/{BOT_ID}/commands"
        await client.put(path, json=DECLARED, headers={"Authorization": f"Bot {discord.options.token}"})
        monkeypatch.setattr(Route, "BASE", discord.api_url)
        yield Scene(discord, OpenQuestions(100, MANY, trio.lowlevel.current_trio_token()))


async def by_command(scene: Scene, user: User, channel: Channel, **more: Any) -> Interaction:
    asked = scene.discord.invoke_now("ask", {"prompt": "why?", **more}, user=user, channel=channel)
    await scene.take(asked)
    return asked


async def by_menu_and_form(scene: Scene, user: User, channel: Channel) -> Interaction:
    menu = use_menu(scene.discord, "Ask about this", "words", user=user, channel=channel)
    await scene.take(menu)
    form = submit(scene.discord, menu, "why?")
    await scene.take(form)
    return form


async def by_button(scene: Scene, user: User, channel: Channel) -> Interaction:
    """*Again*, under a public answer of better days."""
    scene.backend.said = StoredQuestion(
        "why?", user.id, channel.guild_id, ConversationKey(channel.id, user.id)
    )
    message = {"id": "77", "channel_id": str(channel.id), "flags": 0}
    custom_id = about_turn(Action.AGAIN, user.id, TurnId("3.7")).custom_id
    data = {"custom_id": custom_id, "component_type": 2}
    pressed = scene.discord.interact(3, data, user, channel, message=message)
    await scene.take(pressed)
    return pressed


DOORS = [by_command, by_menu_and_form, by_button]


@pytest.mark.parametrize(
    ("user", "channel", "why"),
    [
        (without(SEND_MESSAGES), HERE, NOT_ALLOWED),
        (without(SEND_MESSAGES_IN_THREADS), IN_THREAD, NOT_ALLOWED),
        (person(), replace(IN_THREAD, locked=True), LOCKED),
        (without(SEND_MESSAGES), IN_THREAD, None),
        (without(SEND_MESSAGES_IN_THREADS), HERE, None),
        (replace(person(), permissions=ORDINARY | MANAGE_THREADS), replace(IN_THREAD, locked=True), None),
        (replace(person(), permissions=1 << 3), replace(IN_THREAD, locked=True), None),
    ],
    ids=[
        "channel",
        "thread",
        "locked",
        "may in thread",
        "may in channel",
        "manages threads",
        "administrator",
    ],
)
async def test_where_a_person_may_not_write_the_answer_is_for_them_alone(
    scene: Scene, user: User, channel: Channel, why: str | None
) -> None:
    """By every door, with why, and in the private conversation. Where they may, nothing is different."""
    for door in DOORS:
        asked = await door(scene, user, channel)
        question = scene.backend.handed_over[-1]
        assert (asked.response_type, asked.private) == (DEFERRED, why is not None)
        assert question.address.private == (why is not None)
        assert question.note == (why or "")
    assert len(scene.backend.handed_over) == len(DOORS)


async def test_what_only_its_own_conversation_explains_is_not_gone_on_with_elsewhere(scene: Scene) -> None:
    user = without(SEND_MESSAGES)
    message = {"id": "77", "channel_id": str(HERE.id), "flags": 0}
    data = {"custom_id": Button(Action.GO_ON, user.id).custom_id, "component_type": 2}
    pressed = scene.discord.interact(3, data, user, HERE, message=message)
    await scene.take(pressed)
    assert scene.backend.handed_over == []
    assert pressed.private
    assert pressed.text == NOT_FURTHER


@pytest.mark.parametrize("lacks", [CREATE_PUBLIC_THREADS, SEND_MESSAGES_IN_THREADS])
async def test_a_thread_is_opened_for_those_who_may_open_one(scene: Scene, lacks: int) -> None:
    await by_command(scene, without(lacks), HERE, thread=True)
    await by_command(scene, person(), HERE, thread=True)
    refused, opened = scene.backend.handed_over
    assert (refused.in_thread, refused.note, refused.address.private) == (False, NO_THREAD, False)
    assert (opened.in_thread, opened.note) == (True, "")


async def test_slow_mode_holds_for_answers(scene: Scene) -> None:
    """Of each person in each channel; private questions do not count, and who may bypass it does."""
    slow = replace(HERE, slow_mode=3600)
    other, above_it = person(2), replace(person(3), permissions=ORDINARY | BYPASS_SLOWMODE)
    await by_command(scene, person(), slow, private=True)
    for user in (person(), person(), other, above_it, above_it):
        await by_command(scene, user, slow)
    await by_menu_and_form(scene, person(), slow)
    await by_command(scene, person(), CHANNELS[2])
    notes = [question.note for question in scene.backend.handed_over]
    assert notes == ["", "", SLOW_MODE, "", "", "", SLOW_MODE, ""]
    for question in scene.backend.handed_over[1:]:
        assert question.address.private == bool(question.note)


def test_slow_mode_ends_and_remembers_no_more_than_it_needs() -> None:
    now = 0.0
    rights = PostingRights(lambda: now)
    asked = AskQuestion(replace(origin(), channel=ChannelRules(slow_mode=30)), QuestionDraft("why?"))

    def note_of() -> str:
        limited = rights.limited(asked)
        assert isinstance(limited, AskQuestion)
        return limited.draft.note

    rights.note(asked.origin, asked.draft)
    assert note_of() == SLOW_MODE
    now = 30.0
    assert note_of() == ""
    rights.note(asked.origin, asked.draft)
    for channel_id in range(2, MOST_REMEMBERED + 2):
        rights.note(origin(channel_id=channel_id), asked.draft)
    assert note_of() == ""


async def test_what_discord_shows_to_a_guest_alone_is_a_private_conversation(scene: Scene) -> None:
    """From the acknowledgement to the store: an own app's answer without Use External Apps."""
    elsewhere = Channel(77, "elsewhere", 78)
    for user, private in ((without(USE_EXTERNAL_APPS), True), (person(), False)):
        asked = scene.discord.invoke_now("ask", {"prompt": "why?"}, user=user, channel=elsewhere, guest=True)
        await scene.take(asked)
        question = scene.backend.handed_over[-1]
        key = ConversationKey.of(question.person, question.place, private=question.address.private)
        assert asked.private == key.private == private
        assert question.note == ""  # Discord says it
    member = scene.discord.invoke_now("ask", {"prompt": "why?"}, user=without(USE_EXTERNAL_APPS))
    await scene.take(member)
    assert not member.private


async def test_an_answer_is_a_file_only_for_those_who_may_attach_one() -> None:
    """For others it comes in messages; nothing unfolds previews, whoever asks."""
    for may_attach in (True, False):
        messages = FakeMessages()
        options = ReplyOptions(EditPace(0.01), max_messages=2, may_attach=may_attach)
        async with open_reply(messages, a_question(), options) as reply:
            reply.write("Some words, one after the other.\n\n" * 400)
            reply.close(AnswerEnd())
            await reply.finish()
        attached = [file for files in messages.files.values() for file in files]
        assert bool(attached) == may_attach
        assert (len(messages.contents) > 2) == (not may_attach)
        assert all(body["flags"] & 4 for body in messages.bodies)


async def test_who_may_attach_files_is_known_of_a_command(scene: Scene) -> None:
    await by_command(scene, without(ATTACH_FILES), HERE)
    await by_command(scene, without(ATTACH_FILES), HERE, private=True)
    await by_command(scene, person(), HERE)
    assert [question.may_attach for question in scene.backend.handed_over] == [False, True, True]


def overwrites(*told: tuple[int, bool]) -> list[dict[str, str]]:
    """For each id: files allowed or denied."""
    key = {True: "allow", False: "deny"}
    return [{"id": str(whose), key[allow]: str(ATTACH_FILES)} for whose, allow in told]


GUILD = {
    "id": "5",
    "owner_id": "90",
    "roles": [
        {"id": "5", "permissions": str(ATTACH_FILES)},
        {"id": "6", "permissions": "0"},
        {"id": "7", "permissions": "8"},
    ],
    "channels": [
        {"id": "1", "type": 0},
        {"id": "2", "type": 0, "permission_overwrites": overwrites((5, False))},
        {"id": "3", "type": 0, "permission_overwrites": overwrites((5, False), (6, True))},
        {"id": "4", "type": 0, "permission_overwrites": overwrites((5, False), (6, True), (10, False))},
    ],
}


@pytest.mark.parametrize(
    ("place", "person_id", "roles", "may"),
    [
        (Place(1, 5), 10, (), True),
        (Place(2, 5), 10, (), False),
        (Place(2, 5), 10, (6,), False),
        (Place(3, 5), 10, (6,), True),
        (Place(3, 5), 10, (77,), False),
        (Place(4, 5), 10, (6,), False),
        (Place(4, 5), 11, (6,), True),
        (Place(4, 5), 10, (7,), True),
        (Place(4, 5), 90, (), True),
        (Place(30, 5, parent_id=2), 10, (), False),
        (Place(1, 55), 10, (), False),
    ],
)
def test_who_may_attach_files_is_found_for_a_message(
    place: Place, person_id: int, roles: tuple[int, ...], may: bool
) -> None:
    """By Discord's own order: everybody's, the roles', the member's. What is unknown is not given."""
    rights = FileRights()
    rights.hear("GUILD_CREATE", GUILD)
    assert rights.may_attach(place, person_id, roles) == may


def test_a_mention_gets_a_file_where_its_author_may_attach_one() -> None:
    """In direct messages everybody may."""
    known = GuildCache()
    known.hear("GUILD_CREATE", GUILD)
    router = InteractionRouter(Live(BotOptions()), OfferedCommands(COMMANDS, OFFER), known)
    for place, may in ((Place(1, 5), True), (Place(2, 5), False), (Place(2), True)):
        written = replace(origin(), place=place)
        message = IncomingMessage(written, content=MessageContent("why?"), mentions_bot=True)
        asked = router.route_message(message, BOT_ID)
        assert isinstance(asked, AskQuestion)
        limited = PostingRights().limited(asked)
        assert isinstance(limited, AskQuestion)
        assert (limited.draft.may_attach, limited.draft.private) == (may, False)


def test_rights_that_change_are_noticed() -> None:
    rights = FileRights()
    rights.hear("GUILD_CREATE", GUILD)
    rights.hear("GUILD_CREATE", {"id": "5", "unavailable": True})
    changes: list[tuple[str, dict[str, object], bool]] = [
        ("CHANNEL_UPDATE", {"id": "1", "permission_overwrites": overwrites((10, False))}, False),
        ("CHANNEL_DELETE", {"id": "1"}, True),
        ("GUILD_ROLE_UPDATE", {"role": {"id": "5", "permissions": "0"}}, False),
        ("GUILD_ROLE_CREATE", {"role": {"id": "8", "permissions": str(ATTACH_FILES)}}, True),
        ("GUILD_ROLE_UPDATE", {"role": {"id": "8", "permissions": "x"}}, False),
        ("GUILD_ROLE_DELETE", {"role_id": "8"}, False),
        ("GUILD_UPDATE", {"id": "5", "owner_id": "10"}, True),
        ("GUILD_DELETE", {"id": "5"}, False),
    ]
    for event, data, may in changes:
        rights.hear(event, {"guild_id": "5", **data})
        assert rights.may_attach(Place(1, 5), 10, (8,)) == may, event


async def test_a_later_process_knows_what_may_be_posted(tmp_path: Any) -> None:
    asked: Question = replace(a_question(), note=NOT_ALLOWED, may_attach=False)
    async with open_store(tmp_path / "c.sqlite3") as store:
        await store.accept(asked)
    async with open_store(tmp_path / "c.sqlite3") as store:
        (pending,) = await store.take_over()
    assert (pending.question.note, pending.question.may_attach) == (NOT_ALLOWED, False)
