"""The SQL of turns."""

from collections.abc import Sequence
from typing import LiteralString

from discordianai.conversations import attachment_json
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.engine import json_lines
from discordianai.conversations.engine.turn_ids import parts, turn_id
from discordianai.conversations.pending_questions import QuestionAndAnswer, StoredQuestion, TurnId
from discordianai.conversations.postgres.batches import Batch, Parameters, Row, first_value
from discordianai.conversations.store import StoreError
from discordianai.records import Role, Turn
from discordianai.system_clock import EARLIEST, IMPOSSIBLE_AGE

STEP = 200
"""Rows removed in one transaction: a few milliseconds."""

_OF_CONVERSATION: LiteralString = (
    "conversation_person_id = %(conversation_person_id)s"
    " AND conversation_channel_id = %(conversation_channel_id)s AND private = %(private)s"
)

_READ: LiteralString = (
    f"SELECT role, text, at, attachments FROM turns WHERE {_OF_CONVERSATION} ORDER BY id DESC LIMIT %(limit)s"
)

EXPORTED_KEYS = (
    "shared", "private", "guild_id", "channel_id", "person_id", "role", "at", "text", "attachments",
)  # fmt: skip
EXPORTED: LiteralString = """
    SELECT conversation_person_id = 0 AS shared, private, guild_id, conversation_channel_id AS channel_id,
        person_id, role, at, text, attachments
    FROM turns WHERE {condition}
    ORDER BY conversation_person_id, conversation_channel_id, private, id
"""
"""What a line of an export tells of a turn, by conversation, oldest first."""

ADD: LiteralString = f"""
    trimmed AS (
        DELETE FROM turns WHERE id IN (
            SELECT id FROM turns WHERE {_OF_CONVERSATION} AND EXISTS (SELECT FROM may)
            ORDER BY id DESC OFFSET %(kept)s
        )
    ),
    added AS (
        INSERT INTO turns (conversation_person_id, conversation_channel_id, private, person_id, guild_id,
            role, at, text, attachments)
        SELECT %(conversation_person_id)s, %(conversation_channel_id)s, %(private)s, %(said_by)s, %(said_in)s,
            role, at, text, attachments
        FROM unnest(%(roles)s::text[], %(ats)s::double precision[], %(texts)s::text[], %(files)s::text[])
            WITH ORDINALITY AS new (role, at, text, attachments, number)
        WHERE EXISTS (SELECT FROM may)
        ORDER BY number
        RETURNING id
    )
"""
"""The part of a WITH that adds turns where `may` has a row, and takes away the oldest beyond the limit."""


def conversation(key: ConversationKey) -> dict[str, object]:
    """The parameters that select a conversation."""
    return {
        "conversation_person_id": key.person_id,
        "conversation_channel_id": key.channel_id,
        "private": key.private,
    }


def adding(exchange: QuestionAndAnswer, max_turns: int) -> Parameters:
    """The parameters of `ADD`."""
    turns = newest(exchange, max_turns)
    return {
        **conversation(exchange.key),
        "kept": max_turns - len(turns),
        "said_by": exchange.person_id,
        "said_in": exchange.guild_id or 0,
        "roles": [turn.role.value for turn in turns],
        "ats": [turn.at for turn in turns],
        "texts": [turn.text for turn in turns],
        "files": [attachment_json.dump(turn.attachments) for turn in turns],
    }


def newest(exchange: QuestionAndAnswer, max_turns: int) -> Sequence[Turn]:
    """Those of its turns that are stored at all."""
    return exchange.turns[-max_turns:] if max_turns else ()


def append(exchange: QuestionAndAnswer, max_turns: int) -> Batch:
    """Add the turns, and remove those beyond the limit."""
    if not newest(exchange, max_turns):
        return Batch(())
    statement: LiteralString = f"WITH may AS (SELECT 1), {ADD} SELECT min(id) FROM added"
    return Batch(((statement, adding(exchange, max_turns)),))


def identified(rows: Sequence[Row], turns: Sequence[Turn]) -> TurnId | None:
    """The id of the first of the turns that were added, whose number the rows have; None if there is none."""
    number = first_value(rows)
    return None if number is None or not turns else turn_id(number, turns[0].at)


