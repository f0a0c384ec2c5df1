"""Does the bot keep its promises while its PostgreSQL goes away, under load?  `make soak-outages`

The database is restarted, crashes, stands still, or its network resets, holds or swallows what is sent; in
every second round the bot is killed in the midst of it, too.
Compared to: what the bot has said of each question. One that it could not store in time is counted as not
protected, and only a kill may lose it.
Required: nothing is lost that was acknowledged and stored; without a kill nothing is lost at all; each answer
that was shown whole is remembered once, unless its question was in memory alone when the bot was killed.
"""

import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from benchmarks.answers import UNACKNOWLEDGED, WHOLE, Load
from benchmarks.harness import Report, command_line, parse
from benchmarks.relay_process import RelayProcess, open_relay_process
from benchmarks.soak_kills import (
    LOST,
    PEOPLE,
    PROVIDERS,
    QUIET,
    SETTINGS,
    Result,
    examine,
    is_thinking,
    recovered,
    until_quiet,
)
from discordianai.cli.common import stoppable
from discordianai.sandbox.discord import DiscordOptions, Interaction
from discordianai.sandbox.launcher import BotDatabase, Sandbox, open_bot, open_sandbox
from discordianai.sandbox.postgres_cluster import Cluster, open_cluster
from discordianai.sandbox.tcp_relay import Passing

LONG, SHORT = 10.0, 3.0
"""Seconds of an outage that stands still, and of one that refuses."""

AFTERWARDS = 4.0
"""Seconds of load once the database is back: the bot has to notice."""


@dataclass(frozen=True, slots=True)
class Place:
    """The database, and the network before it."""

    cluster: Cluster
    relay: RelayProcess


Outage = Callable[[Place], Awaitable[None]]


async def restart(place: Place) -> None:
    """As by an upgrade: everybody is disconnected."""
    await trio.to_thread.run_sync(place.cluster.restart)


async def crash(place: Place) -> None:
    """The server ends as if the power failed, and recovers."""
    await trio.to_thread.run_sync(partial(place.cluster.restart, immediate=True))


async def freeze(place: Place) -> None:
    """Connections stay open, and nobody answers."""
    frozen = place.cluster.frozen()
    await trio.to_thread.run_sync(frozen.__enter__)
    try:
        await trio.sleep(LONG)
    finally:
        frozen.__exit__(None, None, None)


async def cut(place: Place) -> None:
    """Every connection is reset once; new ones are taken at once."""
    await place.relay.change(cut=True)


async def refuse(place: Place) -> None:
    """Nothing can connect for a while."""
    await place.relay.change(accepting=False, cut=True)
    await trio.sleep(SHORT)
    await place.relay.change()


async def hold(place: Place) -> None:
    """Bytes of both ways wait, then arrive."""
    await place.relay.change(to_server=Passing.HELD, to_client=Passing.HELD)
    await trio.sleep(LONG)
    await place.relay.change()


async def swallow(place: Place) -> None:
    """Statements reach the server, and its answers nobody; then the connections end."""
    await place.relay.change(to_client=Passing.SWALLOWED)
    await trio.sleep(SHORT)
    await place.relay.change(cut=True)


