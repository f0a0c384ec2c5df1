"""What goes wrong during `soak`, each fault on a schedule of its own."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import trio

from discordianai.sandbox.discord import LocalDiscord
from discordianai.sandbox.launcher import Sandbox
from discordianai.sandbox.providers import Fault, ProviderService
from discordianai.sandbox.providers.provider_faults import FaultKind

MIN_OUTAGE, MAX_OUTAGE = 4.0, 10.0
"""Seconds."""

RECONNECT_TIMEOUT = 200.0
"""Seconds; two IDENTIFYs are up to 120 s apart, and a quarter of it by chance, while sessions are short."""

OFFERED_FOR = 0.3
"""Seconds until a fault is taken back that no request has met. Those that piled up while a provider is left
alone would be met by nothing but the single requests that try whether it is well again."""

AWAY = "no gateway"
"""What a `Gap` is called beside the faults of the rotation."""

OTHER_GAP = "gateway lost by no fault of these"
STALLED = "the sandbox stood still"
STALL = 0.25
"""Seconds of the sandbox's own delay that are noted: what it was about to send may be lost with a session."""

UNNOTICED = 6.0
"""Seconds in which a connection is not yet taken for dead: two heartbeats."""

FAULTS_NOTED_AFTER = 2.0
"""Seconds after a reconnection until the fault that was the cause is in the log."""

MakeFault = Callable[[random.Random], Fault]
Strike = Callable[[random.Random], Awaitable[bool]]
"""Lets a fault happen; whether anything met it."""


def _within_30(kind: FaultKind) -> MakeFault:
    """After some of the first thirty pieces of an answer."""
    return lambda chance: Fault(kind, after=chance.randrange(30))


PROVIDER_FAULTS: Mapping[str, tuple[float, MakeFault]] = {
    "429 with Retry-After": (45, lambda chance: Fault.rate_limited(chance.choice([0.5, 1, 2]))),
    "5xx": (10, lambda chance: Fault(FaultKind.STATUS, status=chance.choice([500, 502, 503]))),
    "stream reset": (8, _within_30(FaultKind.CUT)),
    "stream cut inside a character": (30, _within_30(FaultKind.HALF_CHARACTER)),
    "stream ended early": (20, _within_30(FaultKind.END)),
    "stream with an error event": (20, _within_30(FaultKind.EVENT)),
    "stream fallen silent": (30, _within_30(FaultKind.STALL)),
    "connection cut": (30, _within_30(FaultKind.ABORT)),
    "GOAWAY": (10, _within_30(FaultKind.GOAWAY)),
}
"""The mean seconds between two of them, and how one of one request is made."""

ACKNOWLEDGEMENT_ERRORS = "Discord 5xx for acknowledgements"
ERRORS_LAST = 0.3
"""Seconds within which so few errors are met: somebody is acknowledged ten times a second."""

DISCORD_FAULTS: Mapping[str, tuple[float, str, int, int]] = {
    "Discord 5xx for edits": (8, "/webhooks/", 502, 5),
    "Discord 429 for edits": (15, "/webhooks/", 429, 5),
    ACKNOWLEDGEMENT_ERRORS: (20, "/callback", 502, 2),
}
"""The mean seconds between two, the path, the status, and how many requests are met at most."""


@dataclass(frozen=True, slots=True)
class Gap:
    """When, on Discord's clock, the bot had no gateway connection. Not `resumable`: its events are lost."""

    began: float
    ended: float
    resumable: bool


@dataclass(frozen=True, slots=True)
class Spell:
    """When, on Discord's clock, one fault of the rotation lasted; see `soak_discord_faults`."""

    name: str
    began: float
    ended: float


@dataclass
class FaultLog:
    """What went wrong so far."""

    counts: Counter[str] = field(default_factory=Counter)
    gaps: list[Gap] = field(default_factory=list)
    spells: list[Spell] = field(default_factory=list)

    def was(self, name: str, began: float, ended: float) -> bool:
        """Whether that fault lasted at any moment between these two."""
        return name in self.between(began, ended)

    def count(self, name: str, began: float, ended: float) -> int:
        """How many spells of that fault there were between these two."""
        return sum(
            spell.name == name and spell.began <= ended and spell.ended >= began for spell in self.spells
        )

    def stalled(self, began: float, ended: float) -> float:
        """Seconds of the longest stall at any moment between these two."""
        stalls = (spell for spell in self.spells if spell.name == STALLED)
        return max((s.ended - s.began for s in stalls if s.began <= ended and s.ended >= began), default=0.0)

    def between(self, began: float, ended: float) -> set[str]:
        """The faults of the rotation that lasted at any moment between these two, and `AWAY`."""
        away = (Spell(AWAY, gap.began, gap.ended) for gap in self.gaps)
        spells = (*self.spells, *away)
        return {spell.name for spell in spells if spell.began <= ended and spell.ended >= began}


