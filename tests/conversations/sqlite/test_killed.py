"""A process that is killed in the middle of its writes: what was stored is there, and the file is sound."""

import signal
import sqlite3
import sys
from pathlib import Path

import pytest
import trio

from discordianai.conversations.sqlite.store import open_store
from tests.conversations.builders import ANN, DATABASE, SLOW, exchange

ROUNDS = 3

SCRIPT = """
import sys, trio
from dataclasses import replace
from itertools import count
from pathlib import Path
from discordianai.conversations.pending_questions import Posted
from discordianai.conversations.sqlite.store import open_store
from tests.conversations.builders import ANN, QUICK, answer, exchange, question

async def ask(store, number):
    await store.accept(question(number, person_id=number))
    await store.note_posted(number, Posted(original_id=number), "x" * 3000)
    await store.answered(number, answer(number, replace(ANN, person_id=number)))
    await store.finish(number)

async def main():
    async with open_store(Path(sys.argv[1]), pace=QUICK) as store:
        print("open", flush=True)
        for number in count():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(store.append, ANN, exchange(number))
                for beside in range(4):
                    nursery.start_soon(ask, store, 1000 + number * 4 + beside)
                if number % 5 == 0:
                    nursery.start_soon(store.forget, 1000 + number)
            print(number, flush=True)

trio.run(main)
"""


async def write_until_killed(path: Path, seconds: float) -> int:
    """The last exchange of which the process said that it is stored."""
    process = await trio.lowlevel.open_process([sys.executable, "-c", SCRIPT, str(path)], stdout=-1)
    assert process.stdout is not None
    said = b""
    async with process.stdout:
        while b"open" not in said:
            said += await process.stdout.receive_some()
        with trio.move_on_after(seconds):
            async for piece in process.stdout:
                said += piece
        process.send_signal(signal.SIGKILL)
        async for piece in process.stdout:
            said += piece
    assert await process.wait() == -signal.SIGKILL
    whole = said[: said.rindex(b"\n")].split()
    return int(whole[-1]) if len(whole) > 1 else -1


@pytest.mark.slow
async def test_what_was_stored_survives_a_kill_and_the_file_is_sound(tmp_path: Path) -> None:
    async def live_and_die(number: int) -> None:
        path = tmp_path / str(number) / DATABASE
        path.parent.mkdir()
        stored = await write_until_killed(path, seconds=0.11 * (number + 1))
        async with open_store(path, pace=SLOW) as store:
            said = [turn.text for turn in await store.recent(ANN, 50)]
            last = int(said[-1].split()[1]) if said else -1
            assert last in {stored, stored + 1}  # a turn may be stored, and nobody told
            assert said == [turn.text for number in range(last + 1) for turn in exchange(number)][-50:]
            assert all(left.question.person.id >= 1000 + 4 * (stored + 1) for left in await store.take_over())
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()

    async with trio.open_nursery() as nursery:
        for number in range(ROUNDS):
            nursery.start_soon(live_and_die, number)
