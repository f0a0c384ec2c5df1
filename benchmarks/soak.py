"""Does the bot keep its promises through half an hour of faults, or 200 kills?  `make soak`, `make soak-kill`

The installed bot under load, before the sandbox's Discord and providers, in which something goes wrong all
the time: see `soak_faults`. With `--kills` it is killed instead, again and again: see `soak_kills`.
Compared to: memory and descriptors early on, in minutes 5 to 10 of 30.
Required: whatever Discord delivered ends answered or with a clear note; memory and descriptors are at most
1.05 times as many in the last sixth; no warning that the faults do not explain; the bot ends with 0.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import trio

from benchmarks import soak_kills
from benchmarks.answers import OPEN, REFUSED, TOLD, UNACKNOWLEDGED, UNLIMITED, Load, last_sentence, outcome
from benchmarks.harness import Report, command_line, parse
from benchmarks.processes import open_files, processor_seconds, resident_mb
from benchmarks.soak_faults import FaultLog, Gap, strike_all
from discordianai.sandbox.discord import Interaction
from discordianai.sandbox.discord.sandbox_interaction import ACKNOWLEDGE_WITHIN
from discordianai.sandbox.launcher import BotProcess, Sandbox, open_bot, open_sandbox

# Two cores do not make more of the long answers while they are the provider and Discord, too.
LOAD = Load(people=500, rate=20.0, searches=0.15, long=0.03, direct=True)
PROVIDERS = replace(UNLIMITED, first_token=0.3, between_tokens=0.005)
RATES: dict[str, object] = {"requests_per_minute": 5000, "tokens_per_minute": 10_000_000}
TIMEOUTS: dict[str, object] = {"read_timeout": 10.0, "first_token_timeout": 10.0}
SETTINGS: dict[str, dict[str, object]] = {
    "providers.openai": TIMEOUTS,
    "providers.perplexity": TIMEOUTS,
    "connection_pool.openai": {"max_connections": 100, "max_keepalive": 10},
    "connection_pool.perplexity": {"max_connections": 60, "max_keepalive": 5},
    "rate_limits.user": {"questions": 1000},
    "rate_limits.server": {"questions": 10_000},
    "rate_limits.openai": RATES,
    "rate_limits.perplexity": RATES,
    "dispatch": {"queue_size": 500, "deadline_seconds": 90.0},
    # So few turns, and so small a cache, that both are full long before memory is looked at.
    "conversations": {"max_turns": 10, "cache_megabytes": 2.0},
    "logging": {"format": "json"},
}
RELOAD_EVERY, SAMPLE_EVERY = 60.0, 10.0
QUIET = 20.0
"""Seconds without a change until an answer counts as its last word."""

SETTLE_TIMEOUT = 150.0
"""Seconds: more than a question's deadline and the time until it counts as quiet."""

IN_FLIGHT = 0.5
"""Seconds before a drop in which an event may have been on its way, or its acknowledgement not yet begun."""

SPARE_FILES = 5
"""Descriptors that are left out of account: connections come and go."""

SHOWN_LINES = 3
"""Of the same warning, if it is not explained."""

LOST = "LOST"
UNDELIVERED = "not delivered: the gateway session was invalid"
TOO_LATE = "not delivered in time: the gateway was away for longer than three seconds"

EXPECTED: dict[str, str] = {
    "provider failed": "an answer ended with a fault that no other try or provider could help",
    "asking another provider": "one provider failed before it had said anything: the other one answers",
    "circuit breaker opened": "an outage, or so many faults at once that half of the answers failed",
    r"POST /interactions/\S+/callback Received 5\d\d\.\.\. retrying in \d+ seconds": (
        "Discord 5xx for an acknowledgement: the library sends it again, within Discord's three seconds"
    ),
    "the listener stopped; starting it again": "the gateway was dropped and its session forgotten",
}
"""Why each warning in the bot's log is expected, by its pattern, which fits all of it."""


@dataclass
class Result:
    """What was seen. `open` are the questions without a last word yet, by their prompts."""

    asked: int = 0
    open: dict[str, Interaction] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    slowest_acknowledgement: float = 0.0
    faults: FaultLog = field(default_factory=FaultLog)
    memory: list[float] = field(default_factory=list)
    files: list[float] = field(default_factory=list)
    cores: tuple[float, float] = (0.0, 0.0)
    """Of the bot and of the sandbox."""
    warnings: Counter[tuple[str, str]] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)
    status: int | None = None

    def note(self, prompt: str, interaction: Interaction) -> None:
        """Somebody has asked."""
        self.asked += 1
        self.open[prompt] = interaction

    def settle(self, sandbox: Sandbox) -> None:
        """Count what has had its last word; the local Discord forgets it, so that its memory is bounded."""
        discord, now = sandbox.discord, time.monotonic()
        for prompt, interaction in list(self.open.items()):
            changed_lately = interaction.messages and now - interaction.last_edit < QUIET
            if changed_lately or discord.now() - interaction.created < QUIET:
                continue
            found = judged(prompt, interaction, self.faults.gaps)
            if found != LOST:
                self._count(found, interaction)
                del self.open[prompt], discord.interactions[interaction.token]

    def give_up(self) -> None:
        """Nothing more comes: what has no last word is lost."""
        for prompt, interaction in self.open.items():
            found = judged(prompt, interaction, self.faults.gaps)
            self._count(found, interaction)
            if found == LOST:
                why = f"response {interaction.response_type}, created {interaction.created:.1f}"
                why += f", {interaction.refused_acknowledgements} acknowledgements refused"
                self.lost.append(f"lost: {prompt}: {why}, shown {interaction.text[-300:]!r}")
        self.open.clear()

    def _count(self, found: str, interaction: Interaction) -> None:
        self.outcomes[found] += 1
        waited = interaction.acknowledged_after or 0.0
        self.slowest_acknowledgement = max(self.slowest_acknowledgement, waited)


