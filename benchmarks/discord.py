"""Is everybody acknowledged and answered when a Discord is busy?  `make bench-discord`

Three tables: 500 people ask in one moment with the limits out of the way, then with the settings as shipped;
100 answers stream at once (see `discord_streams`). The bot is the installed program in a process of its own,
Discord and the providers are the sandbox's, in this one.
Compared to: Discord's three seconds. (The library's stock client, which does nothing but acknowledge, misses
them for 365 of 500; see docs/benchmarks.md.)
Required: acknowledged within 1.5 s at p99, all answered whole and once, or told why not; no screen more than
3 s behind, at less than 1.2 cores, without a 429 of Discord.
"""

import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import trio

from benchmarks.answers import REFUSED, TOLD, UNLIMITED, WHOLE, ask_at_once, last_sentence, outcome, settled
from benchmarks.discord_streams import show_streams
from benchmarks.harness import Report, command_line, parse, percentile
from benchmarks.processes import processor_seconds
from discordianai.sandbox.discord import Interaction
from discordianai.sandbox.launcher import BotDatabase, open_bot, open_sandbox
from discordianai.sandbox.providers import ServiceOptions

Settings = Mapping[str, Mapping[str, object]]
"""Changed keys for each table of the bot's settings."""

ALL_ANSWERED: Settings = {
    "rate_limits.server": {"questions": 100_000},
    "rate_limits.openai": {"requests_per_minute": 1_000_000, "tokens_per_minute": 1_000_000_000},
    "connection_pool.openai": {"max_connections": 100},
    "dispatch": {"queue_size": 1000},
    "routing": {"strategy": "openai"},
}

WARM_UP = 2.0
"""Seconds from when the commands are known until people ask."""


@dataclass(slots=True)
class Crowd:
    """What became of the people of one round."""

    waits: list[float] = field(default_factory=list)
    """Seconds until each was acknowledged; `math.inf` if Discord has given up on the bot."""
    answered: int = 0
    by_the_other: int = 0
    """Of them: the first provider's queue was full, and the other provider has answered."""
    told: Counter[str] = field(default_factory=Counter)
    """By the words of a refusal or an error."""
    silent: int = 0
    """Acknowledged, then told nothing, or half an answer, or the answer twice."""
    unfinished: int = 0
    """The bot still thinks, or offers to stop, long after its deadline."""
    unprotected: int = 0
    seconds: float = 0.0
    """Until the last of them knew."""
    cpu: float = 0.0

    def add(self, prompt: str, interaction: Interaction) -> None:
        """Look at one of them."""
        waited, found = interaction.acknowledged_after, outcome(prompt, interaction)
        self.waits.append(math.inf if waited is None else waited)
        if found == WHOLE:
            self.answered += 1
            self.by_the_other += "the other failed" in interaction.text
        elif found in {REFUSED, TOLD}:
            self.told[last_sentence(interaction)] += 1
        else:
            self.silent += waited is not None


async def ask(
    people: int, settings: Settings, providers: ServiceOptions, database: BotDatabase | None = None
) -> Crowd:
    """So many ask in one moment, and all are waited for. The bot stores in a file, or in `database`."""
    crowd = Crowd()
    with tempfile.TemporaryDirectory() as folder:
        async with open_sandbox(Path(folder), providers=providers, database=database) as sandbox:
            sandbox.write_settings(settings)
            async with open_bot(sandbox) as bot:
                await bot.ready()
                await trio.sleep(WARM_UP)
                cpu, began = processor_seconds(bot.process.pid), time.monotonic()
                asked = ask_at_once(sandbox, (f"what about number {number}?" for number in range(people)))
                crowd.unfinished = await settled(asked.values())
                for prompt, interaction in asked.items():
                    crowd.add(prompt, interaction)
                crowd.cpu = processor_seconds(bot.process.pid) - cpu
                crowd.seconds = max(interaction.last_edit for interaction in asked.values()) - began
            crowd.unprotected = sandbox.log.read_text().count("question not protected against a crash")
    return crowd


def show(report: Report, people: int, runs: Sequence[Crowd], *, all_answered: bool) -> None:
    """The rows of one table, with the sums of all rounds."""
    total = people * len(runs)
    answered = sum(run.answered for run in runs)
    told = sum((run.told for run in runs), Counter[str]())
    for part, name, required in ((0.5, "p50", ""), (0.99, "p99", "< 1.5 s"), (1.0, "max", "")):
        wait = median(percentile(run.waits, part) for run in runs)
        report.figure(f"acknowledged, {name}", wait, "{:.2f} s", required)
    worst = max(percentile(run.waits, 0.99) for run in runs)
    report.figure("acknowledged, p99 of the worst round", worst, "{:.2f} s")
    report.figure("not acknowledged", sum(run.waits.count(math.inf) for run in runs), required="0")
    report.figure("answered whole, and once", answered, required=f"{total}" if all_answered else "")
    report.figure("of which by another provider", sum(run.by_the_other for run in runs))
    for words, count in told.most_common():
        report.figure(f"told: {words}", count)
    report.figure("answered or told", answered + told.total(), required=f"{total}")
    report.figure("acknowledged, then silent", sum(run.silent for run in runs), required="0")
    report.figure("never finished", sum(run.unfinished for run in runs), required="0")
    report.figure("unprotected against a crash", sum(run.unprotected for run in runs))
    report.figure("until all are answered", median(run.seconds for run in runs), "{:.1f} s")
    report.figure("CPU of the bot's process", median(run.cpu for run in runs), "{:.1f} s")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, and return the exit status."""
    parser = command_line(__doc__, rounds=3)
    parser.add_argument("--people", type=int, help="who ask in one moment (500)")
    parser.add_argument("--answers", type=int, help="that stream at once (100)")
    parser.add_argument("--seconds", type=float, help="that each of them streams (60)")
    parser.add_argument("--only", choices=("crowd", "shipped", "streams"), help="one of the three tables")
    options = parse(parser, arguments)
    people = options.people or (20 if options.quick else 500)
    answers = options.answers or (5 if options.quick else 100)
    seconds = options.seconds or (5.0 if options.quick else 60.0)
    report = Report()
    if options.only in {None, "crowd"}:
        runs = [trio.run(ask, people, ALL_ANSWERED, UNLIMITED) for _ in range(options.rounds)]
        report.table(f"{people} commands in one moment", "the bot", "required")
        show(report, people, runs, all_answered=True)
    if options.only in {None, "shipped"}:
        run = trio.run(ask, people, {}, ServiceOptions())
        report.table(f"{people} commands in one moment, settings as shipped", "the bot", "required")
        show(report, people, [run], all_answered=False)
    if options.only in {None, "streams"}:
        show_streams(report, answers, seconds)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
