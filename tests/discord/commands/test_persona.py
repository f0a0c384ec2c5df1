"""`/persona` shows and sets the bot's instructions for a channel."""

from pathlib import Path

from discordianai.conversations.store import ChannelSettings
from discordianai.discord.commands import persona, shared
from discordianai.discord.events.permissions import MANAGE_CHANNELS
from tests.discord.builders import origin
from tests.discord.commands.builders import invocation, open_services


async def test_everybody_sees_it_and_who_may_manage_the_channel_sets_it(tmp_path: Path) -> None:
    """Admins do, too."""
    handle, wanted = persona.COMMAND.handle, {"instructions": " Be a llama.\nSpit. "}
    async with open_services(tmp_path) as (services, _):
        assert (await handle(invocation(), services)).text == persona.USUAL
        assert (await handle(invocation(wanted), services)).text == shared.NOT_ALLOWED
        assert not services.channel(origin().place)
        for allowed in (invocation(wanted, permissions=MANAGE_CHANNELS), invocation(wanted, admin=True)):
            assert (await handle(allowed, services)).text.endswith("> Be a llama.\n> Spit.")
        assert (await handle(invocation(), services)).text == "> Be a llama.\n> Spit."
        cleared = await handle(invocation({"clear": True}, permissions=MANAGE_CHANNELS), services)
        assert cleared.text == shared.AS_USUAL
        assert not services.channel(origin().place)


async def test_in_direct_messages_everybody_sets_their_own(tmp_path: Path) -> None:
    used = invocation({"instructions": "Be brief."}, guild_id=None)
    async with open_services(tmp_path) as (services, _):
        assert "Be brief." in (await persona.COMMAND.handle(used, services)).text


async def test_the_model_of_the_channel_stays_and_is_told_along(tmp_path: Path) -> None:
    used = invocation({"instructions": "Be brief."}, admin=True)
    async with open_services(tmp_path) as (services, _):
        await services.set_channel(used.origin.place, 10, ChannelSettings(model="fast"))
        assert "fast answers in this channel" in (await persona.COMMAND.handle(used, services)).text
        assert services.channel(used.origin.place) == ChannelSettings("Be brief.", "fast")
