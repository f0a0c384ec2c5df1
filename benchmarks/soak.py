"""Does the bot keep its promises through half an hour of faults, or 200 kills?  `make soak`, `make soak-kill`

The installed bot under load, before the sandbox's Discord and providers, in which something goes wrong all
the time: see `soak_faults`, `soak_discord_faults` and `soak_mutations`; one person floods it, see
`soak_people`. With `--kills` it is killed instead, again and again: see `soak_kills`.
Compared to: memory and descriptors in the second third, when what is bounded is full.
Required: whatever Discord delivered ends answered or with a clear note, within the question's deadline, and
nothing shows that the bot is thinking; no global 429 of Discord's; memory and descriptors are at most 1.05
times as many in the last third; no warning that the faults do not explain; the bot ends with 0, when told to.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median

import trio

from benchmarks import soak_kills
from benchmarks.answers import UNLIMITED, labels
from benchmarks.flooder import RATE, Flooder
from benchmarks.harness import Report, command_line, parse
from benchmarks.processes import open_files, processor_seconds, resident_mb
from benchmarks.soak_discord_faults import HEARTBEAT_INTERVAL, LONGEST_SPELL, rotate
from benchmarks.soak_faults import FaultLog, note_other_gaps, note_stalls, strike_all
from benchmarks.soak_mutations import Mutations
from benchmarks.soak_people import ask_by_command, ask_by_mention
from benchmarks.soak_verdicts import Asked, Verdicts
from benchmarks.soak_warnings import EXPECTED
from benchmarks.stored import DATABASES, opened
from discordianai.sandbox.discord import DiscordOptions, Interaction, LocalDiscord
from discordianai.sandbox.discord.sandbox_interaction import ACKNOWLEDGE_WITHIN
from discordianai.sandbox.launcher import BotProcess, Sandbox, open_bot, open_sandbox

PROVIDERS = replace(UNLIMITED, first_token=0.3, between_tokens=0.005)
DISCORD = DiscordOptions(allowed_intents=-1, heartbeat_interval=HEARTBEAT_INTERVAL)
RATES: dict[str, object] = {"requests_per_minute": 100_000, "tokens_per_minute": 1_000_000_000}
"""A mutated count of tokens may be as high as the bot believes any."""

TIMEOUTS: dict[str, object] = {"read_timeout": 10.0, "first_token_timeout": 10.0}
DEADLINE = 90.0
SETTINGS: dict[str, dict[str, object]] = {
    "discord": {"respond_to": "mentions"},
    "providers.openai": TIMEOUTS,
    "providers.perplexity": TIMEOUTS,
    "connection_pool.openai": {"max_connections": 100, "max_keepalive": 10},
    "connection_pool.perplexity": {"max_connections": 60, "max_keepalive": 5},
    "rate_limits.user": {"questions": 1000},
    "rate_limits.server": {"questions": 10_000},
    "rate_limits.openai": RATES,
    "rate_limits.perplexity": RATES,
    "dispatch": {"queue_size": 500, "deadline_seconds": DEADLINE},
    # So few turns, and so small a cache, that both are full long before memory is looked at.
    "conversations": {"max_turns": 10, "cache_megabytes": 2.0},
    "logging": {"format": "json"},
}
RELOAD_EVERY, SAMPLE_EVERY = 60.0, 10.0
QUIET = 20.0
"""Seconds without a change until an answer counts as its last word."""

SETTLE_TIMEOUT = 150.0
"""Seconds: more than a question's deadline and the time until it counts as quiet."""

LAST_WORDS = DEADLINE + 2 * LONGEST_SPELL
"""Seconds until everybody has had the last word: that of the deadline waits while Discord takes none."""

SPARE_FILES = 5
"""Descriptors that are left out of account: connections come and go."""

FLAT_AFTER = 10.0
"""Minutes under load from which on memory is judged."""

SHOWN_SLOWEST = 5
"""Of the last words."""

UNEXPLAINED = "not explained"
SHOWN_MESSAGES = 30
"""Of the channel, where a question is lost."""

SHOWN_LINES = 3
"""Of the same warning, if it is not explained."""

KEPT_FOR = 300.0
"""Seconds after which the local Discord forgets a message of a channel."""


