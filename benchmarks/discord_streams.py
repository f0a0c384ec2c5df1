"""Many answers stream at once: how far is the screen behind, and what does that cost?"""

import itertools
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import trio

from benchmarks.discord_crowd import settled
from benchmarks.discord_measuring import Cpu, Settings
from benchmarks.discord_talker import Notes, open_talker
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import Interaction, person
from discordianai.sandbox.launcher import open_bot, open_sandbox

WARM_UP = 2.0
"""Seconds from when the commands are known until people ask."""
LOOK_EVERY = 0.05
"""Seconds."""
FINISH_TIMEOUT = 60.0
"""Seconds from the last token until all is shown; far more than it takes."""

_TOKEN = re.compile(r"\bt(\d+)")


@dataclass(slots=True)
class Streams:
    """What was seen on all screens together. `behind` is in seconds; CPU is of the time that they stream."""

    behind: list[float] = field(default_factory=list)
    tokens: int = 0
    edits: int = 0
    complete: int = 0
    rate_limited: int = 0
    seconds: float = 0.0
    cpu: Cpu = field(default_factory=lambda: Cpu(0, 0))
    most_behind: float = 0.0
    """Seconds; of the provider, behind its own pace."""


def settings(answers: int) -> Settings:
    """The server's and the provider's limits out of the way, and room for the whole text in messages."""
    return {
        "discord": {"max_messages": 20},
        "rate_limits.server": {"questions": 100_000},
        "rate_limits.openai": {"requests_per_minute": 1_000_000, "tokens_per_minute": 1_000_000_000},
        "connection_pool.openai": {"max_connections": max(answers, 10)},
        "routing": {"strategy": "openai"},
    }


async def stream(folder: Path, authority: Authority, answers: int, tokens: int, per_second: float) -> Streams:
    """So many people ask at once, and read until their answers are complete."""
    async with (
        open_sandbox(folder, authority=authority) as sandbox,
        open_talker(folder, answers, tokens, per_second) as talker,
    ):
        reached = {"base_url": await talker.line(), "dialect": "chat"}
        sandbox.write_settings({**settings(answers), "providers.openai": reached})
        async with open_bot(sandbox) as bot:
            await bot.ready()
            await trio.sleep(WARM_UP)
            streams = Streams()
            before, began = Cpu.of(bot.process.pid), time.monotonic()
            asked = {
                prompt: sandbox.discord.invoke_now("ask", {"prompt": prompt}, user=person(number))
                for number in range(answers)
                for prompt in (f"tell me about number {number}",)
            }
            await talker.line()
            streams.cpu = Cpu.of(bot.process.pid).since(before)
            streams.seconds = time.monotonic() - began
            with trio.move_on_after(FINISH_TIMEOUT):
                await settled(asked.values())
        notes = await talker.notes()
        _examine(streams, asked, notes, tokens)
        streams.rate_limited = sandbox.discord.counters.rate_limited
        streams.most_behind = notes.most_behind
    return streams


def _behind(sent: list[float], shown: list[tuple[float, int]], until: float, every: float) -> list[float]:
    """How many seconds the screen is behind, looked at `every` so many, and just before each edit.

    It is as far behind as the oldest token that was sent and is not yet to be seen is old. `shown` has when
    each edit came, and how many tokens were to be seen then.
    """
    seconds = []
    looks = [(sent[0] + every * number, 0) for number in range(int((until - sent[0]) / every) + 1)]
    seen = 0
    for moment, edit in sorted(itertools.chain(looks, shown)):
        seconds.append(max(0.0, moment - sent[seen]) if seen < len(sent) else 0.0)
        seen = max(seen, edit)
    return seconds


def _examine(streams: Streams, asked: dict[str, Interaction], notes: Notes, tokens: int) -> None:
    for prompt, interaction in asked.items():
        edits = sorted(edit for message in interaction.messages for edit in message.history)
        shown = [(moment, _tokens_in(text)) for moment, text in edits]
        sent = notes.sent[prompt]
        streams.behind += _behind(sent, shown, edits[-1][0], LOOK_EVERY)
        streams.tokens += len(sent)
        streams.edits += len(edits)
        streams.complete += max(count for _, count in shown) == tokens


def _tokens_in(text: str) -> int:
    """How many tokens the newest message shows, with those of the messages before it."""
    return max((int(number) + 1 for number in _TOKEN.findall(text)), default=0)
