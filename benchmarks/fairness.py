"""Does one who floods, or a provider that misbehaves, delay the others?  `make bench-fairness`

24 people ask OpenAI as people do, by commands and mentions, with the settings as shipped: alone; beside one
person who sends twenty commands, mentions, buttons, files and the longest prompts a second; and beside eight
people whose provider, Perplexity, stalls, answers 429 with Retry-After, and floods. Each time with a bot of
their own, in turn.
Compared to: the 24 people alone, in the same run.
Required: acknowledged within 1.5 s at p99; the first words after at most 1.3 times as long, at p50 and p95.
"""

import json
import math
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

import trio

from benchmarks.answers import UNLIMITED
from benchmarks.flooder import AT_BOT, Flooder
from benchmarks.harness import Report, alternate, command_line, parse, percentile
from benchmarks.processes import processor_seconds
from discordianai.sandbox.discord import (
    CHANNELS,
    DiscordOptions,
    Interaction,
    LocalDiscord,
    SandboxMessage,
    person,
)
from discordianai.sandbox.discord.user_actions import say
from discordianai.sandbox.launcher import Sandbox, open_bot, open_sandbox
from discordianai.sandbox.providers import Fault
from discordianai.sandbox.providers.provider_faults import FaultKind

PEOPLE, EVERY = 24, 10.0
"""Who ask, and the mean seconds from one question of theirs to the next."""

MENTIONS = 0.2
"""Of the questions; the others are commands."""

OTHERS, OTHERS_EVERY = 8, 4.0
"""Who ask the provider that misbehaves."""

WARM_UP, LAST_ANSWERS = 2.0, 20.0
"""Seconds before the first question, and after the last one."""

MOST_RATIO = "<= 1.3"
SETTINGS: dict[str, dict[str, object]] = {
    "discord": {"respond_to": "mentions"},
    "routing": {"strategy": "openai"},
}
DISCORD = DiscordOptions(allowed_intents=-1)
WORDS = json.dumps(
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "word " * 3_000}
)
MISBEHAVIOUR: Sequence[Fault] = (
    Fault(FaultKind.STALL, after=3),
    Fault.rate_limited(30.0),
    Fault.raw(f"data: {WORDS}\n\n".encode(), times=None),
    Fault.raw(b"x" * 65_536, times=None),
    Fault.raw(b"data: " + b"[" * 100_000 + b"\n\n", times=50),
)


@dataclass(eq=False, slots=True)
class Question:
    """Of one of the 24, at `began` on `time.monotonic`; a mention has its `message_id`."""

    began: float
    interaction: Interaction | None = None
    message_id: int | None = None

    def first_words(self, discord: LocalDiscord) -> float:
        """Seconds until some of the answer, and no status, was to be seen; `math.inf` if it never was."""
        messages: Sequence[SandboxMessage] = (
            self.interaction.messages
            if self.interaction is not None
            else [message for message in discord.channel_messages if message.reply_to == self.message_id]
        )
        shown = (when for message in messages for when, text in message.history if not _is_small_print(text))
        return min(shown, default=math.inf) - self.began


def _is_small_print(text: str) -> bool:
    return not text or all(line.startswith("-# ") for line in text.splitlines() if line)


@dataclass(slots=True)
class Round:
    """What the 24 people met, in seconds."""

    acknowledged: list[float] = field(default_factory=list)
    first_words: list[float] = field(default_factory=list)
    after_mentions: list[float] = field(default_factory=list)
    """Of the first words: those in reply to mentions, which share a channel's limit."""
    beside: int = 0
    """Things that were done beside them."""
    cores: float = 0.0

    @property
    def without_words(self) -> int:
        """How many read nothing."""
        return self.first_words.count(math.inf)


Beside = Callable[[Sandbox, random.Random, float], Awaitable[int]]
"""What goes on beside the 24 for so many seconds; how many things were done."""


async def nobody(_sandbox: Sandbox, _chance: random.Random, _seconds: float) -> int:
    """The 24 are alone."""
    return 0


async def flooding_person(sandbox: Sandbox, chance: random.Random, seconds: float) -> int:
    """See `flooder`."""
    flooder = Flooder(sandbox, chance, lambda _prompt, _interaction: None)
    await flooder.flood(seconds)
    return flooder.done


