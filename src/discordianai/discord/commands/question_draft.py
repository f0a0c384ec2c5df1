"""A question as somebody asked it, before it is admitted or refused."""

from dataclasses import dataclass

from discordianai.records import Attachment, Quotation

LONGEST_PROMPT = 6000
"""Characters; Discord's own limit for a string option."""


@dataclass(frozen=True, slots=True)
class QuestionDraft:
    """`text` is what the person wrote, and `quotation` what that points at.

    `provider` is the name of who is to answer; with `search`, the live web is wanted.
    What was not `typed` just now may be longer: it may have the text of a file in it. One that `continues`
    the last answer means nothing without it. `note` is to be said below the answer, which may have `files`.
    """

    text: str
    provider: str | None = None
    search: bool = False
    model: str = ""
    attachments: tuple[Attachment, ...] = ()
    private: bool = False
    in_thread: bool = False
    message_id: int | None = None
    typed: bool = True
    quotation: Quotation | None = None
    continues: bool = False
    note: str = ""
    files: bool = True
