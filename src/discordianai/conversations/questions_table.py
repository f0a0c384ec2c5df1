"""The SQL of pending questions. Each function runs in a transaction of its caller's."""

import json
import sqlite3
from dataclasses import astuple

from discordianai.conversations import attachment_json
from discordianai.conversations.pending_questions import PendingQuestion
from discordianai.records import Person, Place, Question, Quotation, ReplyAddress
from discordianai.surrogates import well_formed

ACCEPTED, ANSWERED, FINISHED, FORGOTTEN = range(4)

REPLAYS_END = 3600.0
"""Seconds after which nothing of an interaction comes again: its token is valid for 15 minutes."""

STEP = 200

_BLANK = {
    "person_id": "0",
    "person_name": "''",
    "token": "''",
    "prompt": "''",
    "text": "''",
    "message_ids": "''",
    "more": "'{}'",
}
"""What is kept of nobody, and what stands in its place."""

_ERASED = ", ".join(f"{column} = {blank}" for column, blank in _BLANK.items())


def insert(connection: sqlite3.Connection, question: Question) -> bool:
    """Keep a question; False when its interaction was there."""
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
        (*row, _more(question)),
    )
    return inserted.rowcount == 1


def _more(question: Question) -> str:
    """What only some questions have."""
    rest = {
        "message_id": question.address.message_id,
        "parent_id": question.place.parent_id,
        "model": question.model,
        "search": question.search,
        "attachments": attachment_json.rows(question.attachments),
        "quotation": astuple(question.quotation) if question.quotation else None,
        "in_thread": question.in_thread,
        "as_guest": not question.address.as_member,
    }
    return json.dumps({key: value for key, value in rest.items() if value})


def add_part(connection: sqlite3.Connection, interaction_id: int, message_id: int, text: str) -> None:
    """A further message of the answer."""
    connection.execute(
        "UPDATE questions SET message_ids = ltrim(message_ids || ' ' || ?), text = ?"
        " WHERE interaction_id = ? AND state = ?",
        (str(message_id), well_formed(text), interaction_id, ACCEPTED),
    )


def mark_answered(connection: sqlite3.Connection, interaction_id: int, text: str, now: float) -> int:
    """The state that the question was in; ACCEPTED also where it was never written, and now is."""
    row = connection.execute(
        "SELECT state FROM questions WHERE interaction_id = ?", (interaction_id,)
    ).fetchone()
    if row is None:
        # It was not protected. Its id is kept all the same, so that a replay is not answered.
        connection.execute(
            "INSERT INTO questions VALUES (?, ?, 0, '', NULL, 0, 0, '', 0, 0, NULL, '', '', '', ?, '{}', 1)",
            (interaction_id, FINISHED, now),
        )
        return ACCEPTED
    state: int = row[0]
    if state == ACCEPTED:
        connection.execute(
            "UPDATE questions SET state = ?, text = ? WHERE interaction_id = ?",
            (ANSWERED, well_formed(text), interaction_id),
        )
    return state


def add_starts(connection: sqlite3.Connection, interaction_id: int, count: int) -> bool:
    """So many more processes have begun to work on a question; whether it is still open."""
    changed = connection.execute(
        "UPDATE questions SET starts = starts + ? WHERE interaction_id = ? AND state < 2",
        (count, interaction_id),
    )
    return changed.rowcount == 1


def erase(connection: sqlite3.Connection, interaction_id: int, now: float) -> None:
    """Keep nothing of a question but its id."""
    connection.execute(
        f"UPDATE questions SET state = ?, finished_at = ?, {_ERASED}"  # noqa: S608  # our own columns
        " WHERE interaction_id = ? AND state < ?",
        (FINISHED, now, interaction_id, FINISHED),
    )


def forget_person(connection: sqlite3.Connection, person_id: int, now: float) -> None:
    """Erase the open questions of a person; their answers will not be remembered."""
    _forget(connection, now, "person_id = ?", person_id)


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
) -> None:
    connection.execute(
        f"UPDATE questions SET state = ?, finished_at = ?, {erased}"  # noqa: S608  # our own clauses
        f" WHERE state < 2 AND {condition}",  # a number in the text: the index is partial
        (FORGOTTEN, now, *values),
    )


def remove_done(connection: sqlite3.Connection, now: float) -> int:
    """Remove up to `STEP` ids that cannot come again; how many."""
    return connection.execute(
        "DELETE FROM questions WHERE interaction_id IN"
        " (SELECT interaction_id FROM questions WHERE state >= ? AND finished_at < ? LIMIT ?)",
        (FINISHED, now - REPLAYS_END, STEP),
    ).rowcount


def unfinished(connection: sqlite3.Connection) -> tuple[PendingQuestion, ...]:
    """The open questions, oldest first."""
    rows = connection.execute(
        "SELECT interaction_id, state, person_id, person_name, guild_id, channel_id, application_id, token,"
        " private, acknowledged_at, provider, prompt, text, message_ids, more, starts FROM questions"
        " WHERE state < 2 ORDER BY acknowledged_at, interaction_id"
    )
    return tuple(_unfinished(*row) for row in rows)


def _unfinished(
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
    address = ReplyAddress(
        application_id,
        interaction_id,
        token,
        channel_id,
        bool(private),
        acknowledged_at,
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
    )
    return PendingQuestion(question, tuple(map(int, message_ids.split())), text, state == ANSWERED, starts)
