"""The SQL of pending questions. Each function runs in a transaction of its caller's."""

import json
import sqlite3
from dataclasses import astuple, replace

from discordianai.conversations import attachment_json
from discordianai.conversations.accounting import Charge, day_of
from discordianai.conversations.pending_questions import FinishedAnswer, PendingQuestion, Posted, TurnId
from discordianai.conversations.sqlite import turns_table, usage_table
from discordianai.records import Person, Place, Question, Quotation, ReplyAddress
from discordianai.surrogates import well_formed
from discordianai.system_clock import ClockReading

ACCEPTED, ANSWERED, FINISHED, FORGOTTEN = range(4)

REPLAYS_END = 2 * 3600.0
"""Seconds after which an interaction is not replayed any more. Its token is valid for 15 minutes; the rest
is for a clock that is set an hour ahead."""

STEP = 200

_BLANK = {
    "person_id": "0",
    "person_name": "''",
    "guild_id": "NULL",
    "channel_id": "0",
    "application_id": "0",
    "token": "''",
    "private": "0",
    "acknowledged_at": "0",
    "provider": "NULL",
    "prompt": "''",
    "text": "''",
    "message_ids": "''",
    "more": "'{}'",
    "starts": "1",
}
"""The columns that are erased, and with what: all except the id, the state and its time."""

_ERASED = ", ".join(f"{column} = {blank}" for column, blank in _BLANK.items())


def insert(connection: sqlite3.Connection, question: Question, clock: ClockReading) -> bool:
    """Store a question, with the clock's time of its acknowledgement; False if it was already there."""
    address = question.address
    row = (
        address.interaction_id,
        ACCEPTED,
        question.person.id,
        well_formed(question.person.name),
        question.place.guild_id,
        question.place.channel_id,
        address.application_id,
        address.token,
        address.private,
        address.acknowledged_at,
        question.provider,
        well_formed(question.text),
    )
    marks = ", ".join("?" * len(row))
    inserted = connection.execute(
        f"INSERT OR IGNORE INTO questions VALUES ({marks}, '', '', NULL, ?, 1)",  # noqa: S608  # question marks
        (*row, _more(question, clock)),
    )
    return inserted.rowcount == 1


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
        "as_guest": not question.address.as_member,
        "clock": [clock.boot, clock.offset],
    }
    return json.dumps({key: value for key, value in rest.items() if value})


def note_posted(connection: sqlite3.Connection, interaction_id: int, posted: Posted, text: str) -> None:
    """Store which messages the answer has."""
    connection.execute(
        "UPDATE questions SET message_ids = ?, text = ? WHERE interaction_id = ? AND state = ?",
        (_ids_of(posted), well_formed(text), interaction_id, ACCEPTED),
    )


def _ids_of(posted: Posted) -> str:
    """Thread, original and further messages; 0 stands for a missing thread or original."""
    ids = [posted.thread_id or 0, posted.original_id or 0, *posted.further_ids]
    while ids and not ids[-1]:
        ids.pop()
    return " ".join(map(str, ids))


def _posted(message_ids: str, *, in_thread: bool, in_channel: bool) -> Posted:
    """The reverse. Older versions left a thread out where none was wanted, and an original where the answer
    belonged to an interaction; no id of theirs is 0."""
    ids = [int(each) for each in message_ids.split()]
    if not in_thread and ids and ids[0]:
        ids = [0, *ids] if in_channel else [0, 0, *ids]
    thread_id, original_id, *further_ids = (*ids, 0, 0)[: max(len(ids), 2)]
    return Posted(thread_id or None, original_id or None, tuple(further_ids))


def store_answer(
    connection: sqlite3.Connection, interaction_id: int, answer: FinishedAnswer, max_turns: int, now: float
) -> TurnId | None:
    """Store an answer's state, its charges and its turns, once for an interaction.

    What identifies the person's turn; None where nothing was added: the question was forgotten meanwhile, or
    had been answered before.
    """
    state, ended_on = _mark_answered(connection, interaction_id, answer.text, now)
    if state in {ACCEPTED, FORGOTTEN}:
        for charge in answer.charges:
            usage_table.add(connection, _payable(charge, state, ended_on, day_of(now)))
    if answer.exchange is None or state != ACCEPTED:
        return None
    return turns_table.append(connection, answer.exchange, max_turns)


def add_charge(
    connection: sqlite3.Connection, interaction_id: int | None, charge: Charge, now: float
) -> None:
    """Add what a question cost whose answer is not stored."""
    state, ended_on = _state(connection, interaction_id) or (ACCEPTED, "")
    usage_table.add(connection, _payable(charge, state, ended_on, day_of(now)))


def _payable(charge: Charge, state: int, ended_on: str, today: str) -> Charge:
    """Whose a charge is. The daily limit needs that of the day on which a person was forgotten, as long as it
    lasts: when it is over, the sums of that day are made anonymous, perhaps before this is added."""
    of_nobody = state == FORGOTTEN and not charge.day == ended_on == today
    return replace(charge, person_id=0) if of_nobody else charge


