"""How many questions are open, counted on both threads: admitted by the listener, finished by trio."""

import threading

import trio


class Admissions:
    """Admits at most `capacity` questions at once, none after `close`, and knows when the last is done.

    The listener's thread admits before it acknowledges, so that nobody is acknowledged and then forgotten: a
    question is open from then on until trio has finished with it.
    """

    def __init__(self, capacity: int, token: trio.lowlevel.TrioToken) -> None:
        self._capacity = capacity
        self._token = token
        self._lock = threading.Lock()
        self._open = 0
        self._closed = False
        self._idle = trio.Event()

    @property
    def open(self) -> int:
        """Questions admitted and not yet finished."""
        return self._open

    @property
    def closed(self) -> bool:
        """Whether the bot is stopping."""
        return self._closed

    def admit(self) -> bool:
        """Open one question, from any thread. False: there is no room, or the bot is stopping."""
        with self._lock:
            if self._closed or self._open >= self._capacity:
                return False
            self._open += 1
            return True

    def release(self) -> None:
        """Finish a question that was admitted, from any thread."""
        with self._lock:
            self._open -= 1
            finished = self._closed and self._open == 0
        if finished:
            self._token.run_sync_soon(self._idle.set)

    def close(self) -> None:
        """Admit no more; call on the trio thread."""
        with self._lock:
            self._closed = True
            finished = self._open == 0
        if finished:
            self._idle.set()

    async def wait_idle(self) -> None:
        """Return when the bot is stopping and every question is finished. The caller bounds the wait."""
        await self._idle.wait()