async def misbehaving_provider(sandbox: Sandbox, chance: random.Random, seconds: float) -> int:
    """Others ask Perplexity, and each of their questions meets another misbehaviour."""
    number = 0
    with trio.move_on_after(seconds):
        while True:
            await trio.sleep(chance.expovariate(OTHERS / OTHERS_EVERY))
            sandbox.perplexity.misbehave(MISBEHAVIOUR[number % len(MISBEHAVIOUR)])
            options = {"prompt": f"and number {number}?", "provider": "perplexity"}
            user = person(500 + number % OTHERS)
            sandbox.discord.invoke_now("ask", options, user=user, channel=CHANNELS[number % 3])
            number += 1
    return number


async def measure(beside: Beside, seconds: float, seed: int) -> Round:
    """One round, with a bot of its own."""
    found, questions = Round(), list[Question]()
    with tempfile.TemporaryDirectory() as folder:
        async with open_sandbox(Path(folder), providers=UNLIMITED, discord=DISCORD) as sandbox:
            sandbox.write_settings(SETTINGS)
            async with open_bot(sandbox) as bot:
                await bot.ready()
                await trio.sleep(WARM_UP)
                used = processor_seconds(bot.process.pid)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_ask, sandbox, random.Random(seed), seconds, questions)
                    found.beside = await beside(sandbox, random.Random(seed), seconds)
                found.cores = (processor_seconds(bot.process.pid) - used) / seconds
                await trio.sleep(LAST_ANSWERS)
        for question in questions:
            words = question.first_words(sandbox.discord)
            found.first_words.append(words)
            if question.interaction is None:
                found.after_mentions.append(words)
            else:
                waited = question.interaction.acknowledged_after
                found.acknowledged.append(math.inf if waited is None else waited)
    return found


async def _ask(sandbox: Sandbox, chance: random.Random, seconds: float, questions: list[Question]) -> None:
    """The 24 people, in the same order and at the same moments for each candidate."""
    began = at = trio.current_time()
    while (at := at + chance.expovariate(PEOPLE / EVERY)) < began + seconds:
        await trio.sleep_until(at)
        number = len(questions)
        # In turn: who asks again before the first answer waits for that one, whoever else is there.
        user, channel, now = person(number % PEOPLE), CHANNELS[number % len(CHANNELS)], time.monotonic()
        prompt = f"what about number {number}?"
        if chance.random() < MENTIONS:
            message_id = say(sandbox.discord, f"{AT_BOT} {prompt}", user=user, channel=channel)
            questions.append(Question(now, message_id=message_id))
        else:
            asked = sandbox.discord.invoke_now("ask", {"prompt": prompt}, user=user, channel=channel)
            questions.append(Question(now, asked))


CANDIDATES: dict[str, Beside] = {
    "alone": nobody,
    "beside one who floods": flooding_person,
    "beside a provider that misbehaves": misbehaving_provider,
}


def show(report: Report, name: str, runs: Sequence[Round], alone: Sequence[Round]) -> None:
    """The table of one candidate, the medians of its rounds."""
    report.table(f"24 people {name}", "measured", "ratio", "required")
    report.row("questions", sum(len(run.first_words) for run in runs), "")
    report.row("things done beside them", sum(run.beside for run in runs), "")
    for part, percent, required in ((0.5, "p50", ""), (0.99, "p99", "< 1.5 s")):
        wait = median(percentile(run.acknowledged, part) for run in runs)
        report.row(f"{name}: acknowledged, {percent}", f"{wait:.3f} s", "", required=required, measured=wait)
    for part, percent in ((0.5, "p50"), (0.95, "p95")):
        wait, before = (median(percentile(r.first_words, part) for r in each) for each in (runs, alone))
        ratio = wait / before if math.isfinite(before) else math.inf
        required = MOST_RATIO if runs is not alone else ""
        shown = f"{name}: first words, {percent}", f"{wait:.2f} s", f"{ratio:.2f}"
        report.row(*shown, required=required, measured=ratio)
    mentions = [words for run in runs for words in run.after_mentions]
    if mentions:
        slowest = f"{median(mentions):.2f} s, {max(mentions):.2f} s"
        report.row("first words in reply to mentions, p50 and max", slowest, "")
    without = sum(run.without_words for run in runs)
    report.row(f"{name}: no words", without, "", required="0", measured=without)
    report.row("CPU of the bot's process", f"{median(run.cores for run in runs):.2f} cores", "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, and return the exit status."""
    parser = command_line(__doc__, rounds=3)
    parser.add_argument("--seconds", type=float, help="that people ask in each round (60)")
    options = parse(parser, arguments)
    seconds = options.seconds or (10.0 if options.quick else 60.0)
    report = Report()
    candidates = {name: partial(measure, beside, seconds, 1) for name, beside in CANDIDATES.items()}
    found = trio.run(alternate, options.rounds, candidates)
    for name, runs in found.items():
        show(report, name, runs, found["alone"])
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
