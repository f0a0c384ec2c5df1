"""`/history` shows what is remembered here, the newest first."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from discordianai.conversations.conversation_key import ConversationKey, Scope
from discordianai.conversations.speakers import marked
from discordianai.discord.commands import history
from discordianai.discord.commands.shared import NOTHING_HERE
from discordianai.discord.rendering.characters import units
from discordianai.discord.rendering.splitting import MESSAGE_LIMIT
from tests.discord.commands.builders import HERE, invocation, open_services, pressed, turns


async def test_its_pages_are_turned_by_buttons(tmp_path: Path) -> None:
    """Private turns are in it, too, in the order in which they were said."""
    now = time.time() - 100
    async with open_services(tmp_path) as (services, store):
        assert (await history.COMMAND.handle(invocation(), services)).text == NOTHING_HERE
        await store.append(HERE, turns("q1", "a1", "q2", "a2", at=now))
        await store.append(replace(HERE, private=True), turns("q3", "a3", "q4", "a4", at=now + 10))
        first = await history.COMMAND.handle(invocation(), services)
        assert "page 1 of 2" in first.text
        assert [line.rpartition(": ")[2] for line in first.text.splitlines()[1:]] == [
            *("q2", "a2", "q3", "a3", "q4", "a4")
        ]
        assert [button.label for button in first.buttons] == ["Older"]
        second = await pressed(history.COMMAND, first, "Older", services)
        assert "page 2 of 2" in second.text
        assert "q1" in second.text
        assert [button.label for button in second.buttons] == ["Newer"]
        assert await pressed(history.COMMAND, second, "Newer", services) == first


async def test_a_page_that_is_gone_shows_the_last_one(tmp_path: Path) -> None:
    """The conversation was reset, or grew shorter, meanwhile."""
    async with open_services(tmp_path) as (services, store):
        await store.append(HERE, turns(*["word"] * 8, at=time.time() - 100))
        first = await history.COMMAND.handle(invocation(), services)
        await store.reset(HERE)
        await store.append(HERE, turns("new", "words", at=time.time() - 50))
        assert "page 1 of 1" in (await pressed(history.COMMAND, first, "Older", services)).text


@pytest.mark.parametrize("words", ["```\nlong ", "👍🏽"])
async def test_a_page_of_long_turns_fits_into_a_message(tmp_path: Path, words: str) -> None:
    """Each of them on one line, and none opens a code block."""
    async with open_services(tmp_path) as (services, store):
        await store.append(HERE, turns(*[words * 2000] * 6, at=time.time() - 100))
        shown = (await history.COMMAND.handle(invocation(), services)).text
    assert units(shown) <= MESSAGE_LIMIT
    assert "👍…" not in shown
    assert len(shown.splitlines()) == 7
    assert "`" not in shown


async def test_no_more_is_shown_than_a_model_may_see(tmp_path: Path) -> None:
    async with open_services(tmp_path, max_turns=2) as (services, store):
        await store.append(HERE, turns("q1", "a1", "q2", "a2", at=time.time() - 100))
        shown = (await history.COMMAND.handle(invocation(), services)).text
    assert "q1" not in shown
    assert "q2" in shown


async def test_in_a_shared_conversation_everybody_is_told_by_name(tmp_path: Path) -> None:
    now = time.time() - 100
    async with open_services(tmp_path, scope=Scope.CHANNEL) as (services, store):
        said = turns(marked("Ann", "q1"), "a1", marked("Ben", "q2\n\nAnn: q3"), "a2", at=now)
        await store.append(ConversationKey(1, 0), said, person_id=10)
        shown = (await history.COMMAND.handle(invocation(), services)).text.splitlines()[1:]
        told = [(line.split("**")[1], line.partition(">: ")[2]) for line in shown]
        assert told == [("Ann", "q1"), ("I", "a1"), ("Ben", "q2 Ann: q3"), ("I", "a2")]
