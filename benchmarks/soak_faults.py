"""Half an hour of the installed bot under load, with faults all the time: `make soak`.

Whatever Discord delivered must end answered or with a clear note; memory and descriptors must stay flat; and
no warning may be one that nobody understands. Prints tables; the exit status tells whether all held.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import trio

from benchmarks import soak_faults_log
from benchmarks.process_figures import Samples, Trend, processor_seconds, trend
from benchmarks.soak_faults_log import EXPECTED, Warnings
from benchmarks.soak_faults_outcomes import LOST, Outcomes
from benchmarks.soak_faults_schedule import Weather, keep_striking, troubles
from discordianai.sandbox.discord import CHANNELS, direct_messages, person
from discordianai.sandbox.launcher import BotProcess, Sandbox, open_bot, open_sandbox
from discordianai.sandbox.providers import ServiceOptions
from discordianai.sandbox.providers.scripted_answers import compose

PEOPLE = 500
QUESTIONS_PER_SECOND = 20.0
SEARCHES = 0.15
"""The part of the questions that is for the web."""

LONG = 0.03
"""The part whose answers take several messages; two cores do not make more of them while they are the
provider and Discord, too."""

SHORT_ANSWER, LONG_ANSWER = 700, 2400
"""Characters: at most, and at least."""

PROVIDERS = ServiceOptions(
    first_token=0.3,
    between_tokens=0.005,
    requests_per_minute=10**6,
    tokens_per_minute=10**9,
    perplexity_rates=(),
)
RATES: dict[str, object] = {"requests_per_minute": 5000, "tokens_per_minute": 10_000_000}
SETTINGS: dict[str, dict[str, object]] = {
    "providers.openai": {"read_timeout": 10.0, "first_token_timeout": 10.0},
    "providers.perplexity": {"read_timeout": 10.0, "first_token_timeout": 10.0},
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
RELOAD_EVERY = 60.0
SETTLE_TIMEOUT = 150.0
"""Seconds: more than a question's deadline and the time until it counts as quiet."""

FLAT = 1.05
SPARE_FILES = 5
"""Descriptors by which two medians may differ: connections come and go."""


@dataclass
class Report:
    """All that is printed."""

    seconds: float
    outcomes: Outcomes = field(default_factory=Outcomes)
    weather: Weather = field(default_factory=Weather)
    warnings: Warnings = field(default_factory=Warnings)
    memory: Trend = field(default_factory=lambda: Trend(1, 1))
    files: Trend = field(default_factory=lambda: Trend(1, 1))
    bot_processor: float = 0.0
    own_processor: float = 0.0
    resumes: int = 0
    identifies: int = 0
    status: int | None = None

    def wrong(self) -> list[str]:
        """A line for each promise that was not kept."""
        found = [f"lost: {line}" for line in self.outcomes.lost]
        found += [f"not understood: {line}" for line in self.warnings.strange]
        if self.memory.ratio > FLAT:
            found.append(f"memory has grown to {self.memory.ratio:.3f} times")
        if self.files.late > max(self.files.early * FLAT, self.files.early + SPARE_FILES):
            found.append(f"descriptors have grown from {self.files.early:.0f} to {self.files.late:.0f}")
        if self.status != 0:
            found.append(f"the bot ended with {self.status}")
        return found


async def soak(folder: Path, seconds: float, seed: int, *, reload: bool) -> Report:
    """Run it, let what is under way end, and look."""
    report = Report(seconds)
    async with open_sandbox(folder, providers=PROVIDERS) as sandbox:
        sandbox.write_settings(SETTINGS)
        async with open_bot(sandbox) as bot:
            await bot.ready()
            await _load(sandbox, bot, report, seed, reload=reload)
            with trio.move_on_after(SETTLE_TIMEOUT):
                while report.outcomes.open:
                    await trio.sleep(1)
                    _settle(sandbox, report)
            report.outcomes.give_up(report.weather.gaps)
            report.status = await bot.stop()
        report.resumes = sandbox.discord.counters.resumes
        report.identifies = sandbox.discord.counters.identifies
        report.warnings = soak_faults_log.read(sandbox.log)
    return report


async def _load(sandbox: Sandbox, bot: BotProcess, report: Report, seed: int, *, reload: bool) -> None:
    samples, pid = Samples(bot.process.pid), bot.process.pid
    before = processor_seconds(pid), processor_seconds(os.getpid())
    async with trio.open_nursery() as background:
        background.start_soon(samples.take)
        background.start_soon(_watch, sandbox, report, samples)
        if reload:
            background.start_soon(_reload, sandbox, bot, report)
        async with trio.open_nursery() as nursery:
            faults = troubles(sandbox, report.weather)
            nursery.start_soon(keep_striking, report.weather, faults, report.seconds, seed)
            nursery.start_soon(_people, sandbox, report, random.Random(seed))
        background.cancel_scope.cancel()
    report.memory, report.files = trend(samples.memory), trend(samples.files)
    report.bot_processor = processor_seconds(pid) - before[0]
    report.own_processor = processor_seconds(os.getpid()) - before[1]


