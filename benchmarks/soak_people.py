"""Who asks during the soak: people with commands, and people with mentions."""

import random
from collections.abc import Callable
from dataclasses import replace

import trio

from benchmarks.answers import Load
from benchmarks.flooder import AT_BOT
from benchmarks.soak_verdicts import Asked
from discordianai.sandbox.discord import CHANNELS, Interaction, direct_messages, person
from discordianai.sandbox.discord.user_actions import say
from discordianai.sandbox.launcher import Sandbox

LOAD = Load(people=500, rate=12.0, searches=0.15, long=0.03, direct=True)
"""Two cores do not make more of the long answers while they are the provider and Discord, too."""

SHORT = Load(people=500, rate=0.4, long=0.0)
FIRST_MENTION = 10_000_000
"""Questions are numbered from here on."""

Note = Callable[[Asked], None]


async def ask_by_command(
    sandbox: Sandbox, chance: random.Random, note: Note, seconds: float, part: float = 1.0
) -> None:
    """Commands, a fifth of them in private; some of them in direct messages. `part` is of the usual rate."""

    def asked(prompt: str, interaction: Interaction) -> None:
        options = {option["name"]: option["value"] for option in interaction.payload["data"]["options"]}
        private, channel_id = bool(options.get("private")), interaction.channel.id
        note(Asked(prompt, interaction.created, channel_id, interaction, private=private))

    await replace(LOAD, rate=LOAD.rate * part).ask(sandbox, chance, asked, seconds=seconds)


async def ask_by_mention(sandbox: Sandbox, chance: random.Random, note: Note, seconds: float) -> None:
    """Mentions in channels and words in direct messages."""
    discord, number = sandbox.discord, FIRST_MENTION
    with trio.move_on_after(seconds):
        while True:
            await trio.sleep(chance.expovariate(SHORT.rate))
            number, prompt = SHORT.next_prompt(number, chance)
            user = person(1_000 + chance.randrange(SHORT.people))
            channel = chance.choice((*CHANNELS, direct_messages(user)))
            created = discord.now()
            message_id = say(discord, f"{AT_BOT} {prompt}", user=user, channel=channel)
            note(Asked(prompt, created, channel.id, message_id=message_id, user=user))
