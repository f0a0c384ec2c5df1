"""The SQL of the accounts. Each function runs in a transaction of its caller's."""

import sqlite3

from discordianai.conversations.accounting import Charge, Spent, SpentOn

STEP = 100

_COLUMNS = (
    "day, person_id, guild_id, provider, model,"
    " answers, input_tokens, output_tokens, cost, unpriced, cached_tokens, searches"
)
_ADD_UP = """
    ON CONFLICT (day, person_id, guild_id, provider, model) DO UPDATE SET
        answers = answers + excluded.answers,
        input_tokens = input_tokens + excluded.input_tokens,
        output_tokens = output_tokens + excluded.output_tokens,
        cost = cost + excluded.cost,
        unpriced = unpriced + excluded.unpriced,
        cached_tokens = cached_tokens + excluded.cached_tokens,
        searches = searches + excluded.searches
"""
_MOVE = f"""
    INSERT INTO usage ({_COLUMNS})
    SELECT {_COLUMNS.replace("person_id", "0")} FROM usage
    WHERE person_id = ? AND day < ? {_ADD_UP}
"""  # noqa: S608  # our own clause
_SUMMED = ("answers", "input_tokens", "output_tokens", "cost", "unpriced", "cached_tokens", "searches")
"""The columns in the order of `Spent`."""


def add(connection: sqlite3.Connection, charge: Charge) -> None:
    """Add one answer's charge to its day."""
    connection.execute(
        f"INSERT INTO usage ({_COLUMNS})"  # noqa: S608  # our own columns and clause
        f" VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?) {_ADD_UP}",
        (
            charge.day,
            charge.person_id,
            charge.guild_id or 0,
            charge.provider,
            charge.model,
            charge.usage.input_tokens,
            charge.usage.output_tokens,
            charge.cost or 0,
            int(charge.cost is None),
            charge.usage.cached_tokens,
            charge.usage.searches,
        ),
    )


def spent(connection: sqlite3.Connection, day: str, person_id: int | None, guild_id: int | None) -> Spent:
    """The sum of a day."""
    where, values = _where(person_id, guild_id)
    row = connection.execute(
        f"SELECT {_sums(connection)} FROM usage WHERE day = ? {where}",  # noqa: S608  # our own clauses
        (day, *values),
    ).fetchone()
    return _spent(row)


def spending(
    connection: sqlite3.Connection, first_day: str, person_id: int | None, guild_id: int | None
) -> tuple[SpentOn, ...]:
    """The sums by day, provider and model."""
    where, values = _where(person_id, guild_id)
    rows = connection.execute(
        f"SELECT day, provider, model, {_sums(connection)} FROM usage WHERE day >= ? {where}"  # noqa: S608  # our own clauses
        " GROUP BY day, provider, model ORDER BY day, provider, model",
        (first_day, *values),
    )
    return tuple(SpentOn(day, provider, model, _spent(sums)) for day, provider, model, *sums in rows)


def forget_person(
    connection: sqlite3.Connection, person_id: int, today: str, *, answering: bool = False
) -> None:
    """Make the person's sums anonymous; today's when the day is over.

    With `answering`, there may be one today yet: an answer to the person is being written.
    """
    used = connection.execute("SELECT 1 FROM usage WHERE person_id = ? AND day = ?", (person_id, today))
    if answering or used.fetchone():
        connection.execute("INSERT OR REPLACE INTO forgotten VALUES (?, ?)", (person_id, today))
    _anonymise(connection, person_id, today)


def anonymise_forgotten(connection: sqlite3.Connection, today: str) -> int:
    """Make the sums of days that are over anonymous, which their limits needed; return of how many people."""
    people = connection.execute(
        "SELECT person_id FROM forgotten WHERE day < ? LIMIT ?", (today, STEP)
    ).fetchall()
    for (person_id,) in people:
        _anonymise(connection, person_id, today)
        connection.execute("DELETE FROM forgotten WHERE person_id = ?", (person_id,))
    return len(people)


def people(connection: sqlite3.Connection) -> list[int]:
    """The ids of all people whose sums are stored under their own id."""
    return [row[0] for row in connection.execute("SELECT DISTINCT person_id FROM usage WHERE person_id <> 0")]


def _sums(connection: sqlite3.Connection) -> str:
    """Sums as integers, unlike those of `total()`; 0 for a column that an older file lacks."""
    present = {name for _, name, *_ in connection.execute("PRAGMA table_info(usage)")}
    return ", ".join(f"coalesce(sum({name}), 0)" if name in present else "0" for name in _SUMMED)


def _anonymise(connection: sqlite3.Connection, person_id: int, before: str) -> None:
    connection.execute(_MOVE, (person_id, before))
    connection.execute("DELETE FROM usage WHERE person_id = ? AND day < ?", (person_id, before))


def _where(person_id: int | None, guild_id: int | None) -> tuple[str, tuple[int, ...]]:
    where, values = "", []
    for column, value in (("person_id", person_id), ("guild_id", guild_id)):
        if value is not None:
            where += f" AND {column} = ?"
            values.append(value)
    return where, tuple(values)


def _spent(row: tuple[int, ...] | list[int]) -> Spent:
    return Spent(*row)
