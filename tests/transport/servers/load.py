"""Loads for a real server, the same for every client: each request bears an id, and each answer has to.

A fault is whatever a client must not meet: a request killed by its neighbour or by a reload, one that hangs,
an answer that is another's.
"""

import hashlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import anyio
import anyio.to_thread
import httpx

from tests.transport.servers.launching import LARGE, Running

TIMEOUT = httpx.Timeout(10.0)
"""Seconds; nothing here takes as long, unless it hangs."""

LARGE_DIGEST = hashlib.sha256(LARGE).hexdigest()


@dataclass
class Tally:
    """How many requests were answered as they should, how many were cancelled, and what befell the others."""

    answered: int = 0
    cancelled: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def hung(self) -> int:
        """Faults that took all the time there was."""
        return sum(number for fault, number in self.faults.items() if fault.startswith("ReadTimeout"))

    @property
    def killed(self) -> int:
        """All the others."""
        return self.faults.total() - self.hung

    def __str__(self) -> str:
        counts = {"killed": self.killed, "hung": self.hung}
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "0"


class Load:
    """Puts one server under load, through one client."""

    def __init__(self, client: httpx.AsyncClient, server: Running, seed: int = 7) -> None:
        self.tally = Tally()
        self._client = client
        self._url = server.url
        self._server = server
        self._ids = count(1)
        self._chance = random.Random(seed)

    # The scenarios

    async def posts(self, number: int, concurrency: int) -> Tally:
        """So many of 4 KB up, so many at a time."""
        await self._crowd(concurrency, number // concurrency, self._post)
        return self.tally

    async def cancels_beside(self, cancels: int, bystanders: int, longest: float) -> Tally:
        """Requests that are cancelled after up to `longest` seconds, beside others that are not."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._crowd, 20, cancels // 20, lambda: self._cancelled_post(longest))
            tasks.start_soon(self._crowd, 20, bystanders // 20, self._post)
        return self.tally

    async def cancelled_downloads(self, cancels: int, bystanders: int) -> Tally:
        """Large answers that are left at any moment, beside requests that are not."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._crowd, 20, cancels // 20, self._cancelled_download)
            tasks.start_soon(self._crowd, 20, bystanders // 20, self._post)
        return self.tally

    async def slow_reader(self, small: int) -> Tally:
        """One who takes 20 MB slowly, and so many small ones meanwhile."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._download, 0.008)
            tasks.start_soon(self._crowd, 10, small // 10, self._post)
        return self.tally

    async def reload(self, number: int, concurrency: int) -> Tally:
        """As `posts`, with a reload when a third is answered."""
        reload = self._server.kind.reload
        assert reload is not None

        async def in_the_middle() -> None:
            while self.tally.answered + self.tally.faults.total() < number // 3:  # noqa: ASYNC110  # a count
                await anyio.sleep(0.005)
            await anyio.to_thread.run_sync(reload, self._server)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(in_the_middle)
            tasks.start_soon(self._crowd, concurrency, number // concurrency, self._post)
        return self.tally

    async def early_rejects(self, uploads: int, neighbours: int) -> Tally:
        """Uploads of 20 to 100 KB that are answered before they are read, beside other uploads."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._crowd, 5, uploads // 5, self._rejected)
            tasks.start_soon(self._crowd, 25, neighbours // 25, lambda: self._post(16_384))
        return self.tally

    # Their parts

    async def _crowd(self, workers: int, turns: int, do: Callable[[], Awaitable[None]]) -> None:
        async def work() -> None:
            for _ in range(turns):
                await do()

        async with anyio.create_task_group() as tasks:
            for _ in range(workers):
                tasks.start_soon(work)

    async def _post(self, size: int = 4096) -> None:
        mark = f"id-{next(self._ids)}"
        body = f"{mark} ".encode().ljust(size, b"q")
        async with self._counted():
            response = await self._client.post(self._url + "/echo", content=body, headers={"x-id": mark})
            self._look(response, 200, mark)

    async def _rejected(self) -> None:
        body = b"r" * self._chance.randrange(20_000, 100_000)
        async with self._counted():
            mark = f"id-{next(self._ids)}"
            response = await self._client.patch(self._url + "/reject", content=body, headers={"x-id": mark})
            status = self._server.kind.rejects or response.status_code
            self._look(response, status, response.headers.get("x-id", mark) and mark)

    async def _download(self, pause: float) -> None:
        digest = hashlib.sha256()
        async with self._counted(), self._client.stream("GET", self._url + "/files/large") as response:
            async for piece in response.aiter_bytes(65_536):
                digest.update(piece)
                await anyio.sleep(pause)
            if digest.hexdigest() != LARGE_DIGEST:
                raise Strange("a large answer is not what it was")

    async def _cancelled_post(self, longest: float) -> None:
        await self._left(self._post, longest)

    async def _cancelled_download(self) -> None:
        await self._left(lambda: self._download(0.0), 0.03)

    async def _left(self, ask: Callable[[], Awaitable[None]], longest: float) -> None:
        """Ask until an answer was late enough to be left before it had come."""
        late = False
        while not late:
            with anyio.move_on_after(self._chance.uniform(0, longest)) as scope:
                await ask()
            late = scope.cancelled_caught
        self.tally.cancelled += 1

    def _look(self, response: httpx.Response, status: int, mark: str) -> None:
        if response.status_code != status:
            raise Strange(f"status {response.status_code} instead of {status}")
        whose = response.headers.get("x-id") or response.text.partition(" ")[0]
        if whose != mark and (status == 200 or "x-id" in response.headers):
            raise Strange("the answer is another's")

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        try:
            yield
        except Exception as error:  # of httpx's own HTTP/2: KeyError, ValueError and more
            self.tally.faults[f"{type(error).__name__}: {str(error)[:100]}"] += 1
        else:
            self.tally.answered += 1


class Strange(Exception):
    """An answer that is none to this request."""
