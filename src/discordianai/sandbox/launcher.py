"""Starts the sandbox's services, and the real bot as a process that knows only its settings and the CA."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from discordianai.sandbox.certificates import Authority, make_authority
from discordianai.sandbox.discord import DiscordOptions, LocalDiscord, open_local_discord
from discordianai.sandbox.http import ServerOptions
from discordianai.sandbox.providers import (
    FAMILIES,
    EndpointService,
    PerplexityService,
    ProviderService,
    ServiceOptions,
    open_endpoints,
    open_providers,
)

STOP_TIMEOUT = 40.0
"""Seconds; more than the bot's own drain."""

ENDPOINTS = ("openai", "perplexity", *FAMILIES)
"""What a sandbox's bot can be pointed at alone."""


@dataclass(frozen=True, slots=True)
class BotDatabase:
    """A PostgreSQL database for the bot. `url` has no password in it, as in the settings."""

    url: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The running services, and the folder with the bot's files."""

    discord: LocalDiscord
    openai: ProviderService
    perplexity: PerplexityService
    foreign: ProviderService
    folder: Path
    environment: Mapping[str, str]
    endpoints: Mapping[str, EndpointService] = field(default_factory=dict)
    database: BotDatabase | None = None
    """Where the bot's conversations are; None: in a file in `folder`."""

    @property
    def providers(self) -> tuple[ProviderService, ...]:
        """Every service that answers questions."""
        return self.openai, self.perplexity, self.foreign, *self.endpoints.values()

    @property
    def settings(self) -> Path:
        """The bot's settings file."""
        return self.folder / "settings.toml"

    @property
    def with_foreign(self) -> Mapping[str, Mapping[str, object]]:
        """Changes to the settings that make the foreign service a third provider."""
        # Its models take no images.
        options = {"dialect": "chat", "model": "local-model", "images": False}
        return {"providers.foreign": {**options, **_endpoint(self.foreign)}}

    @property
    def with_endpoints(self) -> Mapping[str, Mapping[str, object]]:
        """Changes to the settings that make the doubles of endpoints further providers."""
        return {f"providers.{name}": _settings(service) for name, service in self.endpoints.items()}

    def only(self, endpoint: str) -> Mapping[str, Mapping[str, object]]:
        """Changes that leave one of `ENDPOINTS` in OpenAI's place; Perplexity searches beside it."""
        without_openai = {} if endpoint == "openai" else {"providers.openai": {"api_key": ""}}
        return {**self.with_endpoints, **without_openai}

    @property
    def file(self) -> Path:
        """The SQLite file, where the conversations are in one."""
        return self.folder / "conversations.sqlite3"

    @property
    def log(self) -> Path:
        """What the bot wrote to stderr."""
        return self.folder / "bot.log"

    def write_settings(self, changes: Mapping[str, Mapping[str, object]] | None = None) -> None:
        """Write settings that point the bot at these services; `changes` has further keys for each table.

        The foreign service is a provider of the bot only with `changes=self.with_foreign`.
        """
        tables: dict[str, dict[str, object]] = {
            "discord": {"api_url": self.discord.api_url, "token": self.discord.options.token},
            "providers.openai": {"dialect": "responses", **_endpoint(self.openai)},
            "providers.perplexity": {"dialect": "agent", **_endpoint(self.perplexity)},
            "conversations": {"database": self.database.url if self.database else str(self.file)},
            "operations": {"port": 0},  # there may be several sandboxes on a machine
        }
        for table, keys in (changes or {}).items():
            tables.setdefault(table, {}).update(keys)
        # JSON writes numbers, booleans, lists and plain strings as TOML does.
        lines = [
            f"[{table}]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
            for table, keys in tables.items()
        ]
        self.settings.touch(mode=0o600)  # as an operator keeps a file with secrets
        self.settings.write_text("\n\n".join(lines) + "\n")


