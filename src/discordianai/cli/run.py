"""`run` and `sandbox`: the bot itself."""

import argparse
import gc
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from discordianai.cli import EX_CONFIG, proxies
from discordianai.cli.common import say, stoppable
from discordianai.settings import file as settings_file
from discordianai.settings.document import SettingsError

if TYPE_CHECKING:
    from discordianai.cli import Commands
    from discordianai.settings.tables import Settings

INSTALL_SANDBOX = "install discordianai[sandbox], as in pipx install --force 'discordianai[sandbox]'"
"""The bot itself does not need those packages, so that not everybody has them."""
INSTALL_POSTGRES = "pipx install --force 'discordianai[sandbox,postgres]'"
EX_USAGE = 2
"""The exit status of a mistake on the command line, as argparse has it."""

SWITCH_INTERVAL = 0.0005
"""Seconds until a thread that computes lets another one in, a tenth of the usual. Each statement of SQLite
gives the interpreter away: while other threads compute, a question waits for every return."""


def add_to(commands: "Commands") -> None:
    """Declare the commands."""
    run = commands.add_parser("run", help="run the bot")
    run.add_argument("--settings", type=Path, metavar="PATH", help="instead of ./settings.toml")
    run.set_defaults(command=_run)
    sandbox = commands.add_parser("sandbox", help="try the bot without any account or key")
    sandbox.add_argument(
        "--endpoint",
        metavar="NAME",
        help="an endpoint of this kind in OpenAI's place, such as ollama or vllm",
    )
    sandbox.add_argument(
        "--database",
        choices=("sqlite", "postgres"),
        default="sqlite",
        help="where the bot keeps conversations; postgres starts a PostgreSQL in a temporary folder",
    )
    sandbox.set_defaults(command=_sandbox)


def _run(options: argparse.Namespace) -> int:
    settings = _load(options.settings)
    gc.disable()  # while everything is new there is nothing to collect: a sixth of the imports' time
    # Imported here so that a mistake in the settings is told at once, and other commands start faster.
    import structlog
    import trio

    from discordianai import app
    from discordianai.conversations.postgres_client import ClientMissing
    from discordianai.conversations.store import StoreError
    from discordianai.discord.gateway.session_limit import ListenerRefused
    from discordianai.operations import logs
    from discordianai.operations.http_server import CannotServe

    gc.enable()
    # What the imports created lives as long as the bot. The garbage collector would scan all of it again and
    # again, for 0.1 s each time, during which nobody is acknowledged.
    gc.freeze()
    logs.configure(settings.logging)
    log = structlog.get_logger("discordianai.cli.run")
    path = settings_file.find(options.settings)
    if mode := settings_file.tighten(path):
        log.warning("file was open to other users: mode is 600 now", file=str(path), mode=f"{mode:o}")
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        trio.run(app.run, settings, partial(settings_file.load, options.settings))
    except (ListenerRefused, CannotServe, ClientMissing) as error:
        log.critical(str(error))
        return EX_CONFIG
    except StoreError as error:
        log.critical(str(error))
        return 1
    except Exception:
        log.critical("a part of the bot failed with a bug", exc_info=True)
        return 1
    return 0


def _load(path: Path | None) -> "Settings":
    """The settings. Raises `SettingsError` with every mistake, those of the environment's proxies too."""
    try:
        settings = settings_file.load(path)
    except SettingsError as error:
        raise SettingsError(*error.problems, *proxies.problems()) from None
    proxies.require()
    return settings


def _sandbox(options: argparse.Namespace) -> int:
    proxies.require()
    import trio

    try:
        from discordianai.sandbox import terminal
        from discordianai.sandbox.launcher import ENDPOINTS
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("discordianai"):
            raise
        say(f"the sandbox needs the package {error.name}: {INSTALL_SANDBOX}")
        return 1
    endpoint = options.endpoint and options.endpoint.lower().replace(".", "-").replace(" ", "-")
    if endpoint not in {None, *ENDPOINTS}:
        known = ", ".join(ENDPOINTS)
        print(f"there is no endpoint {options.endpoint!r}: {known}", file=sys.stderr)  # noqa: T201  # its answer
        return EX_USAGE
    if options.database == "sqlite":
        return trio.run(terminal.run, endpoint)
    return _sandbox_on_postgres(endpoint)


def _sandbox_on_postgres(endpoint: str | None) -> int:
    """Run it beside a PostgreSQL, which ends with it, however it ends."""
    import trio

    from discordianai.conversations import postgres_client
    from discordianai.sandbox import terminal
    from discordianai.sandbox.launcher import BotDatabase
    from discordianai.sandbox.postgres_cluster import ClusterFailed, PostgresMissing, open_cluster
    from discordianai.sandbox.unprivileged import NoAccount

    if postgres_client.is_missing():
        say(f"the bot needs the package psycopg to speak to PostgreSQL: {INSTALL_POSTGRES}")
        return 1
    try:
        with stoppable(), open_cluster() as cluster:
            return trio.run(terminal.run, endpoint, BotDatabase(cluster.url, cluster.password))
    except (ClusterFailed, PostgresMissing, NoAccount) as error:
        say(str(error))
        return 1
