"""Opens every part of the bot in nested order, and closes them in reverse.

The only module that knows them all. The nesting is the shutdown order: the listener is innermost and closes
first, the store and the clients are outermost and close last.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import time

import trio

from discordianai.answering import Answering
from discordianai.asking import Asking
from discordianai.assistant import Assistant, AssistantOptions
from discordianai.bot import Bot, Parts
from discordianai.context import ContextRules, Contexts
from discordianai.conversations.accounting import Limit, Price
from discordianai.conversations.channel_book import ChannelBook
from discordianai.conversations.keys import Scope
from discordianai.conversations.ledger import AccountingOptions, Ledger
from discordianai.conversations.sqlite import SqliteStore, open_store
from discordianai.conversations.store import StoreOptions
from discordianai.conversations.window import ContextOptions
from discordianai.discord.admissions import Admissions
from discordianai.discord.attachments import AttachmentReader, Limits
from discordianai.discord.desk import Desk
from discordianai.discord.errands import Services
from discordianai.discord.figures import DiscordFigures
from discordianai.discord.rest import DiscordApi
from discordianai.dispatch.budget import BudgetOptions
from discordianai.dispatch.dispatcher import Dispatcher, DispatchOptions
from discordianai.dispatch.retry import RetryOptions
from discordianai.dispatch.routing import Router, Strategy
from discordianai.model import ProviderName
from discordianai.operations.describing import Describing
from discordianai.operations.instruments import Instruments
from discordianai.operations.loop_lag import watched_loop
from discordianai.operations.serving import serving
from discordianai.operations.snapshot import numbers
from discordianai.operations.usage import report_usage
from discordianai.protection import Counts
from discordianai.providers.factory import make_provider
from discordianai.providers.port import ProviderOptions
from discordianai.resuming import Resuming
from discordianai.servers import ServerBook
from discordianai.settings import Settings
from discordianai.tokens import TokenEstimator
from discordianai.transport.clients import PooledClient, build_client, http2_available
from discordianai.transport.records import PoolOptions

DISCORD_POOL = PoolOptions(max_connections=20, max_keepalive=5)
"""For edits: a hundred answers streaming at once make a hundred requests a second of about 0.1 s."""

DISCORD_READ_TIMEOUT = 15.0

MOST_OPEN_QUESTIONS = 1000
"""Acknowledged and not yet answered, over all providers; further ones are refused."""


async def run(settings: Settings) -> None:
    """Run the bot until SIGTERM or SIGINT; answers in flight then have `drain_seconds`.

    Raises `StoreError`, `ListenerRefused`, or the error of a part that died of a bug.
    """
    try:
        await _run(settings)
    except BaseExceptionGroup as group:
        raise _cause(group) from group


async def _run(settings: Settings) -> None:
    http2 = http2_available()
    estimator = TokenEstimator()
    clients = _build_clients(settings, http2)
    discord = build_client("discord", DISCORD_POOL, DISCORD_READ_TIMEOUT, http2=http2)
    dispatchers = {name: _dispatcher(settings, name, client, estimator) for name, client in clients.items()}
    async with (
        watched_loop() as lag,
        serving(settings.operations) as page,
        open_store(Path(settings.conversations.database), _store_options(settings)) as store,
        _open_all([discord, *clients.values()]),
    ):
        ledger = Ledger(store, _accounting(settings), time)
        instruments = Instruments(
            settings=numbers(settings),
            clients=clients,
            discord=discord,
            dispatchers=dispatchers,
            store=store,
            ledger=ledger,
            figures=DiscordFigures(),
            admissions=_admissions(settings),
            counts=Counts(),
            lag=lag,
        )
        page.shows(instruments.read)
        token = settings.discord.token
        api = DiscordApi(discord.http, settings.discord.api_url, token.get_secret_value() if token else "")
        channels = ChannelBook(store)
        await channels.open()
        contexts = Contexts(store, channels, _context_rules(settings), estimator)
        assistant = _assistant(settings, dispatchers, store, ledger, contexts)
        reader = _attachment_reader(settings, discord)
        services = Services(settings, store, contexts, channels, Describing(instruments.read).now)
        parts = Parts(
            assistant=assistant,
            answering=Answering(settings, assistant, store, api, reader),
            store=store,
            resuming=Resuming(store, api),
            desk=Desk(services),
            servers=ServerBook(store, channels, settings.conversations.grace_days),
            discord=api,
            admissions=instruments.admissions,
            counts=instruments.counts,
            figures=instruments.figures,
        )
        async with report_usage(instruments.read):
            await Bot(settings, parts).serve()


def _build_clients(settings: Settings, http2: bool) -> dict[ProviderName, PooledClient]:
    """One client and pool for each provider that has a key."""
    clients = {}
    for name in settings.providers:
        pool = settings.pool(name)
        fields = pool.model_dump() | {"max_keepalive": min(pool.max_keepalive, pool.max_connections)}
        read_timeout = settings.provider(name).read_timeout
        clients[name] = build_client(name.value, PoolOptions(**fields), read_timeout, http2=http2)
    return clients


@asynccontextmanager
async def _open_all(clients: Iterable[PooledClient]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for client in clients:
            await stack.enter_async_context(client.http)
        yield


def _store_options(settings: Settings) -> StoreOptions:
    conversations = settings.conversations
    return StoreOptions(
        max_turns=conversations.max_turns,
        ttl_days=conversations.ttl_days,
        cache_bytes=int(conversations.cache_megabytes * 2**20),
    )


def _dispatcher(
    settings: Settings, name: ProviderName, client: PooledClient, estimator: TokenEstimator
) -> Dispatcher:
    provider = ProviderOptions(name=name, **settings.provider(name).model_dump(exclude={"more_models"}))
    options = DispatchOptions(
        slots=settings.pool(name).max_connections,
        queue_size=settings.dispatch.queue_size,
        budget=BudgetOptions(**settings.rate_limit(name).model_dump()),
        retry=RetryOptions(max_attempts=settings.dispatch.max_attempts),
    )
    return Dispatcher(make_provider(client.http, provider), options, estimator=estimator)


def _assistant(
    settings: Settings,
    dispatchers: Mapping[ProviderName, Dispatcher],
    store: SqliteStore,
    ledger: Ledger,
    contexts: Contexts,
) -> Assistant:
    router = Router(settings.providers, Strategy(settings.routing.strategy))
    options = AssistantOptions(
        deadline_seconds=settings.dispatch.deadline_seconds, in_flight=settings.rate_limits.user.in_flight
    )
    return Assistant(
        Asking(dispatchers, router),
        contexts,
        store,
        ledger,
        options,
    )


def _admissions(settings: Settings) -> Admissions:
    person = settings.rate_limits.user
    token = trio.lowlevel.current_trio_token()
    return Admissions(MOST_OPEN_QUESTIONS, person.in_flight + person.waiting, token)


def _attachment_reader(settings: Settings, discord: PooledClient) -> AttachmentReader:
    limits = Limits(
        text=settings.discord.max_file_kilobytes * 1024, image=settings.discord.max_image_kilobytes * 1024
    )
    return AttachmentReader(discord.http, settings.discord.api_url, limits)


def _context_rules(settings: Settings) -> ContextRules:
    providers = [settings.provider(name) for name in settings.providers]
    contexts = {name: model.context_tokens for name, model in settings.models.items() if model.context_tokens}
    return ContextRules(
        instructions=settings.assistant.instructions,
        scope=Scope(settings.conversations.scope),
        max_turns=settings.conversations.max_turns,
        context=ContextOptions(settings.conversations.context_tokens, contexts),
        providers={model: name for name in settings.providers for model in settings.models_of(name)},
        answer_tokens={
            provider.model: provider.max_answer_tokens for provider in providers if provider.max_answer_tokens
        },
    )


def _accounting(settings: Settings) -> AccountingOptions:
    person, server = settings.daily_limits.user, settings.daily_limits.server
    return AccountingOptions(
        prices={
            name: Price(model.input_price, model.output_price)
            for name, model in settings.models.items()
            if model.input_price is not None and model.output_price is not None
        },
        person=Limit(person.tokens, person.money),
        guild=Limit(server.tokens, server.money),
    )


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error behind a nursery's group, or the group where there were several."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
