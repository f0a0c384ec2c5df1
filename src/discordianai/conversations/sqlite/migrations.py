"""The schema, as the steps that lead to it. `PRAGMA user_version` counts the steps that a file has taken.

A step that was released never changes: a change of the schema is a further step.

Turns are clustered by conversation: the upper half of a turn's rowid is its conversation, the lower half
counts within it. So a window is one short range of neighbours, whatever was said elsewhere in between, and no
index on the conversation is needed. A WITHOUT ROWID table with that key would move every row over 1 KB to
pages of its own, and answers are often longer.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from discordianai.conversations.engine.errors import INCOMPLETE_MOVE, OTHER_MOVE
from discordianai.conversations.store import StoreError

APPLICATION_ID = 0x44414931
"""`DAI1`, by which `file` and SQLite recognise this program's databases."""

MOVING_ID = 0x4441494D
"""`DAIM`: into this file a move is not complete. No version of this program uses it."""

INSTRUCTIONS = 10_000
"""Of SQLite's virtual machine between two reports: a millisecond or two."""

Report = Callable[[int], object]
"""Takes the schema that an older file is being brought to. Called when that begins, and often while it lasts;
what it raises ends the migration, whose step is not taken then. SQLite knows nothing of how much is left."""

STEPS = (
    """
    CREATE TABLE bookkeeping (
        id        INTEGER PRIMARY KEY CHECK (id = 1),
        purges    INTEGER NOT NULL,  -- counts what operators removed behind a running bot
        probes    INTEGER NOT NULL   -- counts the tries whether the file takes writes
    ) STRICT;
    INSERT INTO bookkeeping VALUES (1, 0, 0);

    CREATE TABLE conversations (
        id         INTEGER PRIMARY KEY CHECK (id < 1 << 31),
        person_id  INTEGER NOT NULL,  -- 0: everybody's
        channel_id INTEGER NOT NULL,  -- 0: everywhere
        private    INTEGER NOT NULL,
        UNIQUE (person_id, channel_id, private)
    ) STRICT;

    CREATE TABLE turns (
        id        INTEGER PRIMARY KEY,  -- conversation << 32 | number
        person_id INTEGER NOT NULL,     -- whose words these are, or answer to
        guild_id  INTEGER NOT NULL,     -- 0: a direct message
        role      TEXT NOT NULL,
        at        REAL NOT NULL,        -- seconds since the epoch
        text      TEXT NOT NULL
    ) STRICT;
    CREATE INDEX turns_by_age ON turns (at);

    CREATE TABLE participants (         -- where to look for a person's turns, and for a server's
        person_id       INTEGER NOT NULL,
        guild_id        INTEGER NOT NULL,
        conversation_id INTEGER NOT NULL,
        PRIMARY KEY (person_id, guild_id, conversation_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX participants_by_guild ON participants (guild_id);
    CREATE INDEX participants_by_conversation ON participants (conversation_id);

    CREATE TABLE questions (
        interaction_id  INTEGER PRIMARY KEY,
        state           INTEGER NOT NULL,  -- 0 accepted, 1 answered, 2 finished, 3 forgotten
        person_id       INTEGER NOT NULL,
        person_name     TEXT NOT NULL,
        guild_id        INTEGER,
        channel_id      INTEGER NOT NULL,
        application_id  INTEGER NOT NULL,
        token           TEXT NOT NULL,
        private         INTEGER NOT NULL,
        acknowledged_at REAL NOT NULL,
        provider        TEXT,
        prompt          TEXT NOT NULL,
        text            TEXT NOT NULL,     -- the answer so far
        message_ids     TEXT NOT NULL,     -- further messages, separated by spaces
        finished_at     REAL
    ) STRICT;
    CREATE INDEX open_questions ON questions (acknowledged_at) WHERE state < 2;
    CREATE INDEX done_questions ON questions (finished_at) WHERE state >= 2;

    CREATE TABLE usage (
        day           TEXT NOT NULL,       -- in UTC
        person_id     INTEGER NOT NULL,    -- 0: people who are forgotten
        guild_id      INTEGER NOT NULL,
        provider      TEXT NOT NULL,
        model         TEXT NOT NULL,
        answers       INTEGER NOT NULL,
        input_tokens  INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        cost          INTEGER NOT NULL,    -- nano-units of the currency
        unpriced      INTEGER NOT NULL,    -- answers without a price
        PRIMARY KEY (day, person_id, guild_id, provider, model)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX usage_by_guild ON usage (guild_id, day);
    CREATE INDEX usage_by_person ON usage (person_id, day);

    CREATE TABLE forgotten (               -- people whose sum of that day is still needed for their limit
        person_id INTEGER PRIMARY KEY,
        day       TEXT NOT NULL
    ) STRICT;
    """,
    """
    ALTER TABLE questions ADD COLUMN more TEXT NOT NULL DEFAULT '{}';  -- JSON: what only some of them have

    CREATE TABLE channels (
        channel_id INTEGER PRIMARY KEY,
        guild_id   INTEGER NOT NULL,  -- 0: a direct message
        persona    TEXT NOT NULL,
        model      TEXT NOT NULL
    ) STRICT;
    CREATE INDEX channels_by_guild ON channels (guild_id);

    CREATE TABLE guilds (
        guild_id INTEGER PRIMARY KEY,
        left_at  REAL                 -- NULL: the bot is there
    ) STRICT;
    """,
    """
    ALTER TABLE channels ADD COLUMN person_id INTEGER NOT NULL DEFAULT 0;  -- 0: a server's, or nobody knows
    """,
    """
    ALTER TABLE questions ADD COLUMN starts INTEGER NOT NULL DEFAULT 1;  -- processes that began to answer it
    """,
    """
    ALTER TABLE bookkeeping ADD COLUMN identifier_key BLOB;  -- NULL: not needed yet
    """,
    """
    ALTER TABLE turns ADD COLUMN attachments TEXT NOT NULL DEFAULT '';  -- JSON: files to be read again
    """,
    # Whose direct messages they are that something was set for before it was stored with it, as the
    # conversations there tell. What nobody can be found for could not be forgotten with anybody.
    """
    UPDATE channels SET person_id = coalesce((
        SELECT CASE count(DISTINCT participants.person_id) WHEN 1 THEN min(participants.person_id) END
        FROM participants JOIN conversations ON conversations.id = participants.conversation_id
        WHERE participants.guild_id = 0 AND conversations.channel_id = channels.channel_id
    ), 0) WHERE guild_id = 0 AND person_id = 0;
    DELETE FROM channels WHERE guild_id = 0 AND person_id = 0;
    """,
    """
    ALTER TABLE usage ADD COLUMN cached_tokens INTEGER NOT NULL DEFAULT 0;  -- among the input tokens
    ALTER TABLE usage ADD COLUMN searches      INTEGER NOT NULL DEFAULT 0;  -- web searches that were charged
    """,
)