def _settings(service: EndpointService) -> dict[str, object]:
    family = service.family
    first, *more = family.models
    options = {"dialect": "chat", "label": family.label, "model": first, "more_models": more}
    return {**options, "images": first not in family.without_images, **_endpoint(service)}


def _endpoint(service: ProviderService) -> dict[str, object]:
    return {"base_url": service.url, "api_key": service.options.api_key}


@asynccontextmanager
async def open_sandbox(
    folder: Path,
    *,
    authority: Authority | None = None,
    discord: DiscordOptions | None = None,
    providers: ServiceOptions | None = None,
    server: ServerOptions | None = None,
    endpoints: Collection[str] = (),
    database: BotDatabase | None = None,
) -> AsyncIterator[Sandbox]:
    """Run every service while the block runs; the CA certificate and the bot's files go into `folder`.

    `endpoints` are the families of which there are doubles, too. The bot's conversations are in `database`,
    or in a file.
    """
    authority = authority or make_authority()
    certificate = folder / "ca.pem"
    authority.write_ca(certificate)
    environment = {key: value for key, value in os.environ.items() if not _is_the_operators(key)}
    environment["SSL_CERT_FILE"] = str(certificate)
    if database is not None:
        environment["DATABASE_PASSWORD"] = database.password
    async with (
        open_local_discord(discord) as local,
        open_providers(authority, providers, server) as services,
        open_endpoints(authority, endpoints, providers, server) as doubles,
    ):
        known = services.openai, services.perplexity, services.foreign
        sandbox = Sandbox(local, *known, folder, environment, doubles, database)
        sandbox.write_settings()
        yield sandbox


def _is_the_operators(variable: str) -> bool:
    """Whether it would have the bot speak to somebody else than the sandbox."""
    of_secrets = {"DISCORD_TOKEN", "OPENAI_API_KEY", "PERPLEXITY_API_KEY", "DATABASE_PASSWORD"}
    return variable in {*of_secrets, "CREDENTIALS_DIRECTORY", "SSL_CERT_DIR"} or variable.startswith("PG")


class BotProcess:
    """A running bot, made by `open_bot`."""

    def __init__(self, process: trio.Process, sandbox: Sandbox) -> None:
        self.process = process
        self._sandbox = sandbox
        # One that was just killed may still have its own.
        self._of_others = sandbox.discord.connected_sessions

    def terminate(self) -> None:
        """Send SIGTERM, as systemd does."""
        self.process.send_signal(signal.SIGTERM)

    async def kill(self) -> None:
        """Send SIGKILL, and wait for the end."""
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """Send SIGTERM and return the exit status; after `STOP_TIMEOUT`, SIGKILL."""
        if self.process.returncode is None:
            self.terminate()
        with trio.move_on_after(STOP_TIMEOUT):
            return await self.process.wait()
        self.process.kill()
        return await self.process.wait()

    async def ready(self, timeout: float = 60.0) -> None:
        """Wait until it receives commands. Raises `RuntimeError` with its log if it ends before that."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            with trio.fail_after(timeout):
                discord = self._sandbox.discord
                while not discord.connected_sessions - self._of_others:
                    await discord.wait_changed()
                await discord.wait_ready()
            nursery.cancel_scope.cancel()

    async def _watch(self) -> None:
        status = await self.process.wait()
        raise RuntimeError(f"the bot ended with {status}:\n{self._sandbox.log.read_text()}")


@asynccontextmanager
async def open_bot(sandbox: Sandbox) -> AsyncIterator[BotProcess]:
    """Run the bot in `sandbox` while the block runs, and end it afterwards."""
    command = [sys.executable, "-m", "discordianai", "run", "--settings", str(sandbox.settings)]
    with sandbox.log.open("ab") as log:
        process = await trio.lowlevel.open_process(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(sandbox.environment)
        )
    bot = BotProcess(process, sandbox)
    try:
        yield bot
    finally:
        with trio.move_on_after(STOP_TIMEOUT + 5, shield=True):
            await bot.stop()
