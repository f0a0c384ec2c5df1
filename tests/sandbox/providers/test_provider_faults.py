"""A service misbehaves in every dialect as it is told to, once for each fault."""

import json
from typing import Any

import httpx
import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.providers import Fault, ProviderService, ProviderServices, open_providers
from discordianai.sandbox.providers.provider_faults import MARKERS, ErrorShape, FaultKind
from discordianai.sandbox.providers.scripted_answers import compose
from discordianai.transport import MultiplexedTransport
from tests.sandbox.providers.clients import FAST, until

Json = dict[str, Any]

PATHS = {"openai": "/v1/responses", "perplexity": "/v1/agent", "foreign": "/v1/chat/completions"}
MODELS = {"openai": "gpt-6-luna", "perplexity": "openai/gpt-6-luna", "foreign": "local-model"}
PART = "input[0].content[1]"

every_dialect = pytest.mark.parametrize("name", list(PATHS))


def question(name: str, text: str = "why?", **more: object) -> Json:
    """A body that this service takes."""
    said: Json = {"messages": [{"role": "user", "content": text}]} if name == "foreign" else {"input": text}
    return {"model": MODELS[name], **said, **more}


async def post(
    services: ProviderServices, name: str, authority: Authority, body: Json, *, http2: bool = True
) -> httpx.Response:
    """The answer to this body, read to its end."""
    service: ProviderService = getattr(services, name)
    assert service.server is not None
    headers = {"authorization": f"Bearer {service.options.api_key}"}
    async with httpx.AsyncClient(
        verify=authority.client_context(), headers=headers, http2=http2, timeout=60
    ) as client:
        return await client.post(service.server.url + PATHS[name], json=body)


def events(response: httpx.Response) -> list[Json]:
    """The stream's events, by their data alone."""
    data = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    return [json.loads(each) for each in data if each != "[DONE]"]


async def streamed(authority: Authority, name: str, fault: Fault, **more: Any) -> list[Json]:
    """The events of one question that met this fault."""
    async with open_providers(authority, FAST) as services:
        service: ProviderService = getattr(services, name)
        service.misbehave(fault)
        response = await post(services, name, authority, question(name, stream=True, **more))
        assert response.status_code == 200
        assert service.rejected == []
        again = events(await post(services, name, authority, question(name, stream=True, **more)))
        if "max_output_tokens" not in more:  # the fault was met once
            assert again[-1].get("type", "chunk") in ("response.completed", "chunk")
    return events(response)


def kinds(received: list[Json]) -> list[str]:
    return [str(event.get("type")).removeprefix("response.") for event in received]


@pytest.mark.parametrize(
    ("name", "fault", "status", "kind", "code", "param"),
    [
        ("openai", Fault.quota(), 429, "insufficient_quota", "insufficient_quota", None),
        (
            "openai",
            Fault.quota("credit_balance_exhausted"),
            429,
            "insufficient_quota",
            "credit_balance_exhausted",
            None,
        ),
        ("perplexity", Fault.quota(), 401, "insufficient_quota", 401, None),
        ("foreign", Fault.quota(), 429, "insufficient_quota", "insufficient_quota", None),
        ("openai", Fault.rate_limited(), 429, "requests", "rate_limit_exceeded", None),
        ("perplexity", Fault.rate_limited(), 429, "request_rate_limit_exceeded", 429, None),
        ("openai", Fault.slow_down(), 429, "rate_limit_error", "slow_down", None),
        ("openai", Fault.overloaded(), 503, "service_unavailable_error", "server_is_overloaded", None),
        ("openai", Fault.wrong_key(), 401, "invalid_request_error", "invalid_api_key", None),
        ("perplexity", Fault.wrong_key(), 401, "invalid_api_key", 401, None),
        ("openai", Fault.too_long(), 400, "invalid_request_error", "context_length_exceeded", "input"),
        ("openai", Fault.invalid_prompt(), 400, "invalid_request_error", "invalid_prompt", None),
        ("openai", Fault.no_images(), 400, "invalid_request_error", "invalid_value", f"{PART}.image_url"),
        ("perplexity", Fault.no_images(), 400, "invalid_request", 400, "image_url"),
        ("foreign", Fault.too_long(), 400, "invalid_request_error", "context_length_exceeded", "messages"),
        ("openai", Fault(FaultKind.STATUS), 500, "server_error", None, None),
        ("perplexity", Fault(FaultKind.STATUS), 500, "internal_error", 500, None),
        ("perplexity", Fault(FaultKind.STATUS, status=502), 502, "bad_gateway", 502, None),
    ],
)
async def test_error_responses_are_written_as_each_service_writes_them(
    authority: Authority, name: str, fault: Fault, status: int, kind: str, code: object, param: str | None
) -> None:
    """Status, type, code and param; and none of them counts as the client's mistake."""
    async with open_providers(authority, FAST) as services:
        service: ProviderService = getattr(services, name)
        service.misbehave(fault)
        response = await post(services, name, authority, question(name))
        error = response.json()["error"]
        assert (response.status_code, error["type"], error["code"]) == (status, kind, code)
        assert error.get("param") == param
        assert response.headers.get("retry-after") == ("1" if fault.seconds else None)
        assert service.rejected == []
        assert service.rate_limited == 0


