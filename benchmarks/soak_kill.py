"""Kills the bot at random moments, under load, again and again: `make soak-kill`.

Whatever was acknowledged must end answered once, or with a clear note; every answer that was shown whole must
be remembered once; and the database must pass `PRAGMA integrity_check`. Prints a table.
"""

import argparse
import random
import sqlite3
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import trio

from benchmarks.answers import is_whole
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import CHANNELS, DiscordOptions, Interaction, person
from discordianai.sandbox.launcher import Sandbox, open_bot, open_sandbox
from discordianai.sandbox.providers import ServiceOptions

PEOPLE = 100
PROVIDERS = ServiceOptions(
    first_token=0.1,
    between_tokens=0.01,
    requests_per_minute=10**6,
    tokens_per_minute=10**9,
    perplexity_rates=(),
)
SETTINGS: dict[str, dict[str, object]] = {
    "discord": {"drain_seconds": 60},
    "rate_limits.user": {"questions": 10_000},
    "rate_limits.server": {"questions": 100_000},
    "rate_limits.openai": {"requests_per_minute": 100_000},
    "routing": {"strategy": "openai"},
    "conversations": {"max_turns": 1000},
}
SETTLE_TIMEOUT, QUIET = 120.0, 3.0
"""Seconds that everything may take to come to an end, and that count as one."""

USERS = "SELECT text FROM turns WHERE role = 'user'"
OWED = "SELECT prompt FROM questions WHERE state < 2 AND private"


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate` questions are asked a second; the bot lives at most `longest` seconds once it is ready."""

    rounds: int
    seed: int = 1
    rate: float = 40.0
    longest: float = 2.0


@dataclass
class Report:
    """What became of the questions; `wrong` has a line for each that breaks a promise."""

    rounds: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    turns: int = 0
    integrity: str = ""
    wrong: list[str] = field(default_factory=list)


async def soak(folder: Path, plan: Plan, authority: Authority | None = None) -> Report:
    """Kill it as planned, then let it finish, and look."""
    chance = random.Random(plan.seed)
    asked: dict[str, Interaction] = {}
    discord = DiscordOptions(identify_interval=0.0)  # it is started again at once, not after ten seconds
    async with open_sandbox(folder, authority=authority, discord=discord, providers=PROVIDERS) as sandbox:
        sandbox.write_settings(SETTINGS)
        async with open_bot(sandbox) as first:
            await first.ready()  # the commands are registered
            await first.kill()
        for _ in range(plan.rounds):
            await _round(sandbox, plan, chance, asked)
        async with open_bot(sandbox) as last:
            await last.ready()
            await _settled(sandbox, asked)
            await last.stop()
        return _examine(sandbox, plan.rounds, asked)


async def _round(sandbox: Sandbox, plan: Plan, chance: random.Random, asked: dict[str, Interaction]) -> None:
    """Start it, let people ask, and kill it at any moment from its start on."""
    async with open_bot(sandbox) as bot, trio.open_nursery() as nursery:
        nursery.start_soon(_people, sandbox, plan.rate, chance, asked)
        early = chance.random() < 0.2
        if not early:
            await bot.ready()
        await trio.sleep(chance.uniform(0.0, plan.longest))
        await bot.kill()
        nursery.cancel_scope.cancel()


async def _people(
    sandbox: Sandbox, rate: float, chance: random.Random, asked: dict[str, Interaction]
) -> None:
    """Each question is another text, so that its answer and its turn can be told apart."""
    await sandbox.discord.wait_connected()
    while True:
        await trio.sleep(chance.expovariate(rate))
        prompt = f"what about number {len(asked)}?"
        options: dict[str, object] = {"prompt": prompt, "private": chance.random() < 0.2}
        asked[prompt] = sandbox.discord.invoke_now(
            "ask", options, user=person(chance.randrange(PEOPLE)), channel=chance.choice(CHANNELS)
        )


async def _settled(sandbox: Sandbox, asked: dict[str, Interaction]) -> None:
    """Wait until nothing has been pending for a while."""
    with trio.move_on_after(SETTLE_TIMEOUT):
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < QUIET:
            await trio.sleep(0.2)
            acknowledged = [interaction for interaction in asked.values() if interaction.messages]
            busy = sandbox.openai.in_flight or any(interaction.loading for interaction in acknowledged)
            changed = max((interaction.last_edit for interaction in acknowledged), default=0.0)
            quiet_since = time.monotonic() if busy else max(quiet_since, changed)


def _examine(sandbox: Sandbox, rounds: int, asked: dict[str, Interaction]) -> Report:
    report = Report(rounds)
    with closing(sqlite3.connect(sandbox.folder / "conversations.sqlite3")) as database:
        (report.integrity,) = database.execute("PRAGMA integrity_check").fetchone()
        remembered = Counter(text for (text,) in database.execute(USERS))
        pending = {prompt for (prompt,) in database.execute(OWED)}
    report.turns = remembered.total()
    notes = Counter(ping for message in sandbox.discord.channel_messages for ping in message.pings)
    for prompt, interaction in asked.items():
        outcome = _outcome(prompt, interaction, notes, pending)
        report.outcomes[outcome] += 1
        times = remembered[prompt]
        if outcome.startswith("!") or times > 1 or (outcome == "answered" and times != 1):
            report.wrong.append(f"{outcome}, {times} turns: {prompt} {interaction.text[-200:]!r}")
    if report.integrity != "ok":
        report.wrong.append(report.integrity)
    return report


def _outcome(prompt: str, interaction: Interaction, notes: Counter[str], pending: set[str]) -> str:
    if interaction.response_type is None:
        # Discord has told the person that the bot does not answer.
        return "not acknowledged"
    if interaction.response_type == 4:
        return "refused in words"
    if is_whole(prompt, interaction.text):
        return "answered"
    if "(error " in interaction.text:
        return "told of an error"
    mention = f"<@{interaction.user.id}>"
    if notes[mention] or prompt in pending:
        notes[mention] -= 1
        return "told that it was missed"
    return "! neither answered nor told"


def main() -> None:
    """Print what came of it; the exit status tells whether every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="discordianai-soak-") as name:
        report = trio.run(soak, Path(name), Plan(options.rounds, options.seed))
    print("| what | how many |\n| --- | --- |")
    print(f"| kills | {report.rounds} |")
    for outcome, count in report.outcomes.most_common():
        print(f"| questions {outcome} | {count} |")
    print(f"| questions remembered | {report.turns} |")
    print(f"| integrity_check | {report.integrity} |")
    print(f"| promises broken | {len(report.wrong)} |")
    print(f"\n{time.monotonic() - began:.0f} s")
    for line in report.wrong[:20]:
        print(line)
    raise SystemExit(bool(report.wrong))


if __name__ == "__main__":
    main()
