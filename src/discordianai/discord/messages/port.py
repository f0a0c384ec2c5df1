"""The port through which a reply writes its messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Body = Mapping[str, Any]
"""A message in the format of Discord's API."""


@dataclass(frozen=True, slots=True)
class File:
    """Something to be attached."""

    name: str
    content: bytes = field(repr=False)


class MessageError(Exception):
    """Discord did not accept a message. The text has status and code, never content or token."""


class MessageRefused(MessageError):
    """Discord permanently refuses this message there; it may accept another one."""


class NotPermitted(MessageRefused):
    """The bot lacks a permission there: it accepts this once that has changed."""


class ContentRefused(MessageRefused):
    """It is what the message says that is refused: another one would be accepted in the same place."""


class ThreadArchived(MessageRefused):
    """The thread has been archived: it accepts edits again once it is reopened."""


class MessagesClosed(MessageError):
    """Nothing more is written into these messages."""


class MessageGone(MessagesClosed):
    """Somebody has removed the message: nobody can read it any more."""


class AnsweredElsewhere(MessagesClosed):
    """Another process has taken the question over, and writes its answer into the same messages."""


class ChannelGone(MessagesClosed):
    """The channel has been deleted."""


class MessagesExpired(MessagesClosed):
    """The interaction's 15 minutes are over: nothing more can be written there."""


class MessagesBusy(MessageError):
    """Discord asks to wait `wait` seconds, or is not reachable; a later attempt may succeed."""

    def __init__(self, reason: str, wait: float) -> None:
        super().__init__(reason)
        self.wait = wait


class Messages(Protocol):
    """The messages that answer one question. One call at a time; the caller keeps it so.

    A message is named by its id; None is the original one, which answers the question itself.
    """

    @property
    def free_at(self) -> float:
        """When, on trio's clock, Discord's rate limit has room again for `try_edit`."""

    async def try_edit(self, message_id: int | None, body: Body) -> None:
        """Edit a message once. Raises `MessagesBusy` when a later try may do, else `MessageError`."""

    async def edit(self, message_id: int | None, body: Body, files: Sequence[File] = ()) -> None:
        """Edit a message, trying again while that may help. Raises `MessageError`."""

    async def create(self, body: Body) -> int:
        """Write a further message and return its id. Raises `MessageError`."""

    async def delete(self, message_id: int) -> None:
        """Remove a further message, if it is still there. Raises `MessageError`."""
