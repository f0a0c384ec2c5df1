"""How many people are told directly, and when; against the local Discord."""

from collections.abc import AsyncIterator

import httpx
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from discordianai.discord.messages import direct_messages
from discordianai.discord.messages.direct_messages import ALL, DirectMessages
from discordianai.discord.messages.rest import DiscordApi
from discordianai.sandbox.discord import DiscordOptions, LocalDiscord, open_local_discord, person
from discordianai.sandbox.discord import direct_messages as channel_of

PERIOD = 0.5
"""Seconds, in place of a minute."""


@pytest.fixture
async def discord() -> AsyncIterator[LocalDiscord]:
    async with open_local_discord(DiscordOptions()) as discord:
        yield discord


@pytest.fixture
async def messages(
    discord: LocalDiscord, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> AsyncIterator[DirectMessages]:
    monkeypatch.setattr(direct_messages, "PERIOD", PERIOD)
    async with httpx.AsyncClient(timeout=30) as client:
        made = DirectMessages(DiscordApi(client, discord.api_url, discord.options.token))
        nursery.start_soon(made.run)
        yield made


def told(discord: LocalDiscord) -> list[int]:
    """The channels, in order."""
    return [message.channel_id for message in discord.channel_messages]


async def until_told(discord: LocalDiscord, number: int) -> None:
    with trio.fail_after(10):
        while len(told(discord)) < number:  # noqa: ASYNC110  # the local Discord tells nobody
            await trio.sleep(0.01)


async def test_people_beyond_the_limit_are_told_later_in_their_order(
    discord: LocalDiscord, messages: DirectMessages
) -> None:
    people, began = [person(number) for number in range(2 * ALL + 1)], trio.current_time()
    for someone in people:
        assert await messages.say(someone.id, "Your question.", may_wait=True)
    assert len(told(discord)) == ALL  # nobody has waited
    await until_told(discord, len(people))
    assert told(discord) == [channel_of(someone).id for someone in people]
    assert trio.current_time() - began >= 2 * PERIOD


async def test_each_person_has_one_in_a_minute(discord: LocalDiscord, messages: DirectMessages) -> None:
    """Whether they were told, wait for it, or take none."""
    unreached, *others, late = (person(number) for number in range(ALL + 1))
    discord.unreachable_people.add(unreached.id)
    assert not await messages.say(unreached.id, "Your question.", may_wait=True)
    for someone in (*others, late):
        assert await messages.say(someone.id, "Your question.", may_wait=True)
    for someone in (unreached, *others, late):
        assert not await messages.say(someone.id, "And another one.", may_wait=True)
    await until_told(discord, ALL)
    assert {message.content for message in discord.channel_messages} == {"Your question."}


async def test_who_may_not_wait_and_who_finds_too_many_waiting_is_not_told(
    discord: LocalDiscord, messages: DirectMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct_messages, "MOST_WAITING", 2)
    people = [person(number) for number in range(ALL + 3)]
    for someone in people[:ALL]:
        assert await messages.say(someone.id, "Your question.", may_wait=False)
    assert not await messages.say(people[ALL].id, "Your question.", may_wait=False)
    waiting = [await messages.say(each.id, "Your question.", may_wait=True) for each in people[ALL:]]
    assert waiting == [True, True, False]
    await until_told(discord, ALL + 2)
    await trio.sleep(PERIOD)
    assert len(told(discord)) == ALL + 2
    assert await messages.say(people[-1].id, "Your question.", may_wait=False)


async def test_who_has_waited_and_takes_none_keeps_nobody_else_from_being_told(
    discord: LocalDiscord, messages: DirectMessages
) -> None:
    people = [person(number) for number in range(ALL + 2)]
    discord.unreachable_people.add(people[ALL].id)
    with capture_logs() as logs:
        for someone in people:
            assert await messages.say(someone.id, "Your question.", may_wait=True)
        await until_told(discord, ALL + 1)
    assert told(discord)[-1] == channel_of(people[-1]).id
    assert [log["event"] for log in logs if log["log_level"] == "warning"] == ["person could not be notified"]


async def test_who_has_waited_too_long_is_not_told_any_more(
    discord: LocalDiscord, messages: DirectMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct_messages, "LONGEST_WAIT", 0.0)  # how long it will be depends on the machine
    people = [person(number) for number in range(ALL + 1)]
    with capture_logs() as logs:
        for someone in people:
            assert await messages.say(someone.id, "Your question.", may_wait=True)
        await trio.sleep(2 * PERIOD)
    assert len(told(discord)) == ALL
    assert [log["event"] for log in logs if log["log_level"] == "warning"] == ["person could not be notified"]


async def test_who_still_waits_at_the_end_is_counted_and_nobody_waits_after_it(discord: LocalDiscord) -> None:
    people = [person(number) for number in range(ALL + 3)]
    async with httpx.AsyncClient(timeout=30) as client:
        messages = DirectMessages(DiscordApi(client, discord.api_url, discord.options.token))
        with capture_logs() as logs:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(messages.run)
                for someone in people[:-1]:
                    assert await messages.say(someone.id, "Your question.", may_wait=True)
                await trio.testing.wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
            assert not await messages.say(people[-1].id, "Your question.", may_wait=True)
    assert [log["people"] for log in logs if log["event"] == "people could not be notified"] == [2]