def tables() -> frozenset[str]:
    """The names of those that a file of the newest schema has."""
    return frozenset(re.findall(r"CREATE TABLE (\w+)", "".join(STEPS)))


def no_report(_schema: int) -> None:
    """For callers that need no report."""


def migrate(connection: sqlite3.Connection, report: Report = no_report) -> None:
    """Bring the file to the newest schema, each step whole or not at all.

    A new file is not reported. Raises `StoreError`, `sqlite3.Error`, and what `report` does; the
    connection is unusable then.
    """
    present = version(connection)
    for number, step in enumerate(STEPS[present:], present + 1):
        with _reported(connection, report if present else no_report, number):
            connection.executescript(
                f"BEGIN IMMEDIATE; {step} PRAGMA application_id = {APPLICATION_ID};"
                f" PRAGMA user_version = {number}; COMMIT;"
            )


@contextmanager
def _reported(connection: sqlite3.Connection, report: Report, schema: int) -> Iterator[None]:
    raised: BaseException | None = None

    def look() -> bool:
        """Whether SQLite is to stop. It would call any error in here an interruption."""
        nonlocal raised
        try:
            report(schema)
        except BaseException as error:  # of a signal, or a cancellation
            raised = error
        return raised is not None

    report(schema)
    connection.set_progress_handler(look, INSTRUCTIONS)
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            raise raised or KeyboardInterrupt from None  # which may land in `look` before its `try`
        raise
    finally:
        connection.set_progress_handler(None, 0)


def version(connection: sqlite3.Connection) -> int:
    """How many of the steps the file has taken. Raises `StoreError` where it is not this program's."""
    present = _pragma(connection, "user_version")
    application = _pragma(connection, "application_id")
    if application == MOVING_ID:
        raise StoreError(INCOMPLETE_MOVE)
    if application != APPLICATION_ID and _pragma(connection, "schema_version"):
        raise StoreError("it is another program's database; name another file: `database` in [conversations]")
    if present > len(STEPS):
        raise StoreError(
            f"it was written by a newer version of this program (its schema is {present}, the newest known"
            f" here {len(STEPS)}); install that version again, or name another file"
        )
    return present


def is_moving(connection: sqlite3.Connection) -> bool:
    """Whether a move into the file is not complete. Raises `StoreError` if another version began it."""
    if _pragma(connection, "application_id") != MOVING_ID:
        return False
    if _pragma(connection, "user_version") != len(STEPS):
        raise StoreError(OTHER_MOVE)
    return True


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
