"""`/model` shows and sets the model that answers in a channel."""

from pathlib import Path

from discordianai.conversations.store import ChannelSettings
from discordianai.discord.commands import model, shared
from tests.discord.builders import origin
from tests.discord.commands.builders import invocation, open_services


async def test_everybody_sees_what_there_is_and_what_is_set(tmp_path: Path) -> None:
    async with open_services(tmp_path) as (services, _):
        shown = (await model.COMMAND.handle(invocation(), services)).text
        assert "No model is set for this channel." in shown
        assert "- OpenAI: gpt-6-luna, gpt-6.1-terra\n- Perplexity: fast" in shown
        await services.set_channel(origin().place, 10, ChannelSettings(model="fast"))
        assert "In this channel, fast answers." in (await model.COMMAND.handle(invocation(), services)).text


async def test_it_is_set_and_cleared_by_who_may(tmp_path: Path) -> None:
    handle, wanted = model.COMMAND.handle, {"model": "fast"}
    async with open_services(tmp_path) as (services, _):
        assert (await handle(invocation(wanted), services)).text == shared.NOT_ALLOWED
        changed = await handle(invocation(wanted, admin=True), services)
        assert changed.text == "From now on, fast answers in this channel."
        assert services.channel(origin().place).model == "fast"
        cleared = await handle(invocation({"clear": True}, admin=True), services)
        assert cleared.text == shared.AS_USUAL


async def test_a_model_that_nobody_has_is_not_set(tmp_path: Path) -> None:
    async with open_services(tmp_path) as (services, _):
        refused = await model.COMMAND.handle(invocation({"model": "gpt-99"}, admin=True), services)
        assert refused.text == model.UNKNOWN
        assert not services.channel(origin().place)
