"""Serves an ASGI application by Hypercorn under trio, each of whose connections ends alone."""

from typing import TYPE_CHECKING

import hypercorn.trio.run
import trio
from hypercorn.events import Closed
from hypercorn.trio.tcp_server import TCPServer

if TYPE_CHECKING:
    from hypercorn.config import Config
    from hypercorn.events import Event
    from hypercorn.typing import Framework


class GuardedConnection(TCPServer):
    """One that is closed while something is sent on it: with Hypercorn 0.18 this ends the whole server."""

    async def protocol_send(self, event: "Event") -> None:
        """See Hypercorn's, which expects that the stream may be closed, and not that it is being closed."""
        try:
            await super().protocol_send(event)
        except trio.BusyResourceError:
            await self.protocol.handle(Closed())


async def serve(
    app: "Framework",
    config: "Config",
    stop: trio.Event,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until `stop`; the status is given the addresses as soon as it listens."""
    # Hypercorn looks its class up here, and takes no other by any option.
    hypercorn.trio.run.TCPServer = GuardedConnection  # type: ignore[attr-defined]  # it is imported there, not exported
    await hypercorn.trio.serve(app, config, shutdown_trigger=stop.wait, mode="asgi", task_status=task_status)
