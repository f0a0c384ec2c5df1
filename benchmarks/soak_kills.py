"""Kills the bot at random moments, under load, again and again: `python -m benchmarks.soak --kills 200`.

Whatever was acknowledged must end answered once, or with a clear note; every answer that was shown whole must
be remembered once; and a file must pass `PRAGMA integrity_check`. A kill may lose only what the bot said that
it could not store in time. With `--database postgres` it is all in a PostgreSQL, where a question of a dead
process is taken over when its lease has ended.
"""

import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
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
    "logging": {"format": "plain"},
    "logging.levels": {'"discordianai.answering.journal"': "DEBUG"},
}
"""The log has a line for each question that is not protected."""

PEOPLE = 100
SETTLE_TIMEOUT, QUIET, QUIET_WITH_LEASES = 600.0, 3.0, 15.0
"""Seconds that everything may take to come to an end, and that count as one: with PostgreSQL, longer than a
lease."""

QUESTIONS = "SELECT text FROM turns WHERE role = 'user'"
PENDING = "SELECT prompt FROM questions WHERE state < 2 AND private"
OPEN = "SELECT interaction_id, private FROM questions WHERE state < 2"
STORED = "SELECT interaction_id FROM questions"
UNPROTECTED = "question not protected against a crash"
"""In the log, of each question that is in memory alone."""

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
    """What became of the questions; `wrong` has a line for each that breaks a promise.

    `unprotected` are those that the bot said to be in memory alone, `lost_unprotected` those of them that a
    kill took, or whose turns.
    """

    asked: int
    unprotected: int = 0
    lost_unprotected: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    turns: int = 0
    integrity: str = ""  # only a file is checked
    wrong: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """How many are gone that were stored."""
        return sum(line.startswith(LOST) for line in self.wrong)


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
            await recovered(sandbox, asked)
            await last.stop()
        return await trio.to_thread.run_sync(examine, sandbox, asked)


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


async def recovered(sandbox: Sandbox, asked: Mapping[str, Interaction]) -> None:
    """Wait until nothing that is stored has been pending for a while; what was lost stays as it was shown."""
    interactions = {interaction.id: interaction for interaction in asked.values()}

    async def pending() -> bool:
        stored = await trio.to_thread.run_sync(rows, sandbox, OPEN)
        # What was private may be told with the person's next command only, and there is none.
        return any(not private or is_thinking(interactions[number]) for number, private in stored)

    await until_quiet(sandbox, asked, pending, QUIET if sandbox.database is None else QUIET_WITH_LEASES)


async def until_quiet(
    sandbox: Sandbox, asked: Mapping[str, Interaction], pending: Callable[[], Awaitable[bool]], quiet: float
) -> None:
    """Wait until nothing has been `pending`, streamed or shown anew for so many seconds."""
    with trio.move_on_after(SETTLE_TIMEOUT):
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < quiet:
            await trio.sleep(0.2)
            busy = await pending() or sandbox.openai.in_flight
            changed = max((shown.last_edit for shown in asked.values() if shown.messages), default=0.0)
            quiet_since = time.monotonic() if busy else max(quiet_since, changed)


def is_thinking(interaction: Interaction) -> bool:
    """Whether it was acknowledged, and the person sees that the bot is thinking."""
    return bool(interaction.messages) and interaction.loading


def examine(sandbox: Sandbox, asked: Mapping[str, Interaction]) -> Result:
    """What became of each question, by what was shown and by what is stored."""
    result = Result(len(asked))
    if sandbox.database is None:
        ((result.integrity,),) = rows(sandbox, "PRAGMA integrity_check")
    remembered = Counter(text for (text,) in rows(sandbox, QUESTIONS))
    pending = {prompt for (prompt,) in rows(sandbox, PENDING)}
    stored = {number for (number,) in rows(sandbox, STORED)}
    result.turns = remembered.total()
    result.unprotected = sandbox.log.read_text(errors="replace").count(UNPROTECTED)
    notes = Counter(ping for message in sandbox.discord.channel_messages for ping in message.pings)
    for prompt, interaction in asked.items():
        found = outcome(prompt, interaction)
        if found not in {UNACKNOWLEDGED, REFUSED, WHOLE, TOLD}:
            mention = f"<@{interaction.user.id}>"
            found = MISSED if notes[mention] or prompt in pending else LOST
            notes[mention] -= 1
        result.outcomes[found] += 1
        times = remembered[prompt]
        # Of a question that was in memory alone, a kill takes the turns, too, however much of it was shown.
        if interaction.id not in stored and (found == LOST or (found == WHOLE and times == 0)):
            result.lost_unprotected += 1
        elif found == LOST or times > 1 or (found == WHOLE and times != 1):
            result.wrong.append(f"{found}, {times} turns: {prompt} {interaction.text[-200:]!r}")
    if result.lost_unprotected > result.unprotected:
        result.wrong.append(f"{result.lost_unprotected} lost, {result.unprotected} said to be unprotected")
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
    report.row(
        "questions not protected, and of those lost", f"{result.unprotected}, {result.lost_unprotected}"
    )
    if result.integrity:
        report.row("integrity_check", result.integrity)
    report.row("promises broken", len(result.wrong))
    report.note(f"{seconds:.0f} s")
    for line in result.wrong:
        report.miss(line)
