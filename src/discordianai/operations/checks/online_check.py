"""The framework of the online checks: a time limit, and an observer of the HTTP responses."""

import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import httpx
import trio

from discordianai.operations.checks import clock
from discordianai.operations.checks.findings import Finding, problem


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What everybody asks with, and `samples`, which takes the clock of each server."""

    http2: bool
    ssl_context: ssl.SSLContext
    samples: dict[str, clock.Sample] = field(default_factory=dict)


Tell = Callable[[Finding], None]
Ask = Callable[[Tell], Awaitable[None]]


class OnlineCheck(Protocol):
    """Somebody to be asked. What is found is told as it is found."""

    name: str

    async def connect(self, tell: Tell) -> None:
        """Check the connection."""

    async def ask(self, seconds: float, tell: Tell) -> None:
        """Send the requests, with a timeout in seconds for each."""


async def bounded(subject: str, seconds: float, ask: Ask, tell: Tell) -> None:
    """Ask, and hear of it where there is no answer, or a bug. What was told before stays told."""
    try:
        with trio.move_on_after(seconds) as scope:
            await ask(tell)
    except Exception as error:
        # Whatever it is, the other questions go on. Its text may have an address or an answer in it.
        tell(problem(subject, f"the response was not understood: {type(error).__name__}", "try again"))
        return
    if scope.cancelled_caught:
        tell(problem(subject, f"no answer within {seconds:g} s", "try again, with a longer --timeout"))


class ResponseObserver:
    """Observes a client that sends one request at a time: its last response, and the server's clock."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.headers = httpx.Headers()
        self.protocol = ""
        self.sample: clock.Sample | None = None
        self._sent = 0.0
        client.event_hooks = {"request": [self._on_request], "response": [self._on_response]}

    async def _on_request(self, _request: httpx.Request) -> None:
        self._sent = time.time()

    async def _on_response(self, response: httpx.Response) -> None:
        self.headers = response.headers
        self.protocol = response.http_version
        self.sample = clock.sample(response.headers.get("date", ""), self._sent, time.time())
