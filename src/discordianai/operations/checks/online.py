"""Asks Discord, the providers and a PostgreSQL, all at once: one that hangs or fails hides no other."""

import ssl
from importlib.util import find_spec

import trio

from discordianai.operations.checks import clock
from discordianai.operations.checks.discord_check import DiscordCheck
from discordianai.operations.checks.findings import Finding
from discordianai.operations.checks.online_check import CheckContext, OnlineCheck, bounded
from discordianai.operations.checks.postgres_online import PostgresCheck
from discordianai.operations.checks.provider_check import ProviderCheck
from discordianai.settings.tables import Settings


def ask(settings: Settings, seconds: float) -> list[Finding]:
    """Ask everything that can be asked, each question for so many seconds."""
    return trio.run(ask_all, settings, seconds)


async def ask_all(settings: Settings, seconds: float) -> list[Finding]:
    """See `ask`. The findings of a service stand together, whoever was first."""
    context = CheckContext(http2=find_spec("h2") is not None, ssl_context=ssl.create_default_context())
    services: list[OnlineCheck] = [DiscordCheck(settings, context)]
    services += [ProviderCheck(provider, settings, context) for provider in settings.configured]
    if (url := settings.conversations.url) is not None:
        services.append(PostgresCheck(settings.conversations, url, seconds))
    told: dict[str, list[Finding]] = {service.name: [] for service in services}
    # First, and by themselves: to open a client takes this process a while, which would be in their times.
    async with trio.open_nursery() as nursery:
        for service in services:
            subject, tell = f"{service.name} connection", told[service.name].append
            nursery.start_soon(bounded, subject, seconds, service.connect, tell)
    async with trio.open_nursery() as nursery:
        for service in services:
            nursery.start_soon(service.ask, seconds, told[service.name].append)
    together = [finding for findings in told.values() for finding in findings]
    return _each_once([*together, clock.judge(context.samples)])


def _each_once(findings: list[Finding]) -> list[Finding]:
    """What several questions have met, a rejected token for example, is told once."""
    return [finding for number, finding in enumerate(findings) if finding not in findings[:number]]