@every_dialect
@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.ABORT, FaultKind.HALF_CHARACTER])
@pytest.mark.parametrize("http2", [True, False])
async def test_a_stream_breaks(authority: Authority, name: str, kind: FaultKind, http2: bool) -> None:
    """The client learns it from the connection."""
    async with open_providers(authority, FAST) as services:
        getattr(services, name).misbehave(Fault(kind, after=5))
        with pytest.raises(httpx.RemoteProtocolError):
            await post(services, name, authority, question(name, stream=True), http2=http2)


@every_dialect
async def test_a_stream_stalls_until_its_reader_leaves(authority: Authority, name: str) -> None:
    """It is cut by the client, and no longer in flight."""
    async with open_providers(authority, FAST) as services:
        service: ProviderService = getattr(services, name)
        service.misbehave(Fault(FaultKind.STALL, after=5))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(post, services, name, authority, question(name, stream=True))
            await until(lambda: bool(service.requests))
            await trio.sleep(0.2)
            assert service.in_flight == 1
            nursery.cancel_scope.cancel()
        await until(lambda: not service.in_flight)
        assert service.cut_by_client == 1


@every_dialect
async def test_a_stream_ends_without_its_end(authority: Authority, name: str) -> None:
    """Five pieces, no terminal event, no [DONE]."""
    async with open_providers(authority, FAST) as services:
        getattr(services, name).misbehave(Fault(FaultKind.END, after=5))
        response = await post(services, name, authority, question(name, stream=True))
    received = events(response)
    assert "[DONE]" not in response.text
    assert kinds(received)[-1] in ("output_text.delta", "None")
    if name == "foreign":
        assert all(choice["finish_reason"] is None for event in received for choice in event["choices"])
    else:
        assert kinds(received).count("output_text.delta") == 5


@every_dialect
async def test_goaway_leaves_the_answer_whole(authority: Authority, name: str) -> None:
    """The stream that is open goes on, to a client that knows what GOAWAY means."""
    transport = MultiplexedTransport(ssl_context=authority.client_context())
    async with open_providers(authority, FAST) as services, httpx.AsyncClient(transport=transport) as client:
        service: ProviderService = getattr(services, name)
        service.misbehave(Fault(FaultKind.GOAWAY, after=2))
        assert service.server is not None
        headers = {"authorization": f"Bearer {service.options.api_key}"}
        body = question(name, stream=True)
        response = await client.post(service.server.url + PATHS[name], json=body, headers=headers)
    assert events(response)[-1].get("type", "chunk") in ("response.completed", "chunk")


@pytest.mark.parametrize(
    ("name", "shape", "wanted"),
    [
        ("openai", ErrorShape.USUAL, ["error", "failed"]),
        ("openai", ErrorShape.NESTED, ["error"]),
        ("openai", ErrorShape.FLAT, ["error"]),
        ("openai", ErrorShape.FAILED, ["failed"]),
        ("perplexity", ErrorShape.USUAL, ["failed"]),
        ("perplexity", ErrorShape.NESTED, ["error"]),
    ],
)
async def test_errors_inside_a_stream_have_their_shapes(
    authority: Authority, name: str, shape: ErrorShape, wanted: list[str]
) -> None:
    """OpenAI's `error` is nested or flat, its `failed` has a response; Perplexity's none."""
    received = await streamed(authority, name, Fault.in_stream("insufficient_quota", 5, shape))
    ended = received[-len(wanted) :]
    assert kinds(ended) == wanted
    assert kinds(received).count("output_text.delta") == 5
    for event in ended:
        if event["type"] == "error" and shape is ErrorShape.FLAT:
            error = event
        elif event["type"] == "error" or name == "perplexity":
            error = event["error"]
        else:
            assert event["response"]["status"] == "failed"
            error = event["response"]["error"]
        assert "insufficient_quota" in (error.get("type"), error.get("code"))


async def test_an_error_takes_the_place_of_a_chunk_in_chat(authority: Authority) -> None:
    """The last event, without choices."""
    received = await streamed(authority, "foreign", Fault(FaultKind.EVENT, after=5))
    assert received[-1]["error"]["type"] == "server_error"