@dataclass
class Result:
    """What was seen. `open` is what has had no last word yet, by its prompt."""

    asked: int = 0
    flooded: int = 0
    open: dict[str, Asked] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    of_flood: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    slowest_acknowledgement: float = 0.0
    slowest: list[tuple[float, str]] = field(default_factory=list)
    """The latest last words: seconds since the bot could hear of the question, and what it was."""
    ended_early: bool = False
    global_429s: int = 0
    identifies: int = 0
    faults: FaultLog = field(default_factory=FaultLog)
    mutations: Mutations = field(default_factory=lambda: Mutations(1))
    memory: list[float] = field(default_factory=list)
    files: list[float] = field(default_factory=list)
    cores: tuple[float, float] = (0.0, 0.0)
    """Of the bot and of the sandbox."""
    warnings: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)
    status: int | None = None

    def note(self, asked: Asked) -> None:
        """Somebody has asked."""
        self.asked += not asked.flood
        self.flooded += asked.flood
        self.open[asked.prompt] = asked

    def note_flood(self, prompt: str, interaction: Interaction) -> None:
        """One person does something once more."""
        self.note(Asked(prompt, interaction.created, interaction.channel.id, interaction, flood=True))

    def settle(self, sandbox: Sandbox, verdicts: Verdicts) -> None:
        """Count what has had its last word; the local Discord forgets it, so that its memory is bounded."""
        discord, now = sandbox.discord, time.monotonic()
        for prompt, asked in list(self.open.items()):
            if now - asked.began < QUIET:
                continue
            messages = asked.messages(discord)
            latest = max((when for message in messages for when, _ in message.history), default=0.0)
            if now - latest >= QUIET and (found := verdicts(asked)) is not None:
                self._count(asked, *found, verdicts)
                del self.open[prompt]
                if asked.interaction is not None:
                    discord.interactions.pop(asked.interaction.token, None)
        old = now - KEPT_FOR
        late = [asked for asked in self.open.values() if now - asked.began > KEPT_FOR]
        discord.channel_messages[:] = [
            message
            for message in discord.channel_messages
            if message.history[-1][0] > old or any(verdicts.may_be_of(asked, message) for asked in late)
        ]

    def give_up(self, discord: LocalDiscord, verdicts: Verdicts) -> None:
        """Nothing more comes: what has no last word is lost.

        Of each message: whether it loads, is deleted, or is another's, when it came, and what it says.
        """
        for prompt, asked in self.open.items():
            why = f"{discord.now() - asked.created:.0f} s ago"
            if (interaction := asked.interaction) is not None:
                why += f", response {interaction.response_type}, banned {interaction.banned_responses}"
                why += f", refused {interaction.refused_acknowledgements}"
                met = self.faults.between(asked.created - 1, asked.created + ACKNOWLEDGE_WITHIN)
                why += f", private {asked.private}, met {', '.join(sorted(met)) or 'nothing'}"
                why += f", asked by {interaction.user.id}"
            elsewhere = [
                message
                for message in discord.channel_messages
                if message.channel_id == asked.channel_id and message.history[0][0] >= asked.began
            ]
            # Those that may be about it come first.
            elsewhere.sort(key=lambda message: not verdicts.may_be_of(asked, message))
            shown = [
                (
                    message.loading,
                    message.deleted,
                    message.id in verdicts.claimed,
                    round(message.history[0][0] - asked.began, 1),
                    labels([message]),
                    message.content if verdicts.may_be_of(asked, message) else message.content[:120],
                )
                for message in asked.messages(discord) or elsewhere[:SHOWN_MESSAGES]
            ]
            self.lost.append(f"lost: {prompt}: {why}, shown {shown}")
        self.open.clear()

    def _count(self, asked: Asked, found: str, when: float | None, verdicts: Verdicts) -> None:
        if asked.flood:
            self.of_flood[found] += 1
        else:
            self.outcomes[found] += 1
            if when is not None:
                took = when - verdicts.heard_at(asked)
                ended = asked.created + when - asked.began
                met = ", ".join(sorted(self.faults.between(ended - took, ended)))
                kind = "command" if asked.interaction is not None else "mention"
                line = f"{took:.1f} s: {asked.prompt} by {kind}: {found}; meanwhile {met or 'nothing'}"
                self.slowest = sorted([*self.slowest, (took, line)], reverse=True)[:SHOWN_SLOWEST]
        if asked.interaction is not None:
            waited = asked.interaction.acknowledged_after or 0.0
            self.slowest_acknowledgement = max(self.slowest_acknowledgement, waited)


