"""The SQL of pending questions.

A question belongs to the process in `owner`, as long as `claim` is what it was when that process took it:
whoever takes a question over counts `claim` up. So a process that was cut off, and finds that another one has
its question, can change nothing of it, even if it takes other questions over itself meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from discordianai.conversations.accounting import day_of
from discordianai.conversations.engine import question_rows
from discordianai.conversations.engine.question_rows import ANSWERED, FINISHED, FORGOTTEN, REPLAYS_END
from discordianai.conversations.pending_questions import FinishedAnswer, PendingQuestion, Posted
from discordianai.conversations.postgres import turns_table, usage_table
from discordianai.conversations.postgres.batches import Batch, Row, first_value
from discordianai.conversations.store import ClaimLost
from discordianai.records import Question
from discordianai.system_clock import ClockReading

STEP = 200

MOST_TAKEN = 1000
"""Questions taken over at once; the next ones come with the next look."""

FIRST_CLAIM = 1

_ERASED: LiteralString = (
    "person_id = 0, person_name = '', guild_id = NULL, channel_id = 0, application_id = 0, token = '',"
    " private = false, acknowledged_at = 0, provider = NULL, prompt = '', text = '', message_ids = '',"
    " more = '{}', starts = 1"
)
"""All except the id, the state and its time, and whose it was."""

_OWN: LiteralString = "interaction_id = %(interaction_id)s AND owner = %(owner)s AND claim = %(claim)s"

_TAKEN: LiteralString = (
    "EXISTS (SELECT FROM questions WHERE interaction_id = %(interaction_id)s AND state < 2"
    " AND (owner <> %(owner)s OR claim <> %(claim)s))"
)
"""Whether another process has taken it over."""

_INSERT: LiteralString = """
    INSERT INTO questions (interaction_id, state, owner, claim, person_id, person_name, guild_id, channel_id,
        application_id, token, private, acknowledged_at, provider, prompt, text, message_ids, finished_at,
        more, starts)
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """By what `owner`, a process, has a question."""

    interaction_id: int
    owner: int
    number: int

    @property
    def values(self) -> dict[str, object]:
        """The parameters of `_OWN` and `_TAKEN`."""
        return {"interaction_id": self.interaction_id, "owner": self.owner, "claim": self.number}


def insert(question: Question, owner: int, clock: ClockReading) -> Batch:
    """Store a question, with the clock's time of its acknowledgement; False if it was already there."""
    statement: LiteralString = (
        f"{_INSERT} VALUES (%(interaction_id)s, 0, %(owner)s, %(claim)s, %(person_id)s, %(person_name)s,"
        " %(guild_id)s, %(channel_id)s, %(application_id)s, %(token)s, %(private)s, %(acknowledged_at)s,"
        " %(provider)s, %(prompt)s, '', '', NULL, %(more)s, 1)"
        " ON CONFLICT (interaction_id) DO NOTHING RETURNING 1"
    )
    values = {**question_rows.stored(question, clock), "owner": owner, "claim": FIRST_CLAIM}
    return Batch(((statement, values),), lambda rows: bool(rows))


def note_posted(claim: Claim, posted: Posted, text: str) -> Batch:
    """Store which messages the answer has."""
    statement: LiteralString = (
        "WITH noted AS (UPDATE questions SET message_ids = %(message_ids)s, text = %(text)s"
        f" WHERE {_OWN} AND state = 0) SELECT {_TAKEN}"
    )
    values = {**claim.values, "message_ids": question_rows.message_ids(posted), "text": text}
    return Batch(((statement, values),), _refuse_taken)


_LOCK: LiteralString = "SELECT FROM questions WHERE interaction_id = %(interaction_id)s FOR UPDATE"
"""So that the next statement sees what another process has done with it until now."""

_ANSWERED: LiteralString = f"""
    claimed AS (
        UPDATE questions SET state = {ANSWERED}, text = %(text)s WHERE {_OWN} AND state = 0 RETURNING 1
    ),
    fresh AS (
        {_INSERT}
        VALUES (%(interaction_id)s, {FINISHED}, %(owner)s, %(claim)s, 0, '', NULL, 0, 0, '', false, 0, NULL,
            '', '', '', %(now)s, '{{}}', 1)
        ON CONFLICT (interaction_id) DO NOTHING RETURNING 1
    ),
    may AS (SELECT FROM claimed UNION ALL SELECT FROM fresh),
    {usage_table.FORGOTTEN_ON}
"""
"""`fresh` is a question that was not stored before: its id is kept now, so that a replay is not answered."""