async def strike_all(sandbox: Sandbox, log: FaultLog, seconds: float, seed: int) -> None:
    """Let every fault strike for so many seconds, each at least once."""
    async with trio.open_nursery() as nursery:
        for name, (every, strike) in _strikes(sandbox, log).items():
            chance = random.Random(f"{seed} {name}")
            nursery.start_soon(_keep_striking, name, every, strike, log, seconds, chance)


async def _keep_striking(
    name: str, every: float, strike: Strike, log: FaultLog, seconds: float, chance: random.Random
) -> None:
    with trio.move_on_after(seconds):
        await trio.sleep(chance.uniform(0, min(every, seconds / 2)))
        while True:
            with trio.CancelScope(shield=True):  # an outage that was begun is ended
                log.counts[name] += await strike(chance)
            await trio.sleep(chance.expovariate(1 / every))


async def note_other_gaps(discord: LocalDiscord, log: FaultLog) -> None:
    """Note when the bot has no gateway connection though no fault has ended it: a machine that is too busy to
    answer heartbeats in time, for example."""
    while True:
        await discord.wait_connected()
        while discord.is_connected:  # noqa: ASYNC110  # it is told only that a connection begins
            await trio.sleep(0.1)
        began, sessions = discord.now(), set(discord.sessions)
        await discord.wait_connected()
        ended, resumable = discord.now(), bool(sessions & discord.connected_sessions)
        await trio.sleep(FAULTS_NOTED_AFTER)
        if not any(gap.began <= ended and gap.ended >= began for gap in log.gaps):
            log.counts[OTHER_GAP] += 1
            log.gaps.append(Gap(began - UNNOTICED, ended, resumable))


async def note_stalls(discord: LocalDiscord, log: FaultLog) -> None:
    """Note when the process of the sandbox, which is that of the soak, is too busy to send anything."""
    while True:
        began, due = discord.now(), trio.current_time() + STALL / 2
        await trio.sleep_until(due)
        if trio.current_time() - due > STALL:
            log.spells.append(Spell(STALLED, began, discord.now()))


def _strikes(sandbox: Sandbox, log: FaultLog) -> dict[str, tuple[float, Strike]]:
    discord, both = sandbox.discord, (sandbox.openai, sandbox.perplexity)
    strikes: dict[str, tuple[float, Strike]] = {
        "gateway dropped, resumed": (45, partial(drop_gateway, discord, log, True)),
        "gateway dropped, session invalid": (150, partial(drop_gateway, discord, log, False)),
        "OpenAI out": (120, partial(_outage, sandbox.openai)),
        "Perplexity out": (180, partial(_outage, sandbox.perplexity)),
    }
    for name, (every, make) in PROVIDER_FAULTS.items():
        strikes[name] = every, partial(_misbehave, both, make)
    for name, (every, path, status, most) in DISCORD_FAULTS.items():
        strikes[name] = every, partial(_fail_next, discord, log, name, path, status, most)
    return strikes


async def _misbehave(services: tuple[ProviderService, ...], make: MakeFault, chance: random.Random) -> bool:
    service, fault = chance.choice(services), make(chance)
    service.misbehave(fault)
    await trio.sleep(OFFERED_FOR)
    return not service.withdraw(fault)


async def _fail_next(
    discord: LocalDiscord,
    log: FaultLog,
    name: str,
    path: str,
    status: int,
    most: int,
    chance: random.Random,
) -> bool:
    discord.fail_next(path, status, chance.randint(1, most))
    if name == ACKNOWLEDGEMENT_ERRORS:
        log.spells.append(Spell(name, discord.now(), discord.now() + ERRORS_LAST))
    return True


async def _outage(service: ProviderService, chance: random.Random) -> bool:
    """As when the machine at the other end dies: connections are cut, and the next ones are of no use."""
    service.outage = chance.choice([Fault(FaultKind.STATUS, status=503), Fault(FaultKind.ABORT)])
    try:
        for connection in list(service.server.connections if service.server else ()):
            await connection.abort()
        await trio.sleep(chance.uniform(MIN_OUTAGE, MAX_OUTAGE))
    finally:
        service.outage = None
    return True


async def drop_gateway(discord: LocalDiscord, log: FaultLog, resumable: bool, _chance: random.Random) -> bool:
    """Drop it, and wait until the bot is back, if it comes. Another fault may end its session meanwhile."""
    began, sessions = discord.now(), set(discord.sessions)
    discord.drop_gateway(resumable=resumable)
    await trio.sleep(0.05)  # the connection notices
    await note_gap(discord, log, began, sessions, resumable=resumable)
    return True


async def note_gap(
    discord: LocalDiscord, log: FaultLog, began: float, sessions: set[str], *, resumable: bool = True
) -> None:
    """Wait until the bot is back, if it comes, and note since when it was away and whether it has one of its
    `sessions` still; where it does not come, whether it could have."""
    with trio.move_on_after(RECONNECT_TIMEOUT):
        await discord.wait_connected()
    resumed = bool(sessions & discord.connected_sessions) or not discord.is_connected
    log.gaps.append(Gap(began, discord.now(), resumable and resumed))