async def soak(folder: Path, seconds: float, seed: int, part: float = 1.0) -> Result:
    """Run it with a part of the load, let what is under way end, and look."""
    result = Result(mutations=Mutations(seed))
    async with open_sandbox(folder, providers=PROVIDERS, discord=DISCORD) as sandbox:
        for service in sandbox.providers:
            service.distortion = result.mutations
        sandbox.write_settings(SETTINGS)
        verdicts = Verdicts(sandbox.discord, result.faults, LAST_WORDS, result.open)
        async with open_bot(sandbox) as bot:
            await bot.ready()
            await _under_load(sandbox, bot, result, verdicts, Plan(seconds, seed, part))
            with trio.move_on_after(SETTLE_TIMEOUT):
                while result.open:
                    await trio.sleep(1)
                    result.settle(sandbox, verdicts)
            result.give_up(sandbox.discord, verdicts)
            result.ended_early = bot.process.returncode is not None
            result.status = await bot.stop()
        result.global_429s = sandbox.discord.counters.globally_limited
        result.identifies = sandbox.discord.counters.identifies
        _read_log(sandbox.log, result)
    return result


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, by which chance, and with which `part` of the load."""

    seconds: float
    seed: int
    part: float


async def _under_load(
    sandbox: Sandbox, bot: BotProcess, result: Result, verdicts: Verdicts, plan: Plan
) -> None:
    pids = bot.process.pid, os.getpid()
    before = [processor_seconds(pid) for pid in pids]
    seconds, seed, note = plan.seconds, plan.seed, result.note
    flooder = Flooder(sandbox, random.Random(f"{seed} flood"), result.note_flood, RATE * plan.part)
    mentions = random.Random(f"{seed} mentions")
    async with trio.open_nursery() as background:
        background.start_soon(_watch, sandbox, bot, result, verdicts)
        background.start_soon(_reload, sandbox, bot, result)
        background.start_soon(note_other_gaps, sandbox.discord, result.faults)
        background.start_soon(note_stalls, sandbox.discord, result.faults)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(strike_all, sandbox, result.faults, seconds, seed)
            nursery.start_soon(rotate, sandbox.discord, result.faults, seconds, seed)
            nursery.start_soon(ask_by_mention, sandbox, mentions, note, seconds)
            nursery.start_soon(flooder.flood, seconds)
            await ask_by_command(sandbox, random.Random(seed), note, seconds, plan.part)
        background.cancel_scope.cancel()
    bots, own = (processor_seconds(pid) - used for pid, used in zip(pids, before, strict=True))
    result.cores = bots / seconds, own / seconds


async def _reload(sandbox: Sandbox, bot: BotProcess, result: Result) -> None:
    """`systemctl reload`, each time with another limit to be taken over."""
    while True:
        await trio.sleep(RELOAD_EVERY)
        result.faults.counts["SIGHUP"] += 1
        changed = {"questions": 1000 + result.faults.counts["SIGHUP"] % 2}
        sandbox.write_settings({**SETTINGS, "rate_limits.user": changed})
        bot.process.send_signal(signal.SIGHUP)


async def _watch(sandbox: Sandbox, bot: BotProcess, result: Result, verdicts: Verdicts) -> None:
    """Sample the process, settle what has ended, and say each minute that it goes on."""
    while True:
        result.memory.append(resident_mb(bot.process.pid))
        result.files.append(open_files(bot.process.pid))
        if len(result.memory) % 6 == 0:
            line = f"asked {result.asked}, flood {result.flooded}, open {len(result.open)}"
            print(f"{line}, {result.memory[-1]:.1f} MB, {result.files[-1]:.0f} files", file=sys.stderr)
        await trio.sleep(SAMPLE_EVERY)
        result.settle(sandbox, verdicts)


def _read_log(log: Path, result: Result) -> None:
    """Count all that is graver than INFO. A line that is no event at all is not explained either."""
    with log.open(errors="replace") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
                level, event = entry["level"], str(entry["event"])
            except (ValueError, KeyError, TypeError):
                entry, level, event = {"event": "", "timestamp": "1970-01-01"}, "error", line.rstrip()
            if level not in {"warning", "error", "critical"}:
                continue
            known = next((known for known in EXPECTED if known.explains(entry, result.faults)), None)
            warning = (
                (level, known.event, known.why) if known else (level, event.splitlines()[0], UNEXPLAINED)
            )
            result.warnings[warning] += 1
            if known is None and result.warnings[warning] <= SHOWN_LINES:
                result.unexplained.append(f"not explained: {line.rstrip()[:2000]}")


def early_and_late(samples: Sequence[float]) -> tuple[float, float]:
    """Medians of the second third, when caches and heap are as full as they become, and of the last one."""
    third = max(len(samples) // 3, 1)
    return median(samples[third : 2 * third] or samples), median(samples[-third:])


def show(report: Report, result: Result, *, flat: bool) -> None:
    """Print the tables. Memory is only judged if it had the time to be `flat`."""
    report.table("questions", "how many", "required")
    report.figure("asked", result.asked)
    report.row("LOST", len(result.lost))
    for name, number in sorted(result.outcomes.items()):
        report.figure(name, number)
    slowest = max((took for took, _ in result.slowest), default=0.0)
    report.figure("slowest last word", slowest, "{:.1f} s", f"<= {LAST_WORDS:g} s")
    report.figure("restarts of the bot", int(result.ended_early), required="0")
    report.figure("global 429s of Discord's own", result.global_429s, required="0")
    report.figure("identifies", result.identifies)
    report.table("what one person floods it with", "how many")
    report.row("all", result.flooded)
    for name, number in sorted(result.of_flood.items()):
        report.row(name, number)
    report.table("fault", "how often")
    for name, number in sorted(result.faults.counts.items()):
        report.row(name, number)
    mutated = result.mutations.counts.total()
    report.table(f"of {result.mutations.events} events of providers", "how many")
    report.row("mutated", f"{mutated} ({mutated / max(result.mutations.events, 1):.1%})")
    for name, number in sorted(result.mutations.counts.items()):
        report.row(name, number)
    report.table("of the bot", "early", "late", "ratio", "required")
    for name, samples, spare in (
        ("memory, MB", result.memory, 0),
        ("descriptors", result.files, SPARE_FILES),
    ):
        early, late = early_and_late(samples)
        cells = f"{early:.1f}", f"{late:.1f}", f"{late / early:.3f}"
        report.row(name, *cells, required="<= 1.05" if flat else "", measured=(late - spare) / early)
    report.table("warning", "level", "how many", "why")
    for (level, event, why), number in sorted(result.warnings.items()):
        report.row(event, level, number, why)
    away = max((gap.ended - gap.began for gap in result.faults.gaps), default=0.0)
    report.note(
        f"Longest without a gateway: {away:.1f} s. Slowest acknowledgement: "
        f"{result.slowest_acknowledgement:.2f} s. Cores: bot {result.cores[0]:.2f}, "
        f"sandbox {result.cores[1]:.2f}. Exit status: {result.status}."
    )
    for _, line in result.slowest:
        report.note(line)
    for line in (*result.lost, *result.unexplained):
        report.miss(line)
    if result.status != 0:
        report.miss(f"the bot ended with {result.status}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, and return the exit status."""
    parser = command_line(__doc__)
    parser.add_argument("--minutes", type=float, help="under load (30)")
    parser.add_argument(
        "--load", type=float, default=1.0, metavar="PART", help="of the load, on a busy machine"
    )
    parser.add_argument("--kills", type=int, default=0, help="kill the bot so often instead of the faults")
    parser.add_argument(
        "--database", choices=DATABASES, default="sqlite", help="where it stores, while it is killed"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep-log", type=Path, metavar="PATH", help="where the bot's log is to be copied")
    options = parse(parser, arguments)
    report = Report()
    with tempfile.TemporaryDirectory(prefix="discordianai-soak-") as name:
        try:
            _run(report, Path(name), options)
        finally:
            if options.keep_log:
                shutil.copy(Path(name) / "bot.log", options.keep_log)
    return report.finish()


def _run(report: Report, folder: Path, options: argparse.Namespace) -> None:
    if options.kills:
        plan, began = soak_kills.Plan(3 if options.quick else options.kills, options.seed), time.monotonic()
        with opened(options.database) as database:
            kills = trio.run(partial(soak_kills.soak, folder, plan, database=database))
        soak_kills.show(report, plan, kills, time.monotonic() - began)
    else:
        minutes = options.minutes or (2.0 if options.quick else 30.0)
        result = trio.run(soak, folder, 60.0 * minutes, options.seed, options.load)
        show(report, result, flat=minutes >= FLAT_AFTER)


if __name__ == "__main__":
    sys.exit(main())
