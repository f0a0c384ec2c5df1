"""Opens every part of the bot in nested order, and closes them in reverse.

The only module that knows them all. The nesting is the shutdown order: the listener is innermost and closes
first, the store and the clients are outermost and close last.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import count
from types import MappingProxyType

import trio

from discordianai.answering.context import ContextBuilder, ContextRules
from discordianai.answering.journal import Journal
from discordianai.answering.open_questions import OpenQuestions, QuestionCounter
from discordianai.answering.provider_chain import ProviderChain
from discordianai.answering.question_tasks import QuestionTasks
from discordianai.answering.recovery import Recovery
from discordianai.answering.service import AnswerService
from discordianai.answering.web_decisions import WebDecisions
from discordianai.bot import Bot
from discordianai.conversations.channel_settings import ChannelSettingsCache
from discordianai.conversations.guild_retention import GuildRetention
from discordianai.conversations.ledger import Ledger
from discordianai.conversations.opening import open_store
from discordianai.conversations.options import AccountingOptions
from discordianai.conversations.prices import bundled, host_of
from discordianai.discord.audit_log import RefusalCause
from discordianai.discord.commands.declaration import Offer
from discordianai.discord.commands.registry import COMMANDS, OfferedCommands
from discordianai.discord.commands.services import BotServices
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.gateway.listener import GatewayParts
from discordianai.discord.gateway.supervisor import GatewaySupervisor
from discordianai.discord.interactions.admission import Admission
from discordianai.discord.interactions.command_runner import CommandRunner
from discordianai.discord.messages.application_limits import ApplicationLimits
from discordianai.discord.messages.attachments import AttachmentReader, Limits
from discordianai.discord.messages.delivery import Deliveries
from discordianai.discord.messages.direct_messages import DirectMessages
from discordianai.discord.messages.rest import DiscordApi, user_agent
from discordianai.dispatch.budget import BudgetOptions
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions
from discordianai.dispatch.options import DECISIONS
from discordianai.dispatch.routing import Router
from discordianai.dispatch.token_estimator import TokenEstimator
from discordianai.operations import logs
from discordianai.operations.health import status_line
from discordianai.operations.heap import trimmed_heap
from discordianai.operations.http_server import serving
from discordianai.operations.loop_lag import watched_loop
from discordianai.operations.model_watch import ModelWatch, WatchedProvider, watching_models
from discordianai.operations.snapshot import Instruments
from discordianai.operations.status_message import describe
from discordianai.operations.systemd import Notifier
from discordianai.operations.usage_log import report_usage
from discordianai.operations.watchdog import MORE_TIME, attended, probes
from discordianai.option import Live
from discordianai.providers.client import make_provider
from discordianai.providers.decisions import DecisionClient
from discordianai.providers.model_list import OfferedModels
from discordianai.providers.optional_fields import RefusedFields
from discordianai.providers.options import ProviderOptions
from discordianai.pseudonyms import Pseudonyms
from discordianai.records import Dialect
from discordianai.settings.keys import numbers
from discordianai.settings.reloading import Reloading, reloading_on_sighup
from discordianai.settings.tables import Settings
from discordianai.steady_clock import SteadyClock
from discordianai.transport.clients import PooledClient, build_client, http2_available
from discordianai.transport.options import PoolOptions

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
    live = Live(settings)
    pseudonyms = Pseudonyms()
    logs.configure(settings.logging, pseudonyms)
    live.part(lambda new: new.logging).follow(lambda options: logs.configure(options, pseudonyms))
    http2 = http2_available()
    estimator = TokenEstimator()
    notifier = Notifier()
    clock = SteadyClock()
    clients = _build_clients(live, http2)
    refused = RefusedFields()
    discord = build_client(
        "discord", DISCORD_POOL, DISCORD_READ_TIMEOUT, http2=http2, user_agent=user_agent()
    )
    dispatchers = {
        name: _dispatcher(live, name, client, estimator, refused) for name, client in clients.items()
    }
    user = live.part(lambda new: new.rate_limits.user)
    async with (
        trimmed_heap(),
        watched_loop() as lag,
        serving(settings.operations) as page,
        open_store(
            settings.conversations,
            clock=clock,
            ask_for_time=partial(notifier.extend_timeout, MORE_TIME),
        ) as store,
        _open_all([discord, *clients.values()]),
    ):
        instruments = Instruments(
            settings=live.part(numbers),
            clients=clients,
            discord=discord,
            dispatchers=dispatchers,
            store=store,
            ledger=Ledger(store, live.part(_accounting_options), clock),
            figures=DiscordCounter(pseudonyms),
            limits=ApplicationLimits(),
            open_questions=OpenQuestions(MOST_OPEN_QUESTIONS, user, trio.lowlevel.current_trio_token()),
            counts=QuestionCounter(),
            lag=lag,
            models=ModelWatch(
                [
                    WatchedProvider(one, settings.provider(one.name), clients[one.name].http)
                    for one in settings.configured
                ]
            ),
            clock=clock,
            refused_fields=refused,
        )
        await instruments.ledger.open()
        page.shows(instruments.read)
        channels = ChannelSettingsCache(store)
        await channels.open()
        identifier_key = await store.identifier_key()
        pseudonyms.use(identifier_key)
        listed = OfferedModels(_provider_options(settings), instruments.models.listed)
        rules = live.part(partial(_context_rules, listed=listed))
        contexts = ContextBuilder(store, channels, rules, estimator, identifier_key, clock)
        offer = Offer(settings.models_by_provider, listed)
        bot = _make_bot(live, instruments, channels, contexts, notifier, offer)
        async with (
            report_usage(instruments.read),
            watching_models(instruments.models),
            reloading_on_sighup(Reloading(live, load, notifier)),
            attended(
                notifier,
                probes(instruments.read, notifier.watchdog_seconds),
                lambda: status_line(instruments.read()),
            ),
        ):
            await bot.serve()


def _make_bot(
    live: Live[Settings],
    instruments: Instruments,
    channels: ChannelSettingsCache,
    contexts: ContextBuilder,
    notifier: Notifier,
    offer: Offer,
) -> Bot:
    """The bot around the parts that are open."""
    store, ledger, discord = instruments.store, instruments.ledger, instruments.discord
    settings, numbers = live.now, count(1)
    options = live.part(lambda new: new.discord)
    conversations = live.part(lambda new: new.conversations)
    user, server = live.part(lambda new: new.rate_limits.user), live.part(lambda new: new.rate_limits.server)
    offered = OfferedCommands(COMMANDS, offer)
    api = DiscordApi(
        discord.http, settings.discord.api_url, settings.discord.token_text, limits=instruments.limits
    )
    router = Router(settings.configured, live.part(lambda new: new.routing))
    decisions = _decisions(settings, instruments.clients, instruments.dispatchers)
    provider_chain = ProviderChain(instruments.dispatchers, router, decisions)
    dispatch = live.part(lambda new: new.dispatch)
    audit = instruments.figures.audit
    journal = Journal(store, instruments.counts)
    answer_service = AnswerService(
        provider_chain,
        contexts,
        journal,
        ledger,
        dispatch,
        user,
        lambda question: audit.refused(question.person, question.place, RefusalCause.LIMIT),
    )
    clock = instruments.clock
    reader = AttachmentReader(discord.http, settings.discord.api_url, live.part(_attachment_limits), clock)
    direct = DirectMessages(api)
    deliver = Deliveries(options, offer.searches, answer_service, journal, api, direct, reader, clock)
    tasks = QuestionTasks(
        answer_service,
        deliver,
        journal,
        Recovery(journal, deliver),
        instruments.open_questions,
        instruments.counts,
    )
    services = BotServices(
        store,
        contexts,
        channels,
        lambda: describe(instruments.read()),
        offered,
        conversations,
        live.part(lambda new: new.daily_limits.user),
        ledger,
    )
    admission = Admission(offer, user, server, instruments.open_questions, numbers)
    gateway = GatewaySupervisor(GatewayParts(options, offered, admission, api, instruments.figures))
    retention = GuildRetention(store, channels, conversations, clock)
    runner = CommandRunner(services, api, instruments.figures)
    beside = (channels.run, retention.run, direct.run)
    return Bot(options, gateway, tasks, journal, store, runner, retention, notifier, numbers, beside)


def _decisions(
    settings: Settings, clients: Mapping[str, PooledClient], dispatchers: Mapping[str, Dispatcher]
) -> WebDecisions | None:
    """Who decides about the web, where that is the strategy: the first that speaks like OpenAI."""
    deciding = [one for one in settings.configured if one.dialect is Dialect.RESPONSES]
    if settings.routing.strategy != DECISIONS or not deciding:
        return None
    provider = deciding[0]
    client = DecisionClient(clients[provider.name].http, provider, settings.provider(provider.name))
    return WebDecisions(client, dispatchers[provider.name])


# What follows from several tables is put together here. Each part is given whole tables: a key that is added
# to one of them is there already.


def _accounting_options(settings: Settings) -> AccountingOptions:
    hosts = {name: host_of(options.base_url) for name, options in settings.providers.by_name.items()}
    limits = settings.daily_limits
    return AccountingOptions(settings.models, limits.user, limits.server, hosts, bundled())


def _context_rules(settings: Settings, listed: Mapping[str, tuple[str, ...]] | None = None) -> ContextRules:
    providers = _provider_options(settings)
    return ContextRules(
        settings.assistant, settings.conversations, settings.models, providers, listed or MappingProxyType({})
    )


def _provider_options(settings: Settings) -> Mapping[str, ProviderOptions]:
    return {provider.name: settings.provider(provider.name) for provider in settings.configured}


def _attachment_limits(settings: Settings) -> Limits:
    return Limits.of(settings.discord, _context_rules(settings))


def _dispatcher_options(name: str, settings: Settings) -> DispatcherOptions:
    own = {
        model: BudgetOptions(options.requests_per_minute, options.tokens_per_minute)
        for model, options in settings.models.items()
        if options.requests_per_minute or options.tokens_per_minute
    }
    slots = settings.pool(name).max_connections
    return DispatcherOptions(slots, settings.dispatch, settings.rate_limit(name), models=own)


def _build_clients(live: Live[Settings], http2: bool) -> dict[str, PooledClient]:
    """One client and pool for each provider that is set up.

    They are told of changes before the dispatchers, which are made after them: a request that is let through
    must find a place in its pool.
    """
    clients = {}
    for provider in live.now.configured:
        pool = live.part(partial(_pool, provider.name))
        read_timeout = live.now.provider(provider.name).read_timeout
        clients[provider.name] = build_client(provider.name, pool.now, read_timeout, http2=http2)
        pool.follow(clients[provider.name].reconfigure)
    return clients


def _pool(name: str, settings: Settings) -> PoolOptions:
    return settings.pool(name)


@asynccontextmanager
async def _open_all(clients: Iterable[PooledClient]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for client in clients:
            await stack.enter_async_context(client.http)
        yield


def _dispatcher(
    live: Live[Settings], name: str, client: PooledClient, estimator: TokenEstimator, refused: RefusedFields
) -> Dispatcher:
    settings, options = live.now, live.part(lambda new: new.provider(name))
    provider = make_provider(client.http, settings.record(name), options.now, refused, options)
    return Dispatcher(provider, live.part(partial(_dispatcher_options, name)), estimator=estimator)


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error behind a nursery's group, or the group where there were several."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
