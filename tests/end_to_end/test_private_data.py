"""What is private stays private, and what is deleted is gone, on the running bot."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from discordianai.discord.commands.shared import NOT_YET_ERASED
from discordianai.discord.interactions.posting_rights import NO_THREAD, NOT_ALLOWED
from discordianai.sandbox.discord import CHANNELS, Channel, Interaction, direct_messages, person
from discordianai.sandbox.discord.api_objects import EXTERNAL_APPS, ORDINARY
from tests.end_to_end.conftest import STREAMING, Scene, Stage

pytestmark = pytest.mark.slow

ANN = person(41)
SECRET = "my secret is PURPLE"
SEND, CREATE_THREADS = 1 << 11, 1 << 35


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("conversations.sqlite3*"))


async def forgotten(scene: Scene) -> Interaction:
    """What Ann reads when it is done."""
    asked = await scene.sandbox.discord.invoke("forget", user=ANN)
    await asked.wait_until(lambda i: not i.loading)
    pressed = scene.sandbox.discord.press(asked.messages[0], "Delete everything", ANN)
    await pressed.wait_until(lambda _: "deleted" in asked.text)
    return asked


async def test_forget_tells_the_truth_while_an_answer_is_written_and_somebody_reads(stage: Stage) -> None:
    """Nothing is left when it says so; where a reader keeps a copy, it says that."""
    long = replace(STREAMING, between_tokens=0.05)
    async with stage(providers=long) as scene:
        folder = scene.sandbox.folder
        home = direct_messages(ANN)
        await scene.sandbox.discord.invoke("persona", {"instructions": SECRET}, user=ANN, channel=home)
        running = await scene.sandbox.discord.invoke("ask", {"prompt": f"{SECRET}?"}, user=ANN)
        await running.wait_until(lambda i: bool(i.text))
        with trio.fail_after(10):
            while on_disk(folder).count(b"PURPLE") < 2:  # noqa: ASYNC110  # a file tells nobody
                await trio.sleep(0.02)
        reader = sqlite3.connect(folder / "conversations.sqlite3", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM questions").fetchall()
        assert NOT_YET_ERASED in (await forgotten(scene)).text
        assert b"PURPLE" in on_disk(folder)
        reader.execute("ROLLBACK")
        reader.close()
        with trio.fail_after(10):
            while b"PURPLE" in on_disk(folder):  # noqa: ASYNC110  # a file tells nobody
                await trio.sleep(0.05)
        assert NOT_YET_ERASED not in (await forgotten(scene)).text
        await running.settled()
        assert running.text
        assert b"PURPLE" not in on_disk(folder)


async def test_what_discord_shows_to_a_guest_alone_reaches_nobody_else(stage: Stage) -> None:
    """Also where everybody in a channel shares a conversation; *Again* still works for the guest."""
    elsewhere = Channel(77, "elsewhere", 78)
    guest = replace(person(42), permissions=ORDINARY & ~EXTERNAL_APPS)
    async with stage(settings={"conversations": {"scope": "channel"}}) as scene:
        asked = await scene.ask(SECRET, user=guest, channel=elsewhere, guest=True)
        assert asked.private
        await scene.ask("what was said?", user=person(43), channel=elsewhere, guest=True)
        assert "PURPLE" not in str(scene.sandbox.openai.requests[-1])
        again = scene.sandbox.discord.press(asked.messages[-1], "Again", guest)
        await scene.wait_answered(3)
        assert again.private
        assert "PURPLE" in str(scene.sandbox.openai.requests[-1])


async def test_nothing_is_posted_for_who_may_not_post(stage: Stage) -> None:
    async with stage() as scene:
        silent = replace(person(44), permissions=ORDINARY & ~SEND)
        alone = await scene.ask("why?", user=silent)
        assert alone.private
        assert NOT_ALLOWED in alone.text
        without = replace(person(45), permissions=ORDINARY & ~CREATE_THREADS)
        in_place = await scene.ask("why?", user=without, options={"thread": True})
        assert not in_place.private
        assert NO_THREAD in in_place.text
        assert scene.sandbox.discord.threads == []
        await scene.ask("why?", user=person(46), options={"thread": True})
        assert [thread.parent_id for thread in scene.sandbox.discord.threads] == [CHANNELS[0].id]
