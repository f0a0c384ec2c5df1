"""The operator looks at the running bot: its health, its metrics, its page, and what advise makes of it."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from discordianai.operations.snapshot import from_json
from discordianai.sandbox.asgi_server import free_port
from discordianai.sandbox.discord import person
from discordianai.sandbox.discord.gateway_server import GatewayServerConnection
from discordianai.sandbox.providers import Fault
from discordianai.sandbox.providers.provider_faults import FaultKind
from tests.end_to_end import documented
from tests.end_to_end.conftest import Scene, Stage

OPERATOR = person(7)


class Operator:
    """Somebody on the bot's machine."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=60) as client:
            return await client.get(path)

    async def wait_for(self, path: str, status: int) -> httpx.Response:
        with trio.fail_after(60):
            while (response := await self.get(path)).status_code != status:  # noqa: ASYNC110  # asked as a monitor does
                await trio.sleep(0.05)
        return response

    async def run(
        self, *words: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        with trio.fail_after(90):
            return await trio.run_process(
                [sys.executable, "-m", "discordianai", *words],
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                cwd=folder,
                env=environment,
            )


async def test_what_the_operator_sees_is_what_the_bot_does(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = Operator()
    settings: dict[str, dict[str, object]] = {
        "discord": {"admin_user_ids": [OPERATOR.id]},
        "operations": {"port": operator.port},
        "logging": {"level": "DEBUG"},
    }
    async with stage(settings=settings) as scene:
        await operator.wait_for("/health/ready", 200)
        await scene.ask("why is the sky blue?")
        await scene.ask("what is new today?", options={"provider": "perplexity"})
        await sees_metrics(operator)
        await sees_snapshot(operator)
        await sees_page(operator)
        await is_advised(operator)
        await is_told_in_discord(scene)
        await cannot_start_another_on_that_port(operator, scene)
        await sees_that_the_gateway_is_gone(operator, scene, monkeypatch)
        await sees_that_it_stops(operator, scene)


async def sees_metrics(operator: Operator) -> None:
    with trio.fail_after(60):
        while True:
            text = (await operator.get("/metrics")).text
            if "\ndiscordianai_conversations 1.0" in text:  # the upkeep counts them from time to time
                break
            await trio.sleep(0.1)
    samples = {
        (sample.name.removeprefix("discordianai_"), *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["questions_answered_total",] == 2
    assert samples["requests_total", "answered", "gpt-6-luna", "openai"] == 1
    assert samples["requests_total", "answered", "fast", "perplexity"] == 1
    assert samples["last_chunk_seconds_count", "openai"] == 1
    assert samples["tokens_total", "gpt-6-luna", "openai", "output"] > 0
    assert samples["discord_acknowledgement_seconds_count",] >= 2
    assert samples["discord_identifies_total",] == 1
    assert samples["conversations",] == 1
    assert samples["pool_connections_opened_total", "openai"] >= 1
    assert samples["store_write_seconds_count",] > 0
    for loop in ("trio", "asyncio"):
        assert samples["event_loop_lag_seconds_count", loop] > 0
    assert "sky" not in text


async def sees_snapshot(operator: Operator) -> None:
    response = await operator.get("/api/snapshot")
    snapshot = from_json(response.content)
    assert snapshot.questions.answered == 2
    assert snapshot.providers["openai"].dispatch.requests == 1
    assert snapshot.discord.connected_since is not None
    assert snapshot.settings["connection_pool.openai.max_connections"] == 50
    for word in (b"sky", b"sandbox-token", b"sandbox-key", str(OPERATOR.id).encode()):
        assert word not in response.content


async def sees_page(operator: Operator) -> None:
    page = await operator.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'sha256-" in page.headers["content-security-policy"]
    assert "http://" not in page.text.replace("http://www.w3.org", "")


async def is_advised(operator: Operator) -> None:
    done = await operator.run("advise", "--url", operator.url)
    assert done.returncode == 0
    assert b"The bot since its start" in done.stdout
    assert b"of 1 requests got a 429" in done.stdout


@pytest.mark.slow
async def test_every_command_that_the_pages_show_can_be_typed(stage: Stage) -> None:
    """Beside a bot that runs and has answered."""
    operator = Operator()
    async with stage(settings={"operations": {"port": operator.port}}) as scene:
        await operator.wait_for("/health/ready", 200)
        await scene.ask("why is the sky blue?")
        folder = scene.sandbox.folder
        (folder / "snapshot.json").write_bytes((await operator.get("/api/snapshot")).content)
        (folder / "config.ini").write_text("[Discord]\nBOT_PRESENCE = idle\n")
        for words in documented.commands(operator.url):
            if "backup" in words:
                (folder / "copy.sqlite3").unlink(missing_ok=True)  # two pages make one
            place, environment = folder, {**scene.sandbox.environment, "HOME": str(folder)}
            environment.pop("XDG_CONFIG_HOME", None)
            if words[0] == "init":  # which begins in an empty folder, and would ask the real providers
                place = folder / f"init {len(list(folder.glob('init *')))}"
                place.mkdir()
                environment["HOME"] = str(place)
                words = [*words, "--offline"]
                environment |= {
                    "DISCORD_TOKEN": scene.sandbox.discord.options.token,
                    "OPENAI_API_KEY": "sk-1",
                }
                for name in ("token", "key"):
                    (place / name).write_text(f"{environment['DISCORD_TOKEN']}\n")
            done = await operator.run(*words, folder=place, environment=environment)
            # 1: there is something to put right here; nothing is moved while a bot runs; and a pseudonym of a
            # page is nobody's here.
            found = {0, 1} if words[0] == "check" or {"move", "who"} & {*words} else {0}
            assert done.returncode in found, (words, done.stderr)
            assert b"Traceback" not in done.stderr


async def is_told_in_discord(scene: Scene) -> None:
    told = await scene.sandbox.discord.invoke("status", user=OPERATOR)
    await told.wait_until(lambda i: "Advice" in i.text)
    assert told.private
    assert told.text.startswith("**Ready**")
    assert "Questions: 0 open, 2 answered" in told.text
    assert "**Perplexity** · fast · breaker closed" in told.text
    refused = await scene.sandbox.discord.invoke("status", user=person(8))
    await refused.wait_until(lambda i: not i.loading)
    assert "breaker" not in refused.text


async def cannot_start_another_on_that_port(operator: Operator, scene: Scene) -> None:
    done = await operator.run("run", "--settings", str(scene.sandbox.settings))
    assert done.returncode == 78
    assert f"operations.port: {operator.port} is taken on 127.0.0.1".encode() in done.stderr
    assert b"Traceback" not in done.stderr


async def sees_that_the_gateway_is_gone(
    operator: Operator, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as discord:
        discord.setattr(GatewayServerConnection, "_handshake", silence)
        scene.sandbox.discord.drop_gateway(resumable=False)
        await operator.wait_for("/health/ready", 503)
        assert "the Discord gateway is not connected" in (await operator.get("/health")).text
        assert (await operator.get("/health/live")).status_code == 200
        assert "discordianai_discord_connected 0.0" in (await operator.get("/metrics")).text
    await operator.wait_for("/health/ready", 200)


async def silence(_gateway: GatewayServerConnection) -> None:
    """Takes the connection, and lets nobody in."""
    await trio.sleep(1)


async def sees_that_it_stops(operator: Operator, scene: Scene) -> None:
    scene.sandbox.openai.misbehave(Fault(FaultKind.STALL, after=30, seconds=2))
    asked = await scene.sandbox.discord.invoke("ask", {"prompt": "take your time"})
    await asked.wait_until(lambda i: "sandbox" in i.text)
    scene.bot.terminate()
    await operator.wait_for("/health/ready", 503)
    assert "the bot is stopping" in (await operator.get("/health")).text
    scene.bot.terminate()  # once more, and it ends at once
