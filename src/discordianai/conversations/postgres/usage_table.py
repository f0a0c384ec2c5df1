"""The SQL of the accounts."""

from collections.abc import Sequence
from typing import LiteralString

from discordianai.conversations.accounting import Charge, Spent, SpentOn
from discordianai.conversations.engine.question_rows import FORGOTTEN
from discordianai.conversations.postgres.batches import Batch, Parameters, first_value

STEP = 100

_COLUMNS: LiteralString = (
    "day, person_id, guild_id, provider, model,"
    " answers, input_tokens, output_tokens, cost, unpriced, cached_tokens, searches"
)
_SUMS: LiteralString = (
    "coalesce(sum(answers), 0)::bigint, coalesce(sum(input_tokens), 0)::bigint,"
    " coalesce(sum(output_tokens), 0)::bigint, coalesce(sum(cost), 0)::bigint,"
    " coalesce(sum(unpriced), 0)::bigint, coalesce(sum(cached_tokens), 0)::bigint,"
    " coalesce(sum(searches), 0)::bigint"
)
"""In the order of `Spent`."""

ADD_UP: LiteralString = """
    ON CONFLICT (day, person_id, guild_id, provider, model) DO UPDATE SET
        answers = usage.answers + excluded.answers,
        input_tokens = usage.input_tokens + excluded.input_tokens,
        output_tokens = usage.output_tokens + excluded.output_tokens,
        cost = usage.cost + excluded.cost,
        unpriced = usage.unpriced + excluded.unpriced,
        cached_tokens = usage.cached_tokens + excluded.cached_tokens,
        searches = usage.searches + excluded.searches
"""

CHARGED: LiteralString = f"""
    charged AS (
        INSERT INTO usage ({_COLUMNS})
        SELECT day, payer, guild_id, provider, model, {_SUMS}
        FROM (
            SELECT *, CASE WHEN EXISTS (SELECT FROM may) THEN person_id
                           WHEN day = %(today)s AND day = (SELECT day FROM forgotten_on) THEN person_id
                           ELSE 0 END AS payer
            FROM unnest(%(days)s::text[], %(payers)s::bigint[], %(guilds)s::bigint[], %(providers)s::text[],
                %(models)s::text[], %(inputs)s::bigint[], %(outputs)s::bigint[], %(costs)s::bigint[],
                %(unpriced)s::bigint[], %(cached)s::bigint[], %(searches)s::bigint[])
                AS new (day, person_id, guild_id, provider, model, input_tokens, output_tokens, cost,
                    unpriced, cached_tokens, searches)
            CROSS JOIN (VALUES (1)) AS one (answers)
        ) AS new
        WHERE EXISTS (SELECT FROM may) OR EXISTS (SELECT FROM forgotten_on)
        GROUP BY day, payer, guild_id, provider, model
        {ADD_UP}
    )
"""
"""The part of a WITH that adds charges: where `may` has a row, or where `forgotten_on` has the day on which
the question was forgotten. The daily limit needs the person's sum of that day, as long as it lasts: when it
is over, the sums of that day are made anonymous, perhaps before this is added."""

FORGOTTEN_ON: LiteralString = f"""
    forgotten_on AS (
        SELECT to_char(to_timestamp(finished_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day FROM questions
        WHERE interaction_id = %(interaction_id)s AND state = {FORGOTTEN}
    )
"""
"""The part of a WITH that has a row where the question is forgotten."""


def charging(charges: Sequence[Charge], today: str) -> Parameters:
    """The parameters of `CHARGED`."""
    return {
        "today": today,
        "days": [charge.day for charge in charges],
        "payers": [charge.person_id for charge in charges],
        "guilds": [charge.guild_id or 0 for charge in charges],
        "providers": [charge.provider for charge in charges],
        "models": [charge.model for charge in charges],
        "inputs": [charge.usage.input_tokens for charge in charges],
        "outputs": [charge.usage.output_tokens for charge in charges],
        "costs": [charge.cost or 0 for charge in charges],
        "unpriced": [int(charge.cost is None) for charge in charges],
        "cached": [charge.usage.cached_tokens for charge in charges],
        "searches": [charge.usage.searches for charge in charges],
    }


