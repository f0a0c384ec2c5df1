"""Who may ask where: refused privately, with why. One bot with many rules runs for all of them.

The commands are invoked where Discord does not offer them, too: its clients may show a list of earlier days.
"""

from collections.abc import Iterator

import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import (
    CHANNELS,
    SUPPORT,
    Channel,
    DiscordOptions,
    Interaction,
    User,
    direct_messages,
    person,
)
from discordianai.sandbox.discord.api_objects import BOT, GUILD_ID, THREAD
from discordianai.sandbox.discord.user_actions import remove_bot, say, use_menu
from tests.end_to_end.conftest import Scene
from tests.end_to_end.sharing import SharedScene, Tables, played, shared_scene

pytestmark = pytest.mark.xdist_group("access")

GENERAL, HELP, RANDOM = CHANNELS
MEMBER_ROLE, MUTED_ROLE = 8, 9


def member(number: int, *roles: int) -> User:
    return User(person(number).id, f"Person{number}", roles=roles)


ADMIN = person(1)
ALLOWED = member(2, MEMBER_ROLE)
BLOCKED = member(3, MEMBER_ROLE)
MUTED = member(4, MEMBER_ROLE, MUTED_ROLE)
WITHOUT_ROLE = person(5)
UNLISTED = member(6, MEMBER_ROLE)
ELSEWHERE = Channel(77, "elsewhere", 78)
BARRED = Channel(79, "barred", 80)
GROUP = direct_messages(person(90))
"""Direct messages of others, where the bot is somebody's own app, as it is elsewhere for a guest."""
OUTSIDE = "I can't tell here whether you may use this bot."
SETTINGS: Tables = {
    "discord": {
        "admin_user_ids": [ADMIN.id],
        "guild_ids": [GUILD_ID, BARRED.guild_id],
        "blocked_guild_ids": [BARRED.guild_id],
        "allowed_channel_ids": [GENERAL.id, SUPPORT.id, RANDOM.id],
        "blocked_channel_ids": [RANDOM.id],
        "allowed_role_ids": [MEMBER_ROLE],
        "blocked_role_ids": [MUTED_ROLE],
        "allowed_user_ids": [user.id for user in (ALLOWED, BLOCKED, MUTED, WITHOUT_ROLE)],
        "blocked_user_ids": [BLOCKED.id],
        "respond_to": "mentions",
    },
    "conversations": {"grace_days": 0},
}
REFUSALS = {
    "a blocked person": (BLOCKED, GENERAL, "You can't use this bot here."),
    "a blocked role": (MUTED, GENERAL, "You can't use this bot here."),
    "a person that is not listed": (UNLISTED, GENERAL, "This bot only answers certain people"),
    "a role that is missing": (WITHOUT_ROLE, GENERAL, "You need another role to use this bot."),
    "a channel": (ALLOWED, RANDOM, "I don't answer in this channel."),
    "a server that is not listed": (ALLOWED, ELSEWHERE, "I don't answer in this server."),
    "a blocked server": (ALLOWED, BARRED, "I don't answer in this server."),
    "direct messages": (ALLOWED, direct_messages(ALLOWED), OUTSIDE),
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SharedScene]:
    yield from shared_scene(
        tmp_path_factory.mktemp("access"), authority, SETTINGS, discord=DiscordOptions(allowed_intents=-1)
    )


async def refused(interaction: Interaction) -> str:
    await interaction.wait_until(lambda i: not i.loading)
    assert interaction.private
    return interaction.text


def thread_of(scene: Scene, parent: Channel) -> Channel:
    """A thread that somebody has opened, and that the bot has not been told of."""
    thread = Channel(scene.sandbox.discord.ids.next(), "a thread", GUILD_ID, THREAD, parent_id=parent.id)
    scene.sandbox.discord.threads.append(thread)
    return thread


@played
async def test_what_is_not_allowed_is_refused_privately_with_why(scene: Scene) -> None:
    for user, channel, why in REFUSALS.values():
        asked = scene.sandbox.discord.invoke_now("ask", {"prompt": "who?"}, user=user, channel=channel)
        assert why in await refused(asked)
    command = scene.sandbox.discord.invoke_now("history", user=BLOCKED)
    assert "You can't use this bot here." in await refused(command)
    menu = use_menu(scene.sandbox.discord, "Summarize", "words", user=BLOCKED)
    assert "You can't use this bot here." in await refused(menu)
    for channel in (GROUP, ELSEWHERE):
        guest = scene.sandbox.discord.invoke_now(
            "ask", {"prompt": "who?"}, user=ALLOWED, channel=channel, guest=True
        )
        assert OUTSIDE in await refused(guest)
    assert len(scene.sandbox.openai.requests) == 0


