"""What one person sets among others does not reach what the others ask."""

from dataclasses import replace
from pathlib import Path

import pytest

from discordianai.conversations.store import ChannelSettings
from discordianai.discord.commands import model, persona
from discordianai.discord.commands.command import HandledCommand, Invocation
from discordianai.discord.commands.shared import NOT_IN_GROUPS
from discordianai.records import Place
from tests.answering.builders import ANN, BEN, Scene
from tests.discord.builders import origin
from tests.discord.commands.builders import open_services

OPTIONS = {"persona": {"instructions": "Be a pirate."}, "model": {"model": "fast"}}
GROUP = origin(guild_id=None, as_member=False)
"""Direct messages of several people, where the bot is somebody's own app."""


@pytest.mark.parametrize("command", [persona.COMMAND, model.COMMAND], ids=["persona", "model"])
async def test_nothing_is_set_in_direct_messages_with_others(tmp_path: Path, command: HandledCommand) -> None:
    """Nobody has a right there that the rest do not have, not even the bot's admins."""
    async with open_services(tmp_path) as (services, store):
        for options in (OPTIONS[command.name], {"clear": True}):
            for admin in (False, True):
                reply = await command.handle(Invocation(GROUP, options, admin=admin), services)
                assert reply.text == NOT_IN_GROUPS
        assert await store.channels() == {}
        alone = replace(GROUP, as_member=True)
        await command.handle(Invocation(alone, OPTIONS[command.name]), services)
        assert len(await store.channels()) == 1


async def test_what_an_older_version_let_somebody_set_there_holds_no_more(tmp_path: Path) -> None:
    """Neither for a question nor in what is told of the place."""
    scene = Scene(["fine"], ["fine"])
    await scene.channels.set(Place(7), ANN.id, ChannelSettings(persona="Be a pirate."))
    for as_member, obeyed in ((False, False), (True, True)):
        question = replace(scene.question(person=BEN), place=Place(7))
        question = replace(question, address=replace(question.address, as_member=as_member))
        await scene.ask(question)
        assert ("pirate" in scene.provider.requests[-1].instructions) == obeyed
    async with open_services(tmp_path) as (services, _):
        await services.set_channel(GROUP.place, ANN.id, ChannelSettings("Be a pirate.", "fast"))
        for command in (persona.COMMAND, model.COMMAND):
            told = (await command.handle(Invocation(GROUP), services)).text
            assert "pirate" not in told
            assert "fast answers" not in told