def read(key: ConversationKey, limit: int) -> Batch:
    """The newest `limit` turns of a conversation, oldest first."""
    return Batch(((_READ, {**conversation(key), "limit": limit}),), _turns)


def _turns(rows: Sequence[Row]) -> list[Turn]:
    try:
        return [
            Turn(Role(role), text, at, attachments=attachment_json.load(files))
            for role, text, at, files in reversed(rows)
        ]
    except (ValueError, TypeError):
        raise StoreError("a stored turn is unreadable") from None  # the chained text would quote it


def said(turn: TurnId) -> Batch:
    """What a person said in that turn; None where it is not there."""
    number, second = parts(turn) or (0, 0)  # no turn has 0
    statement: LiteralString = (
        "SELECT text, person_id, guild_id, conversation_person_id, conversation_channel_id, private,"
        " attachments FROM turns WHERE id = %(number)s AND role = %(role)s AND trunc(at) = %(second)s"
    )
    return Batch(((statement, {"number": number, "role": Role.USER.value, "second": second}),), _said)


def _said(rows: Sequence[Row]) -> StoredQuestion | None:
    if not rows:
        return None
    text, person_id, guild_id, whose, channel_id, private, files = rows[0]
    key = ConversationKey(channel_id, whose, private)
    try:
        return StoredQuestion(text, person_id, guild_id or None, key, attachment_json.load(files))
    except (ValueError, TypeError):
        raise StoreError("a stored turn is unreadable") from None


_LAST_OF_PERSON: LiteralString = """id IN (
    SELECT id FROM (
        SELECT id, octet_length(text) AS own, sum(octet_length(text)) OVER (
            ORDER BY conversation_person_id DESC, conversation_channel_id DESC, private DESC, id DESC
        ) AS with_later
        FROM turns WHERE person_id = %(person_id)s
    ) AS sized WHERE with_later - own <= %(most_bytes)s
)"""
"""Those that may be among the last so many bytes of an export, and one more where there are others."""


def of_person(person_id: int, most_bytes: int) -> Batch:
    """The turns of a person by conversation, oldest first, as `json_lines` takes them.

    Of more than `most_bytes` of text, the last ones that exceed it.
    """
    statement = EXPORTED.format(condition=_LAST_OF_PERSON)
    return Batch(
        ((statement, {"person_id": person_id, "most_bytes": most_bytes}),),
        lambda rows: [json_lines.line("turn", dict(zip(EXPORTED_KEYS, row, strict=True))) for row in rows],
    )


def remove(key: ConversationKey) -> Batch:
    """Remove a conversation; how many turns it had."""
    statement: LiteralString = (
        f"WITH gone AS (DELETE FROM turns WHERE {_OF_CONVERSATION} RETURNING 1) SELECT count(*) FROM gone"
    )
    return Batch(((statement, conversation(key)),), first_value)


def remove_of_person(person_id: int) -> Batch:
    """Remove up to `STEP` turns of a person; how many."""
    return _remove("person_id = %(value)s", person_id)


def remove_of_guild(guild_id: int) -> Batch:
    """Remove up to `STEP` turns that were said in a server; how many."""
    return _remove("guild_id = %(value)s AND guild_id <> 0", guild_id)  # so that the planner sees the index


def remove_older(than: float) -> Batch:
    """Remove up to `STEP` turns older than that many seconds since the epoch; how many."""
    return _remove("at < %(value)s ORDER BY at", than)


def remove_expired(now: float, ttl: float) -> Batch:
    """Remove up to `STEP` turns older than `ttl` seconds; how many. See the file's for those that stay."""
    condition: LiteralString = "at < %(value)s AND (at >= %(possible)s OR at < %(earliest)s) ORDER BY at"
    return _remove(condition, now - ttl, possible=now - ttl - IMPOSSIBLE_AGE, earliest=EARLIEST)


def _remove(condition: LiteralString, value: float, **more: float) -> Batch:
    """It locks them: what others remove meanwhile is made up for, or the caller would stop too soon."""
    statement: LiteralString = (
        "WITH gone AS (DELETE FROM turns WHERE id = ANY (ARRAY("
        f"SELECT id FROM turns WHERE {condition} LIMIT %(step)s FOR UPDATE)) RETURNING 1)"
        " SELECT count(*) FROM gone"
    )
    return Batch(((statement, {"value": value, "step": STEP, **more}),), first_value)