@every_dialect
@pytest.mark.parametrize("stream", [True, False])
async def test_a_failure_may_come_with_200(authority: Authority, name: str, stream: bool) -> None:
    """One object instead of a stream."""
    async with open_providers(authority, FAST) as services:
        getattr(services, name).misbehave(Fault(FaultKind.FAILED))
        response = await post(services, name, authority, question(name, stream=stream))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json()["error"]
    assert response.json().get("status", "failed") == "failed"


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        (FaultKind.LENGTH, "incomplete", "max_output_tokens"),
        (FaultKind.THOUGHT_ONLY, "incomplete", "max_output_tokens"),
        (FaultKind.FILTER, "incomplete", "content_filter"),
    ],
)
@pytest.mark.parametrize("name", ["openai", "perplexity"])
async def test_an_answer_is_incomplete(
    authority: Authority, name: str, kind: FaultKind, status: str, reason: str
) -> None:
    """The terminal event says why; after thought alone there is no message."""
    received = await streamed(authority, name, Fault(kind))
    assert kinds(received)[-1] == "incomplete"
    response = received[-1]["response"]
    assert (response["status"], response["incomplete_details"]) == (status, {"reason": reason})
    messages = [item for item in response["output"] if item["type"] == "message"]
    assert len(messages) == (kind is not FaultKind.THOUGHT_ONLY)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(FaultKind.LENGTH, "length"), (FaultKind.FILTER, "content_filter"), (FaultKind.THOUGHT_ONLY, "length")],
)
async def test_a_chat_answer_is_incomplete(authority: Authority, kind: FaultKind, reason: str) -> None:
    """Its finish_reason says why."""
    received = await streamed(authority, "foreign", Fault(kind))
    assert received[-1]["choices"][0]["finish_reason"] == reason


async def test_perplexity_may_keep_quiet_about_a_cut(authority: Authority) -> None:
    """Completed, with as many tokens as were allowed."""
    received = await streamed(authority, "perplexity", Fault(FaultKind.LENGTH_UNTOLD), max_output_tokens=20)
    response = received[-1]["response"]
    assert (response["status"], response["usage"]["output_tokens"]) == ("completed", 20)


@every_dialect
async def test_no_answer_is_longer_than_allowed(authority: Authority, name: str) -> None:
    """At four characters a token; OpenAI counts its reasoning."""
    key, limit = ("max_tokens", 100) if name == "foreign" else ("max_output_tokens", 100)
    async with open_providers(authority, FAST) as services:
        answer = (await post(services, name, authority, question(name, "!long", **{key: limit}))).json()
    if name == "foreign":
        assert len(answer["choices"][0]["message"]["content"]) == 400
        assert answer["choices"][0]["finish_reason"] == "length"
    else:
        text = answer["output"][-1]["content"][0]["text"]
        assert len(text) == {"openai": 4 * (100 - 64), "perplexity": 400}[name]
        assert answer["status"] == "incomplete"


@pytest.mark.parametrize("name", ["openai", "perplexity"])
async def test_there_can_be_two_messages(authority: Authority, name: str) -> None:
    """Each an item of its own; at OpenAI the first is a commentary."""
    received = await streamed(authority, name, Fault(FaultKind.TWO_MESSAGES))
    messages = [item for item in received[-1]["response"]["output"] if item["type"] == "message"]
    assert len({item["id"] for item in messages}) == 2
    phases = [item.get("phase") for item in messages]
    assert phases == (["commentary", "final_answer"] if name == "openai" else [None, None])


async def test_a_refusal_is_a_part_of_its_own_at_openai_alone(authority: Authority) -> None:
    """Elsewhere it is text, or chat's field."""
    received = await streamed(authority, "openai", Fault(FaultKind.REFUSAL))
    (part,) = received[-1]["response"]["output"][-1]["content"]
    deltas = [event["delta"] for event in received if event["type"] == "response.refusal.delta"]
    assert part == {"type": "refusal", "refusal": "".join(deltas)}
    received = await streamed(authority, "perplexity", Fault(FaultKind.REFUSAL))
    (part,) = received[-1]["response"]["output"][-1]["content"]
    assert part["type"] == "output_text"
    received = await streamed(authority, "foreign", Fault(FaultKind.REFUSAL))
    assert any(choice["delta"].get("refusal") for event in received for choice in event["choices"])