def store_answer(claim: Claim, answer: FinishedAnswer, max_turns: int, now: float) -> Batch:
    """Store an answer's state, its charges and its turns, once for an interaction.

    What identifies the person's turn; None where nothing was added: the question was forgotten meanwhile, or
    had been answered before.
    """
    values: dict[str, object] = {**claim.values, "text": answer.text, "now": now}
    parts: LiteralString = _ANSWERED
    number: LiteralString = "NULL::bigint"
    if answer.charges:
        parts += f", {usage_table.CHARGED}"
        values |= usage_table.charging(answer.charges, day_of(now))
    turns = turns_table.newest(answer.exchange, max_turns) if answer.exchange else ()
    if answer.exchange and turns:
        parts += f", {turns_table.ADD}"
        values |= turns_table.adding(answer.exchange, max_turns)
        number = "(SELECT min(id) FROM added)"

    def result(rows: Sequence[Row]) -> object:
        _refuse_taken([row[1:] for row in rows])
        return turns_table.identified(rows, turns)

    lock = {"interaction_id": claim.interaction_id}
    return Batch(((_LOCK, lock), (f"WITH {parts} SELECT {number}, {_TAKEN}", values)), result)


def add_starts(claim: Claim, count: int) -> Batch:
    """Add to the number of processes that began to answer a question; whether it is still open, and own."""
    statement: LiteralString = (
        f"UPDATE questions SET starts = starts + %(count)s WHERE {_OWN} AND state < 2 RETURNING 1"
    )
    return Batch(((statement, {**claim.values, "count": count}),), lambda rows: bool(rows))


def erase(claim: Claim, now: float) -> Batch:
    """Erase everything of a question but its id, and when that was."""
    statement: LiteralString = (
        f"WITH erased AS (UPDATE questions SET state = {FINISHED}, finished_at = %(now)s, {_ERASED}"
        f" WHERE {_OWN} AND state < 2) SELECT {_TAKEN}"
    )
    return Batch(((statement, {**claim.values, "now": now}),), _refuse_taken)


def _refuse_taken(rows: Sequence[Row]) -> None:
    if first_value(rows):
        raise ClaimLost("another process has taken the question over, and answers it")


def forgetting(condition: LiteralString) -> LiteralString:
    """The statement that erases open questions, of which the answers will not be remembered."""
    return (
        f"UPDATE questions SET state = {FORGOTTEN}, finished_at = %(now)s, {_ERASED}"
        f" WHERE state < 2 AND {condition}"
    )


def remove_done(now: float) -> Batch:
    """Remove up to `STEP` ids that are no longer replayed; how many."""
    statement: LiteralString = (
        "WITH gone AS (DELETE FROM questions WHERE interaction_id = ANY (ARRAY("
        "SELECT interaction_id FROM questions WHERE state >= 2 AND finished_at < %(before)s"
        " ORDER BY finished_at LIMIT %(step)s)) AND state >= 2 RETURNING 1) SELECT count(*) FROM gone"
    )
    return Batch(((statement, {"before": now - REPLAYS_END, "step": STEP}),), first_value)


def take_over(owner: int, clock: ClockReading, trusted_until: float) -> Batch:
    """Take the open questions whose process does not live; each with the number of its claim.

    None after `trusted_until`, see `SteadyTime`: the server may come to it late.
    """
    statement: LiteralString = f"""
        UPDATE questions SET owner = %(owner)s, claim = claim + 1
        WHERE interaction_id IN (
            SELECT interaction_id FROM questions WHERE state < 2 AND owner <> %(owner)s
            AND clock_timestamp() < to_timestamp(%(trusted_until)s) AND NOT EXISTS (
                SELECT FROM processes WHERE id = owner AND expires_at > clock_timestamp()
            )
            ORDER BY acknowledged_at, interaction_id LIMIT %(most)s FOR UPDATE SKIP LOCKED
        )
        RETURNING claim, {question_rows.COLUMNS}
    """

    def result(rows: Sequence[Row]) -> list[tuple[int, PendingQuestion]]:
        entries = ((number, question_rows.readable(clock, columns)) for number, *columns in rows)
        return sorted(((number, entry) for number, entry in entries if entry is not None), key=_age)

    values = {"owner": owner, "most": MOST_TAKEN, "trusted_until": trusted_until}
    return Batch(((statement, values),), result)


def _age(taken: tuple[int, PendingQuestion]) -> tuple[float, int]:
    address = taken[1].question.address
    return address.acknowledged_at, address.interaction_id
