"""The log of the installed bot at DEBUG has no id of anybody, and one name for each over restarts."""

import re

import pytest

from discordianai.discord.commands.shared import NOT_ALLOWED
from discordianai.sandbox.discord import CHANNELS, person
from discordianai.sandbox.discord.api_objects import direct_messages
from discordianai.sandbox.launcher import open_bot
from tests.end_to_end.conftest import RESTARTED, Scene, Stage

pytestmark = pytest.mark.slow
BLOCKED = 13


async def test_ids_are_pseudonyms_at_debug_and_the_same_after_a_restart(stage: Stage) -> None:
    """Questions, commands, a direct message, refusals and acts of power have been logged by then."""
    blocked = person(BLOCKED)
    settings = {
        "logging": {"level": "DEBUG"},
        "discord": {"blocked_user_ids": [blocked.id], "admin_user_ids": [person(1).id]},
    }
    async with stage(settings, RESTARTED) as scene:
        await use(scene)
        await scene.bot.stop()
        async with open_bot(scene.sandbox) as bot:
            await bot.ready()
            await use(Scene(scene.sandbox, bot))
            told = scene.log()
    ids = {person().id, person(1).id, blocked.id, *(channel.id for channel in CHANNELS)}
    ids |= {interaction.id for interaction in scene.sandbox.discord.interactions.values()}
    assert not [one for one in ids if str(one) in told]
    assert not re.search(r"(?<![0-9.])[0-9]{17,20}(?![0-9])", told)
    refused = re.findall(r"event=refused cause=access person=(id-[0-9a-f]{12})", told)
    assert len(refused) == 2
    assert len(set(refused)) == 1
    acts = re.findall(r'event="privileged act" act=(\w+) person=(id-[0-9a-f]{12})', told)
    assert [act for act, _ in acts] == ["status", "status"]


async def use(scene: Scene) -> None:
    discord = scene.sandbox.discord
    await scene.ask("why?")
    await scene.ask("why here?", channel=direct_messages(person()))
    refused = await discord.invoke("ask", {"prompt": "why?"}, user=person(BLOCKED))
    await refused.wait_until(lambda one: bool(one.messages))
    status = await discord.invoke("status", user=person(1))
    await status.wait_until(lambda one: "Ready" in one.text)
    persona = await discord.invoke("persona", {"instructions": "Be brief."})
    await persona.wait_until(lambda one: NOT_ALLOWED in one.text)
