"""What the bot may post for a person: no more than Discord lets that person post themselves.

Discord checks none of it where an app answers an interaction. It lets people who may not write in a channel
use menus and buttons there, and slow mode does not hold for apps. Where a person may not post, the answer is
for that person alone.

For a message, Discord has checked everything except whether the person may attach a file, as the answer may;
the router looks that up. Links need no permission: the bot's messages never show previews.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from discordianai.discord.commands.command import QuestionDraft
from discordianai.discord.events.interaction import EventOrigin
from discordianai.discord.events.permissions import (
    ATTACH_FILES,
    BYPASS_SLOWMODE,
    CREATE_PUBLIC_THREADS,
    MANAGE_THREADS,
    SEND_MESSAGES,
    SEND_MESSAGES_IN_THREADS,
    USE_EXTERNAL_APPS,
)
from discordianai.discord.interactions.outcomes import AskQuestion, Refuse

MOST_REMEMBERED = 10_000
"""Public questions whose time is remembered for slow mode."""

NOT_ALLOWED = "Only you can see this answer, because you can't write in this channel."
LOCKED = "Only you can see this answer, because this thread is locked."
SLOW_MODE = "Only you can see this answer, because this channel has slow mode on and you asked a moment ago."
NO_THREADS_HERE = "Threads can't be opened here, so I'm answering without one."
NO_THREAD = "You can't open threads here, so I'm answering in the channel."
NOT_FURTHER = "I can't continue here: you can't write in this channel right now."


class PostingRights:
    """Lives on the listener's thread; `clock` tells monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_at: OrderedDict[tuple[int, int], float] = OrderedDict()

    def limited(self, asked: AskQuestion) -> AskQuestion | Refuse:
        """The same question, limited to what this person may post there."""
        origin, draft = asked.origin, asked.draft
        if draft.in_thread and not origin.channel.takes_threads:
            draft = replace(draft, in_thread=False, note=NO_THREADS_HERE)
        if origin.place.guild_id is None:  # nobody is barred from anything there
            return replace(asked, draft=draft)
        why = None if draft.private or draft.message_id is not None else self._why_not_public(origin)
        if why is not None:
            if draft.continues:  # what only this person sees is another conversation
                return Refuse(NOT_FURTHER)
            draft = replace(draft, private=True, in_thread=False, note=why)
        if draft.in_thread and not _may_open_thread(origin):
            draft = replace(draft, in_thread=False, note=NO_THREAD)
        if draft.message_id is None:  # of a message the router knows
            draft = replace(draft, may_attach=draft.private or origin.may(ATTACH_FILES))
        return replace(asked, draft=draft)

    def note(self, origin: EventOrigin, draft: QuestionDraft) -> None:
        """That question was taken: slow mode counts from now on."""
        if draft.private:
            return
        key = (origin.person.id, origin.place.channel_id)
        self._asked_at[key] = self._clock()
        self._asked_at.move_to_end(key)
        if len(self._asked_at) > MOST_REMEMBERED:
            self._asked_at.popitem(last=False)

    def _why_not_public(self, origin: EventOrigin) -> str | None:
        """A note for the person, empty if Discord says it; None if the answer may be public."""
        rules = origin.channel
        if not origin.as_member and not origin.may(USE_EXTERNAL_APPS):
            return ""
        if not origin.may(SEND_MESSAGES_IN_THREADS if rules.in_thread else SEND_MESSAGES):
            return NOT_ALLOWED
        if rules.locked and not origin.may(MANAGE_THREADS):
            return LOCKED
        last = self._asked_at.get((origin.person.id, origin.place.channel_id))
        slow = last is not None and self._clock() - last < rules.slow_mode
        return SLOW_MODE if slow and not origin.may(BYPASS_SLOWMODE) else None


def _may_open_thread(origin: EventOrigin) -> bool:
    return origin.may(CREATE_PUBLIC_THREADS) and origin.may(SEND_MESSAGES_IN_THREADS)
