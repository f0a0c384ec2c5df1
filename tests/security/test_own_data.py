"""People get all that is stored about them, and all of it goes when they say so; by the schema itself."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from discordianai.conversations.accounting import Charge, day_of
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.pending_questions import FinishedAnswer, Posted
from discordianai.conversations.sqlite.connections import connect
from discordianai.conversations.sqlite.migrations import APPLICATION_ID, STEPS
from discordianai.conversations.sqlite.operator_access import operator_connection
from discordianai.conversations.sqlite.store import open_store
from discordianai.conversations.store import ChannelSettings, Store
from discordianai.discord.commands import export
from discordianai.records import Attachment, FileKind, Quotation, Role, Turn, Usage
from tests.conversations.builders import DATABASE, SLOW, question
from tests.discord.builders import ANN
from tests.discord.commands.builders import invocation, open_services

MINE, THEIRS = ANN.id, 11
DM = 77
EVERYTHING = "*"

DECISIONS: Mapping[str, Mapping[str, str]] = {
    "turns": {EVERYTHING: "exported", "id": "the place of the line"},
    "conversations": {EVERYTHING: "exported", "id": "a number of the file's own"},
    "participants": {EVERYTHING: "exported", "conversation_id": "a number of the file's own"},
    "questions": {
        EVERYTHING: "exported",
        "token": "lets its holder write as the bot, and says nothing about the person",
    },
    "usage": {EVERYTHING: "exported"},
    "forgotten": {EVERYTHING: "exported"},
    "channels": {EVERYTHING: "exported"},
    "guilds": {EVERYTHING: "of no person"},
    "bookkeeping": {EVERYTHING: "of no person"},
}
"""What is done with each table of the schema, and with columns that are treated differently."""

IN_A_LINE = {
    "turns": "turn",
    "conversations": "participation",
    "participants": "participation",
    "questions": "open question",
    "usage": "usage",
    "forgotten": "forgotten",
    "channels": "setting",
}
"""The kind of the lines that a table is exported in."""


async def live(store: Store, person_id: int, mark: str, first: int = 1) -> None:
    """Something in every table, with a `mark` in every text; `first` is the id of one of two questions."""
    file = Attachment(f"{mark}.png", f"https://cdn.test/{mark}", 5, kind=FileKind.IMAGE)
    turns = (
        Turn(Role.USER, f"{mark} said", time.time(), attachments=(file,)),
        Turn(Role.ASSISTANT, f"{mark} told", time.time()),
    )
    await store.append(ConversationKey(1, person_id), turns, person_id=person_id, guild_id=7)
    settings = ChannelSettings(f"{mark} persona", f"{mark}-model")
    await store.set_channel(DM + first, None, person_id, settings)
    asked = question(first, f"{mark} asked", person_id=person_id)
    asked = replace(asked, attachments=(file,), quotation=Quotation(f"> {mark} quoted", f"> {mark}"))
    await store.accept(asked)
    await store.note_posted(first, Posted(5, 6, (7,)), f"{mark} so far")
    await store.accept(question(first + 1, "over", person_id=person_id))
    charge = Charge(person_id, 7, "openai", f"{mark}-gpt", Usage(100, 20), day_of(time.time()), 3)
    await store.answered(first + 1, FinishedAnswer("over", charges=(charge,)))
    await store.finish(first + 1)


async def lines_of(store: Store, person_id: int) -> list[dict[str, object]]:
    content, complete = await store.export(person_id, 10**6)
    assert complete
    return [json.loads(line) for line in content.splitlines()]


async def test_each_column_of_each_table_is_exported_or_has_a_reason_not_to_be(tmp_path: Path) -> None:
    """A new table without a decision fails here; so does a new column that the export leaves out."""
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        await live(store, MINE, "mine")
        await store.forget(MINE)
        await live(store, MINE, "mine", 3)  # so that there is something in `forgotten`, too
        lines = await lines_of(store, MINE)
    with operator_connection(path) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        assert set(tables) == DECISIONS.keys(), "decide what is told of it, and what /forget does with it"
        for table in tables:
            decision = DECISIONS[table]
            if decision[EVERYTHING] != "exported":
                continue
            told = [line for line in lines if line["kind"] == IN_A_LINE[table]]
            assert told, table
            columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            names = {column for column in columns if column not in decision}
            for line in told:
                assert names <= line.keys(), table


async def test_the_words_and_files_of_a_person_are_all_there_and_nobody_elses(tmp_path: Path) -> None:
    async with open_store(tmp_path / DATABASE, pace=SLOW) as store:
        await live(store, MINE, "mine")
        await live(store, THEIRS, "theirs", 3)
        lines = await lines_of(store, MINE)
    text = json.dumps(lines)
    for words in ("said", "told", "asked", "quoted", "so far", "persona"):
        assert f"mine {words}" in text
    for name in ("mine.png", "https://cdn.test/mine", "mine-model", "mine-gpt"):
        assert name in text
    assert "theirs" not in text
    assert "token-" not in text
    (setting,) = (line for line in lines if line["kind"] == "setting")
    assert (setting["channel_id"], setting["guild_id"]) == (str(DM + 1), None)


async def test_after_forget_nothing_names_the_person_but_what_their_daily_limit_needs(tmp_path: Path) -> None:
    """In any column of any table."""
    path = tmp_path / DATABASE
    person_id = 987_654_321_012
    async with open_store(path, pace=SLOW) as store:
        await live(store, person_id, "mine")
        await live(store, THEIRS, "theirs", 3)
        await store.forget(person_id)
        lines = await lines_of(store, person_id)
        assert [line["kind"] for line in lines] == ["usage", "forgotten"]
        assert {line["kind"] for line in await lines_of(store, THEIRS)} == {*IN_A_LINE.values()} - {
            "forgotten"
        }
    named: dict[str, int] = {}
    with operator_connection(path) as connection:
        for table in DECISIONS:
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608  # our own names
            named[table] = sum(str(person_id) in map(str, row) or "mine" in str(row) for row in rows)
    assert {table: count for table, count in named.items() if count} == {"usage": 1, "forgotten": 1}


async def test_who_used_nothing_today_leaves_no_trace(tmp_path: Path) -> None:
    async with open_store(tmp_path / DATABASE, pace=SLOW) as store:
        await store.append(ConversationKey(1, MINE), (Turn(Role.USER, "x", time.time()),), guild_id=7)
        await store.forget(MINE)
        assert await lines_of(store, MINE) == []


async def test_the_command_sends_all_of_it(tmp_path: Path) -> None:
    async with open_services(tmp_path) as (services, store):
        await live(store, MINE, "mine")
        reply = await export.COMMAND.handle(invocation(), services)
    assert reply.file is not None
    lines = [json.loads(line) for line in reply.file.content.splitlines()]
    assert f"{len(lines)} lines of JSON" in reply.text
    assert {line["kind"] for line in lines} == {*IN_A_LINE.values()} - {"forgotten"}


@pytest.mark.parametrize(
    ("people", "found"), [((MINE,), [MINE]), ((MINE, THEIRS), []), ((), [])], ids=["one", "a group", "nobody"]
)
async def test_what_was_set_in_direct_messages_long_ago_is_found_by_forget(
    tmp_path: Path, people: tuple[int, ...], found: list[int]
) -> None:
    """Before it was stored by whom. What cannot be found to be anybody's alone is removed."""
    path = tmp_path / DATABASE
    connection = connect(path, cache_kib=256)
    for step in STEPS[:6]:
        connection.executescript(step)
    connection.execute("INSERT INTO channels VALUES (?, 0, 'be a pirate', '', 0)", (DM,))
    connection.execute("INSERT INTO channels VALUES (2, 7, 'be brief', '', 0)")
    for person_id in people:
        conversation = connection.execute(
            "INSERT INTO conversations (person_id, channel_id, private) VALUES (?, ?, 0) RETURNING id",
            (person_id, DM),
        ).fetchone()
        connection.execute("INSERT INTO participants VALUES (?, 0, ?)", (person_id, *conversation))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 6")
    connection.close()
    async with open_store(path, pace=SLOW) as store:
        assert (await store.channels()).keys() == {2, *([DM] if found else [])}
        settings = [line for line in await lines_of(store, MINE) if line["kind"] == "setting"]
        assert [line["person_id"] for line in settings] == list(map(str, found))
        await store.forget(MINE)
        assert (await store.channels()).keys() == {2}
        assert b"be a pirate" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