async def _people(sandbox: Sandbox, report: Report, chance: random.Random) -> None:
    """They ask at their own pace, whether or not the bot keeps up."""
    began = at = trio.current_time()
    number = 0
    while (at := at + chance.expovariate(QUESTIONS_PER_SECOND)) < began + report.seconds:
        await trio.sleep_until(at)
        searches, long = chance.random() < SEARCHES, chance.random() < LONG
        number, prompt = _next_prompt(number, long=long)
        user = person(chance.randrange(PEOPLE))
        channel = chance.choice((*CHANNELS, direct_messages(user)))
        name, option = ("search", "query") if searches else ("ask", "prompt")
        options: dict[str, object] = {option: prompt, "private": chance.random() < 0.2}
        asked = sandbox.discord.invoke_now(name, options, user=user, channel=channel)
        report.outcomes.add(prompt, asked)


def _next_prompt(number: int, *, long: bool) -> tuple[int, str]:
    """Each question is another text, chosen for the length of its answer."""
    while True:
        number += 1
        prompt = f"what about number {number}?"
        length = len(compose("", prompt, [], sources=False).text)
        if length >= LONG_ANSWER if long else length <= SHORT_ANSWER:
            return number, prompt


async def _reload(sandbox: Sandbox, bot: BotProcess, report: Report) -> None:
    """`systemctl reload`, each time with another limit to be taken over."""
    while True:
        await trio.sleep(RELOAD_EVERY)
        report.weather.happened["SIGHUP"] += 1
        changed = {"questions": 1000 + report.weather.happened["SIGHUP"] % 2}
        sandbox.write_settings({**SETTINGS, "rate_limits.user": changed})
        bot.process.send_signal(signal.SIGHUP)


async def _watch(sandbox: Sandbox, report: Report, samples: Samples) -> None:
    """Settle what has ended, and say each minute that it goes on."""
    told = trio.current_time()
    while True:
        await trio.sleep(5)
        _settle(sandbox, report)
        if trio.current_time() >= told + 60:
            told += 60
            line = f"asked {report.outcomes.asked}, open {len(report.outcomes.open)}"
            print(f"{line}, {samples.memory[-1]:.1f} MB, {samples.files[-1]:.0f} files", file=sys.stderr)


def _settle(sandbox: Sandbox, report: Report) -> None:
    report.outcomes.settle(sandbox.discord, report.weather.gaps, time.monotonic())


def _print(report: Report) -> None:
    outcomes, seconds = report.outcomes, report.seconds
    print("| questions | how many |\n| --- | --- |")
    print(f"| asked ({outcomes.asked / seconds:.1f} a second) | {outcomes.asked} |")
    for outcome, count in sorted(outcomes.counts.items()):
        print(f"| {outcome} | {count} |")
    print(f"| {LOST} | {outcomes.counts[LOST]} |" if LOST not in outcomes.counts else "", end="\n\n")
    print("| fault | how often |\n| --- | --- |")
    for name, count in sorted(report.weather.happened.items()):
        print(f"| {name} | {count} |")
    print("\n| of the bot | early | late | ratio |\n| --- | --- | --- | --- |")
    print(f"| resident memory, MB | {report.memory.early:.1f} | {report.memory.late:.1f} | ", end="")
    print(f"{report.memory.ratio:.3f} |")
    print(f"| open descriptors | {report.files.early:.0f} | {report.files.late:.0f} | ", end="")
    print(f"{report.files.ratio:.3f} |")
    print("\n| warning | level | how many | why |\n| --- | --- | --- | --- |")
    for (level, event), count in sorted(report.warnings.counts.items()):
        print(f"| {event} | {level} | {count} | {EXPECTED.get(event, 'NOBODY KNOWS')} |")
    print("\n| reason of a warning | how many |\n| --- | --- |")
    for (event, reason), count in sorted(report.warnings.reasons.items()):
        print(f"| {event}: {reason} | {count} |")
    gaps = [gap.ended - gap.began for gap in report.weather.gaps]
    print(f"\ngateway: {report.resumes} resumes, {report.identifies} identifies, ", end="")
    print(f"longest away {max(gaps, default=0):.1f} s")
    print(f"slowest acknowledgement {outcomes.slowest_acknowledgement:.2f} s; exit status {report.status}")
    print(
        f"processor: bot {report.bot_processor / seconds:.0%}, sandbox {report.own_processor / seconds:.0%}"
    )


def main() -> None:
    """Run it and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-reload", action="store_true", help="without SIGHUP every minute")
    parser.add_argument("--keep-log", type=Path, metavar="PATH", help="where the bot's log is to be copied")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="discordianai-soak-") as name:
        run = trio.run(_run, Path(name), options)
    _print(run)
    wrong = run.wrong()
    print(f"\npromises broken: {len(wrong)}")
    for line in wrong[:40]:
        print(line)
    raise SystemExit(bool(wrong))


async def _run(folder: Path, options: argparse.Namespace) -> Report:
    try:
        return await soak(folder, options.minutes * 60, options.seed, reload=not options.no_reload)
    finally:
        if options.keep_log:
            shutil.copy(folder / "bot.log", options.keep_log)


if __name__ == "__main__":
    main()
