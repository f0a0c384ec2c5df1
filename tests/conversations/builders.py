"""Questions, exchanges and stores as the tests of this folder need them."""

import time
from collections.abc import Callable
from pathlib import Path

from discordianai.conversations.accounting import Charge, day_of
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.pending_questions import FinishedAnswer, QuestionAndAnswer
from discordianai.conversations.sqlite import turns_table, usage_table
from discordianai.conversations.sqlite.connections import connect
from discordianai.conversations.sqlite.maintenance import MaintenanceSchedule
from discordianai.conversations.sqlite.migrations import APPLICATION_ID, STEPS
from discordianai.records import Person, Place, Question, ReplyAddress, Role, Turn, Usage

ANN = ConversationKey(channel_id=1, person_id=10)
BOB = ConversationKey(channel_id=1, person_id=11)

NOW = time.time()
QUICK = MaintenanceSchedule(tick=0.02, retention=0.05, step=0.001)
SLOW = MaintenanceSchedule(tick=60, retention=60, step=60)
"""The upkeep does nothing that a test does not ask for, but for its first round."""

DATABASE = "turns.sqlite3"


def exchange(number: int, at: float = NOW) -> tuple[Turn, Turn]:
    """A question and its answer, `number` seconds after `at`."""
    return (
        Turn(Role.USER, f"question {number}", at + number),
        Turn(Role.ASSISTANT, f"answer {number}", at + number),
    )


def question(
    interaction_id: int, text: str = "why?", *, person_id: int = 10, guild_id: int | None = 7
) -> Question:
    """A question of `person_id` in channel 1."""
    return Question(
        number=3,
        text=text,
        person=Person(person_id, "Ann"),
        place=Place(1, guild_id),
        address=ReplyAddress(99, interaction_id, f"token-{interaction_id}", 1, False, NOW + interaction_id),
    )


def answer(number: int, key: ConversationKey = ANN) -> FinishedAnswer:
    """An answer to remember, without a charge."""
    return FinishedAnswer(f"answer {number}", QuestionAndAnswer(key, exchange(number), key.person_id, 7))


def bytes_on_disk(folder: Path) -> bytes:
    """All that the database's files hold."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


def clock_at(*times: float) -> Callable[[], float]:
    """A clock that tells `times`, and stays at the last."""
    left = list(times)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def older_database(path: Path, schema: int) -> None:
    """A file as the version with that schema left it: an exchange of Ann's, an open question, a cost."""
    connection = connect(path, cache_kib=256)
    try:
        for step in STEPS[:schema]:
            connection.executescript(step)
        # Not by today's SQL, which knows columns that came later.
        connection.execute("INSERT INTO conversations VALUES (1, ?, ?, 0)", (ANN.person_id, ANN.channel_id))
        connection.executemany(
            "INSERT INTO turns (id, person_id, guild_id, role, at, text) VALUES (?, ?, 7, ?, ?, ?)",
            [
                (number, ANN.person_id, turn.role.value, turn.at, turn.text)
                for number, turn in enumerate(exchange(1), turns_table.range_of(1)[0])
            ],
        )
        connection.execute("INSERT INTO participants VALUES (?, 7, 1)", (ANN.person_id,))
        usage_table.add(connection, Charge(10, 7, "openai", "gpt", Usage(100, 20), day_of(NOW), 3_000_000))
        connection.execute(
            "INSERT INTO questions (interaction_id, state, person_id, person_name, guild_id, channel_id,"
            " application_id, token, private, acknowledged_at, prompt, text, message_ids)"
            " VALUES (1, 0, 10, 'Ann', 7, 1, 99, 'token-1', 0, ?, 'nobody else may read this', '', '')",
            (NOW,),
        )
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {schema}")
    finally:
        connection.close()