def add(charge: Charge, interaction_id: int | None, today: str) -> Batch:
    """Add to its day what a question cost whose answer is not stored."""
    may: LiteralString = "may AS (SELECT WHERE NOT EXISTS (SELECT FROM forgotten_on))"
    statement: LiteralString = f"WITH {FORGOTTEN_ON}, {may}, {CHARGED} SELECT 1"
    values = {**charging((charge,), today), "interaction_id": interaction_id}
    return Batch(((statement, values),))


def spent(day: str, person_id: int | None, guild_id: int | None) -> Batch:
    """The sum of a day."""
    where, values = _where(person_id, guild_id)
    statement: LiteralString = f"SELECT {_SUMS} FROM usage WHERE day = %(day)s{where}"
    return Batch(((statement, {"day": day, **values}),), lambda rows: Spent(*rows[0]))


def spending(first_day: str, person_id: int | None, guild_id: int | None) -> Batch:
    """The sums by day, provider and model."""
    where, values = _where(person_id, guild_id)
    statement: LiteralString = (
        f"SELECT day, provider, model, {_SUMS} FROM usage WHERE day >= %(day)s{where}"
        ' GROUP BY day, provider, model ORDER BY day COLLATE "C", provider COLLATE "C", model COLLATE "C"'
    )
    return Batch(
        ((statement, {"day": first_day, **values}),),
        lambda rows: tuple(
            SpentOn(day, provider, model, Spent(*sums)) for day, provider, model, *sums in rows
        ),
    )


ANONYMISE: LiteralString = f"""
    WITH gone AS (
        DELETE FROM usage WHERE person_id = ANY (%(people)s::bigint[]) AND day < %(today)s RETURNING *
    )
    INSERT INTO usage ({_COLUMNS})
    SELECT day, 0, guild_id, provider, model, {_SUMS} FROM gone
    WHERE person_id <> 0 GROUP BY day, guild_id, provider, model
    {ADD_UP}
"""
"""Move the sums of days that are over to nobody."""

FORGET_LATER: LiteralString = """
    INSERT INTO forgotten (person_id, day)
    SELECT %(person_id)s::bigint, %(today)s WHERE EXISTS (SELECT FROM answering)
        OR EXISTS (SELECT FROM usage WHERE person_id = %(person_id)s AND day = %(today)s)
    ON CONFLICT (person_id) DO UPDATE SET day = excluded.day
"""
"""The person's sum of today is needed for the daily limit until the day is over; there may be one yet where
`answering` has a row: an answer to the person is being written."""

FORGET_PEOPLE_LATER: LiteralString = """
    INSERT INTO forgotten (person_id, day)
    SELECT DISTINCT person_id, %(today)s FROM usage
    WHERE person_id = ANY (%(people)s::bigint[]) AND day = %(today)s
    ON CONFLICT (person_id) DO UPDATE SET day = excluded.day
"""
"""The same for several people to whom no answer is being written."""


def anonymise_forgotten(today: str) -> Batch:
    """Make the sums of days that are over anonymous, which their limits needed; of how many people."""
    statement: LiteralString = f"""
        WITH over AS (
            DELETE FROM forgotten WHERE person_id IN (
                SELECT person_id FROM forgotten WHERE day < %(today)s LIMIT %(step)s FOR UPDATE SKIP LOCKED
            ) RETURNING person_id
        ),
        gone AS (
            DELETE FROM usage USING over WHERE usage.person_id = over.person_id AND usage.day < %(today)s
            RETURNING usage.*
        ),
        moved AS (
            INSERT INTO usage ({_COLUMNS})
            SELECT day, 0, guild_id, provider, model, {_SUMS} FROM gone
            GROUP BY day, guild_id, provider, model
            {ADD_UP}
        )
        SELECT count(*) FROM over
    """
    return Batch(((statement, {"today": today, "step": STEP}),), first_value)


def _where(person_id: int | None, guild_id: int | None) -> tuple[LiteralString, Parameters]:
    where: LiteralString = ""
    if person_id is not None:
        where += " AND person_id = %(person_id)s"
    if guild_id is not None:
        where += " AND guild_id = %(guild_id)s"
    return where, {"person_id": person_id, "guild_id": guild_id}
