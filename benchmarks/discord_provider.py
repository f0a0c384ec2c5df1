"""A provider that streams at a steady pace, and notes when it sent what: `t0 t1 t2 ...`, with some Markdown.

It has a process of its own, so that the sandbox's Discord is not late because of what the provider does. Run
as `python -m benchmarks.discord_provider FOLDER ANSWERS TOKENS PER_SECOND`: it adds its authority to `ca.pem`
in the folder, prints its address, prints a `Log` as JSON when so many answers are complete, and serves on
until killed.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import trio

from discordianai.sandbox.certificates import make_authority
from discordianai.sandbox.http import ServerExchange, open_server

STREAM = [("content-type", "text/event-stream; charset=utf-8")]
FIRST_TOKEN = 0.3
"""Seconds."""

BEFORE = {0: "\n\n", 200: "\n\n```python\n", 240: "\n```\n\n", 260: "\n- ", 270: "\n- ", 280: "\n\n"}
"""What stands before a token, by its number modulo 300: paragraphs, a block of code, a list."""


def token(number: int) -> str:
    """One token of each answer; about what a word is."""
    before = BEFORE.get(number % 300, "\n\n" if number % 300 == 100 else " ") if number else ""
    return f"{before}t{number}{'.' if number % 15 == 14 else ''}"


@dataclass(slots=True)
class Log:
    """When, on `time.monotonic`, each token was sent, by question; and how many seconds late, at most."""

    sent: dict[str, list[float]] = field(default_factory=dict)
    latest: float = 0.0


@dataclass(eq=False)
class SteadyProvider:
    """Sends so many `tokens` to everybody, `per_second` of them, as OpenAI's chat completions do."""

    answers: int
    tokens: int
    per_second: float
    log: Log = field(default_factory=Log)

    def __post_init__(self) -> None:
        self._complete = 0
        self.all_sent = trio.Event()

    async def handle(self, exchange: ServerExchange) -> None:
        """Answer one request."""
        body = json.loads(await exchange.body())
        sent = self.log.sent.setdefault(body["messages"][-1]["content"], [])
        await exchange.start(200, STREAM)
        began = trio.current_time() + FIRST_TOKEN
        for number in range(self.tokens):
            due = began + number / self.per_second
            await trio.sleep_until(due)
            self.log.latest = max(self.log.latest, trio.current_time() - due)
            sent.append(time.monotonic())
            await exchange.send(_event({"content": token(number)}))
        await exchange.send(_event({}, '"stop"') + b"data: [DONE]\n\n")
        await exchange.finish()
        self._complete += 1
        if self._complete == self.answers:
            self.all_sent.set()


def _event(delta: dict[str, str], reason: str = "null") -> bytes:
    return (
        b'data: {"id":"chatcmpl-steady","object":"chat.completion.chunk","created":1795536000,'
        b'"model":"gpt-6-luna","service_tier":"default","system_fingerprint":null,'
        b'"choices":[{"index":0,"delta":%b,"finish_reason":%b}]}\n\n'
    ) % (json.dumps(delta).encode(), reason.encode())


async def serve(folder: Path, answers: int, tokens: int, per_second: float) -> None:
    """See above."""
    provider, authority = SteadyProvider(answers, tokens, per_second), make_authority()
    authority.write_ca(folder / "provider.pem")
    with (folder / "ca.pem").open("a") as certificates:
        certificates.write((folder / "provider.pem").read_text())
    async with open_server(provider.handle, authority=authority) as server:
        print(server.url, flush=True)
        await provider.all_sent.wait()
        print(json.dumps(asdict(provider.log)), flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(serve, Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
