"""Many answers stream at once: how far is the screen behind, and what does that cost? A part of `discord`."""

import itertools
import json
import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import trio

from benchmarks.answers import ask_at_once, settled
from benchmarks.discord_provider import Log
from benchmarks.harness import Report, percentile
from benchmarks.processes import open_program, processor_seconds
from discordianai.sandbox.discord import Interaction
from discordianai.sandbox.launcher import open_bot, open_sandbox

TOKENS_PER_SECOND = 30.0
"""The pace of a fast model."""

WARM_UP = 2.0
"""Seconds from when the commands are known until people ask."""

LOOK_EVERY = 0.05
"""Seconds."""

FINISH_TIMEOUT = 60.0
"""Seconds from the last token until all is shown; far more than it takes."""

_TOKEN = re.compile(r"\bt(\d+)")


@dataclass(slots=True)
class Streams:
    """What was seen on all screens together, in seconds."""

    behind: list[float] = field(default_factory=list)
    tokens: int = 0
    edits: int = 0
    complete: int = 0
    rate_limited: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    cpu_first_thread: float = 0.0
    """That runs trio; both of the time that they stream."""
    provider_late: float = 0.0


def _settings(answers: int, url: str) -> dict[str, Mapping[str, object]]:
    """The server's and the provider's limits out of the way, and enough messages for the whole text."""
    return {
        "discord": {"max_messages": 20},
        "providers.openai": {"base_url": url, "dialect": "chat"},
        "rate_limits.server": {"questions": 100_000},
        "rate_limits.openai": {"requests_per_minute": 1_000_000, "tokens_per_minute": 1_000_000_000},
        "connection_pool.openai": {"max_connections": max(answers, 10)},
        "routing": {"strategy": "openai"},
    }


async def stream(folder: Path, answers: int, tokens: int) -> Streams:
    """So many people ask at once, and read until their answers are complete."""
    streams = Streams()
    async with (
        open_sandbox(folder) as sandbox,
        open_program("benchmarks.discord_provider", folder, answers, tokens, TOKENS_PER_SECOND) as provider,
    ):
        sandbox.write_settings(_settings(answers, await provider.line()))
        async with open_bot(sandbox) as bot:
            await bot.ready()
            await trio.sleep(WARM_UP)
            pid = bot.process.pid
            cpu, first_thread = processor_seconds(pid), processor_seconds(pid, thread=pid)
            began = time.monotonic()
            asked = ask_at_once(sandbox, (f"tell me about number {number}" for number in range(answers)))
            log = Log(**json.loads(await provider.line()))
            streams.cpu = processor_seconds(pid) - cpu
            streams.cpu_first_thread = processor_seconds(pid, thread=pid) - first_thread
            streams.seconds = time.monotonic() - began
            await settled(asked.values(), FINISH_TIMEOUT)
        streams.rate_limited = sandbox.discord.counters.rate_limited
        streams.provider_late = log.latest
    for prompt, interaction in asked.items():
        _examine(streams, interaction, log.sent[prompt], tokens)
    return streams


def _examine(streams: Streams, interaction: Interaction, sent: list[float], tokens: int) -> None:
    edits = sorted(edit for message in interaction.messages for edit in message.history)
    shown = [(moment, _tokens_in(text)) for moment, text in edits]
    streams.behind += behind(sent, shown)
    streams.tokens += len(sent)
    streams.edits += len(edits)
    streams.complete += max(count for _, count in shown) == tokens


def behind(sent: list[float], shown: list[tuple[float, int]]) -> list[float]:
    """How many seconds the screen is behind, looked at again and again, and just before each edit.

    It is as far behind as the oldest token that was sent and is not yet to be seen is old. `shown` has when
    each edit came, and how many tokens were to be seen then.
    """
    until = shown[-1][0] - sent[0]
    looks = [(sent[0] + LOOK_EVERY * number, 0) for number in range(int(until / LOOK_EVERY) + 1)]
    seconds, seen = [], 0
    for moment, edit in sorted(itertools.chain(looks, shown)):
        seconds.append(max(0.0, moment - sent[seen]) if seen < len(sent) else 0.0)
        seen = max(seen, edit)
    return seconds


def _tokens_in(text: str) -> int:
    """How many tokens the newest message shows, with those of the messages before it."""
    return max((int(number) + 1 for number in _TOKEN.findall(text)), default=0)


def show_streams(report: Report, answers: int, seconds: float) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        run = trio.run(stream, Path(folder), answers, int(seconds * TOKENS_PER_SECOND))
    pace = f"{TOKENS_PER_SECOND:.0f} tokens/s for {seconds:.0f} s"
    report.table(f"{answers} answers at {pace}", "measured", "required")
    report.figure("429s of Discord", run.rate_limited, required="0")
    report.figure("shown whole", run.complete, required=f"{answers}")
    for part, name, required in ((0.5, "p50", ""), (0.99, "p99", ""), (1, "max", "<= 3 s")):
        report.figure(f"the screen is behind, {name}", percentile(run.behind, part), "{:.2f} s", required)
    report.figure("CPU of the bot's process", run.cpu / run.seconds, "{:.2f} cores", "< 1.2 cores")
    report.figure("of which the thread that runs trio", run.cpu_first_thread / run.cpu, "{:.0%}")
    report.figure("CPU per token", run.cpu / run.tokens * 1000, "{:.3f} ms")
    report.figure("messages written and edited per second", run.edits / run.seconds, "{:.1f}")
    report.figure("the provider behind its own pace, max", run.provider_late, "{:.2f} s")
