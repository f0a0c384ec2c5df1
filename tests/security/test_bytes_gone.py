"""What is deleted is in no file of the database any more when that is said; byte by byte, in real files."""

import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from discordianai.conversations.accounting import day_of
from discordianai.conversations.conversation_key import EVERYBODY, ConversationKey
from discordianai.conversations.engine.backlog import Write
from discordianai.conversations.ledger import Ledger
from discordianai.conversations.operator_port import Selection
from discordianai.conversations.options import AccountingOptions
from discordianai.conversations.pending_questions import FinishedAnswer, Posted, QuestionAndAnswer
from discordianai.conversations.sqlite import backup, residues
from discordianai.conversations.sqlite.maintenance import MaintenanceSchedule
from discordianai.conversations.sqlite.operator_access import operator_connection
from discordianai.conversations.sqlite.purge import FilePurge
from discordianai.conversations.sqlite.store import SqliteStore, open_store
from discordianai.conversations.store import ChannelSettings, Removal
from discordianai.option import Live
from discordianai.records import Attachment, Person, Place, Quotation, ReplyAddress, Role, Turn, Usage
from discordianai.records import Question as AskedQuestion
from tests.conversations.builders import DATABASE, QUICK, SLOW

ANN, GUILD, ALONE = 1, 7, 40
KEY = ConversationKey(1, ANN)
SEED = 1
MARKERS = tuple(f"MARK-{number:02d}-of-Ann".encode() for number in range(12))
SAID, TOLD, FILE, PLACE, PROMPT, NAME, TOKEN, QUOTED, OPEN_FILE, SO_FAR, PERSONA, FINISHED = (
    marker.decode() for marker in MARKERS
)


def on_disk(folder: Path) -> set[bytes]:
    """The markers that are in any file."""
    content = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    return {marker for marker in MARKERS if marker in content}


def asked(interaction_id: int, text: str) -> AskedQuestion:
    address = ReplyAddress(99, interaction_id, TOKEN, 1, False, time.time())
    file = Attachment(OPEN_FILE, f"https://cdn.test/{OPEN_FILE}", 5)
    quotation = Quotation(f"> {QUOTED}", f"> {QUOTED}")
    return AskedQuestion(
        0, text, Person(ANN, NAME), Place(1, GUILD), address, attachments=(file,), quotation=quotation
    )


async def live(store: SqliteStore, seed: int) -> None:
    """A channel's life among eight people, so that pages are divided, and Ann's part in it."""
    chance = random.Random(seed)
    await store.set_channel(ALONE, None, ANN, ChannelSettings(persona=PERSONA))
    await store.accept(asked(1, f"{PROMPT} still open"))
    await store.note_posted(1, Posted(), f"{SO_FAR} and more")
    await store.accept(asked(2, "answered"))
    await store.answered(2, FinishedAnswer(FINISHED))  # and not yet shown

    async def say(number: int) -> None:
        person = chance.randint(1, 8)
        key = ConversationKey(chance.randint(1, 6), chance.choice([EVERYBODY, person]))
        # Ann's in her own conversation, or where all take part.
        mine = person == ANN
        words = ("x" * chance.choice([5, 50, 500, 3000, 9000]), "y" * chance.randint(1, 2000))
        texts = (f"{SAID}{words[0]}{SAID}", f"{TOLD}{words[1]}{TOLD}") if mine else words
        file = Attachment(FILE, f"https://cdn.test/{PLACE}", 5)
        turns = (
            Turn(Role.USER, texts[0], time.time(), attachments=(file,) if mine else ()),
            Turn(Role.ASSISTANT, texts[1], time.time()),
        )
        await store.append(key, turns, person_id=person, guild_id=GUILD if mine else 8)

    for _ in range(6):
        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(say, number)


async def forget(store: SqliteStore, _path: Path) -> Removal:
    return await store.forget(ANN)


async def drop_guild(store: SqliteStore, _path: Path) -> Removal:
    await store.set_channel(ALONE, None, ANN, ChannelSettings())  # that is of no server
    return await store.drop_guild(GUILD)


def purged(path: Path) -> bool:
    """What an operator's command does, which says whether nothing is left."""
    with residues.opened(path) as descriptor, operator_connection(path, write=True) as connection:
        work = FilePurge(path, connection, descriptor)
        work.remove(Selection(person_id=ANN), 0, lambda *_: None)
        return work.empty_log()


async def purge(_store: SqliteStore, path: Path) -> Removal:
    """Beside the bot, which clears the files a second or two later: that is what is said."""
    assert not await trio.to_thread.run_sync(purged, path)
    with trio.fail_after(10):
        while on_disk(path.parent):  # noqa: ASYNC110  # the upkeep tells nobody
            await trio.sleep(0.1)
    return Removal(1)


