"""`/export` gives people all that is stored about them."""

import json
import time
from pathlib import Path

import pytest

from discordianai.discord.commands import export
from tests.discord.commands.builders import HERE, invocation, open_services, turns


async def test_it_is_one_line_of_json_for_each_thing(tmp_path: Path) -> None:
    async with open_services(tmp_path) as (services, store):
        nothing = await export.COMMAND.handle(invocation(), services)
        assert (nothing.text, nothing.file) == (export.NOTHING, None)
        await store.append(HERE, turns("why?\nwhy?", "so.", at=time.time()), guild_id=5)
        reply = await export.COMMAND.handle(invocation(), services)
    assert "3 lines of JSON" in reply.text
    assert reply.file is not None
    assert reply.file.name.endswith(".jsonl")
    lines = [json.loads(line) for line in reply.file.content.splitlines()]
    assert [line.get("text") for line in lines] == ["why?\nwhy?", "so.", None]
    assert [line["kind"] for line in lines] == ["turn", "turn", "participation"]


async def test_what_does_not_fit_into_a_file_is_missing_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MOST_EXPORTED", 500)
    async with open_services(tmp_path) as (services, store):
        await store.append(HERE, turns(*["many words"] * 20, at=time.time()), guild_id=5)
        reply = await export.COMMAND.handle(invocation(), services)
    assert reply.text.endswith(export.TOO_MUCH)
    assert reply.file is not None
    assert 0 < len(reply.file.content) <= 500
