"""Opens every part of the bot in nested order, and closes them in reverse.

The only module that knows them all. The nesting is the shutdown order: the listener is innermost and closes
first, the store and the clients are outermost and close last.
"""

import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import structlog
import trio

from discordianai.asking import Asking
from discordianai.assistant import Assistant, AssistantOptions, Standing
from discordianai.conversations.sqlite import open_store
from discordianai.discord import session_limit
from discordianai.discord.admissions import Admissions
from discordianai.discord.front_door import keep_listening
from discordianai.discord.gate import Gate, Withdrawal
from discordianai.discord.interaction import EPHEMERAL
from discordianai.discord.messages import MessageError
from discordianai.discord.reply import open_reply
from discordianai.discord.webhook import DiscordApi, InteractionWebhook
from discordianai.dispatch.budget import BudgetOptions
from discordianai.dispatch.dispatcher import Dispatcher, DispatchOptions
from discordianai.dispatch.retry import RetryOptions
from discordianai.dispatch.routing import Router, Strategy
from discordianai.model import ProviderName, Question
from discordianai.operations.usage import Source, report_usage
from discordianai.providers.factory import make_provider
from discordianai.providers.port import ProviderOptions
from discordianai.settings import Settings
from discordianai.transport.clients import PooledClient, build_client, http2_available
from discordianai.transport.records import PoolOptions

MOST_OPEN_QUESTIONS = 1000
"""Acknowledged and not yet answered, over all providers; further ones are refused."""

DISCORD_POOL = PoolOptions(max_connections=20, max_keepalive=5)
"""For edits: a hundred answers streaming at once make a hundred requests a second of about 0.1 s."""

DISCORD_READ_TIMEOUT = 15.0

ALREADY_ENDED = "That answer has already ended."


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
    clients = _build_clients(settings, http2)
    discord = build_client("discord", DISCORD_POOL, DISCORD_READ_TIMEOUT, http2=http2)
    dispatchers = {name: _dispatcher(settings, name, client) for name, client in clients.items()}
    sources: dict[str, Source] = {"discord pool": discord.statistics}
    for name, client in clients.items():
        sources |= {f"{name} pool": client.statistics, f"{name} dispatch": dispatchers[name].statistics}
    async with (
        open_store(Path(settings.conversations.database)) as store,
        _open_all([discord, *clients.values()]),
        report_usage(sources),
    ):
        router = Router(settings.providers, Strategy(settings.routing.strategy))
        asking = Asking(dispatchers, router)
        options = AssistantOptions(
            instructions=settings.assistant.instructions,
            max_turns=settings.conversations.max_turns,
            deadline_seconds=settings.dispatch.deadline_seconds,
            in_flight=settings.rate_limits.user.in_flight,
        )
        assistant = Assistant(asking, store, options)
        await Bot(settings, assistant, DiscordApi(discord.http, settings.discord.api_url)).serve()


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


def _dispatcher(settings: Settings, name: ProviderName, client: PooledClient) -> Dispatcher:
    provider = ProviderOptions(name=name, **settings.provider(name).model_dump())
    options = DispatchOptions(
        slots=settings.pool(name).max_connections,
        queue_size=settings.dispatch.queue_size,
        budget=BudgetOptions(**settings.rate_limit(name).model_dump()),
        retry=RetryOptions(max_attempts=settings.dispatch.max_attempts),
    )
    return Dispatcher(make_provider(client.http, provider), options)


class Bot:
    """The listener and the answers: what runs between opening and closing."""

    def __init__(self, settings: Settings, assistant: Assistant, discord: DiscordApi) -> None:
        self._settings = settings
        self._assistant = assistant
        self._discord = discord
        self._log = structlog.get_logger("discordianai.app")
        person = settings.rate_limits.user
        self._admissions = Admissions(
            MOST_OPEN_QUESTIONS, person.in_flight + person.waiting, trio.lowlevel.current_trio_token()
        )

    async def serve(self) -> None:
        """Listen and answer until told to stop, then let the answers in flight finish."""
        questions, receiver = trio.open_memory_channel[Question](MOST_OPEN_QUESTIONS)
        async with trio.open_nursery() as parts, questions, receiver:
            stop = trio.Event()
            parts.start_soon(self._watch_signals, stop, parts.cancel_scope)
            parts.start_soon(self._listen, questions, parts)
            async with trio.open_nursery() as answers:
                answers.start_soon(self._answer_all, receiver, answers)
                await stop.wait()
                await self._drain(answers)
            parts.cancel_scope.cancel()

    async def _listen(self, questions: trio.MemorySendChannel[Question], parts: trio.Nursery) -> None:
        # Imported here because the library takes 1.3 s and 50 MB, which other commands do without.
        from discordianai.discord.listener import Listener

        gate = Gate(self._settings, self._admissions)
        trio_token = trio.lowlevel.current_trio_token()
        token = self._settings.discord.token

        def take_in(decision: Question | Withdrawal) -> None:
            if isinstance(decision, Withdrawal):
                if not self._assistant.stop(decision.interaction_id):
                    parts.start_soon(self._tell_too_late, decision)
                return
            try:
                questions.send_nowait(decision)  # there is room: it holds as many as may be open
            except trio.ClosedResourceError:
                self._log.warning("a question came after the end", question=decision.number)
                self._admissions.release(decision.person.id)

        def hand_over(decision: Question | Withdrawal) -> None:
            trio_token.run_sync_soon(take_in, decision)

        async def listen() -> None:
            await Listener(self._settings, gate, self._admissions, hand_over).run()

        await keep_listening(
            listen,
            partial(session_limit.ask_discord, self._discord, token.get_secret_value() if token else ""),
        )

    async def _answer_all(self, receiver: trio.MemoryReceiveChannel[Question], answers: trio.Nursery) -> None:
        async for question in receiver:
            answers.start_soon(self._answer, question, self._assistant.line_up(question))

    async def _answer(self, question: Question, standing: Standing) -> None:
        webhook = InteractionWebhook(self._discord, question.address)
        try:
            async with open_reply(webhook, question, self._settings.discord.edit_interval) as reply:
                await self._assistant.answer(question, standing, reply)
        finally:
            self._admissions.release(question.person.id)

    async def _tell_too_late(self, withdrawal: Withdrawal) -> None:
        webhook = InteractionWebhook(self._discord, withdrawal.address)
        with suppress(MessageError):  # a courtesy
            await webhook.create({"content": ALREADY_ENDED, "flags": EPHEMERAL})

    async def _drain(self, answers: trio.Nursery) -> None:
        """Admit nothing more; what is in flight has `drain_seconds`, then it is cancelled."""
        self._admissions.close()
        seconds = self._settings.discord.drain_seconds
        self._log.info("stopping", answers_in_flight=self._admissions.open, seconds=seconds)
        with trio.move_on_after(seconds):
            await self._admissions.wait_idle()
        if self._admissions.open:
            self._log.warning("answers cut short by the shutdown", answers=self._admissions.open)
        answers.cancel_scope.cancel()

    async def _watch_signals(self, stop: trio.Event, everything: trio.CancelScope) -> None:
        """The first signal stops gently, the second at once."""
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                self._log.info("signal received", signal=signal.Signals(number).name)
                if stop.is_set():
                    everything.cancel()
                stop.set()


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error behind a nursery's group, or the group where there were several."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
