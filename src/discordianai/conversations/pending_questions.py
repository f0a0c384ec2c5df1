"""Questions that were accepted and are not yet answered. They survive a crash.

A question passes three commits: `accept` before it is acknowledged to Discord; `answered`, together with its
turns and its cost, before the last edit; `finish` after it. After a crash `take_over` gives it, and says how
far it got:

* no `text`: ask again, and edit the messages that are `posted` already, in order;
* some `text`: the same; that much of an answer has been shown;
* `complete`: show `text` again, in the same way; no provider is asked.

An edit is idempotent, a message is noted before the next one is sent, and `answered` stores nothing twice: at
worst one message appears twice. Each process counts its start before it begins, so that a question that
crashes processes does not do so for ever. Where `address.acknowledged_at` is too long ago, the caller answers
in the channel, and finishes.
"""

from dataclasses import dataclass, field
from typing import NewType, Protocol

from discordianai.conversations.accounting import Charge
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.records import Attachment, Question, Turn


@dataclass(frozen=True, slots=True)
class QuestionAndAnswer:
    """A question and its answer as they will be stored: what `person_id` said in `guild_id`."""

    key: ConversationKey
    turns: tuple[Turn, ...] = field(repr=False)
    person_id: int
    guild_id: int | None = None


TurnId = NewType("TurnId", str)
"""Identifies a turn, and no other one, also after it is removed. Up to 40 digits and points, for a button."""


@dataclass(frozen=True, slots=True)
class StoredQuestion:
    """What a person said, in which conversation, with the files that `text` does not contain whole."""

    text: str = field(repr=False)
    person_id: int
    guild_id: int | None
    key: ConversationKey
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class FinishedAnswer:
    """How a question ended. `text` is everything that will be shown, including notes and sources.

    `exchange` is None if no turns are to be stored; there is a charge for each provider that was asked.
    """

    text: str = field(default="", repr=False)
    exchange: QuestionAndAnswer | None = None
    charges: tuple[Charge, ...] = ()


@dataclass(frozen=True, slots=True)
class Posted:
    """The ids of what Discord already has of an answer.

    `thread_id` is the thread that was opened for it. `original_id` is its first message, where the bot has
    written that itself: the first message of an interaction has no id here. `further_ids` are the messages
    after the first one, in order.
    """

    thread_id: int | None = None
    original_id: int | None = None
    further_ids: tuple[int, ...] = ()


NOTHING_POSTED = Posted()


@dataclass(frozen=True, slots=True)
class PendingQuestion:
    """A question that another process left unfinished.

    Its `question.number` is 0: the new process numbers it. `text` is the answer so far, or all of it where
    it is `complete`. `starts` counts the processes that began to work on it and did not shut down cleanly.
    """

    question: Question = field(repr=False)
    posted: Posted = NOTHING_POSTED
    text: str = field(default="", repr=False)
    complete: bool = False
    starts: int = 1


class PendingQuestions(Protocol):
    """Every call may raise `StoreError`. Calls about one question are made one after the other.

    A question belongs to the process that accepted it or took it over. Where that was another one meanwhile,
    a call about it raises `store.ClaimLost`, and nothing is stored.
    """

    async def accept(self, question: Question) -> bool:
        """Store a question until it is finished; False where this interaction was stored before.

        It survives a crash when this returns. Where this raises `KeptInMemory` or is cancelled, it does not
        yet (a cancelled one is usually written a little later), and is answered all the same.
        """

    async def note_posted(self, interaction_id: int, posted: Posted, text: str) -> None:
        """Replace what is stored of the answer's messages, which show `text` so far."""

    async def answered(self, interaction_id: int, answer: FinishedAnswer) -> TurnId | None:
        """Store the exchange and its cost in one transaction, once for an interaction.

        Returns what identifies the person's turn; None if nothing was added.
        """

    async def finish(self, interaction_id: int) -> None:
        """All is shown: erase the text and the token. The id is kept for two hours, against replays."""

    async def count_start(self, interaction_id: int) -> bool:
        """Count that this process starts it, too; `accept` counted the first one.

        On disk when this returns. False where the question is not open any more.
        """

    async def take_back_start(self, interaction_id: int) -> None:
        """Note that this process shuts down cleanly and leaves the question to the next one."""

    async def take_over(self) -> tuple[PendingQuestion, ...]:
        """Take the open questions that no living process answers, oldest first.

        They are this process's from now on, as those are that it accepts: none is given twice. Whether a
        process lives is known some seconds after its end, so this is to be asked again and again.
        """
