"""A run of Perplexity's goes on without its reader, and stops where it is cancelled."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest
import trio.lowlevel

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.providers import Fault, PerplexityService, open_providers
from discordianai.sandbox.providers.perplexity.agent_runs import RunState
from discordianai.sandbox.providers.provider_faults import FaultKind
from discordianai.transport import MultiplexedTransport
from tests.lazy_module import LazyModule
from tests.sandbox.providers.clients import FAST, checked, until, with_perplexity

if TYPE_CHECKING:
    import perplexity
else:
    perplexity = LazyModule("perplexity")

pytestmark = pytest.mark.xdist_group("official clients")  # one worker imports them

STEADY = replace(FAST, between_tokens=0.005)
BODY = {"preset": "fast", "input": "why?", "stream": True}


@asynccontextmanager
async def opened(authority: Authority) -> AsyncIterator[tuple[PerplexityService, httpx.AsyncClient]]:
    """The service, and a client that has its key."""
    async with open_providers(authority, STEADY) as services:
        service = services.perplexity
        key = {"authorization": f"Bearer {service.options.api_key}"}
        transport = MultiplexedTransport(ssl_context=authority.client_context())  # resets what it leaves
        async with httpx.AsyncClient(
            transport=transport, headers=key, base_url=service.url, timeout=20
        ) as client:
            yield service, client


@pytest.mark.parametrize("path", ["/v1/agent", "/v1/responses"])
async def test_a_cancelled_run_ends_its_stream_and_is_not_billed(authority: Authority, path: str) -> None:
    """The id is in the headers; the cancel is answered at once; `response.cancelled` is the last event."""
    async with opened(authority) as (service, client):
        async with client.stream("POST", path, json=BODY) as stream:
            response_id = "resp_" + stream.headers["x-request-id"]
            lines = stream.aiter_lines()
            async for line in lines:
                if "output_text.delta" in line:
                    break
            answer = await client.post(f"{path}/{response_id}/cancel")
            assert answer.json() == {"response_id": response_id, "status": "cancelling"}
            rest = [line async for line in lines if line.startswith("data: ")]
        last = json.loads(rest[-1].removeprefix("data: "))
        assert last["type"] == "response.cancelled"
        assert (last["response"]["id"], last["response"]["status"]) == (response_id, "cancelled")
        assert service.cancelled == [response_id]
        assert service.runs[response_id].cancelled_at is not None
        assert service.runs_billed == 0
        again = await client.post(f"{path}/{response_id}/cancel")
        assert again.status_code == 400
        assert service.cancelled == [response_id]


async def test_a_stalled_run_can_be_cancelled(authority: Authority) -> None:
    """Its stream ends then."""
    async with opened(authority) as (service, client):
        service.misbehave(Fault(FaultKind.STALL, after=3))
        async with client.stream("POST", "/v1/agent", json=BODY) as stream:
            await client.post(f"/v1/agent/resp_{stream.headers['x-request-id']}/cancel")
            assert "response.cancelled" in (await stream.aread()).decode()


async def test_a_run_that_was_left_is_billed_at_its_end(authority: Authority) -> None:
    """Closing the stream alone stops nothing. A late cancel is refused, and is nobody's mistake."""
    async with opened(authority) as (service, client):
        async with client.stream("POST", "/v1/agent", json=BODY) as stream:
            response_id = "resp_" + stream.headers["x-request-id"]
        run = service.runs[response_id]
        await until(lambda: run.dropped_at is not None)
        assert run.state is RunState.RUNNING
        assert service.runs_billed == 0
        await until(lambda: service.runs_billed == 1)
        assert (await client.post(f"/v1/agent/{response_id}/cancel")).status_code == 400
        assert not service.rejected, "it may have ended while the cancellation was on its way"


async def test_a_run_that_was_left_can_be_cancelled(authority: Authority) -> None:
    """And is not billed, however long one waits."""
    async with opened(authority) as (service, client):
        service.misbehave(Fault(FaultKind.STALL, after=3))
        async with client.stream("POST", "/v1/agent", json=BODY) as stream:
            response_id = "resp_" + stream.headers["x-request-id"]
        await until(lambda: service.runs[response_id].dropped_at is not None)
        assert (await client.post(f"/v1/agent/{response_id}/cancel")).status_code == 200
        assert (service.runs.running, service.runs_billed) == (0, 0)


async def test_a_whole_answer_is_billed_and_an_unknown_run_is_not_found(authority: Authority) -> None:
    """By the official client: 404 for an id that nobody has, 400 for a run that has ended."""
    async with open_providers(authority, FAST) as services:

        def use(client: perplexity.Perplexity) -> None:
            response = client.responses.create(preset="fast", input="why?")
            with pytest.raises(perplexity.NotFoundError):
                client.responses.cancel("resp_unknown")
            with pytest.raises(perplexity.BadRequestError):
                client.responses.cancel(response.id)

        await with_perplexity(services.perplexity, authority, use)
        assert services.perplexity.runs_billed == 1
        assert services.perplexity.cancelled == []


async def test_the_official_client_cancels(authority: Authority) -> None:
    """Its type of the answer is kept."""
    async with open_providers(authority, STEADY) as services:
        services.perplexity.misbehave(Fault(FaultKind.STALL))

        def use(client: perplexity.Perplexity) -> tuple[str, str]:
            events = iter(client.responses.create(preset="fast", input="why?", stream=True))
            created = next(events)
            assert created.type == "response.created"
            assert created.response is not None
            answer = checked(client.responses.cancel(created.response.id))
            *_, last = events
            assert last.to_dict()["type"] == "response.cancelled"
            return created.response.id, answer.response_id

        asked, cancelled = await with_perplexity(services.perplexity, authority, use)
        assert [asked] == [cancelled] == services.perplexity.cancelled
        await trio.lowlevel.checkpoint()
