"""Questions that were taken and are not answered yet: they outlive a crash.

A question passes three commits: `accept` before Discord is told that it was taken; `answered`, together with
its turns and its cost, before the last edit; `finish` after it. A crash leaves it in `unfinished`, which says
how far it came:

* no `text`, no parts: ask again, and edit the original message;
* some `text`, some parts: ask again, and edit the original message and the parts in order;
* `complete`: show `text` again, in the same way; no provider is asked.

An edit is idempotent, a part is noted before the next one is sent, and `answered` remembers nothing twice: at
worst one part appears twice. Each process counts its start before it begins, so that a question that ends
processes does not do so for ever. Where `address.acknowledged_at` is too long ago, the caller answers in the
channel, and finishes.
"""

from dataclasses import dataclass, field
from typing import Protocol

from discordianai.conversations.accounting import Charge
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.records import Attachment, Question, Turn


@dataclass(frozen=True, slots=True)
class AnsweredTurn:
    """A question and its answer as they will be remembered: the words of `person_id`, said in `guild_id`."""

    key: ConversationKey
    turns: tuple[Turn, ...] = field(repr=False)
    person_id: int
    guild_id: int | None = None


@dataclass(frozen=True, slots=True)
class TurnId:
    """Names a turn. A number can be given again when its turn is gone: the `second` tells the two apart."""

    number: int
    second: int


@dataclass(frozen=True, slots=True)
class Said:
    """What a person said, in which conversation, with the files of which `text` has not all."""

    text: str = field(repr=False)
    person_id: int
    guild_id: int | None
    key: ConversationKey
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class FinishedAnswer:
    """How a question ended. `text` is all that is to be shown, notes and sources included.

    `exchange` is None where nothing is to be remembered; there is a charge for each provider that was asked.
    """

    text: str = field(default="", repr=False)
    exchange: AnsweredTurn | None = None
    charges: tuple[Charge, ...] = ()


@dataclass(frozen=True, slots=True)
class PendingQuestion:
    """A question that a former process left.

    Its `question.number` is 0: the new process numbers it. `message_ids` are the further messages in order,
    without the original one. `text` is the answer so far, or all of it where it is `complete`. `starts`
    counts the processes that began to work on it and were not stopped in good order.
    """

    question: Question = field(repr=False)
    message_ids: tuple[int, ...] = ()
    text: str = field(default="", repr=False)
    complete: bool = False
    starts: int = 1


class PendingQuestions(Protocol):
    """Every call raises `StoreError`. Calls about one question come one after the other."""

    async def accept(self, question: Question) -> bool:
        """Keep a question until it is finished; False when this interaction was there before.

        It is protected when this returns. Where it raises `KeptInMemory` or is cancelled, the question is
        unprotected (a cancelled one will usually be written a little later), and goes on all the same.
        """

    async def note_part(self, interaction_id: int, message_id: int, text: str) -> None:
        """A further message was sent; `text` is the answer as far as all messages show it."""

    async def answered(self, interaction_id: int, answer: FinishedAnswer) -> TurnId | None:
        """Remember the exchange and its cost in one transaction, once for an interaction.

        What names the person's turn; None where nothing was added.
        """

    async def finish(self, interaction_id: int) -> None:
        """All is shown. The words and the token are erased; the id stays for an hour, against replays."""

    async def count_start(self, interaction_id: int) -> bool:
        """This process begins to work on it, too; the first one counted as it took the question.

        On disk when this returns. False where the question is not open any more.
        """

    async def take_back_start(self, interaction_id: int) -> None:
        """This process leaves it to the next one, in good order."""

    async def unfinished(self) -> tuple[PendingQuestion, ...]:
        """What a former process accepted and did not finish, oldest first."""
