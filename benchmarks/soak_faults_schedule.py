"""What goes wrong during `make soak`, each fault on a schedule of its own."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import trio

from discordianai.sandbox.discord import LocalDiscord
from discordianai.sandbox.launcher import Sandbox
from discordianai.sandbox.providers import Fault, ProviderService
from discordianai.sandbox.providers.provider_faults import FaultKind

SHORTEST_OUTAGE, LONGEST_OUTAGE = 4.0, 10.0
"""Seconds."""

RECONNECT_TIMEOUT = 60.0

OFFERED_FOR = 0.3
"""Seconds until a fault is taken back that no request has met. Those that piled up while a provider is left
alone would be met by nothing but the single requests that try whether it is well again."""


@dataclass(frozen=True, slots=True)
class Gap:
    """When, on Discord's clock, the bot had no gateway connection. Not `resumable`: its events are lost."""

    began: float
    ended: float
    resumable: bool


@dataclass
class Weather:
    """What went wrong so far."""

    happened: Counter[str] = field(default_factory=Counter)
    gaps: list[Gap] = field(default_factory=list)


Strike = Callable[[random.Random], Awaitable[bool]]
"""Makes it happen; whether anything met it."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of fault, which comes every `every` seconds on average."""

    name: str
    every: float
    strike: Strike


async def keep_striking(weather: Weather, troubles: list[Trouble], seconds: float, seed: int) -> None:
    """Let every trouble strike for so many seconds, each at least once."""
    async with trio.open_nursery() as nursery:
        for trouble in troubles:
            chance = random.Random(f"{seed} {trouble.name}")
            nursery.start_soon(_strike, trouble, weather, seconds, chance)


async def _strike(trouble: Trouble, weather: Weather, seconds: float, chance: random.Random) -> None:
    with trio.move_on_after(seconds):
        await trio.sleep(chance.uniform(0, min(trouble.every, seconds / 2)))
        while True:
            with trio.CancelScope(shield=True):  # an outage that was begun is ended
                weather.happened[trouble.name] += await trouble.strike(chance)
            await trio.sleep(chance.expovariate(1 / trouble.every))


def troubles(sandbox: Sandbox, weather: Weather) -> list[Trouble]:
    """All that goes wrong with the providers and with Discord. Means are in seconds."""
    discord, both = sandbox.discord, (sandbox.openai, sandbox.perplexity)

    def fault(make: Callable[[random.Random], Fault]) -> Strike:
        async def strike(chance: random.Random) -> bool:
            service, trouble = chance.choice(both), make(chance)
            service.misbehave(trouble)
            await trio.sleep(OFFERED_FOR)
            return not service.withdraw(trouble)

        return strike

    def kind(wanted: FaultKind) -> Strike:
        return fault(lambda chance: Fault(wanted, after=chance.randrange(30)))

    def failing(path: str, status: int, most: int) -> Strike:
        async def strike(chance: random.Random) -> bool:
            discord.fail_next(path, status, chance.randint(1, most))
            return True

        return strike

    def outage(service: ProviderService) -> Strike:
        async def strike(chance: random.Random) -> bool:
            with _out(service, chance.choice([Fault(FaultKind.STATUS, status=503), Fault(FaultKind.ABORT)])):
                await cut_connections(service)
                await trio.sleep(chance.uniform(SHORTEST_OUTAGE, LONGEST_OUTAGE))
            return True

        return strike

    def drop(*, resumable: bool) -> Strike:
        async def strike(_chance: random.Random) -> bool:
            weather.gaps.append(await drop_gateway(discord, resumable=resumable))
            return True

        return strike

    return [
        Trouble("gateway dropped, resumed", 45, drop(resumable=True)),
        Trouble("gateway dropped, session invalid", 150, drop(resumable=False)),
        Trouble("429 with Retry-After", 45, fault(lambda c: Fault.rate_limited(c.choice([0.5, 1, 2])))),
        Trouble("5xx", 10, fault(lambda c: Fault(FaultKind.STATUS, status=c.choice([500, 502, 503])))),
        Trouble("stream reset", 8, kind(FaultKind.CUT)),
        Trouble("stream cut inside a character", 30, kind(FaultKind.HALF_CHARACTER)),
        Trouble("stream ended early", 20, kind(FaultKind.END)),
        Trouble("stream with an error event", 20, kind(FaultKind.EVENT)),
        Trouble("stream fallen silent", 30, kind(FaultKind.STALL)),
        Trouble("connection cut", 30, kind(FaultKind.ABORT)),
        Trouble("GOAWAY", 10, kind(FaultKind.GOAWAY)),
        Trouble("OpenAI out", 120, outage(sandbox.openai)),
        Trouble("Perplexity out", 180, outage(sandbox.perplexity)),
        Trouble("Discord 5xx for edits", 8, failing("/webhooks/", 502, 5)),
        Trouble("Discord 429 for edits", 15, failing("/webhooks/", 429, 5)),
        Trouble("Discord 5xx for acknowledgements", 20, failing("/callback", 502, 2)),
    ]


@contextmanager
def _out(service: ProviderService, fault: Fault) -> Iterator[None]:
    service.outage = fault
    try:
        yield
    finally:
        service.outage = None


async def cut_connections(service: ProviderService) -> None:
    """As when the machine at the other end dies."""
    for connection in list(service.server.connections if service.server else ()):
        await connection.abort()


async def drop_gateway(discord: LocalDiscord, *, resumable: bool) -> Gap:
    """Drop it, and wait until the bot is back, if it comes."""
    began = discord.now()
    discord.drop_gateway(resumable=resumable)
    await trio.sleep(0.05)  # the connection notices
    with trio.move_on_after(RECONNECT_TIMEOUT):
        await discord.wait_connected()
    return Gap(began, discord.now(), resumable)