OUTAGES: Mapping[str, Outage] = {
    "restarted": restart,
    "crashed": crash,
    "frozen 10 s": freeze,
    "connections reset": cut,
    "refused 3 s": refuse,
    "network held 10 s": hold,
    "answers swallowed 3 s": swallow,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """Each outage so many times; `rate` questions a second, which a busy machine stores in time, too."""

    rounds: int
    seed: int = 1
    rate: float = 4.0


async def soak(folder: Path, plan: Plan, cluster: Cluster, kind: str, *, kill: bool) -> Result:
    """One kind of outage again and again, then let the bot finish, and look."""
    chance = random.Random(f"{plan.seed} {kind} {kill}")
    name = f"outages_{list(OUTAGES).index(kind)}_{'killed' if kill else 'alive'}"
    await trio.to_thread.run_sync(cluster.create_database, name)
    asked: dict[str, Interaction] = {}
    discord = DiscordOptions(identify_interval=0.0)  # it is started again at once, not after ten seconds
    async with open_relay_process(cluster.port) as relay:
        outage = partial(OUTAGES[kind], Place(cluster, relay))
        database = BotDatabase(cluster.url_of(name, relay.port), cluster.password)
        async with open_sandbox(folder, discord=discord, providers=PROVIDERS, database=database) as sandbox:
            sandbox.write_settings(SETTINGS)
            for _ in range(plan.rounds):
                await _round(Round(sandbox, plan, chance, asked, kill), outage)
            async with open_bot(sandbox) as last:
                await last.ready()
                await recovered(sandbox, asked)
                await last.stop()
            return await trio.to_thread.run_sync(examine, sandbox, asked)


@dataclass(frozen=True, slots=True)
class Round:
    """What the rounds of one kind share."""

    sandbox: Sandbox
    plan: Plan
    chance: random.Random
    asked: dict[str, Interaction]
    kill: bool


async def _round(round_: Round, outage: Callable[[], Awaitable[None]]) -> None:
    """Start the bot, let people ask, and strike; `kill` it at any moment of that, or see it through."""
    sandbox, chance, asked = round_.sandbox, round_.chance, round_.asked
    async with open_bot(sandbox) as bot:
        await bot.ready()
        async with trio.open_nursery() as nursery:
            load = Load(PEOPLE, round_.plan.rate)
            note, first = asked.__setitem__, len(asked) + 1  # no two prompts are the same
            nursery.start_soon(partial(load.ask, sandbox, chance, note, first=first))
            await trio.sleep(chance.uniform(0.5, 2.0))
            async with trio.open_nursery() as struck:
                struck.start_soon(outage)
                if round_.kill:
                    await trio.sleep(chance.uniform(0.0, SHORT))
                    await bot.kill()
            if not round_.kill:
                await trio.sleep(AFTERWARDS)
            nursery.cancel_scope.cancel()
        if not round_.kill:
            await _settled(sandbox, asked)


async def _settled(sandbox: Sandbox, asked: Mapping[str, Interaction]) -> None:
    """Wait until nothing that was acknowledged has been pending for a while: nothing was lost."""

    async def pending() -> bool:
        return any(map(is_thinking, asked.values()))

    await until_quiet(sandbox, asked, pending, QUIET)


COLUMNS = ("database", "bot", "asked", "whole", "told", "not acknowledged", "not protected", "of those lost")


def show(report: Report, kind: str, result: Result, *, kill: bool) -> None:
    """A row; what is missed is told at the end."""
    found = result.outcomes
    told = found.total() - found[WHOLE] - found[UNACKNOWLEDGED] - found[LOST]
    answered = result.asked, found[WHOLE], told, found[UNACKNOWLEDGED]
    lost = result.unprotected, result.lost_unprotected, result.lost
    report.row(kind, "killed" if kill else "lives", *answered, *lost)
    for line in result.wrong:
        report.miss(f"{kind}: {line}")
    if result.lost_unprotected and not kill:
        report.miss(f"{kind}: {result.lost_unprotected} lost without a kill")
    if not found[WHOLE]:
        report.miss(f"{kind}: nothing was answered")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and return the exit status."""
    parser = command_line(__doc__, rounds=3)
    parser.add_argument("--only", choices=OUTAGES, action="append", help="of the outages; may be repeated")
    parser.add_argument("--seed", type=int, default=1)
    options = parse(parser, arguments)
    report, began = Report(), time.monotonic()
    plan = Plan(options.rounds, options.seed)
    report.table(*COLUMNS, "lost, stored")
    with stoppable(), open_cluster() as cluster:
        for kind in options.only or OUTAGES:
            for kill in (False, True):
                with tempfile.TemporaryDirectory(prefix="discordianai-outages-") as folder:
                    result = trio.run(partial(soak, Path(folder), plan, cluster, kind, kill=kill))
                show(report, kind, result, kill=kill)
    report.note(f"{time.monotonic() - began:.0f} s")
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
