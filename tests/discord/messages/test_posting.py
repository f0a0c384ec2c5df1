"""The webhook against the local Discord: real HTTP, Discord's real limits and errors."""

from bisect import bisect_left
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import trio

from discordianai.discord.messages import rest
from discordianai.discord.messages.port import MessageError, MessagesBusy, MessagesExpired
from discordianai.discord.messages.posting import ChannelMessages, InteractionWebhook
from discordianai.discord.messages.rest import DiscordApi
from discordianai.records import ReplyAddress
from discordianai.sandbox.discord import (
    CHANNELS,
    DiscordOptions,
    Interaction,
    LocalDiscord,
    direct_messages,
    open_local_discord,
    person,
)
from discordianai.sandbox.discord.api_objects import BOT_ID

COMMAND = {"name": "ask", "description": "Ask it"}


@dataclass(frozen=True)
class Scene:
    discord: LocalDiscord
    client: httpx.AsyncClient

    async def interaction(self) -> tuple[Interaction, InteractionWebhook]:
        """One that is deferred, and the webhook that writes its answer."""
        interaction = self.discord.invoke_now("ask")
        path = f"/interactions/{interaction.id}/{interaction.token}/callback"
        await self.client.post(self.discord.api_url + path, json={"type": 5})
        address = ReplyAddress(BOT_ID, interaction.id, interaction.token, 1, False, 0.0)
        return interaction, InteractionWebhook(DiscordApi(self.client, self.discord.api_url), address)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    options = DiscordOptions(webhook_requests=3, webhook_period=0.5)
    async with open_local_discord(options) as discord, httpx.AsyncClient(timeout=60.0) as client:
        headers = {"Authorization": "Bot sandbox-token"}
        path = f"{discord.api_url}/applications/{BOT_ID}/commands"
        await client.put(path, json=[COMMAND], headers=headers)
        yield Scene(discord, client)


async def test_the_original_is_edited_and_further_messages_follow(scene: Scene) -> None:
    interaction, webhook = await scene.interaction()
    await webhook.edit(None, {"content": "one"})
    second = await webhook.create({"content": "two"})
    await webhook.try_edit(second, {"content": "two!"})
    assert [message.content for message in interaction.messages] == ["one", "two!"]


async def test_it_waits_for_its_bucket_and_is_never_refused(scene: Scene) -> None:
    interaction, webhook = await scene.interaction()
    for number in range(8):
        await webhook.edit(None, {"content": str(number)})
    assert interaction.text == "7"
    assert scene.discord.counters.rate_limited == 0


async def test_each_interaction_has_a_bucket_of_its_own(scene: Scene) -> None:
    _, busy = await scene.interaction()
    for number in range(3):
        await busy.edit(None, {"content": str(number)})
    _, fresh = await scene.interaction()
    assert busy.free_at > trio.current_time() > fresh.free_at
    with trio.fail_after(0.4):
        await fresh.edit(None, {"content": "at once"})


async def test_an_edit_that_can_wait_is_tried_once_and_one_that_must_arrive_again(scene: Scene) -> None:
    interaction, webhook = await scene.interaction()
    scene.discord.fail_next("/webhooks/", 503, times=2)
    with pytest.raises(MessagesBusy):
        await webhook.try_edit(None, {"content": "early"})
    await webhook.edit(None, {"content": "last"})
    assert interaction.text == "last"


async def test_after_fifteen_minutes_nothing_can_be_written_and_no_token_is_told(scene: Scene) -> None:
    interaction, webhook = await scene.interaction()
    scene.discord.advance(15 * 60 + 1)
    with pytest.raises(MessagesExpired) as caught:
        await webhook.edit(None, {"content": "too late"})
    assert interaction.token not in repr(caught.value) + str(caught.value)


async def test_a_discord_that_is_not_there_is_told_without_the_address(scene: Scene) -> None:
    address = ReplyAddress(BOT_ID, 1, "the-token", 1, False, 0.0)
    webhook = InteractionWebhook(DiscordApi(scene.client, "http://127.0.0.1:1"), address)
    with pytest.raises(MessagesBusy) as caught:
        await webhook.try_edit(None, {"content": "x"})
    assert "the-token" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_further_message_can_be_removed_also_twice(scene: Scene) -> None:
    interaction, webhook = await scene.interaction()
    await webhook.edit(None, {"content": "one"})
    second = await webhook.create({"content": "two"})
    await webhook.delete(second)
    await webhook.delete(second)
    assert interaction.text == "one"


@pytest.mark.slow
async def test_many_who_write_in_one_channel_share_its_bucket_and_are_never_refused(scene: Scene) -> None:
    api = DiscordApi(scene.client, scene.discord.api_url, "sandbox-token")
    busy = 0

    async def write(name: int) -> None:
        nonlocal busy
        messages = ChannelMessages(api, CHANNELS[0].id)
        await messages.edit(None, {"content": f"{name}"})
        for number in range(5):
            try:
                await messages.try_edit(None, {"content": f"{name}: {number}"})
            except MessagesBusy:
                busy += 1
            await trio.sleep(0.1)
        await messages.edit(None, {"content": f"{name}: done"})

    async with trio.open_nursery() as nursery:
        for name in range(3):
            nursery.start_soon(write, name)
    assert sorted(message.content for message in scene.discord.channel_messages) == [
        "0: done",
        "1: done",
        "2: done",
    ]
    assert busy > 0
    assert scene.discord.counters.rate_limited == 0


