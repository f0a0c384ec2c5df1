"""A provider that talks at a steady pace, and notes when it said what: `t0 t1 t2 ...`, with some Markdown.

It has a process of its own, so that the sandbox's Discord is not late because of what the provider does. Run
as `python -m benchmarks.discord_talker FOLDER ANSWERS TOKENS PER_SECOND`: it adds its authority to
`ca.pem` in the folder, prints its address, prints a line when so many answers are complete, and writes what
it has noted into the folder when its input ends.
"""

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from discordianai.sandbox.certificates import make_authority
from discordianai.sandbox.http import ServerExchange, open_server

CERTIFICATES, NOTES = "ca.pem", "talker.json"
"""Files in the folder."""

STREAM = [("content-type", "text/event-stream; charset=utf-8")]
BEFORE = {0: "\n\n", 200: "\n\n```python\n", 240: "\n```\n\n", 260: "\n- ", 270: "\n- ", 280: "\n\n"}
"""What stands before a token, by its number modulo 300: paragraphs, a block of code, a list."""


def token(number: int) -> str:
    """One token of each answer; about what a word is."""
    before = BEFORE.get(number % 300, "\n\n" if number % 300 == 100 else " ") if number else ""
    return f"{before}t{number}{'.' if number % 15 == 14 else ''}"


@dataclass(eq=False)
class Talker:
    """Sends `tokens` to everybody, `per_second` of them, as OpenAI's chat completions do."""

    tokens: int
    per_second: float
    first_token: float = 0.3
    sent: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By question, when on `time.monotonic` each token was sent."""
    most_behind: float = 0.0
    """Seconds that a token came after its time, at most."""

    def __post_init__(self) -> None:
        self._complete = 0
        self._another = trio.Event()

    async def handle(self, exchange: ServerExchange) -> None:
        """Answer one request."""
        body = json.loads(await exchange.body())
        sent = self.sent[body["messages"][-1]["content"]]
        await exchange.start(200, STREAM)
        began = trio.current_time() + self.first_token
        for number in range(self.tokens):
            due = began + number / self.per_second
            await trio.sleep_until(due)
            self.most_behind = max(self.most_behind, trio.current_time() - due)
            sent.append(time.monotonic())
            await exchange.send(_event({"content": token(number)}))
        await exchange.send(_event({}, '"stop"') + b"data: [DONE]\n\n")
        await exchange.finish()
        self._complete += 1
        self._another.set()

    async def all_said(self, answers: int) -> None:
        """Wait until so many answers are complete."""
        while self._complete < answers:
            self._another = trio.Event()
            await self._another.wait()


def _event(delta: dict[str, str], reason: str = "null") -> bytes:
    return (
        b'data: {"id":"chatcmpl-talker","object":"chat.completion.chunk","created":1795536000,'
        b'"model":"gpt-6-luna","service_tier":"default","system_fingerprint":null,'
        b'"choices":[{"index":0,"delta":%b,"finish_reason":%b}]}\n\n'
    ) % (json.dumps(delta).encode(), reason.encode())


@dataclass(frozen=True, slots=True)
class Notes:
    """What the talker knows in the end; see `Talker`."""

    sent: dict[str, list[float]]
    most_behind: float


class TalkerProcess:
    """A running talker; made by `open_talker`."""

    def __init__(self, process: trio.Process, folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._heard = b""

    async def line(self) -> str:
        """What it prints next. The caller bounds the wait."""
        assert self._process.stdout is not None
        while b"\n" not in self._heard:  # an unbuffered print comes in two pieces
            piece = await self._process.stdout.receive_some()
            if not piece:
                raise EOFError("the talker has ended")
            self._heard += piece
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode()

    async def notes(self) -> Notes:
        """End it, and return what it has noted."""
        assert self._process.stdin is not None
        await self._process.stdin.aclose()
        await self._process.wait()
        return Notes(**json.loads((self._folder / NOTES).read_text()))


@asynccontextmanager
async def open_talker(
    folder: Path, answers: int, tokens: int, per_second: float
) -> AsyncIterator[TalkerProcess]:
    """Run it while the block runs; `folder` is the sandbox's, whose authority stands there already."""
    command = [sys.executable, "-m", "benchmarks.discord_talker", str(folder)]
    process = await trio.lowlevel.open_process(
        [*command, str(answers), str(tokens), str(per_second)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield TalkerProcess(process, folder)
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def serve(folder: Path, answers: int, talker: Talker) -> None:
    """See above."""
    authority = make_authority()
    authority.write_ca(folder / "talker.pem")
    with (folder / CERTIFICATES).open("a") as certificates:
        certificates.write((folder / "talker.pem").read_text())
    async with open_server(talker.handle, authority=authority) as server:
        print(server.url, flush=True)
        await talker.all_said(answers)
        print("all said", flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
    (folder / NOTES).write_text(json.dumps({"sent": talker.sent, "most_behind": talker.most_behind}))


def main() -> None:
    """Serve."""
    folder, answers, tokens, per_second = sys.argv[1:]
    trio.run(serve, Path(folder), int(answers), Talker(int(tokens), float(per_second)))


if __name__ == "__main__":
    main()
