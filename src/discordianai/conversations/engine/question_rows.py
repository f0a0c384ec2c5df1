"""Questions as rows: the same columns in every engine."""

import json
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any, LiteralString

from discordianai.conversations import attachment_json
from discordianai.conversations.pending_questions import PendingQuestion, Posted
from discordianai.records import Person, Place, Question, Quotation, ReplyAddress
from discordianai.system_clock import ClockReading
from discordianai.text import well_formed

ACCEPTED, ANSWERED, FINISHED, FORGOTTEN = range(4)
"""The states; the first two are open."""

REPLAYS_END = 2 * 3600.0
"""Seconds after which an interaction is not replayed any more. Its token is valid for 15 minutes; the rest
is for a clock that is set an hour ahead."""

COLUMNS: LiteralString = (
    "interaction_id, state, person_id, person_name, guild_id, channel_id, application_id, token, private,"
    " acknowledged_at, provider, prompt, text, message_ids, more, starts"
)
"""What `pending` takes, in this order."""


def stored(question: Question, clock: ClockReading) -> dict[str, object]:
    """The columns of a question that is accepted now, with the clock's time of its acknowledgement."""
    address = question.address
    return {
        "interaction_id": address.interaction_id,
        "person_id": question.person.id,
        "person_name": well_formed(question.person.name),
        "guild_id": question.place.guild_id,
        "channel_id": question.place.channel_id,
        "application_id": address.application_id,
        "token": address.token,
        "private": address.private,
        "acknowledged_at": address.acknowledged_at,
        "provider": question.provider,
        "prompt": well_formed(question.text),
        "more": _more(question, clock),
    }


def _more(question: Question, clock: ClockReading) -> str:
    """The fields that only some questions have."""
    rest = {
        "message_id": question.address.message_id,
        "parent_id": question.place.parent_id,
        "model": question.model,
        "search": question.search,
        "attachments": attachment_json.rows(question.attachments),
        "quotation": astuple(question.quotation) if question.quotation else None,
        "in_thread": question.in_thread,
        "note": question.note,
        "no_files": not question.may_attach,
        "from_form": question.from_form,
        "as_guest": not question.address.as_member,
        "clock": [clock.boot, clock.offset],
    }
    return json.dumps({key: value for key, value in rest.items() if value})


def message_ids(posted: Posted) -> str:
    """Thread, original and further messages; 0 stands for a missing thread or original."""
    ids = [posted.thread_id or 0, posted.original_id or 0, *posted.further_ids]
    while ids and not ids[-1]:
        ids.pop()
    return " ".join(map(str, ids))


def _posted(stored_ids: str, *, in_thread: bool, in_channel: bool) -> Posted:
    """The reverse. Older versions left a thread out where none was wanted, and an original where the answer
    belonged to an interaction; no id of theirs is 0."""
    ids = [int(each) for each in stored_ids.split()]
    if not in_thread and ids and ids[0]:
        ids = [0, *ids] if in_channel else [0, 0, *ids]
    thread_id, original_id, *further_ids = (*ids, 0, 0)[: max(len(ids), 2)]
    return Posted(thread_id or None, original_id or None, tuple(further_ids))


def readable(clock: ClockReading, columns: Sequence[Any]) -> PendingQuestion | None:
    """As `pending`; None where no version of this program that is known here wrote that.

    One such row must not keep people from the answers to all others.
    """
    try:
        return pending(clock, *columns)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        # The error would quote the row.
        import structlog  # here: the operator's commands do without it, and start sooner

        structlog.get_logger("discordianai.conversations.engine.question_rows").error(
            "a stored question is unreadable"
        )
        return None


def pending(
    clock: ClockReading,
    interaction_id: int,
    state: int,
    person_id: int,
    person_name: str,
    guild_id: int | None,
    channel_id: int,
    application_id: int,
    token: str,
    private: bool | int,
    acknowledged_at: float,
    provider: str | None,
    prompt: str,
    text: str,
    message_ids: str,
    more: str,
    starts: int,
) -> PendingQuestion:
    """The reverse: an open question. Its time is by the clock as it stands now."""
    rest = json.loads(more)
    asked_by = ClockReading(*rest.get("clock", ("", 0.0)))
    address = ReplyAddress(
        application_id,
        interaction_id,
        token,
        channel_id,
        bool(private),
        acknowledged_at + asked_by.shift_to(clock),
        rest.get("message_id"),
        as_member=not rest.get("as_guest", False),
    )
    question = Question(
        number=0,
        text=prompt,
        person=Person(person_id, person_name),
        place=Place(channel_id, guild_id, rest.get("parent_id")),
        address=address,
        provider=provider,
        search=rest.get("search", False),
        model=rest.get("model", ""),
        attachments=attachment_json.from_rows(rest.get("attachments", ())),
        quotation=Quotation(*rest["quotation"]) if "quotation" in rest else None,
        in_thread=rest.get("in_thread", False),
        note=rest.get("note", ""),
        may_attach=not rest.get("no_files", False),
        from_form=rest.get("from_form", False),
    )
    posted = _posted(message_ids, in_thread=question.in_thread, in_channel=address.message_id is not None)
    return PendingQuestion(question, posted, text, state == ANSWERED, starts)
