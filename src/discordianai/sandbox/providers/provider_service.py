"""A provider's service: authentication, validation, rate limits, answers, and injected faults."""

import json
import math
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import ClassVar

import trio

from discordianai.sandbox.http import PeerGone, Server, ServerExchange
from discordianai.sandbox.providers.api_errors import ApiError, Rejection
from discordianai.sandbox.providers.provider_faults import Fault, FaultKind, marked_fault
from discordianai.sandbox.providers.request_budget import TIER_0, Rate, RequestBudget
from discordianai.sandbox.providers.scripted_stream import AcceptedQuestion, EventFraming, Json, Script
from discordianai.sandbox.providers.stream_sender import StreamPace, StreamSender

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """How the services behave. Times are in seconds."""

    api_key: str = "sandbox-key"
    first_token: float = 0.3
    between_tokens: float = 0.01
    requests_per_minute: int = 500
    """OpenAI's."""
    tokens_per_minute: int = 200_000
    """OpenAI's."""
    perplexity_rates: tuple[Rate, ...] = TIER_0
    foreign_rates: tuple[Rate, ...] = ()
    clock_ahead: float = 0.0
    event_lines: bool = True
    """Whether the events of Responses and of the Agent interface have their `event:` lines."""
    keep_alive: float | None = None
    """Seconds of silence in a stream after which the service sends a keep-alive."""


def is_streamed(question: AcceptedQuestion, fault: Fault | None) -> bool:
    """Whether the answer is streamed."""
    return question.stream and (fault is None or fault.kind is not FaultKind.FAILED)


