"""Starting, and stopping."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import DiscordOptions, person
from discordianai.sandbox.launcher import open_bot, open_sandbox
from discordianai.sandbox.providers import Fault, ServiceOptions
from discordianai.sandbox.providers.provider_faults import FaultKind
from tests.end_to_end.conftest import FAST, RESTARTED, Scene, Stage
from tests.end_to_end.databases import on_both_databases

pytestmark = on_both_databases

SLOW = ServiceOptions(first_token=0.5, between_tokens=0.005)


async def stopping(scene: Scene) -> None:
    """Wait until the bot has begun to stop."""
    with trio.fail_after(60):
        while "event=stopping" not in scene.log():  # noqa: ASYNC110  # a file tells nobody when it grows
            await trio.sleep(0.02)


async def test_a_term_signal_lets_answers_in_flight_finish(stage: Stage) -> None:
    async with stage(providers=SLOW) as scene:
        discord = scene.sandbox.discord
        asked = [discord.invoke_now("ask", {"prompt": f"I am {n}"}, user=person(n)) for n in range(5)]
        for interaction in asked:
            await interaction.wait_until(lambda i: i.acknowledged_after is not None)
        scene.bot.terminate()
        await stopping(scene)
        late = discord.invoke_now("ask", {"prompt": "too late"}, user=person(9))
        await late.wait_until(lambda i: "I'm restarting" in i.text)
        assert late.private
        with trio.fail_after(60):
            assert await scene.bot.process.wait() == 0
        for number, interaction in enumerate(asked):
            assert f"You asked: “I am {number}”" in interaction.text
            assert not interaction.loading
            assert "restarted" not in interaction.text
        for word in ("Warning", "Traceback", "never retrieved", "never awaited"):
            assert word not in scene.log()


@pytest.mark.slow
async def test_a_term_signal_lets_commands_finish(stage: Stage) -> None:
    """Also those that wait while others of their person are run; nobody sees the bot think for ever."""
    async with stage() as scene:
        discord = scene.sandbox.discord
        discord.limit_rate("/messages/@original", 1.5)
        asked = [await discord.invoke("help", user=person(n % 2)) for n in range(8)]
        for interaction in asked:
            await interaction.wait_until(lambda i: i.acknowledged_after is not None)
        with trio.fail_after(60):
            assert await scene.bot.stop() == 0
        assert not any(interaction.loading for interaction in asked)
        assert all("/ask" in interaction.text for interaction in asked)


@pytest.mark.slow
async def test_answers_that_outlive_the_drain_say_what_happened(stage: Stage) -> None:
    async with stage(settings={"discord": {"drain_seconds": 0.5}}) as scene:
        scene.sandbox.openai.misbehave(Fault(FaultKind.STALL, after=30))
        interaction = await scene.sandbox.discord.invoke("ask", {"prompt": "take your time"})
        await interaction.wait_until(lambda i: "sandbox" in i.text)
        with trio.fail_after(8):
            assert await scene.bot.stop() == 0
        assert "I'm restarting" in interaction.text


@pytest.mark.slow
async def test_a_second_signal_ends_it_at_once(stage: Stage) -> None:
    async with stage() as scene:
        scene.sandbox.openai.misbehave(Fault(FaultKind.STALL, after=30))
        interaction = await scene.sandbox.discord.invoke("ask", {"prompt": "take your time"})
        await interaction.wait_until(lambda i: "sandbox" in i.text)
        scene.bot.terminate()
        await stopping(scene)
        began = trio.current_time()
        scene.bot.process.send_signal(signal.SIGINT)
        assert await scene.bot.process.wait() == 0
        assert trio.current_time() - began < 5


@pytest.mark.slow
async def test_the_next_start_remembers_and_registers_nothing_anew(stage: Stage) -> None:
    async with stage(discord=RESTARTED) as scene:
        discord = scene.sandbox.discord
        await scene.ask("question 0")
        assert discord.counters.commands_written == 1
        await scene.bot.stop()
        async with open_bot(scene.sandbox) as again:
            await again.ready()
            answer = await scene.ask("question 1")
        assert "the last was: “question 0”" in answer.text
        assert discord.counters.commands_written == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"discord": {"token": "wrong"}}, "rejected the bot's token: set DISCORD_TOKEN"),
        (
            {"discord": {"respond_to": "mentions"}},
            "switch on Message Content Intent at https://discord.com/developers/applications",
        ),
    ],
    ids=["token", "intents"],
)
async def test_what_no_restart_can_mend_ends_it_with_78(
    tmp_path: Path,
    authority: Authority,
    settings: dict[str, dict[str, object]],
    sentence: str,
) -> None:
    async with open_sandbox(tmp_path, authority=authority, providers=FAST) as sandbox:
        sandbox.write_settings(settings)
        async with open_bot(sandbox) as bot:
            with trio.fail_after(60):
                assert await bot.process.wait() == 78
        log = sandbox.log.read_text()
        assert sentence in log
        assert "Traceback" not in log


@pytest.mark.slow
async def test_the_last_identifies_are_left_alone(tmp_path: Path, authority: Authority) -> None:
    options = DiscordOptions(identifies=50)
    async with open_sandbox(tmp_path, authority=authority, discord=options) as sandbox:
        async with open_bot(sandbox):
            with trio.move_on_after(20):
                while "too many starts today" not in sandbox.log.read_text():  # noqa: ASYNC110  # a file
                    await trio.sleep(0.1)
        assert "too many starts today" in sandbox.log.read_text()
        assert sandbox.discord.counters.identifies == 0


def test_mistakes_in_the_settings_end_it_with_78_and_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[discord]\ntokn = 1\n[providers.openai]\nmodel = 2\n")
    command = [sys.executable, "-m", "discordianai", "run", "--settings", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  # our own
    assert done.returncode == 78
    assert "discord.tokn: no such key; did you mean token?" in done.stderr
    assert "providers.openai.model: 2" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_sandbox_answers_what_is_piped_into_it() -> None:
    typed = "/ask who?\n/ask provider:perplexity what is up today\n/nonsense\n"
    command = [sys.executable, "-m", "discordianai", "sandbox"]
    done = subprocess.run(  # noqa: S603  # our own
        command, input=typed, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0
    assert "the answers are the sandbox's own" in " ".join(done.stdout.split())
    assert "You asked: “who?”" in done.stdout
    assert "There is no command /nonsense" in done.stdout
    assert "**Sources**" in done.stdout
    assert done.stderr == ""


@pytest.mark.slow
async def test_without_h2_it_says_so_once_and_answers_over_http_1(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['h2'] = None\n")
    async with stage(environment={"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}) as scene:
        assert "You asked: “who?”" in (await scene.ask("who?")).text
        assert scene.log().count("HTTP/2 not available") == 1
        assert "HTTP/2 enabled" not in scene.log()
        assert scene.sandbox.openai.server is not None
        assert {c.protocol for c in scene.sandbox.openai.server.history} == {"HTTP/1.1"}