@pytest.mark.slow
async def test_where_the_interaction_is_over_the_bot_writes_in_the_channel_itself(scene: Scene) -> None:
    api = DiscordApi(scene.client, scene.discord.api_url, "sandbox-token")
    for number in range(7):  # more than its bucket holds
        await ChannelMessages(api, CHANNELS[0].id).create({"content": f"late {number}"})
    assert [message.content for message in scene.discord.channel_messages][-1] == "late 6"
    with pytest.raises(MessageError, match="403"):
        await ChannelMessages(api, 12345).create({"content": "nowhere"})


async def test_a_ban_is_waited_for_and_asked_about_once(scene: Scene) -> None:
    """Twenty answers that are being written when Cloudflare bans the address are all shown after it."""
    answers = [(await scene.interaction())[0] for _ in range(20)]
    api = DiscordApi(scene.client, scene.discord.api_url, "sandbox-token")
    scene.discord.ban(1.5)
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            for interaction in answers:
                address = ReplyAddress(BOT_ID, interaction.id, interaction.token, 1, False, 0.0)
                webhook = InteractionWebhook(api, address)
                nursery.start_soon(webhook.edit, None, {"content": "whole"})
    assert [interaction.text for interaction in answers] == ["whole"] * 20
    assert len(scene.discord.counters.while_banned) <= 20  # those that were under way


@pytest.mark.slow
async def test_a_burst_in_two_hundred_channels_keeps_the_bots_limit(scene: Scene) -> None:
    """In no second more than fifty requests are sent. They are counted as they leave: a busy machine bunches
    those that arrive."""
    sent: list[float] = []

    async def note(_request: httpx.Request) -> None:
        sent.append(trio.current_time())

    scene.client.event_hooks = {"request": [note]}
    channels = [direct_messages(person(1000 + number)) for number in range(200)]
    scene.discord.direct_channels += channels
    api = DiscordApi(scene.client, scene.discord.api_url, "sandbox-token")
    with trio.fail_after(120):
        async with trio.open_nursery() as nursery:
            for channel in channels:
                nursery.start_soon(ChannelMessages(api, channel.id).edit, None, {"content": "here"})
    assert len(scene.discord.channel_messages) == 200
    assert max(bisect_left(sent, began + 1.0) - first for first, began in enumerate(sent)) <= 50


async def test_where_the_bot_may_not_write_it_does_not_try_again_and_again(scene: Scene) -> None:
    api = DiscordApi(scene.client, scene.discord.api_url, "sandbox-token")
    scene.discord.closed_channels.add(CHANNELS[0].id)
    for _ in range(5):
        with pytest.raises(MessageError):
            await ChannelMessages(api, CHANNELS[0].id).edit(None, {"content": "here"})
    assert len([each for each in scene.discord.counters.refused if "403" in each]) == 1


async def test_waiting_for_a_connection_is_none_of_the_tries(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What must arrive waits until one is free, however often it is told that none is."""
    monkeypatch.setattr(rest, "ATTEMPTS", 1)
    interaction, _ = await scene.interaction()
    address = ReplyAddress(BOT_ID, interaction.id, interaction.token, 1, False, 0.0)
    [silent] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = silent.socket.getsockname()[1]
    one, briefly = httpx.Limits(max_connections=1), httpx.Timeout(5.0, pool=0.05)
    async with httpx.AsyncClient(limits=one, timeout=briefly) as client, silent:
        webhook = InteractionWebhook(DiscordApi(client, scene.discord.api_url), address)

        async def ask_the_silent_one() -> None:
            with trio.move_on_after(1.0):
                await client.get(f"http://127.0.0.1:{port}/")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_the_silent_one)
            await trio.sleep(0.2)
            with pytest.raises(MessagesBusy):
                await webhook.try_edit(None, {"content": "early"})
            with trio.fail_after(20):
                await webhook.edit(None, {"content": "last"})
    assert interaction.text == "last"


async def test_a_message_whose_response_was_lost_is_written_once(scene: Scene) -> None:
    """It arrived, and the connection broke before Discord had answered: it is sent again."""
    lost = 0

    async def lose_the_first(response: httpx.Response) -> None:
        nonlocal lost
        if not lost and response.request.method == "POST":
            lost += 1
            raise httpx.ReadError("as when a connection breaks", request=response.request)

    scene.client.event_hooks = {"response": [lose_the_first]}
    api = DiscordApi(scene.client, scene.discord.api_url, "sandbox-token")
    message_id = await ChannelMessages(api, CHANNELS[0].id).create({"content": "once"})
    assert lost == 1
    assert [message.id for message in scene.discord.channel_messages] == [message_id]
    await ChannelMessages(api, CHANNELS[0].id).create({"content": "once"})
    assert len(scene.discord.channel_messages) == 2