Act = Callable[[SqliteStore, Path], Awaitable[Removal]]


@pytest.mark.parametrize("act", [forget, drop_guild, purge])
@pytest.mark.parametrize("seed", [1, 9])
async def test_nothing_is_left_when_it_is_said(tmp_path: Path, act: Act, seed: int) -> None:
    """Also where a page was divided, which `secure_delete` does not reach, and while an answer is written."""
    path = tmp_path / DATABASE
    async with open_store(path, pace=QUICK if act is purge else SLOW) as store:
        await live(store, seed)
        assert len(on_disk(tmp_path)) == len(MARKERS)
        assert (await act(store, path)).erased
        assert on_disk(tmp_path) == set()
        await store.note_posted(1, Posted(), f"{SO_FAR} and still more")
        exchange = QuestionAndAnswer(KEY, (Turn(Role.USER, SAID), Turn(Role.ASSISTANT, TOLD)), ANN, GUILD)
        await store.answered(1, FinishedAnswer(FINISHED, exchange))
        await store.finish(1)
        assert on_disk(tmp_path) == set()
        await store.append(ConversationKey(5, 5), (Turn(Role.USER, "z" * 5000),) * 20)
        # Every page is written once more, as the writer has it in its cache.
        await store._database.write(Write(lambda c: c.execute("UPDATE turns SET at = at + 1").rowcount))
    assert on_disk(tmp_path) == set()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_conversation_is_gone_when_reset_says_so(tmp_path: Path) -> None:
    async with open_store(tmp_path / DATABASE, pace=SLOW) as store:
        turns = (Turn(Role.USER, SAID, time.time()), Turn(Role.ASSISTANT, TOLD, time.time()))
        for _ in range(30):
            await store.append(KEY, turns, guild_id=GUILD)
        assert await store.reset(KEY) == Removal(50)
        assert on_disk(tmp_path) == set()
        assert await store.reset(KEY) == Removal(0)


async def test_what_changes_while_the_pages_are_looked_at_is_erased_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if all of it had been written just after that."""
    monkeypatch.setattr(residues, "find", lambda _: set())
    async with open_store(tmp_path / DATABASE, pace=SLOW) as store:
        await live(store, SEED)
        assert (await store.forget(ANN)).erased
        assert on_disk(tmp_path) == set()


async def test_a_purge_without_a_bot_leaves_nothing_either(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        await live(store, SEED)
    assert await trio.to_thread.run_sync(purged, path)
    assert on_disk(tmp_path) == set()


async def test_a_purge_of_a_backup_leaves_nothing_in_it(tmp_path: Path) -> None:
    """It has no log, so that nothing but its own pages would keep anything."""
    path, folder = tmp_path / DATABASE, tmp_path / "backups"
    folder.mkdir()
    copy = folder / "copy.sqlite3"
    async with open_store(path, pace=SLOW) as store:
        await live(store, SEED)
        copy.touch(0o600)
        await trio.to_thread.run_sync(backup.copy, path, copy, lambda *_: None)
    assert SAID.encode() in on_disk(folder)
    assert await trio.to_thread.run_sync(purged, copy)
    assert on_disk(folder) == set()
    with sqlite3.connect(copy) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_backup_has_nothing_of_open_questions(tmp_path: Path) -> None:
    path, folder = tmp_path / DATABASE, tmp_path / "backups"
    folder.mkdir()
    async with open_store(path, pace=SLOW) as store:
        for number in range(10, 60):  # their pages are divided, too
            await store.accept(asked(number, PROMPT + "x" * 300))
        for number in random.Random(1).sample(range(10, 60), 50):
            await store.note_posted(number, Posted(), SO_FAR + "y" * 90 * (number % 40))
        (folder / "copy.sqlite3").touch(0o600)
        await trio.to_thread.run_sync(backup.copy, path, folder / "copy.sqlite3", lambda *_: None)
    assert on_disk(folder) == set()
    with sqlite3.connect(folder / "copy.sqlite3") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Another program reads an older state for as long as it likes."""
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM turns").fetchall()
        yield
        connection.execute("ROLLBACK")
    connection.close()


async def test_while_others_read_it_is_not_said_and_it_is_gone_when_they_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("discordianai.conversations.sqlite.store.LONGEST_EMPTYING", 0.3)
    path = tmp_path / DATABASE
    async with open_store(path, pace=QUICK) as store:
        await live(store, 9)
        with reading(path):
            removed = await store.forget(ANN)
            assert not removed.erased
            assert on_disk(tmp_path)
        with trio.fail_after(10):
            while on_disk(tmp_path):  # noqa: ASYNC110  # the upkeep tells nobody
                await trio.sleep(0.05)


