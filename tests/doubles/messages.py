"""Messages of Discord that are kept in memory."""

from collections.abc import Sequence

import trio

from discordianai.discord.messages.port import Body, File, MessageError, MessageGone, MessagesBusy


class FakeMessages:
    """Keeps messages in memory. `history` has (time, message id, content) of every call that was taken.

    `failures` are raised by the next calls, one each; messages in `gone` are not there. None is removed
    where there is `no_removal`. Every call takes `latency` seconds.
    """

    def __init__(self, latency: float = 0.0) -> None:
        self.contents: dict[int | None, str] = {}
        self.files: dict[int | None, Sequence[File]] = {}
        self.bodies: list[Body] = []
        self.history: list[tuple[float, int | None, str]] = []
        self.failures: list[MessageError] = []
        self.gone: set[int | None] = set()
        self.no_removal: MessageError | None = None
        self.free_at = 0.0
        self._latency = latency
        self._created = 0

    async def try_edit(self, message_id: int | None, body: Body) -> None:
        """See `Messages.try_edit`."""
        await self._take(message_id, body)

    async def edit(self, message_id: int | None, body: Body, files: Sequence[File] = ()) -> None:
        """See `Messages.edit`; tries again at once."""
        while True:
            try:
                await self._take(message_id, body)
            except MessagesBusy as busy:
                await trio.sleep(busy.wait)
            else:
                self.files[message_id] = files
                return

    async def create(self, body: Body) -> int:
        """See `Messages.create`."""
        self._created += 1
        message_id = 1000 + self._created
        await self._take(message_id, body)
        return message_id

    async def delete(self, message_id: int) -> None:
        """See `Messages.delete`."""
        await trio.sleep(self._latency)
        if self.no_removal is not None:
            raise self.no_removal
        self.contents.pop(message_id, None)

    async def _take(self, message_id: int | None, body: Body) -> None:
        await trio.sleep(self._latency)
        if self.failures:
            raise self.failures.pop(0)
        if message_id in self.gone:
            raise MessageGone("it is gone")
        self.contents[message_id] = body.get("content", self.contents.get(message_id, ""))
        self.bodies.append(body)
        self.history.append((trio.current_time(), message_id, self.contents[message_id]))
