"""Every slash command, as a person uses it and reads what comes of it. One bot runs for all of them."""

import json
import re
from collections.abc import Iterator, Mapping

import pytest

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import CHANNELS, Interaction, User, direct_messages, moderator, person
from discordianai.sandbox.discord.user_actions import type_into
from discordianai.sandbox.launcher import BotDatabase
from tests.end_to_end.conftest import Scene
from tests.end_to_end.databases import on_both_databases
from tests.end_to_end.sharing import SharedScene, Tables, labels, played, shared_scene

pytestmark = [pytest.mark.xdist_group("commands"), on_both_databases(pooled=True)]

SETTINGS: Tables = {
    "providers.openai": {"more_models": ["gpt-6.1-terra"]},
    "providers.perplexity": {"more_models": ["perplexity/sonar"]},
    "daily_limits.user": {"tokens": 100_000},
    'models."gpt-6.1-terra"': {"input_price": 1.0, "output_price": 10.0},
}


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, database: BotDatabase | None
) -> Iterator[SharedScene]:
    yield from shared_scene(tmp_path_factory.mktemp("commands"), authority, SETTINGS, database=database)


async def told(
    scene: Scene, command: str, options: Mapping[str, object] | None = None, **more: object
) -> Interaction:
    """The reply to a command; it is for the person alone, always."""
    interaction = await scene.sandbox.discord.invoke(command, options, **more)  # type: ignore[arg-type]  # user, channel
    await interaction.wait_until(lambda i: not i.loading)
    assert interaction.private
    return interaction


async def pressed(scene: Scene, shown: Interaction, button: str, user: User) -> str:
    """What a message says when one of its buttons was pressed, and that has had its effect."""
    message, before = shown.messages[0], shown.text
    press = scene.sandbox.discord.press(message, button, user)
    await press.wait_until(lambda i: i.text not in {"", before})
    return press.text


# Questions


@played
async def test_ask_is_answered_by_whom_and_with_which_model_the_person_wants(scene: Scene) -> None:
    wanted = {
        "openai": ({"provider": "openai"}, "OpenAI · gpt-6-luna · as you asked"),
        "perplexity": ({"provider": "perplexity"}, "Perplexity · fast · as you asked"),
        "gpt-6.1-terra": ({"model": "gpt-6.1-terra"}, "OpenAI · gpt-6.1-terra · as you asked"),
        "perplexity/sonar": (
            {"model": "perplexity/sonar", "provider": "perplexity"},
            "Perplexity · perplexity/sonar · as you asked",
        ),
        "auto": ({"provider": "auto"}, "OpenAI · gpt-6-luna · no search needed"),
    }
    for number, (name, (options, footer)) in enumerate(wanted.items()):
        answer = await scene.ask(f"by {name}", options=options, user=person(10 + number))
        assert answer.text.endswith(f"-# {footer}")


@played
async def test_models_are_completed_while_they_are_typed(scene: Scene) -> None:
    discord = scene.sandbox.discord
    for command in ("ask", "model"):
        for typed, fitting in (
            ("", ["gpt-6-luna", "gpt-6.1-terra", "fast", "perplexity/sonar"]),
            ("ONAR", ["perplexity/sonar"]),
        ):
            typing = type_into(discord, command, "model", typed)
            await typing.wait_until(lambda i: i.acknowledged_after is not None)
            assert typing.choices == fitting


@played
async def test_a_choice_that_cannot_be_had_is_refused_with_what_helps(scene: Scene) -> None:
    unknown = await told(scene, "ask", {"prompt": "why?", "model": "gpt-99"})
    assert "I don't have that model" in unknown.text
    both = {"prompt": "why?", "model": "perplexity/sonar", "provider": "openai"}
    assert "isn't one of OpenAI's models" in (await told(scene, "ask", both)).text


@played
async def test_private_answers_are_a_conversation_of_their_own(scene: Scene) -> None:
    user = person(20)
    await scene.ask("for all to see", user=user)
    answer = await scene.ask("my secret", options={"private": True}, user=user)
    assert answer.private
    assert "for all to see" not in answer.text
    assert "my secret" not in (await scene.ask("and now?", user=user)).text


@played
async def test_ask_with_a_thread_opens_one_and_the_conversation_goes_on_there(scene: Scene) -> None:
    discord, user = scene.sandbox.discord, person(21)
    asked = await scene.ask("let us talk about llamas", options={"thread": True}, user=user)
    thread = discord.threads[-1]
    assert thread.name == "let us talk about llamas"
    assert thread.parent_id == CHANNELS[0].id
    assert asked.text == f"I'm answering in <#{thread.id}>."
    (answer,) = [message for message in discord.channel_messages if message.channel_id == thread.id]
    assert "You asked: “let us talk about llamas”" in answer.content
    assert thread.id in discord.counters.typing
    assert "the last was: “let us talk" in (await scene.ask("more?", user=user, channel=thread)).text
    assert "You have asked" not in (await scene.ask("and here?", user=user)).text