def judged(prompt: str, interaction: Interaction, gaps: Sequence[Gap]) -> str:
    """What became of it, with the words of a refusal or an error; `LOST` also for what may still come."""
    found = outcome(prompt, interaction)
    if found in {REFUSED, TOLD}:
        return f"{found}: {last_sentence(interaction)}"
    if found == UNACKNOWLEDGED:
        for gap in gaps:
            if gap.began - IN_FLIGHT <= interaction.created <= gap.ended:
                if not gap.resumable:
                    return UNDELIVERED
                if gap.ended - interaction.created > ACKNOWLEDGE_WITHIN - 1.0:
                    return TOO_LATE
        return LOST
    return LOST if found == OPEN else found


async def soak(folder: Path, seconds: float, seed: int) -> Result:
    """Run it, let what is under way end, and look."""
    result = Result()
    async with open_sandbox(folder, providers=PROVIDERS) as sandbox:
        sandbox.write_settings(SETTINGS)
        async with open_bot(sandbox) as bot:
            await bot.ready()
            await _under_load(sandbox, bot, result, seconds, seed)
            with trio.move_on_after(SETTLE_TIMEOUT):
                while result.open:
                    await trio.sleep(1)
                    result.settle(sandbox)
            result.give_up()
            result.status = await bot.stop()
        _read_log(sandbox.log, result)
    return result


async def _under_load(sandbox: Sandbox, bot: BotProcess, result: Result, seconds: float, seed: int) -> None:
    pids = bot.process.pid, os.getpid()
    before = [processor_seconds(pid) for pid in pids]
    async with trio.open_nursery() as background:
        background.start_soon(_watch, sandbox, bot, result)
        background.start_soon(_reload, sandbox, bot, result)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(strike_all, sandbox, result.faults, seconds, seed)
            await LOAD.ask(sandbox, random.Random(seed), result.note, seconds=seconds)
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


async def _watch(sandbox: Sandbox, bot: BotProcess, result: Result) -> None:
    """Sample the process, settle what has ended, and say each minute that it goes on."""
    while True:
        result.memory.append(resident_mb(bot.process.pid))
        result.files.append(open_files(bot.process.pid))
        if len(result.memory) % 6 == 0:
            line = f"asked {result.asked}, open {len(result.open)}"
            print(f"{line}, {result.memory[-1]:.1f} MB, {result.files[-1]:.0f} files", file=sys.stderr)
        await trio.sleep(SAMPLE_EVERY)
        result.settle(sandbox)


def _read_log(log: Path, result: Result) -> None:
    """Count all that is graver than INFO. A line that is no event at all is not explained either."""
    with log.open(errors="replace") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
                level, event = entry["level"], str(entry["event"])
            except (ValueError, KeyError, TypeError):
                level, event = "error", line.rstrip()
            if level not in {"warning", "error", "critical"}:
                continue
            pattern = next((known for known in EXPECTED if re.fullmatch(known, event)), None)
            name = pattern or event.splitlines()[0]
            result.warnings[level, name] += 1
            if pattern is None and result.warnings[level, name] <= SHOWN_LINES:
                result.unexplained.append(f"not explained: {line.rstrip()[:2000]}")


def early_and_late(samples: Sequence[float]) -> tuple[float, float]:
    """Medians: of thirty minutes the minutes five to ten, when all is warm, and the last five."""
    sixth = max(len(samples) // 6, 1)
    return median(samples[sixth : 2 * sixth] or samples), median(samples[-sixth:])


def show(report: Report, result: Result, *, flat: bool) -> None:
    """Print the tables. Memory is only judged if it had the time to be `flat`."""
    report.table("questions", "how many")
    report.row("asked", result.asked)
    for name in sorted({*result.outcomes, LOST}):
        report.row(name, result.outcomes[name])
    report.table("fault", "how often")
    for name, number in sorted(result.faults.counts.items()):
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
    for (level, event), number in sorted(result.warnings.items()):
        report.row(event, level, number, EXPECTED.get(event, "not explained"))
    away = max((gap.ended - gap.began for gap in result.faults.gaps), default=0.0)
    report.note(
        f"Longest without a gateway: {away:.1f} s. Slowest acknowledgement: "
        f"{result.slowest_acknowledgement:.2f} s. Cores: bot {result.cores[0]:.2f}, "
        f"sandbox {result.cores[1]:.2f}. Exit status: {result.status}."
    )
    for line in (*result.lost, *result.unexplained):
        report.miss(line)
    if result.status != 0:
        report.miss(f"the bot ended with {result.status}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, and return the exit status."""
    parser = command_line(__doc__)
    parser.add_argument("--minutes", type=float, help="under load (30)")
    parser.add_argument("--kills", type=int, default=0, help="kill the bot so often instead of the faults")
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
        kills = trio.run(soak_kills.soak, folder, plan)
        soak_kills.show(report, plan, kills, time.monotonic() - began)
    else:
        minutes = options.minutes or (0.5 if options.quick else 30.0)
        result = trio.run(soak, folder, 60.0 * minutes, options.seed)
        show(report, result, flat=not options.quick)


if __name__ == "__main__":
    sys.exit(main())