@played
async def test_a_message_is_refused_in_direct_messages_and_not_answered_elsewhere(scene: Scene) -> None:
    discord, at_bot = scene.sandbox.discord, f"<@{BOT.id}> who?"
    say(discord, at_bot, user=MUTED)
    say(discord, at_bot, user=ALLOWED, channel=RANDOM)
    message_id = say(discord, "who?", user=MUTED, channel=direct_messages(MUTED))
    with trio.fail_after(60):
        while not discord.channel_messages:  # noqa: ASYNC110  # a list tells nobody
            await trio.sleep(0.02)
    (told,) = discord.channel_messages
    assert told.reply_to == message_id
    assert OUTSIDE in told.content


@played
async def test_whoever_may_ask_nothing_gets_at_their_own_data_everywhere(scene: Scene) -> None:
    """By commands that Discord offers everywhere, and by the button below one of them."""
    discord = scene.sandbox.discord
    with trio.fail_after(60):
        await discord.wait_ready("forget")
    assert discord.offered(None) == discord.offered(78, guest=True) == {"export", "forget", "reset"}
    places = ((GENERAL, False), (RANDOM, False), (ELSEWHERE, True), (BARRED, False), (GROUP, True))
    for number, (channel, guest) in enumerate((*places, (direct_messages(person(76)), False))):
        user = person(71 + number)
        for command, words in (("export", "I have nothing stored"), ("reset", "I don't remember anything")):
            used = discord.invoke_now(command, user=user, channel=channel, guest=guest)
            assert words in await refused(used)
        asked = discord.invoke_now("forget", user=user, channel=channel, guest=guest)
        await refused(asked)
        pressed = discord.press(asked.messages[-1], "Delete everything", user)
        await pressed.wait_until(lambda i: "Everything has been deleted" in i.text)


@played
async def test_a_button_is_refused_to_who_may_not_ask(scene: Scene) -> None:
    answer = await scene.ask("who?", user=ALLOWED)
    pressed = scene.sandbox.discord.press(answer.messages[-1], "Again", BLOCKED)
    assert "You can't use this bot here." in await refused(pressed)


@played
async def test_a_category_covers_its_channels_and_a_channel_its_threads(scene: Scene) -> None:
    for channel in (GENERAL, HELP, thread_of(scene, GENERAL), thread_of(scene, HELP)):
        assert "You asked: “here?”" in (await scene.ask("here?", user=ALLOWED, channel=channel)).text
    closed = thread_of(scene, RANDOM)
    asked = await scene.sandbox.discord.invoke("ask", {"prompt": "here?"}, user=ALLOWED, channel=closed)
    assert "I don't answer in this channel." in await refused(asked)


@played
async def test_admins_are_always_let_in(scene: Scene) -> None:
    for channel in (RANDOM, direct_messages(ADMIN)):
        assert "You asked: “here?”" in (await scene.ask("here?", user=ADMIN, channel=channel)).text


@played
async def test_status_is_for_admins(scene: Scene) -> None:
    asked = await scene.sandbox.discord.invoke("status", user=ALLOWED)
    assert "Only the bot's admins can use this." in await refused(asked)
    asked = await scene.sandbox.discord.invoke("status", user=ADMIN)
    await asked.wait_until(lambda i: i.acknowledged_after is not None)
    assert asked.private
    assert "admins" not in asked.text


@played
async def test_a_server_that_is_left_is_forgotten_and_nothing_else(scene: Scene) -> None:
    """The last of the module: the bot is in no server then."""
    discord = scene.sandbox.discord
    await scene.ask("in the server", user=ADMIN)
    await scene.ask("in direct messages", user=ADMIN, channel=direct_messages(ADMIN))
    changed = await discord.invoke("persona", {"instructions": "Be a llama."}, user=ADMIN)
    await changed.wait_until(lambda i: "llama" in i.text)
    remove_bot(discord)
    with trio.fail_after(60):
        while "data of a server left deleted" not in scene.log():  # noqa: ASYNC110  # a file
            await trio.sleep(0.02)
    shown = await discord.invoke("export", user=ADMIN, channel=direct_messages(ADMIN))
    await shown.wait_until(lambda i: bool(i.messages and i.messages[0].files))
    (content,) = shown.messages[0].files.values()
    assert b"in direct messages" in content
    assert b"in the server" not in content
    persona = await discord.invoke("persona", user=ADMIN)
    assert "no special instructions" in await refused(persona)