def _state(connection: sqlite3.Connection, interaction_id: int | None) -> tuple[int, str] | None:
    """A question's state, and the day on which it was finished or forgotten; None if it is not stored."""
    row = connection.execute(
        "SELECT state, finished_at FROM questions WHERE interaction_id = ?", (interaction_id,)
    ).fetchone()
    return None if row is None else (row[0], day_of(row[1] or 0.0))


def _mark_answered(
    connection: sqlite3.Connection, interaction_id: int, text: str, now: float
) -> tuple[int, str]:
    """The state that the question was in, and the day on which it was finished or forgotten.

    It is ACCEPTED also where it had not been stored, and now is.
    """
    known = _state(connection, interaction_id)
    if known is None:
        # It was not stored before. Its id is kept now, so that a replay is not answered.
        connection.execute(
            "INSERT INTO questions VALUES (?, ?, 0, '', NULL, 0, 0, '', 0, 0, NULL, '', '', '', ?, '{}', 1)",
            (interaction_id, FINISHED, now),
        )
        return ACCEPTED, ""
    if known[0] == ACCEPTED:
        connection.execute(
            "UPDATE questions SET state = ?, text = ? WHERE interaction_id = ?",
            (ANSWERED, well_formed(text), interaction_id),
        )
    return known


def add_starts(connection: sqlite3.Connection, interaction_id: int, count: int) -> bool:
    """Add to the number of processes that began to answer a question; whether it is still open."""
    changed = connection.execute(
        "UPDATE questions SET starts = starts + ? WHERE interaction_id = ? AND state < 2",
        (count, interaction_id),
    )
    return changed.rowcount == 1


def erase(connection: sqlite3.Connection, interaction_id: int, now: float) -> None:
    """Erase everything of a question but its id, and when that was."""
    connection.execute(
        f"UPDATE questions SET state = ?, finished_at = ?, {_ERASED}"  # noqa: S608  # our own columns
        " WHERE interaction_id = ? AND state < ?",
        (FINISHED, now, interaction_id, FINISHED),
    )


def forget_person(connection: sqlite3.Connection, person_id: int, now: float) -> bool:
    """Erase the open questions of a person; their answers will not be remembered. Whether there were any."""
    return _forget(connection, now, "person_id = ?", person_id)


def forget_guild(connection: sqlite3.Connection, guild_id: int, now: float) -> None:
    """Erase the open questions of a server; their answers will not be remembered."""
    _forget(connection, now, "guild_id = ?", guild_id)


def forget_channel(connection: sqlite3.Connection, channel_id: int, now: float) -> None:
    """Erase the open questions of a channel; their answers will not be remembered."""
    _forget(connection, now, "channel_id = ?", channel_id)


def forget_older(connection: sqlite3.Connection, than: float, now: float) -> None:
    """Erase the questions that have been open since before that time."""
    _forget(connection, now, "acknowledged_at < ?", than)


def forget_all(connection: sqlite3.Connection, now: float) -> None:
    """Erase all open questions; their answers will not be remembered. Also in a file of an older schema."""
    columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(questions)")}
    erased = ", ".join(f"{column} = {blank}" for column, blank in _BLANK.items() if column in columns)
    _forget(connection, now, "true", erased=erased)


def _forget(
    connection: sqlite3.Connection, now: float, condition: str, *values: float, erased: str = _ERASED
) -> bool:
    changed = connection.execute(
        f"UPDATE questions SET state = ?, finished_at = ?, {erased}"  # noqa: S608  # our own clauses
        f" WHERE state < 2 AND {condition}",  # a number in the text: the index is partial
        (FORGOTTEN, now, *values),
    )
    return changed.rowcount > 0


def remove_done(connection: sqlite3.Connection, now: float) -> int:
    """Remove up to `STEP` ids that are no longer replayed; how many."""
    return connection.execute(
        "DELETE FROM questions WHERE interaction_id IN"
        " (SELECT interaction_id FROM questions WHERE state >= ? AND finished_at < ? LIMIT ?)",
        (FINISHED, now - REPLAYS_END, STEP),
    ).rowcount


def unfinished(connection: sqlite3.Connection, clock: ClockReading) -> tuple[PendingQuestion, ...]:
    """The open questions, oldest first. Their times are by the clock as it stands now."""
    rows = connection.execute(
        "SELECT interaction_id, state, person_id, person_name, guild_id, channel_id, application_id, token,"
        " private, acknowledged_at, provider, prompt, text, message_ids, more, starts FROM questions"
        " WHERE state < 2 ORDER BY acknowledged_at, interaction_id"
    )
    return tuple(_unfinished(clock, *row) for row in rows)


def _unfinished(
    clock: ClockReading,
    interaction_id: int,
    state: int,
    person_id: int,
    person_name: str,
    guild_id: int | None,
    channel_id: int,
    application_id: int,
    token: str,
    private: int,
    acknowledged_at: float,
    provider: str | None,
    prompt: str,
    text: str,
    message_ids: str,
    more: str,
    starts: int,
) -> PendingQuestion:
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
    )
    posted = _posted(message_ids, in_thread=question.in_thread, in_channel=address.message_id is not None)
    return PendingQuestion(question, posted, text, state == ANSWERED, starts)
