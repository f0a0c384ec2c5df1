"""Tries one secret at a time, while somebody waits for the outcome: by the checks of `check --online`."""

import ssl
from importlib.util import find_spec

import trio

from discordianai.operations.checks.answer_check import IMAGES
from discordianai.operations.checks.discord_check import DiscordCheck, DiscordCheckFailed
from discordianai.operations.checks.findings import CheckStatus, Finding
from discordianai.operations.checks.online_check import CheckContext, bounded
from discordianai.operations.checks.postgres_check import look
from discordianai.operations.checks.postgres_online import PostgresCheck
from discordianai.operations.checks.provider_check import ProviderCheck
from discordianai.settings.tables import Settings

SECONDS = 30.0
"""How long each request may take."""


def try_token(settings: Settings) -> tuple[list[Finding], int | None]:
    """What Discord says to the bot's token, and the application's id where it accepts the token."""
    return trio.run(_try_token, settings)


def try_provider(settings: Settings, name: str) -> list[Finding]:
    """What that provider says to its key, in the first token of an answer."""
    return trio.run(_try_provider, settings, name)


def try_database(settings: Settings) -> list[Finding]:
    """What the PostgreSQL of these settings says; nothing where it is a file."""
    options = settings.conversations
    told: list[Finding] = []
    if (url := options.url) is not None:
        told += look(url)
        check = PostgresCheck(options, url, SECONDS)
        trio.run(bounded, "database connection", SECONDS, check.connect, told.append)
    return told


def failed(findings: list[Finding]) -> bool:
    """Whether a problem is among them; with a warning it works, and without pictures."""
    return any(finding.verdict is CheckStatus.PROBLEM and not _of_images(finding) for finding in findings)


def refuses_images(findings: list[Finding]) -> bool:
    """Whether the model does, so that its table needs `images = false`."""
    return any(finding.verdict is CheckStatus.PROBLEM and _of_images(finding) for finding in findings)


def _of_images(finding: Finding) -> bool:
    return finding.subject.endswith(f" {IMAGES}")


def _context() -> CheckContext:
    return CheckContext(http2=find_spec("h2") is not None, ssl_context=ssl.create_default_context())


async def _try_token(settings: Settings) -> tuple[list[Finding], int | None]:
    check = DiscordCheck(settings, _context())
    told: list[Finding] = []
    application = None
    try:
        with trio.fail_after(SECONDS):
            application = await check.application_id()
    except DiscordCheckFailed as error:
        await bounded("discord connection", SECONDS, check.connect, told.append)
        return (told if failed(told) else [error.finding]), None  # why it is not reached, and what helps
    except trio.TooSlowError:
        await bounded("discord connection", SECONDS, check.connect, told.append)
        return told, None
    await check.ask(SECONDS, told.append)
    return told, application


async def _try_provider(settings: Settings, name: str) -> list[Finding]:
    check = ProviderCheck(settings.record(name), settings, _context())
    told: list[Finding] = []
    await bounded(f"{name} connection", SECONDS, check.connect, told.append)
    await check.ask(SECONDS, told.append)
    return told
