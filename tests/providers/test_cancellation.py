"""Wherever a question is cancelled, nothing is left of it: no slot, no stream, and no run on the bill."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
import trio
from pydantic import SecretStr

from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions
from discordianai.option import Live
from discordianai.providers.client import make_provider
from discordianai.providers.options import ProviderOptions
from discordianai.records import ChatRequest, Role, Turn
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerOptions
from discordianai.sandbox.providers import Fault, PerplexityService, ServiceOptions, open_providers
from discordianai.sandbox.providers.provider_faults import FaultKind
from discordianai.transport import MultiplexedTransport
from tests.known_providers import PERPLEXITY

FAST = ServiceOptions(first_token=0.0, between_tokens=0.002, perplexity_rates=())
"""Each event comes by itself."""

QUESTION = ChatRequest("fast", (Turn(Role.USER, "why?"),), person="abc", number=1)
MOST_STEPS = 500
SETTLED = 10
"""Looks without a step between them, after which a question waits for a provider that sends nothing more."""


class CancelAfter(trio.abc.Instrument):
    """Cancels `scope` where the present task waits for the `steps`-th time."""

    def __init__(self, scope: trio.CancelScope, steps: int) -> None:
        self._task = trio.lowlevel.current_task()
        self._scope = scope
        self._at = steps
        self.steps = 0

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self.steps += 1
            if self.steps == self._at:
                self._scope.cancel()


@dataclass
class Scene:
    asked: Dispatcher
    service: PerplexityService
    transport: MultiplexedTransport
    told: list[str]
    """The ids of the runs whose headers have come."""

    async def ask(self) -> None:
        async with self.asked.stream(QUESTION) as events:
            async for _ in events:
                pass


@asynccontextmanager
async def scene(authority: Authority, protocol: str) -> AsyncIterator[Scene]:
    """Perplexity, whose run goes on without a reader, over one connection that takes one stream."""
    told: list[str] = []

    async def note(response: httpx.Response) -> None:
        if response.request.url.path == "/v1/agent":
            told.append(f"resp_{response.headers['x-request-id']}")

    transport = MultiplexedTransport(
        ssl_context=authority.client_context(), max_connections=1, max_keepalive=1, streams_per_connection=1
    )
    async with (
        open_providers(authority, FAST, ServerOptions(alpn=(protocol,))) as services,
        httpx.AsyncClient(transport=transport, event_hooks={"response": [note]}) as client,
    ):
        options = ProviderOptions(
            base_url=services.perplexity.url,
            api_key=SecretStr("sandbox-key"),
            preset="fast",
            read_timeout=30.0,
        )
        dispatcher = Dispatcher(make_provider(client, PERPLEXITY, options), Live(DispatcherOptions(slots=1)))
        yield Scene(dispatcher, services.perplexity, transport, told)


async def cancelled_after(steps: int, here: Scene) -> bool:
    """Whether a question whose answer stalls was cancelled before it came to that."""
    here.service.misbehave(stall := Fault(FaultKind.STALL, after=6))
    arrived, settled = here.service.paths.total(), False
    async with trio.open_nursery() as nursery:

        async def watch(scope: trio.CancelScope, instrument: CancelAfter) -> None:
            nonlocal settled
            quiet = 0
            while quiet < SETTLED:
                before = instrument.steps
                await trio.sleep(0.02)
                waits = instrument.steps == before and here.service.paths.total() > arrived
                quiet = quiet + 1 if waits else 0
            settled = True
            scope.cancel()

        with trio.CancelScope() as scope:
            instrument = CancelAfter(scope, steps)
            nursery.start_soon(watch, scope, instrument)
            trio.lowlevel.add_instrument(instrument)
            try:
                await here.ask()
            finally:
                trio.lowlevel.remove_instrument(instrument)
        nursery.cancel_scope.cancel()
    here.service.withdraw(stall)
    return not settled


# httpcore leaves a socket to the garbage collector where it is cancelled while it shakes hands.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
async def test_wherever_a_question_is_cancelled_nothing_is_left_of_it(
    authority: Authority, protocol: str
) -> None:
    """At each of its steps: in the line, while it connects, for the headers, between the events."""
    async with scene(authority, protocol) as here:
        with trio.fail_after(60):
            for steps in range(1, MOST_STEPS):
                went_on = await cancelled_after(steps, here)
                assert set(here.told) == set(here.service.cancelled), f"a run goes on, cancelled at {steps}"
                figures, pool = here.asked.statistics(), here.transport.statistics()
                assert (figures.in_flight, figures.waiting) == (0, 0)
                assert (pool.requests_waiting, pool.http1_requests, pool.streams_in_use) == (0, 0, 0)
                if not went_on:
                    break
        assert steps > 5
        assert here.told
        await here.ask()
        assert here.service.answered
