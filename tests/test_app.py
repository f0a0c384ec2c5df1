"""All parts together, in the test's own process: settings become a bot that answers and ends in order."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest
import trio

from discordianai import app
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import DiscordOptions
from discordianai.sandbox.launcher import open_sandbox
from discordianai.sandbox.providers import ServiceOptions
from discordianai.settings import file as settings_file

pytestmark = pytest.mark.filterwarnings(
    "ignore:parameter 'timeout' of type 'float':DeprecationWarning"  # so the library opens its WebSocket
)


async def test_the_parts_answer_a_question_and_end_at_a_signal(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked before the signal is still answered, and remembered for the next process."""
    providers = ServiceOptions(first_token=0.02, between_tokens=0.002, perplexity_rates=())
    discord = DiscordOptions(identify_interval=0.0)
    async with open_sandbox(tmp_path, authority=authority, discord=discord, providers=providers) as sandbox:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        load = partial(settings_file.load, sandbox.settings, {})

        async def run() -> None:
            await app.run(load(), load)

        for prompt in ("why is the sky blue?", "and the sea?"):
            with trio.fail_after(60):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(run)
                    await sandbox.discord.wait_ready()
                    asked = sandbox.discord.invoke_now("ask", {"prompt": prompt})
                    await asked.wait_until(lambda shown: shown.response_type is not None)
                    os.kill(os.getpid(), signal.SIGTERM)
            assert f"You asked: “{prompt}”" in asked.text
        assert "why is the sky blue?" in str(sandbox.openai.requests[-1])
