"""`/forget` deletes everything about a person, and only once that is confirmed."""

import time
from pathlib import Path

from discordianai.conversations.store import ChannelSettings
from discordianai.discord.commands import forget
from tests.discord.builders import ANN, origin
from tests.discord.commands.builders import HERE, invocation, open_services, pressed, turns


async def test_nothing_is_deleted_before_it_is_confirmed(tmp_path: Path) -> None:
    async with open_services(tmp_path) as (services, store):
        await store.append(HERE, turns("why?", "so.", at=time.time()), guild_id=5)
        asked = await forget.COMMAND.handle(invocation(), services)
        assert [button.label for button in asked.buttons] == ["Delete everything", "Keep it"]
        kept = await pressed(forget.COMMAND, asked, "Keep it", services)
        assert (kept.text, kept.buttons) == (forget.KEPT, ())
        assert len(await services.recent(HERE)) == 2


async def test_all_of_it_is_deleted_also_what_was_set_in_direct_messages(tmp_path: Path) -> None:
    alone = origin(channel_id=7, guild_id=None).place
    async with open_services(tmp_path) as (services, store):
        await store.append(HERE, turns("why?", "so.", at=time.time()), guild_id=5)
        await services.set_channel(alone, ANN.id, ChannelSettings(persona="Be brief."))
        asked = await forget.COMMAND.handle(invocation(), services)
        done = await pressed(forget.COMMAND, asked, "Delete everything", services)
        assert done.text == "Everything has been deleted: 2 messages."
        assert await services.recent(HERE) == ()
        assert not services.channel(alone)
