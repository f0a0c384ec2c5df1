"""The bot that is started beside the sandbox."""

from pathlib import Path

import pytest

from discordianai.sandbox.launcher import open_bot, open_sandbox


@pytest.mark.slow
async def test_a_bot_is_not_ready_by_the_connection_of_one_that_was_just_killed(tmp_path: Path) -> None:
    """The sandbox notices a little later that it is gone."""
    async with open_sandbox(tmp_path) as sandbox, open_bot(sandbox) as first:
        await first.ready()
        of_first = sandbox.discord.connected_sessions
        first.process.kill()
        async with open_bot(sandbox) as second:
            await second.ready()
            assert sandbox.discord.connected_sessions - of_first
