"""Where an answer is written: through the question's interaction, as a reply in its channel, or in a thread.

The ids that were stored of a question tell a later process the same: of one that was answered in a thread the
first is the thread's, of one that is answered in a channel the next is that of the original message.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from discordianai.discord.messages.channel import ChannelMessages
from discordianai.discord.messages.port import Messages
from discordianai.discord.messages.rest import DiscordApi
from discordianai.discord.messages.webhook import InteractionWebhook
from discordianai.records import Question

Noted = Callable[[int], Awaitable[None]]
"""Is told an id that a later process has to know."""


@dataclass(frozen=True, slots=True)
class Destination:
    """`left` are the further messages that are there already; `channel` shows that the bot is writing.

    `rest` takes what `messages` takes no more.
    """

    messages: Messages
    left: tuple[int, ...] = ()
    channel: ChannelMessages | None = None
    rest: Messages | None = None


def of(api: DiscordApi, question: Question, ids: Sequence[int], noted: Noted) -> Destination:
    """The destination of a question; `ids` are what was stored of it."""
    address = question.address
    if question.in_thread and ids:
        thread_id, *ids = ids
        return _in_channel(api, thread_id, ids, noted, reply_to=None)
    if address.message_id is not None:
        return _in_channel(api, address.channel_id, ids, noted, reply_to=address.message_id)
    # In the channel everybody reads it, and a guest cannot write there.
    elsewhere = address.as_member and not address.private
    rest = ChannelMessages(api, address.channel_id) if elsewhere else None
    return Destination(InteractionWebhook(api, address), tuple(ids), rest=rest)


def _in_channel(
    api: DiscordApi, channel_id: int, ids: Sequence[int], noted: Noted, reply_to: int | None
) -> Destination:
    original = ids[0] if ids else None
    channel = ChannelMessages(api, channel_id, reply_to=reply_to, original=original, noted=noted)
    return Destination(channel, tuple(ids[1:]), channel)


def in_thread(question: Question, thread_id: int) -> Question:
    """The question as one that was asked in that thread."""
    place = replace(question.place, channel_id=thread_id, parent_id=question.place.channel_id)
    return replace(question, place=place)
