"""Many people ask in the same moment: when is each acknowledged, and what becomes of the question?"""

import math
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from benchmarks.answers import is_whole
from benchmarks.discord_measuring import Cpu, Settings
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import Interaction, person
from discordianai.sandbox.launcher import Sandbox, open_bot, open_sandbox
from discordianai.sandbox.providers import ServiceOptions

UNBOUND = ServiceOptions(requests_per_minute=10**6, tokens_per_minute=10**9, perplexity_rates=())
ALL_ANSWERED: Settings = {
    "rate_limits.server": {"questions": 100_000},
    "rate_limits.openai": {"requests_per_minute": 1_000_000, "tokens_per_minute": 1_000_000_000},
    "connection_pool.openai": {"max_connections": 100},
    "dispatch": {"queue_size": 1000},
    "routing": {"strategy": "openai"},
}
AS_SHIPPED: Settings = {}

WARM_UP = 2.0
"""Seconds from when the commands are known until the crowd comes."""
TOO_LATE = 3.5
"""Seconds; Discord gives up on an interaction after 3."""
SETTLE_TIMEOUT = 400.0
"""Seconds; more than a question's own deadline."""


@dataclass(slots=True)
class Crowd:
    """What became of the people. Those who were not acknowledged in time waited `math.inf` seconds."""

    waits: list[float] = field(default_factory=list)
    answered: int = 0
    by_the_other: int = 0
    """Of them: the first provider's line was full, and the other provider has answered."""
    refused: Counter[str] = field(default_factory=Counter)
    """By what they were told."""
    silent: int = 0
    """Acknowledged, then told nothing, or half an answer, or the answer twice."""
    unprotected: int = 0
    seconds: float = 0.0
    """Until the last of them knew."""
    cpu: float = 0.0

    @property
    def unacknowledged(self) -> int:
        """How many, of whom Discord says that the application did not respond."""
        return self.waits.count(math.inf)


async def ask_the_bot(
    folder: Path, authority: Authority, people: int, settings: Settings, providers: ServiceOptions
) -> Crowd:
    """So many ask the installed program, and all are waited for."""
    async with open_sandbox(folder, authority=authority, providers=providers) as sandbox:
        sandbox.write_settings(settings)
        async with open_bot(sandbox) as bot:
            await bot.ready()
            await trio.sleep(WARM_UP)
            before, began = Cpu.of(bot.process.pid), time.monotonic()
            asked = _ask(sandbox, people)
            await settled(asked.values())
            crowd = _examine(asked)
            crowd.cpu = Cpu.of(bot.process.pid).since(before).process
            crowd.seconds = max(interaction.last_edit for interaction in asked.values()) - began
        crowd.unprotected = sandbox.log.read_text().count("a question is not protected")
    return crowd


async def ask_the_stock_client(folder: Path, authority: Authority, people: int) -> Crowd:
    """So many ask a bot that does nothing but acknowledge."""
    async with open_sandbox(folder, authority=authority) as sandbox, _open_stock(sandbox):
        with trio.fail_after(20):
            await sandbox.discord.wait_ready()
        await trio.sleep(WARM_UP)
        asked = _ask(sandbox, people)
        await trio.sleep(TOO_LATE)
        return Crowd(waits=_waits(asked.values()))


@asynccontextmanager
async def _open_stock(sandbox: Sandbox) -> AsyncIterator[None]:
    command = [sys.executable, "-m", "benchmarks.discord_stock"]
    command += [sandbox.discord.api_url, sandbox.discord.options.token]
    with sandbox.log.open("ab") as log:
        process = await trio.lowlevel.open_process(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


def _ask(sandbox: Sandbox, people: int) -> dict[str, Interaction]:
    """All in one moment, each another question."""
    return {
        prompt: sandbox.discord.invoke_now("ask", {"prompt": prompt}, user=person(number))
        for number in range(people)
        for prompt in (f"what about number {number}?",)
    }


async def settled(asked: Collection[Interaction]) -> None:
    """Wait until nothing more is to come, or for `SETTLE_TIMEOUT`."""
    await trio.sleep(TOO_LATE)
    with trio.move_on_after(SETTLE_TIMEOUT):
        while any(_is_open(interaction) for interaction in asked):  # noqa: ASYNC110  # of all of them
            await trio.sleep(0.1)


def _is_open(interaction: Interaction) -> bool:
    """Whether the bot still thinks, or offers to stop."""
    if interaction.response_type is None:
        return False
    labels = (
        part["label"]
        for message in interaction.messages
        if not message.deleted
        for line in message.components
        for part in line["components"]
    )
    return interaction.loading or "Stop" in labels


def _waits(asked: Iterable[Interaction]) -> list[float]:
    waits = (interaction.acknowledged_after for interaction in asked)
    return [math.inf if wait is None else wait for wait in waits]


def _examine(asked: dict[str, Interaction]) -> Crowd:
    crowd = Crowd(waits=_waits(asked.values()))
    for prompt, interaction in asked.items():
        if not interaction.loading and is_whole(prompt, interaction.text):
            crowd.answered += 1
            crowd.by_the_other += "other one failed" in interaction.text
        elif not interaction.loading and "You asked" not in interaction.text:
            crowd.refused[re.sub(r"\d+", "N", interaction.text.strip())] += 1
        else:
            crowd.silent += 1
    return crowd
