"""Kills the bot at random moments, under load, again and again: `python -m benchmarks.soak --kills 200`.

Whatever was acknowledged must end answered once, or with a clear note; every answer that was shown whole must
be remembered once; and a file must pass `PRAGMA integrity_check`. With `--database postgres` it is all in a
PostgreSQL, where a question of a dead process is taken over when its lease has ended.
"""

import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import trio

from benchmarks.answers import REFUSED, TOLD, UNACKNOWLEDGED, UNLIMITED, WHOLE, Load, outcome
from benchmarks.harness import Report
from benchmarks.stored import rows
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import DiscordOptions, Interaction
from discordianai.sandbox.launcher import BotDatabase, Sandbox, open_bot, open_sandbox

PROVIDERS = replace(UNLIMITED, first_token=0.1, between_tokens=0.01)
SETTINGS: dict[str, dict[str, object]] = {
    "discord": {"drain_seconds": 60},
    "rate_limits.user": {"questions": 10_000},
    "rate_limits.server": {"questions": 100_000},
    "rate_limits.openai": {"requests_per_minute": 100_000},
    "routing": {"strategy": "openai"},
    "conversations": {"max_turns": 1000},
}
PEOPLE = 100
SETTLE_TIMEOUT, QUIET, QUIET_WITH_LEASES = 600.0, 3.0, 15.0
"""Seconds that everything may take to come to an end, and that count as one: with PostgreSQL, longer than a
lease."""

QUESTIONS = "SELECT text FROM turns WHERE role = 'user'"
PENDING = "SELECT prompt FROM questions WHERE state < 2 AND private"

MISSED, LOST = "told that it was missed", "! neither answered nor told"


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate` questions are asked a second; the bot lives at most `longest` seconds once it is ready."""

    rounds: int
    seed: int = 1
    rate: float = 40.0
    longest: float = 2.0


@dataclass
class Result:
    """What became of the questions; `wrong` has a line for each that breaks a promise."""

    outcomes: Counter[str] = field(default_factory=Counter)
    turns: int = 0
    integrity: str = ""  # only a file is checked
    wrong: list[str] = field(default_factory=list)


async def soak(
    folder: Path, plan: Plan, authority: Authority | None = None, database: BotDatabase | None = None
) -> Result:
    """Kill it as planned, then let it finish, and look."""
    chance = random.Random(plan.seed)
    asked: dict[str, Interaction] = {}
    discord = DiscordOptions(identify_interval=0.0)  # it is started again at once, not after ten seconds
    async with open_sandbox(
        folder, authority=authority, discord=discord, providers=PROVIDERS, database=database
    ) as sandbox:
        sandbox.write_settings(SETTINGS)
        async with open_bot(sandbox) as first:
            await first.ready()  # the commands are registered
            await first.kill()
        for _ in range(plan.rounds):
            await _round(sandbox, plan, chance, asked)
        async with open_bot(sandbox) as last:
            await last.ready()
            await settled(sandbox, asked, QUIET if database is None else QUIET_WITH_LEASES)
            await last.stop()
        return examine(sandbox, asked)


async def _round(sandbox: Sandbox, plan: Plan, chance: random.Random, asked: dict[str, Interaction]) -> None:
    """Start it, let people ask, and kill it at any moment from its start on."""

    async def ask() -> None:
        await sandbox.discord.wait_connected()
        await Load(PEOPLE, plan.rate).ask(sandbox, chance, asked.__setitem__, first=len(asked))

    async with open_bot(sandbox) as bot, trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        early = chance.random() < 0.2
        if not early:
            await bot.ready()
        await trio.sleep(chance.uniform(0.0, plan.longest))
        await bot.kill()
        nursery.cancel_scope.cancel()


async def settled(sandbox: Sandbox, asked: Mapping[str, Interaction], quiet: float = QUIET) -> None:
    """Wait until nothing has been pending for so many seconds."""
    with trio.move_on_after(SETTLE_TIMEOUT):
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < quiet:
            await trio.sleep(0.2)
            acknowledged = [interaction for interaction in asked.values() if interaction.messages]
            busy = sandbox.openai.in_flight or any(interaction.loading for interaction in acknowledged)
            changed = max((interaction.last_edit for interaction in acknowledged), default=0.0)
            quiet_since = time.monotonic() if busy else max(quiet_since, changed)


def examine(sandbox: Sandbox, asked: Mapping[str, Interaction]) -> Result:
    """What became of each question, by what was shown and by what is stored."""
    result = Result()
    if sandbox.database is None:
        ((result.integrity,),) = rows(sandbox, "PRAGMA integrity_check")
    remembered = Counter(text for (text,) in rows(sandbox, QUESTIONS))
    pending = {prompt for (prompt,) in rows(sandbox, PENDING)}
    result.turns = remembered.total()
    notes = Counter(ping for message in sandbox.discord.channel_messages for ping in message.pings)
    for prompt, interaction in asked.items():
        found = outcome(prompt, interaction)
        if found not in {UNACKNOWLEDGED, REFUSED, WHOLE, TOLD}:
            mention = f"<@{interaction.user.id}>"
            found = MISSED if notes[mention] or prompt in pending else LOST
            notes[mention] -= 1
        result.outcomes[found] += 1
        times = remembered[prompt]
        if found == LOST or times > 1 or (found == WHOLE and times != 1):
            result.wrong.append(f"{found}, {times} turns: {prompt} {interaction.text[-200:]!r}")
    if result.integrity not in {"ok", ""}:
        result.wrong.append(result.integrity)
    return result


def show(report: Report, plan: Plan, result: Result, seconds: float) -> None:
    """Print the table."""
    report.table("what", "how many")
    report.row("kills", plan.rounds)
    for name, number in result.outcomes.most_common():
        report.row(f"questions {name}", number)
    report.row("questions remembered", result.turns)
    if result.integrity:
        report.row("integrity_check", result.integrity)
    report.row("promises broken", len(result.wrong))
    report.note(f"{seconds:.0f} s")
    for line in result.wrong:
        report.miss(line)