async def test_thoughts_come_first_as_each_dialect_has_them(authority: Authority) -> None:
    """Summaries, progress, `reasoning_content` with `content: null`."""
    assert "reasoning_summary_text.delta" in kinds(
        await streamed(authority, "openai", Fault(FaultKind.REASONING))
    )
    told = kinds(await streamed(authority, "perplexity", Fault(FaultKind.REASONING)))
    assert told.index("reasoning.started") < told.index("reasoning.stopped") < told.index("output_text.delta")
    chunks = await streamed(authority, "foreign", Fault(FaultKind.REASONING))
    thoughts = [event["choices"][0]["delta"] for event in chunks if event["choices"][0]["delta"]]
    assert any(thought.get("reasoning_content") and thought["content"] is None for thought in thoughts)


async def test_a_search_may_be_left_uncited_or_undone(authority: Authority) -> None:
    """Results without a citation; neither, although it was told to search."""
    received = await streamed(authority, "perplexity", Fault(FaultKind.UNCITED), preset="fast")
    found, message = received[-1]["response"]["output"]
    assert found["results"]
    assert "[1]" not in message["content"][0]["text"]
    received = await streamed(authority, "perplexity", Fault(FaultKind.NO_SOURCES), preset="fast")
    assert [item["type"] for item in received[-1]["response"]["output"]] == ["message"]


@every_dialect
async def test_bytes_come_as_they_were_given(authority: Authority, name: str) -> None:
    """Body, status, headers; as often as was said."""
    fault = Fault.raw(
        b"data: \xff{\n\n", content_type="text/plain", status=502, headers=(("x-a", "b"),), times=3
    )
    async with open_providers(authority, FAST) as services:
        getattr(services, name).misbehave(fault)
        response = await post(services, name, authority, question(name, stream=True))
    assert (response.status_code, response.content) == (502, b"data: \xff{\n\n" * 3)
    assert (response.headers["content-type"], response.headers["x-a"]) == ("text/plain", "b")


async def test_bytes_can_come_without_end(authority: Authority) -> None:
    """Until the client leaves."""
    async with open_providers(authority, FAST) as services:
        services.openai.misbehave(Fault.raw(b"x" * 10_000, times=None))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(post, services, "openai", authority, question("openai", stream=True))
            await until(lambda: bool(services.openai.requests))
            await trio.sleep(0.2)
            assert services.openai.in_flight == 1
            nursery.cancel_scope.cancel()
        await until(lambda: not services.openai.in_flight)


@every_dialect
async def test_every_marker_leads_to_an_answer_of_some_kind(authority: Authority, name: str) -> None:
    """No marker of those that leave the connection alone ends in an error of the sandbox's own."""
    async with open_providers(authority, FAST) as services:
        service: ProviderService = getattr(services, name)
        for marker, fault in MARKERS.items():
            if fault.kind is FaultKind.STALL:
                continue
            response = await post(services, name, authority, question(name, f"why {marker}"))
            assert (marker, response.status_code) in {
                (marker, code) for code in (200, fault.status, 401, 429)
            }
            assert response.json()
        assert service.rejected == []


async def test_a_fault_that_nobody_met_can_be_taken_back(authority: Authority) -> None:
    """Once."""
    async with open_providers(authority, FAST) as services:
        fault = Fault.quota()
        services.openai.misbehave(fault)
        assert services.openai.withdraw(fault)
        assert not services.openai.withdraw(fault)
        response = await post(services, "openai", authority, question("openai"))
    assert (
        response.json()["output"][-1]["content"][0]["text"]
        == compose("OpenAI", "why?", [], sources=False).text
    )


async def test_an_outage_meets_every_question(authority: Authority) -> None:
    """While it lasts."""
    async with open_providers(authority, FAST) as services:
        services.foreign.outage = Fault(FaultKind.STATUS, status=503)
        for _ in range(2):
            assert (await post(services, "foreign", authority, question("foreign"))).status_code == 503
        services.foreign.outage = None
        assert (await post(services, "foreign", authority, question("foreign"))).status_code == 200


async def test_event_lines_and_signs_of_life_are_as_chosen(authority: Authority) -> None:
    """Without `event:` lines nothing is lost; during a silence, comments or empty lines come."""
    from dataclasses import replace

    async with open_providers(authority, FAST) as services:
        with_lines = (await post(services, "openai", authority, question("openai", stream=True))).text
    options = replace(FAST, event_lines=False, first_token=0.2, keep_alive=0.05)
    async with open_providers(authority, options) as services:
        plain = await post(services, "openai", authority, question("openai", stream=True))
        empty = await post(services, "perplexity", authority, question("perplexity", stream=True))
    assert with_lines.startswith("event: response.created\ndata: {")
    assert "event:" not in plain.text
    assert ": keep-alive\n\n" in plain.text
    assert kinds(events(plain))[-1] == "completed"
    assert "\n\n\n" in empty.text
    assert kinds(events(empty))[-1] == "completed"
