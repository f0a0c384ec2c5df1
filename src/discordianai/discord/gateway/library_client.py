"""The library's client, of which only the connection to the gateway is used.

Left alone, the library keeps objects of every server, channel, role and emoji, and starts five tasks for each
event. With twenty thousand servers that is 300 MB, and 5 ms for each server at the start, in which nobody is
acknowledged.
"""

from typing import Any

from interactions import Client
from interactions.api.events import BaseEvent


class GatewayOnlyClient(Client):
    """Keeps nothing. Events go to what `add_listener` and `add_event_processor` have added, nowhere else."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.processors.clear()

    def dispatch(self, event: BaseEvent, *arguments: Any, **options: Any) -> None:
        """See the library's. Nobody waits for an event here, so one without listeners is not worth a task."""
        if event.resolved_name in self.listeners:
            super().dispatch(event, *arguments, **options)