@played
async def test_where_no_thread_can_be_opened_the_answer_comes_in_the_channel_and_says_so(
    scene: Scene,
) -> None:
    discord, user = scene.sandbox.discord, person(22)
    no_thread = "I couldn't open a thread here, so I'm answering in the channel."
    thread = discord.add_thread(CHANNELS[0], "a thread")
    for channel in (direct_messages(user), thread):  # where Discord is not even asked
        asked = await scene.ask("here?", options={"thread": True}, user=user, channel=channel)
        assert "You asked: “here?”" in asked.text
        assert "Threads can't be opened here, so I'm answering without one." in asked.text
        assert not [line for line in discord.counters.refused if f"/channels/{channel.id}" in line]
    discord.closed_channels.add(CHANNELS[2].id)
    try:
        closed = await scene.ask("there?", options={"thread": True}, user=user, channel=CHANNELS[2])
    finally:
        discord.closed_channels.clear()
    assert no_thread in closed.text


@played
async def test_search_goes_to_the_web_publicly_or_privately(scene: Scene) -> None:
    for private in (False, True):
        answered = scene.answered()
        options = {"query": "llamas", "private": private}
        shown = await scene.sandbox.discord.invoke("search", options, user=person(23))
        await scene.wait_answered(answered + 1)
        assert "**Sources**" in shown.text
        assert shown.private is private
        assert labels(shown) == ["Again"]


# What is remembered


@played
async def test_reset_forgets_this_conversation_and_no_other(scene: Scene) -> None:
    user = person(30)
    assert "I don't remember anything" in (await told(scene, "reset", user=user)).text
    for channel in CHANNELS[:2]:
        await scene.ask("remember me", user=user, channel=channel)
    assert "I've forgotten this conversation" in (await told(scene, "reset", user=user)).text
    assert "You have asked" not in (await scene.ask("and now?", user=user)).text
    assert "the last was: “remember me”" in (await scene.ask("now?", user=user, channel=CHANNELS[1])).text


@played
async def test_history_shows_what_is_remembered_page_by_page(scene: Scene) -> None:
    user = person(31)
    assert "I don't remember anything" in (await told(scene, "history", user=user)).text
    for number in range(4):
        await scene.ask(f"question {number}", user=user, options={"private": number == 3})
    shown = await told(scene, "history", user=user)
    assert "page 1 of 2" in shown.text
    assert all(f": question {number}" in shown.text for number in (1, 2, 3))
    assert labels(shown) == ["Older"]
    older = await pressed(scene, shown, "Older", user)
    assert "page 2 of 2" in older
    assert ": question 0" in older
    assert labels(shown) == ["Newer"]
    assert "page 1 of 2" in await pressed(scene, shown, "Newer", user)
    assert "anything from this" in (await told(scene, "history", user=user, channel=CHANNELS[1])).text


@played
async def test_export_gives_all_of_it_as_a_file_to_the_person_alone(scene: Scene) -> None:
    user = person(32)
    assert "nothing stored about you" in (await told(scene, "export", user=user)).text
    await scene.ask("first", user=user)
    await scene.ask("second", user=user, channel=direct_messages(user))
    await scene.ask("not mine", user=person(33))
    shown = await told(scene, "export", user=user)
    ((name, content),) = shown.messages[0].files.items()
    assert name.startswith("discordianai-")
    assert name.endswith(".jsonl")
    lines = [json.loads(line) for line in content.splitlines()]
    assert [line["text"] for line in lines if line.get("role") == "user"] == ["first", "second"]
    assert b"not mine" not in content


@played
async def test_forget_deletes_everything_only_once_it_is_confirmed(scene: Scene) -> None:
    user = person(34)
    for channel in (CHANNELS[0], direct_messages(user)):
        await scene.ask("forget me", user=user, channel=channel)
    kept = await told(scene, "forget", user=user)
    assert labels(kept) == ["Delete everything", "Keep it"]
    assert await pressed(scene, kept, "Keep it", user) == "Nothing was deleted."
    assert labels(kept) == []
    assert "forget me" in (await told(scene, "history", user=user)).text
    asked = await told(scene, "forget", user=user)
    deleted = await pressed(scene, asked, "Delete everything", user)
    assert deleted == "Everything has been deleted: 4 messages."
    assert labels(asked) == []
    ((_, content),) = (await told(scene, "export", user=user)).messages[0].files.items()
    kinds = {json.loads(line)["kind"] for line in content.splitlines()}
    assert kinds == {"usage", "forgotten"}  # for today's limit, until midnight
    assert "You have asked" not in (await scene.ask("and now?", user=user)).text
    assert b"forget me" not in b"".join(  # where they are in a file, that has no trace of them
        file.read_bytes() for file in scene.sandbox.folder.glob("conversations.sqlite3*")
    )


