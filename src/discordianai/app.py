"""Opens every part of the bot in nested order, and closes them in reverse.

The only module that knows them all. The nesting is the shutdown order: the listener is innermost and closes
first, the store and the clients are outermost and close last.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from time import time

import trio

from discordianai.answering import Answering
from discordianai.asking import Asking
from discordianai.assistant import Assistant
from discordianai.bot import Bot, Parts
from discordianai.context import Contexts
from discordianai.conversations.channel_book import ChannelBook
from discordianai.conversations.ledger import Ledger
from discordianai.conversations.sqlite import open_store
from discordianai.discord.admissions import Admissions
from discordianai.discord.attachments import AttachmentReader
from discordianai.discord.commands.registry import COMMANDS, OfferedCommands
from discordianai.discord.commands.runner import CommandRunner
from discordianai.discord.commands.services import BotServices
from discordianai.discord.figures import DiscordFigures
from discordianai.discord.rest import DiscordApi
from discordianai.dispatch.dispatcher import Dispatcher
from discordianai.dispatch.routing import Router
from discordianai.operations import logs
from discordianai.operations.describing import describe
from discordianai.operations.instruments import Instruments
from discordianai.operations.loop_lag import watched_loop
from discordianai.operations.probes import probes
from discordianai.operations.serving import serving
from discordianai.operations.snapshot import numbers
from discordianai.operations.status_line import status_line
from discordianai.operations.systemd import Notifier
from discordianai.operations.usage import report_usage
from discordianai.operations.watchdog import MORE_TIME, attended
from discordianai.options import (
    accounting_options,
    assistant_options,
    attachment_limits,
    context_rules,
    dispatch_options,
    handler_options,
    offer,
    pool_options,
    provider_options,
    store_options,
)
from discordianai.providers.factory import make_provider
from discordianai.questions import QuestionCounter
from discordianai.resuming import Resuming
from discordianai.servers import ServerBook
from discordianai.settings.reloading import Adopt, Reloading, reloading_on_sighup
from discordianai.settings.tables import Settings
from discordianai.tokens import TokenEstimator
from discordianai.transport.clients import PooledClient, build_client, http2_available
from discordianai.transport.records import PoolOptions

DISCORD_POOL = PoolOptions(max_connections=20, max_keepalive=5)
"""For edits: a hundred answers streaming at once make a hundred requests a second of about 0.1 s."""

DISCORD_READ_TIMEOUT = 15.0

MOST_OPEN_QUESTIONS = 1000
"""Acknowledged and not yet answered, over all providers; further ones are refused."""


async def run(settings: Settings, load: Callable[[], Settings]) -> None:
    """Run the bot until SIGTERM or SIGINT; answers in flight then have `drain_seconds`.

    `load` reads the settings anew, for SIGHUP. Raises `StoreError`, `ListenerRefused`, `CannotServe`, or the
    error of a part that died of a bug.
    """
    try:
        await _run(settings, load)
    except BaseExceptionGroup as group:
        raise _cause(group) from group


async def _run(settings: Settings, load: Callable[[], Settings]) -> None:
    http2 = http2_available()
    estimator = TokenEstimator()
    notifier = Notifier()
    clients = _build_clients(settings, http2)
    discord = build_client("discord", DISCORD_POOL, DISCORD_READ_TIMEOUT, http2=http2)
    dispatchers = {name: _dispatcher(settings, name, client, estimator) for name, client in clients.items()}
    async with (
        watched_loop() as lag,
        serving(settings.operations) as page,
        open_store(
            Path(settings.conversations.database),
            store_options(settings),
            ask_for_time=partial(notifier.extend_timeout, MORE_TIME),
        ) as store,
        _open_all([discord, *clients.values()]),
    ):
        instruments = Instruments(
            settings=numbers(settings),
            clients=clients,
            discord=discord,
            dispatchers=dispatchers,
            store=store,
            ledger=Ledger(store, accounting_options(settings), time),
            figures=DiscordFigures(),
            admissions=_admissions(settings),
            counts=QuestionCounter(),
            lag=lag,
        )
        page.shows(instruments.read)
        channels = ChannelBook(store)
        await channels.open()
        contexts = Contexts(store, channels, context_rules(settings), estimator, await store.identifier_key())
        bot, adopters = _make_bot(settings, instruments, channels, contexts, notifier)
        async with (
            report_usage(instruments.read),
            reloading_on_sighup(Reloading(settings, load, notifier), adopters),
            attended(
                notifier,
                probes(instruments.read, notifier.watchdog_seconds),
                lambda: status_line(instruments.read()),
            ),
        ):
            await bot.serve()


def _make_bot(
    settings: Settings,
    instruments: Instruments,
    channels: ChannelBook,
    contexts: Contexts,
    notifier: Notifier,
) -> tuple[Bot, Sequence[Adopt]]:
    """The bot around the parts that are open, and who has to learn of new settings, in this order."""
    store, ledger, discord = instruments.store, instruments.ledger, instruments.discord
    token = settings.discord.token
    api = DiscordApi(discord.http, settings.discord.api_url, token.get_secret_value() if token else "")
    asking = Asking(instruments.dispatchers, Router(settings.configured, settings.routing.strategy))
    assistant = Assistant(asking, contexts, store, ledger, assistant_options(settings))
    reader = AttachmentReader(discord.http, settings.discord.api_url, attachment_limits(settings))
    answering = Answering(settings, assistant, store, api, reader)
    offered = OfferedCommands(COMMANDS, offer(settings))
    services = BotServices(
        store,
        contexts,
        channels,
        lambda: describe(instruments.read()),
        offered,
        handler_options(settings),
    )
    parts = Parts(
        assistant=assistant,
        answering=answering,
        store=store,
        resuming=Resuming(store, api, answering.reply_options),
        offered=offered,
        runner=CommandRunner(services, api),
        channels=channels,
        servers=ServerBook(store, channels, settings.conversations.grace_days),
        discord=api,
        admissions=instruments.admissions,
        counts=instruments.counts,
        figures=instruments.figures,
        notifier=notifier,
    )
    bot = Bot(settings, parts)
    return bot, (
        lambda new: logs.configure(new.logging),
        instruments.adopt,
        bot.adopt,
        lambda new: contexts.adopt(context_rules(new)),
        lambda new: ledger.adopt(accounting_options(new)),
        lambda new: assistant.adopt(assistant_options(new)),
        lambda new: services.adopt(handler_options(new)),
        lambda new: reader.adopt(attachment_limits(new)),
        partial(_adopt_pools, instruments.clients, instruments.dispatchers),
    )


def _adopt_pools(
    clients: Mapping[str, PooledClient],
    dispatchers: Mapping[str, Dispatcher],
    settings: Settings,
) -> None:
    """The pool first: a request that is let through must find a place in it."""
    for name, client in clients.items():
        client.adopt(pool_options(settings, name))
        dispatchers[name].adopt(dispatch_options(settings, name))


def _build_clients(settings: Settings, http2: bool) -> dict[str, PooledClient]:
    """One client and pool for each provider that is set up."""
    names = [provider.name for provider in settings.configured]
    return {
        name: build_client(
            name, pool_options(settings, name), settings.provider(name).read_timeout, http2=http2
        )
        for name in names
    }


@asynccontextmanager
async def _open_all(clients: Iterable[PooledClient]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for client in clients:
            await stack.enter_async_context(client.http)
        yield


def _dispatcher(settings: Settings, name: str, client: PooledClient, estimator: TokenEstimator) -> Dispatcher:
    provider = make_provider(client.http, provider_options(settings, name))
    return Dispatcher(provider, dispatch_options(settings, name), estimator=estimator)


def _admissions(settings: Settings) -> Admissions:
    token = trio.lowlevel.current_trio_token()
    return Admissions(MOST_OPEN_QUESTIONS, settings.rate_limits.user.most_open, token)


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error behind a nursery's group, or the group where there were several."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
