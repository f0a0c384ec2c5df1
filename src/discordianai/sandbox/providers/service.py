"""One provider's service: authentication, validation, limits, streaming, and misbehaviour on request."""

import json
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate

import trio

from discordianai.model import ProviderName
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import Exchange, PeerGone, Server, ServerOptions, open_server
from discordianai.sandbox.providers import calling, faults
from discordianai.sandbox.providers.answers import Answer, compose
from discordianai.sandbox.providers.faults import Fault, Kind
from discordianai.sandbox.providers.streaming import (
    Json,
    Streaming,
    common,
    said_by_people,
    sources_of,
    usage_of,
)

MODELS = {
    ProviderName.OPENAI: ("gpt-5-mini", "gpt-5", "gpt-4o-mini"),
    ProviderName.PERPLEXITY: ("sonar", "sonar-pro"),
}


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """How the services behave. Times are in seconds, budgets per minute."""

    api_key: str = "sandbox-key"
    first_token: float = 0.3
    between_tokens: float = 0.01
    requests_per_minute: int = 500
    tokens_per_minute: int = 200_000
    clock_ahead: float = 0.0


class ApiError(Exception):
    """Becomes an error response, written as OpenAI writes them."""

    def __init__(
        self, status: int, code: str | None, param: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.param, self.retry_after = status, code, param, retry_after


@dataclass(eq=False)
class ProviderService:
    """A running service, and what it has seen."""

    name: ProviderName
    options: ServiceOptions
    url: str = ""
    server: Server | None = None
    requests: deque[Json] = field(default_factory=lambda: deque(maxlen=1000))
    """The bodies of the last thousand requests."""
    answered: int = 0
    cut_by_client: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    refused: int = 0
    """429s of the budget, not those that were asked for."""
    outage: Fault | None = None
    """While it is set, every request is answered with it."""

    def __post_init__(self) -> None:
        self._faults: deque[Fault] = deque()
        self._admitted: deque[tuple[float, int]] = deque()

    def misbehave(self, *told: Fault) -> None:
        """Answer the next requests with these faults, one each."""
        self._faults.extend(told)

    def withdraw(self, fault: Fault) -> bool:
        """Take back a fault of `misbehave`; whether no request has met it yet."""
        waiting = fault in self._faults
        if waiting:
            self._faults.remove(fault)
        return waiting

    async def handle(self, exchange: Exchange) -> None:
        """Answer one exchange."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        finished = False
        try:
            await self._route(exchange)
            finished = True
        except ApiError as error:
            await self._refuse(exchange, error)
            finished = True
        except PeerGone:
            pass
        finally:
            self.in_flight -= 1
            self.cut_by_client += not finished

    async def _route(self, exchange: Exchange) -> None:
        if exchange.headers.get("authorization") != f"Bearer {self.options.api_key}":
            raise ApiError(401, "invalid_api_key")
        path = exchange.path.partition("?")[0].removeprefix("/v1")
        if (exchange.method, path) == ("GET", "/models"):
            models = [{"id": model, "object": "model"} for model in MODELS[self.name]]
            await self._json(exchange, 200, {"object": "list", "data": models})
            return
        if (exchange.method, path) != ("POST", "/chat/completions"):
            raise ApiError(404, "unknown_url")
        body = _validated(await exchange.body(), self.name)
        self.requests.append(body)
        await self._complete(exchange, body)

    async def _complete(self, exchange: Exchange, body: Json) -> None:
        people = said_by_people(body)
        fault = self.outage or (self._faults.popleft() if self._faults else faults.in_text(people[-1]))
        if fault and fault.kind is Kind.STATUS:
            raise ApiError(fault.status, fault.code, fault.param, fault.seconds)
        self._admit(body)
        if body.get("tools") and (call := calling.called_for(body)):
            await calling.stream_call(exchange, body, call, self.headers(), self.options.first_token)
            self.answered += 1
            return
        searches = self.name is ProviderName.PERPLEXITY
        answer = compose(self.name.label, people[-1], people[:-1], sources=searches)
        if fault and fault.kind is Kind.EMPTY:
            answer = Answer("")
        if body.get("stream"):
            pace = (self.options.first_token, self.options.between_tokens)
            await Streaming(exchange, body, answer, fault, pace).run(self.headers())
        else:
            await trio.sleep(self.options.first_token)
            message = {"role": "assistant", "content": answer.text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            whole = {"object": "chat.completion", "choices": [choice], "usage": usage_of(body, answer)}
            await self._json(exchange, 200, {**whole, **common(body), **sources_of(answer)})
        self.answered += 1

    def _admit(self, body: Json) -> None:
        """An exact sliding window of a minute, of requests and of tokens."""
        now = time.monotonic()
        while self._admitted and self._admitted[0][0] <= now - 60:
            self._admitted.popleft()
        tokens = len(json.dumps(body["messages"])) // 4
        used = sum(count for _, count in self._admitted)
        if (
            len(self._admitted) >= self.options.requests_per_minute
            or used + tokens > self.options.tokens_per_minute
        ):
            self.refused += 1
            raise ApiError(429, "rate_limit_exceeded", retry_after=self._admitted[0][0] + 60 - now)
        self._admitted.append((now, tokens))

    def headers(self) -> list[tuple[str, str]]:
        """What is left of the budget, as OpenAI tells it with every answer."""
        used = sum(count for _, count in self._admitted)
        limits = self.options
        return [
            ("date", formatdate(time.time() + limits.clock_ahead, usegmt=True)),
            ("x-request-id", f"req_{self.answered:06}"),
            ("x-ratelimit-limit-requests", str(limits.requests_per_minute)),
            ("x-ratelimit-remaining-requests", str(limits.requests_per_minute - len(self._admitted))),
            ("x-ratelimit-reset-requests", "120ms"),
            ("x-ratelimit-limit-tokens", str(limits.tokens_per_minute)),
            ("x-ratelimit-remaining-tokens", str(max(0, limits.tokens_per_minute - used))),
            ("x-ratelimit-reset-tokens", "1s"),
        ]

    async def _refuse(self, exchange: Exchange, error: ApiError) -> None:
        kind = "insufficient_quota" if error.code == "insufficient_quota" else "invalid_request_error"
        # Real providers repeat the key and the prompt here: nothing of it may reach a log.
        message = "Incorrect: sandbox-key, and the words of the question"
        body = {"error": {"message": message, "type": kind, "code": error.code, "param": error.param}}
        extra = [("retry-after", f"{error.retry_after:g}")] if error.retry_after is not None else []
        await self._json(exchange, error.status, body, extra)

    async def _json(
        self, exchange: Exchange, status: int, body: Json, extra: list[tuple[str, str]] | None = None
    ) -> None:
        headers = [("content-type", "application/json"), *self.headers(), *(extra or [])]
        await exchange.respond(status, headers, json.dumps(body).encode())


def _validated(data: bytes, name: ProviderName) -> Json:
    try:
        body = json.loads(data)
        roles = [message["role"] for message in body["messages"]]
        model = body["model"]
    except (ValueError, KeyError, TypeError):
        raise ApiError(400, "invalid_request_error") from None
    if model not in MODELS[name]:
        raise ApiError(404, "model_not_found", "model")
    if not calling.are_well_formed(body.get("tools", [])):
        raise ApiError(400, "invalid_type", "tools[0]")
    talk = [role for role in roles if role != "system"]
    if not talk or talk[-1] != "user":
        raise ApiError(400, "invalid_messages", "messages")
    if name is ProviderName.PERPLEXITY and talk != [("user", "assistant")[i % 2] for i in range(len(talk))]:
        raise ApiError(400, "messages_must_alternate", "messages")
    return dict(body)


@asynccontextmanager
async def open_providers(
    authority: Authority, options: ServiceOptions | None = None, server: ServerOptions | None = None
) -> AsyncIterator[tuple[ProviderService, ProviderService]]:
    """Run both services while the block runs, OpenAI's first."""
    options = options or ServiceOptions()
    openai = ProviderService(ProviderName.OPENAI, options)
    perplexity = ProviderService(ProviderName.PERPLEXITY, options)
    async with (
        open_server(openai.handle, authority=authority, options=server) as first,
        open_server(perplexity.handle, authority=authority, options=server) as second,
    ):
        openai.server, openai.url = first, f"{first.url}/v1"
        perplexity.server, perplexity.url = second, second.url
        yield openai, perplexity