# How the bot is in a channel


@played
async def test_a_persona_is_seen_by_all_and_set_by_who_may_manage_the_channel(scene: Scene) -> None:
    channel, openai = CHANNELS[1], scene.sandbox.openai
    assert "no special instructions" in (await told(scene, "persona", channel=channel)).text
    wanted = {"instructions": "Speak like a pirate."}
    refused = await told(scene, "persona", wanted, user=person(40), channel=channel)
    assert "Only people who can manage this channel" in refused.text
    changed = await told(scene, "persona", wanted, user=moderator(), channel=channel)
    assert "> Speak like a pirate." in changed.text
    assert "> Speak like a pirate." in (await told(scene, "persona", user=person(40), channel=channel)).text
    await scene.ask("hello there", user=person(41), channel=channel, options={"provider": "openai"})
    assert "Speak like a pirate." in openai.requests[-1]["instructions"]
    await scene.ask("hello here", user=person(41), options={"provider": "openai"})
    assert "pirate" not in openai.requests[-1]["instructions"]
    back = await told(scene, "persona", {"clear": True}, user=moderator(), channel=channel)
    assert back.text == "In this channel, I answer as usual."


@played
async def test_a_model_is_seen_by_all_and_set_by_who_may_manage_the_channel(scene: Scene) -> None:
    channel = CHANNELS[2]
    seen = (await told(scene, "model", channel=channel)).text
    assert seen.startswith("No model is set for this channel")
    assert "- OpenAI: gpt-6-luna, gpt-6.1-terra" in seen
    refused = await told(scene, "model", {"model": "perplexity/sonar"}, user=person(42), channel=channel)
    assert "Only people who can manage this channel" in refused.text
    unknown = await told(scene, "model", {"model": "gpt-99"}, user=moderator(), channel=channel)
    assert "I don't have that model" in unknown.text
    changed = await told(scene, "model", {"model": "perplexity/sonar"}, user=moderator(), channel=channel)
    assert changed.text == "From now on, perplexity/sonar answers in this channel."
    answer = await scene.ask("who is it?", user=person(43), channel=channel)
    assert "Perplexity · perplexity/sonar · " in answer.text
    own = await scene.ask("and you?", user=person(43), channel=channel, options={"model": "gpt-6.1-terra"})
    assert "OpenAI · gpt-6.1-terra · " in own.text
    await told(scene, "model", {"clear": True}, user=moderator(), channel=channel)
    assert "OpenAI · gpt-6-luna" in (await scene.ask("and?", user=person(44), channel=channel)).text


@played
async def test_in_direct_messages_everybody_sets_it_for_themselves(scene: Scene) -> None:
    user = person(45)
    channel = direct_messages(user)
    changed = await told(scene, "persona", {"instructions": "Be brief."}, user=user, channel=channel)
    assert "> Be brief." in changed.text


# Figures


@played
async def test_usage_tells_today_and_this_month_and_the_limit(scene: Scene) -> None:
    user = person(50)
    assert "anything this month" in (await told(scene, "usage", user=user)).text
    await scene.ask("one", user=user, options={"model": "gpt-6.1-terra"})
    await scene.ask("two", user=user, options={"provider": "openai"})
    await scene.ask("three", user=user, options={"provider": "perplexity"})
    shown = (await told(scene, "usage", user=user)).text
    assert "**Today:** 3 answers, " in shown
    assert "**This month:** 3 answers, " in shown
    cost = r"cost \$0\.\d{4}; today"
    assert re.search(rf"OpenAI gpt-6\.1-terra: 1 answer, [\d,]+ tokens, {cost}", shown)
    assert re.search(rf"Perplexity fast: 1 answer, [\d,]+ tokens, 1 web search, {cost}", shown)
    assert "OpenAI gpt-6-luna: 1 answer, " in shown
    assert "100,000 tokens per day" in shown


@played
async def test_help_explains_every_command_in_one_short_line(scene: Scene) -> None:
    shown = (await told(scene, "help")).text
    hidden = {"status", "help"}
    listed = [c["name"] for c in scene.sandbox.discord.commands.values() if c["type"] == 1]
    for name in listed:
        assert (f"`/{name}`" in shown) is (name not in hidden)
    assert len(shown) < 200 + 44 * len({*listed} - hidden)


@played
async def test_nothing_of_all_that_was_refused_by_discord(scene: Scene) -> None:
    """The last of the module: it looks at what the others have left."""
    expected = ("403 50001", "400 50024")  # a closed channel, and one that has no threads
    refused = [line for line in scene.sandbox.discord.counters.refused if not line.endswith(expected)]
    assert refused == []
    assert scene.sandbox.discord.counters.rate_limited == 0
    assert scene.sandbox.discord.counters.late_acknowledgements == 0
