"""Where a person is told what could not be shown; against the local Discord."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import httpx
import pytest

from discordianai.discord.messages import failure_notice
from discordianai.discord.messages.port import MessageRefused
from discordianai.discord.messages.posting import ChannelMessages, heading_for
from discordianai.discord.messages.refused_calls import Call
from discordianai.discord.messages.rest import DiscordApi
from discordianai.records import ReplyAddress
from discordianai.sandbox.discord import (
    CHANNELS,
    DiscordOptions,
    Interaction,
    LocalDiscord,
    open_local_discord,
    person,
)
from discordianai.sandbox.discord.api_objects import BOT_ID

HERE, ASKER = CHANNELS[0], person(1)
STOP = [{"type": 1, "components": [{"type": 2, "style": 2, "label": "Stop", "custom_id": "stop"}]}]


@dataclass(frozen=True)
class Scene:
    discord: LocalDiscord
    api: DiscordApi

    async def asked(self, *, private: bool = False) -> tuple[Interaction, ReplyAddress]:
        """A command that is acknowledged, and shows that the bot is thinking."""
        interaction = self.discord.invoke_now("ask", user=ASKER, channel=HERE)
        path = f"/interactions/{interaction.id}/{interaction.token}/callback"
        await self.api.client.post(self.api.url + path, json={"type": 5})
        return interaction, ReplyAddress(BOT_ID, interaction.id, interaction.token, HERE.id, private, 0.0)

    async def tell(self, address: ReplyAddress, words: str, *, shown: bool = False) -> bool | None:
        return await failure_notice.say(self.api, address, words, person_id=ASKER.id, shown=shown)

    def in_channel(self) -> list[str]:
        return [message.content for message in self.discord.channel_messages]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with open_local_discord(DiscordOptions()) as discord, httpx.AsyncClient(timeout=30) as client:
        api = DiscordApi(client, discord.api_url, discord.options.token)
        path = f"{discord.api_url}/applications/{BOT_ID}/commands"
        declared = [{"name": "ask", "description": "Ask it"}]
        await client.put(path, json=declared, headers={"Authorization": f"Bot {api.token}"})
        yield Scene(discord, api)


async def test_where_nothing_is_shown_the_words_take_the_place_of_the_thinking(scene: Scene) -> None:
    interaction, address = await scene.asked()
    assert await scene.tell(address, "Sorry.")
    assert interaction.text == "-# Sorry."
    assert not interaction.loading


async def test_what_is_remembered_of_a_request_has_no_token_in_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kind of call is the same for all interactions, and stands in errors."""
    _, address = await scene.asked()
    calls, note = list[Call | None](), scene.api.limits.note

    def noted(status: int, headers: httpx.Headers, body: object, call: Call | None, reason: str) -> None:
        calls.append(call)
        note(status, headers, body, call, reason)

    monkeypatch.setattr(scene.api.limits, "note", noted)
    assert await scene.tell(address, "Sorry.")
    assert await failure_notice.follow_up(scene.api, address, "Sorry again.")
    assert [call.kind for call in calls if call] == ["PATCH /messages/ID", "POST ?wait=true"]


async def test_a_part_that_is_shown_stays_and_loses_its_buttons(scene: Scene) -> None:
    interaction, address = await scene.asked()
    path = f"{scene.api.url}/webhooks/{BOT_ID}/{interaction.token}/messages/@original"
    await scene.api.client.patch(path, json={"content": "A part", "components": STOP})
    assert await scene.tell(address, "Sorry.", shown=True)
    part, words = interaction.messages
    assert (part.content, part.components) == ("A part", [])
    assert words.content == "-# Sorry."


@pytest.mark.parametrize("shown", [False, True])
async def test_after_the_interaction_the_channel_is_told_for_whom_it_is(scene: Scene, shown: bool) -> None:
    _, address = await scene.asked()
    over = replace(address, token="over")
    assert await scene.tell(over, "Sorry.", shown=shown)
    assert scene.in_channel() == [f"{heading_for(ASKER.id)}-# Sorry."]


async def test_what_was_private_is_told_nowhere_else(scene: Scene) -> None:
    _, address = await scene.asked(private=True)
    assert not await scene.tell(replace(address, token="over"), "Sorry.")
    assert scene.in_channel() == []


async def test_a_mention_is_replied_to(scene: Scene) -> None:
    address = ReplyAddress(BOT_ID, 1, "", HERE.id, False, 0.0, message_id=7)
    assert await scene.tell(address, "Sorry.")
    (message,) = scene.discord.channel_messages
    assert (message.content, message.reply_to) == ("-# Sorry.", 7)


async def test_an_error_of_discords_is_outlasted_and_a_refusal_is_not_repeated(scene: Scene) -> None:
    address = ReplyAddress(BOT_ID, 1, "", HERE.id, False, 0.0, message_id=7)
    scene.discord.fail_next("/messages", 503, 2)
    assert await scene.tell(address, "Sorry.")
    scene.discord.closed_channels.add(HERE.id)
    refused = len(scene.discord.counters.refused)
    assert not await scene.tell(address, "Sorry.")
    assert len(scene.discord.counters.refused) == refused + 2  # as a reply, and as none


async def test_where_the_bot_may_not_write_no_notice_is_tried_again_and_again(scene: Scene) -> None:
    """What an answer has met there counts, too; each refusal is one of those for which Discord bans."""
    address = ReplyAddress(BOT_ID, 1, "", HERE.id, False, 0.0, message_id=7)
    scene.discord.closed_channels.add(HERE.id)
    with pytest.raises(MessageRefused):
        await ChannelMessages(scene.api, HERE.id).create({"content": "An answer."})
    for _ in range(5):
        assert not await scene.tell(address, "Sorry.")
    assert len([each for each in scene.discord.counters.refused if "403" in each]) == 2
    scene.api.limits.note(429, {}, {"retry_after": 600.0}, Call("POST /messages reference", CHANNELS[1].id))
    assert await scene.tell(replace(address, channel_id=CHANNELS[1].id), "Sorry.")
    (message,) = scene.discord.channel_messages
    assert message.reply_to is None


async def test_a_follow_up_is_for_one_person(scene: Scene) -> None:
    interaction, address = await scene.asked()
    assert await scene.tell(address, "An answer.")  # else Discord puts a follow-up in its place
    assert await failure_notice.follow_up(scene.api, address, "Nothing was removed.")
    assert interaction.messages[-1].content == "-# Nothing was removed."
    assert interaction.messages[-1].private
