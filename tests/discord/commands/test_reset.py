"""`/reset` forgets the conversation here, and who may do that."""

import time
from dataclasses import replace
from pathlib import Path

from discordianai.conversations.conversation_key import ConversationKey, Scope
from discordianai.discord.commands import reset
from discordianai.discord.commands.shared import NOTHING_HERE
from discordianai.discord.events.permissions import MANAGE_MESSAGES
from tests.discord.commands.builders import HERE, invocation, open_services, turns


async def test_the_conversation_here_and_the_private_one_are_forgotten_and_no_other(tmp_path: Path) -> None:
    elsewhere = replace(HERE, channel_id=2)
    async with open_services(tmp_path) as (services, store):
        for key in (HERE, replace(HERE, private=True), elsewhere):
            await store.append(key, turns("why?", "so.", at=time.time()))
        assert (await reset.COMMAND.handle(invocation(), services)).text == reset.FORGOTTEN
        assert await services.recent(HERE) == await services.recent(replace(HERE, private=True)) == ()
        assert len(await services.recent(elsewhere)) == 2
        assert (await reset.COMMAND.handle(invocation(), services)).text == NOTHING_HERE


async def test_a_shared_conversation_is_ended_only_by_who_may_manage_messages(tmp_path: Path) -> None:
    """And by admins."""
    async with open_services(tmp_path, scope=Scope.CHANNEL) as (services, store):
        await store.append(ConversationKey(1, 0), turns("why?", "so.", at=time.time()), person_id=10)
        assert (await reset.COMMAND.handle(invocation(), services)).text == reset.SHARED
        assert len(await services.recent(ConversationKey(1, 0))) == 2
        moderator = invocation(permissions=MANAGE_MESSAGES)
        assert (await reset.COMMAND.handle(moderator, services)).text == reset.FORGOTTEN
        assert (await reset.COMMAND.handle(invocation(admin=True), services)).text == NOTHING_HERE


async def test_ones_own_private_conversation_can_always_be_forgotten(tmp_path: Path) -> None:
    """Also where the other one here is shared."""
    async with open_services(tmp_path, scope=Scope.CHANNEL) as (services, store):
        for key in (ConversationKey(1, 0), replace(HERE, private=True)):
            await store.append(key, turns("why?", "so.", at=time.time()), person_id=10)
        told = (await reset.COMMAND.handle(invocation(), services)).text
        assert told == f"{reset.SHARED} {reset.PRIVATE_ONE}"
        assert await services.recent(replace(HERE, private=True)) == ()
        assert len(await services.recent(ConversationKey(1, 0))) == 2


async def test_in_direct_messages_nothing_is_shared(tmp_path: Path) -> None:
    async with open_services(tmp_path, scope=Scope.CHANNEL) as (services, store):
        await store.append(HERE, turns("why?", "so.", at=time.time()))
        mine = invocation(guild_id=None)
        assert (await reset.COMMAND.handle(mine, services)).text == reset.FORGOTTEN
        assert await services.recent(HERE) == ()