async def test_the_row_of_a_finished_question_has_its_id_alone(tmp_path: Path) -> None:
    """And when it was finished; so has that of one whose answer could be stored before the question was."""
    path = tmp_path / DATABASE
    async with open_store(path, pace=SLOW) as store:
        for interaction_id in (1, 2, 3):
            question = asked(interaction_id, PROMPT)
            provider = replace(question, provider="openai", address=replace(question.address, private=True))
            if interaction_id != 3:
                await store.accept(provider)
            await store.count_start(interaction_id) if interaction_id == 1 else None
            await store.answered(interaction_id, FinishedAnswer(FINISHED))
            await store.finish(interaction_id)
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute("SELECT * FROM questions ORDER BY interaction_id")]
    blank = {"starts": 1, "more": "{}"}
    for number, row in enumerate(rows, 1):
        left = {name: value for name, value in row.items() if value and blank.get(name) != value}
        assert left.keys() == {"interaction_id", "state", "finished_at"}
        assert left["interaction_id"] == number


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize("minutes", [0, 2, 62])
async def test_what_an_answer_cost_after_its_person_was_forgotten_becomes_nobodys(
    tmp_path: Path, minutes: int, settled: bool
) -> None:
    """Also where midnight passes before the answer ends, and where that was deleted, so that nothing but what
    it cost is stored: an hour later the round of maintenance that anonymises the day is over."""
    midnight = 1_800_057_600.0
    now = midnight - 60
    today, tomorrow = day_of(now), day_of(midnight)
    pace = MaintenanceSchedule(tick=60, retention=60, step=0)
    async with open_store(tmp_path / DATABASE, pace=pace, clock=lambda: now) as store:
        ledger = Ledger(store, Live(AccountingOptions()), lambda: now)
        await store.accept(asked(1, PROMPT))
        before = ledger.charge(ANN, GUILD, "openai", "before", Usage(1, 1))  # a request that has ended
        await store.forget(ANN)
        now += 60 * minutes
        if minutes > 60:
            await store.maintenance.remove_expired()
        charges = (before, ledger.charge(ANN, GUILD, "openai", "after", Usage(1, 1)))
        if settled:
            await ledger.settle(1, charges)
        else:
            await store.answered(1, FinishedAnswer(FINISHED, charges=charges))
        of_ann = [line.model for line in await store.spending(today, person_id=ANN)]
        assert of_ann == (
            [] if minutes else ["after", "before"]
        )  # today's limit holds for her until midnight
        assert (await store.spent(today)).answers + (await store.spent(tomorrow)).answers == 2
        now += 86_400
        await store.maintenance.remove_expired()
        assert await store.spending(today, person_id=ANN) == ()
        assert (await store.spent(today)).answers == (1 if minutes else 2)


async def test_a_question_asked_after_being_forgotten_counts_for_its_person(tmp_path: Path) -> None:
    """The daily limit holds for who begins anew."""
    async with open_store(tmp_path / DATABASE, pace=SLOW) as store:
        ledger = Ledger(store, Live(AccountingOptions()), time.time)
        await store.accept(asked(1, PROMPT))
        await store.forget(ANN)
        await store.accept(asked(2, PROMPT))
        await ledger.settle(2, [ledger.charge(ANN, GUILD, "openai", "gpt", Usage(1, 1))])
        assert (await store.spent(ledger.today, person_id=ANN)).answers == 1


def test_only_the_unused_part_of_a_tree_is_overwritten(tmp_path: Path) -> None:
    """Not SQLite's maps of its pages, whose first byte can be that of a tree, nor what is in use."""
    path = tmp_path / "a.sqlite3"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
    connection.execute("CREATE INDEX by_text ON t (text)")
    connection.execute("BEGIN")
    for number in random.Random(4).sample(range(4000), 4000):
        connection.execute("INSERT INTO t VALUES (?, ?)", (number, str(number) * (1 + number % 90 * 6)))
    connection.execute("DELETE FROM t WHERE id > 3500")
    connection.execute("COMMIT")
    rows = connection.execute("SELECT * FROM t").fetchall()
    try:
        kinds = dict(connection.execute("SELECT pageno, pagetype FROM dbstat"))
    except sqlite3.OperationalError:
        pytest.skip("this SQLite does not tell the kinds of pages")
    connection.close()
    with residues.opened(path) as descriptor:
        pages = range(1, path.stat().st_size // 4096 + 1)
        trees = {number for number in pages if residues.is_of_a_tree(descriptor, number, 4096)}
        assert trees == {number for number, kind in kinds.items() if kind != "overflow"}
        assert 822 in pages  # the second map
        assert len(trees) < len(kinds) < len(pages)
        assert len(residues.find(descriptor) & trees) > 20
        residues.overwrite(descriptor, pages)
        assert not residues.find(descriptor) & trees
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("SELECT * FROM t").fetchall() == rows
    connection.close()