class ProviderService(ABC):
    """A running service, and what it has received."""

    name: ClassVar[str]
    label: ClassVar[str]
    body_limit: ClassVar[int | None] = None
    """The maximum size of a request in bytes."""

    def __init__(self, options: ServiceOptions) -> None:
        self.options = options
        self.url = ""
        """The value for `base_url` in the bot's settings."""
        self.server: Server | None = None
        self.requests: deque[Json] = deque(maxlen=1000)
        """The bodies of the last thousand valid questions."""
        self.paths: Counter[str] = Counter()
        """The number of valid questions by path."""
        self.answered = 0
        self.cut_by_client = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.rate_limited = 0
        """429s of the rate limits, without injected ones."""
        self.rejected: list[Rejection] = []
        """Invalid requests; those that a fault or a rate limit refused are not among them."""
        self.outage: Fault | None = None
        """A fault that every question meets while it is set."""
        self.distortion: Callable[[str], Callable[[bytes], bytes]] | None = None
        """Makes, for the answer to a question, what distorts the bytes of each event of its stream."""
        self.budget = RequestBudget(options.clock_ahead)
        self._faults: deque[Fault] = deque()
        self._request_number = 0

    @abstractmethod
    async def route(self, exchange: ServerExchange, path: str, data: bytes) -> None:
        """Answer one exchange, whose body is `data`. Raises `ApiError`."""

    @abstractmethod
    def error_body(self, error: ApiError) -> Json:
        """The error in this service's form."""

    @property
    @abstractmethod
    def rates(self) -> tuple[Rate, ...]:
        """The limits on requests."""

    @property
    def tokens_per_minute(self) -> int | None:
        """The limit on tokens, if there is one."""
        return None

    def limit_headers(self) -> Headers:
        """Headers that report the rate limits."""
        return []

    def retry_headers(self, error: ApiError) -> Headers:
        """Headers that say when to retry, where the error knows."""
        return [] if error.retry_after is None else [("retry-after", f"{error.retry_after:g}")]

    def rate_limit_error(self, wait: float) -> ApiError:
        """The error for a request over a rate limit, for `wait` seconds."""
        return ApiError(429, "rate_limit_exceeded", retry_after=wait, injected=True)

    def misbehave(self, *faults: Fault) -> None:
        """Answer the next questions with these faults, one each."""
        self._faults.extend(faults)

    def withdraw(self, fault: Fault) -> bool:
        """Remove a fault of `misbehave`; return whether it was still waiting."""
        waiting = fault in self._faults
        if waiting:
            self._faults.remove(fault)
        return waiting

    async def handle(self, exchange: ServerExchange) -> None:
        """Answer one exchange."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        finished = False
        path = exchange.path.partition("?")[0]
        try:
            # Read in any case: over HTTP/1.1, the next request comes after it.
            await self.route(exchange, path, await exchange.body())
            finished = True
        except ApiError as error:
            if not error.injected:
                body = self.error_body(error)["error"]
                code = body.get("code") if isinstance(body.get("code"), str) else body.get("type")
                self.rejected.append(Rejection(path, error.status, error.code or code, error.param))
            await self._refuse(exchange, error)
            finished = True
        except PeerGone:
            pass
        finally:
            self.in_flight -= 1
            self.cut_by_client += not finished

    def authenticate(self, exchange: ServerExchange) -> None:
        """Raise `ApiError` unless the key is this service's."""
        if exchange.headers.get("authorization") != f"Bearer {self.options.api_key}":
            raise ApiError(401, "invalid_api_key", message="Incorrect API key provided.")

    def json_body(self, exchange: ServerExchange, data: bytes) -> Json:
        """Parse the request's body. Raises `ApiError` unless it is a JSON object."""
        if self.body_limit is not None and len(data) > self.body_limit:
            raise ApiError(413, message="The request's body is too large.")
        kind = exchange.headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/json":
            message = f"Unsupported content type: '{kind}'. This API method only accepts 'application/json'."
            raise ApiError(400, "unsupported_content_type", message=message)
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            message = "We could not parse the JSON body of your request."
            raise ApiError(400, "invalid_json", message=message)
        return body

    def admit(self, path: str, body: Json, question: AcceptedQuestion) -> Fault | None:
        """Count a valid question; return the fault that it meets.

        Raises `ApiError` where that fault is an error response, or a rate limit is reached.
        """
        self.requests.append(body)
        self.paths[path] += 1
        fault = self.outage or (
            self._faults.popleft() if self._faults else marked_fault(question.newest, body)
        )
        if fault and fault.kind in (FaultKind.STATUS, FaultKind.QUOTA):
            raise self.fault_error(fault)
        if wait := self.budget.delay(self.rates, self.tokens_per_minute, question.tokens):
            self.rate_limited += 1
            raise self.rate_limit_error(wait)
        self.budget.admit(question.tokens)
        if self.distortion is not None:
            question.framing.distort = self.distortion(question.newest)
        return fault

    async def send(
        self, exchange: ServerExchange, question: AcceptedQuestion, script: Script, fault: Fault | None
    ) -> None:
        """Send the answer, or what its fault makes of it."""
        if fault and fault.kind is FaultKind.RAW:
            await self.send_raw(exchange, fault)
        elif is_streamed(question, fault):
            await self.sender(exchange, question.framing, fault).send_answer(script, self.headers())
        else:
            stalls = fault is not None and fault.kind is FaultKind.STALL
            await trio.sleep(math.inf if stalls else self.options.first_token)
            await self.send_json(exchange, 200, self.whole_answer(script, fault))
        self.answered += 1

    def whole_answer(self, script: Script, fault: Fault | None) -> Json:
        """The answer as one object."""
        fails = fault is not None and fault.kind in (FaultKind.FAILED, FaultKind.EVENT)
        return script.failed(fault) if fails and fault else script.whole()

    def sender(self, exchange: ServerExchange, framing: EventFraming, fault: Fault | None) -> StreamSender:
        """Sends a stream at this service's pace."""
        return StreamSender(exchange, framing, self.pace, fault)

    @property
    def pace(self) -> StreamPace:
        """The delays of this service's streams."""
        options = self.options
        return StreamPace(options.first_token, options.between_tokens, options.keep_alive)

    def fault_error(self, fault: Fault) -> ApiError:
        """The error response that a fault injects."""
        status = 429 if fault.kind is FaultKind.QUOTA else fault.status
        return ApiError(
            status, fault.code, fault.param, fault.message, retry_after=fault.seconds, injected=True
        )

    def headers(self, request_id: str | None = None) -> Headers:
        """The headers of every response."""
        self._request_number += 1
        return [
            ("date", formatdate(time.time() + self.options.clock_ahead, usegmt=True)),
            ("x-request-id", request_id or f"req_{self._request_number:06}"),
            *self.limit_headers(),
        ]

    async def send_json(
        self, exchange: ServerExchange, status: int, body: object, headers: Headers | None = None
    ) -> None:
        """Send one JSON object."""
        sent = [("content-type", "application/json"), *(self.headers() if headers is None else headers)]
        await exchange.respond(status, sent, json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))

    async def _refuse(self, exchange: ServerExchange, error: ApiError) -> None:
        headers = [*self.headers(), *self.retry_headers(error)]
        await self.send_json(exchange, error.status, self.error_body(error), headers)

    async def send_raw(self, exchange: ServerExchange, fault: Fault) -> None:
        """Send a fault's bytes."""
        await exchange.start(fault.status, [("content-type", fault.content_type), *fault.headers])
        sent = 0
        while fault.times is None or sent < fault.times:
            await exchange.send(fault.body)
            await trio.lowlevel.checkpoint()
            sent += 1
        await exchange.finish()
