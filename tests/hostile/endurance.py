"""What every hostile test asks for: the bot is alive and stays small, and whoever is concerned is told."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from benchmarks.answers import labels
from discordianai.sandbox.discord import DiscordOptions, Interaction, SandboxMessage
from tests.end_to_end.conftest import Scene
from tests.end_to_end.sharing import Tables

MOST_MEMORY = 60.0
"""MB above what the bot has at rest."""

DEADLINE = 20.0
"""Seconds for each question."""

SETTINGS: Tables = {
    "discord": {"respond_to": "mentions"},
    "dispatch": {"deadline_seconds": DEADLINE},
    "providers.openai": {"read_timeout": 5.0, "first_token_timeout": 5.0},
    "providers.perplexity": {"read_timeout": 5.0, "first_token_timeout": 5.0},
}

INTENTS = DiscordOptions(allowed_intents=-1)
"""A bot that reads mentions needs the intent for what is in messages."""

SPARE = 10.0
"""Seconds beside the deadline for the last edit on a busy machine."""


@asynccontextmanager
async def endured(scene: Scene) -> AsyncIterator[None]:
    """The bot is alive after the block, and has taken at most `MOST_MEMORY` in it."""
    pid = scene.bot.process.pid
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # forget the most that there was
    idle = _megabytes(pid, "VmRSS")
    yield
    assert scene.bot.process.returncode is None, scene.log()[-2000:]
    assert _megabytes(pid, "VmHWM") - idle <= MOST_MEMORY


def _megabytes(pid: int, key: str) -> float:
    """`VmRSS`, what the process has now, or `VmHWM`, the most since it was looked at."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(key)]
    return int(line.split()[1]) / 1024


async def told(asked: Interaction, within: float = DEADLINE + SPARE) -> str:
    """The last words on a command; raises `AssertionError` where it is silent, or the bot still thinks."""
    return await _last_words(lambda: asked.messages, within)


async def told_in_channel(scene: Scene, message_id: int, within: float = DEADLINE + SPARE) -> str:
    """The last words on a mention, in reply to it."""
    messages = scene.sandbox.discord.channel_messages
    return await _last_words(lambda: [each for each in messages if each.reply_to == message_id], within)


async def _last_words(find: Callable[[], Sequence[SandboxMessage]], within: float) -> str:
    with trio.move_on_after(within):
        while True:
            messages = [message for message in find() if not message.deleted]
            if messages and not messages[0].loading and "Stop" not in labels(messages):
                text = "\n".join(message.content for message in messages)
                if text.splitlines()[-1].startswith("-# "):  # the small print comes last
                    return text
            await trio.sleep(0.05)
    shown = [(message.loading, labels([message]), message.content[-200:]) for message in find()]
    raise AssertionError(f"no last words after {within} s: {shown}")
