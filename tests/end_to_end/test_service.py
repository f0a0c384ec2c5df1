"""A service manager starts the bot, watches it, has it reload, and stops it: over its real socket."""

import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
import trio

from discordianai.sandbox.discord import person
from tests.end_to_end.conftest import UNLIMITED, Scene, Stage
from tests.operations.managers import Manager, open_manager

WATCHDOG = 3.0
"""Seconds: the bot tells every second that it is well."""

FED = "WATCHDOG=1"

BLOCK = """
import asyncio, gc, pathlib, threading, time, trio

def on(kind, call):
    gc.unfreeze()  # what is frozen is not among them
    for thing in gc.get_objects():
        if isinstance(thing, kind):
            call(thing)

def watch():
    folder = pathlib.Path(__file__).parent
    while True:
        time.sleep(0.05)
        for name, kind, call in (
            ("asyncio", asyncio.AbstractEventLoop, lambda loop: loop.call_soon_threadsafe(time.sleep, 6)),
            ("trio", trio.lowlevel.TrioToken, lambda token: token.run_sync_soon(time.sleep, 6)),
        ):
            if (folder / name).exists():
                (folder / name).unlink()
                on(kind, call)

threading.Thread(target=watch, daemon=True).start()
"""
"""Runs inside the bot, which knows nothing of it: blocks one of its loops where a file says which."""


@pytest.mark.slow
async def test_the_manager_hears_the_whole_life_of_the_bot(stage: Stage, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(BLOCK)
    with open_manager(tmp_path) as manager:
        watched = {"WATCHDOG_USEC": str(int(WATCHDOG * 1e6)), "PYTHONPATH": str(hooks)}
        async with stage(environment={**manager.environment(), **watched}) as scene:
            life = Life(manager)
            await life.hears("READY=1")
            assert any("not ready" in news for news in life.told if news.startswith("STATUS="))
            await life.hears("STATUS=ready")
            await life.hears(FED)
            await reloads(scene, life)
            for loop in ("asyncio", "trio"):
                (hooks / loop).touch()
                await starves(life)
                await life.hears(FED)
            scene.bot.terminate()
            await life.hears("STOPPING=1")
            assert await scene.bot.process.wait() == 0


class Life:
    """What the manager has been told so far, line by line."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self.told: list[str] = []
        self._heard = 0

    def forget(self) -> None:
        """Only what comes from now on is to be heard."""
        self.listen()
        self._heard = len(self.told)

    def listen(self) -> list[str]:
        """What is new."""
        news = [line for datagram in self._manager.waiting() for line in datagram.splitlines()]
        self.told += news
        return news

    async def hears(self, word: str) -> None:
        """Wait until a line begins like this, after those that were waited for before."""
        with trio.fail_after(60):
            while True:
                for place, line in enumerate(self.told[self._heard :], self._heard + 1):
                    if line.startswith(word):
                        self._heard = place
                        return
                await trio.sleep(0.05)
                self.listen()


async def starves(life: Life) -> None:
    """The bot is not called well for longer than it would be otherwise."""
    life.listen()
    with trio.fail_after(60):
        quiet = trio.current_time()
        while trio.current_time() < quiet + 0.7 * WATCHDOG:
            if FED in life.listen():
                quiet = trio.current_time()
            await trio.sleep(0.05)
    life.forget()


async def reloads(scene: Scene, life: Life) -> None:
    """Once with something new, once with a mistake."""
    someone = person(5)
    changes: dict[str, Mapping[str, object]] = {
        **UNLIMITED,
        "discord": {"blocked_user_ids": [someone.id], "max_messages": 3},
        "daily_limits.user": {"tokens": 1_234_567},
    }
    scene.sandbox.write_settings(changes)
    scene.bot.process.send_signal(signal.SIGHUP)
    await life.hears("RELOADING=1")
    await life.hears("READY=1")
    refused = await scene.sandbox.discord.invoke("ask", {"prompt": "am I in?"}, user=someone)
    await refused.wait_until(lambda i: "You can't use this bot here." in i.text)
    assert "event=\"some settings need a restart\" keys=['discord.max_messages']" in scene.log()
    assert "You asked" in (await scene.ask("am I in?")).text
    usage = await scene.sandbox.discord.invoke("usage")
    await usage.wait_until(lambda i: "1,234,567 tokens per day" in i.text)
    usable = scene.sandbox.settings.read_text()
    scene.sandbox.settings.write_text(usable + "\n[nonsense]\n")
    scene.bot.process.send_signal(signal.SIGHUP)
    await life.hears("RELOADING=1")
    await life.hears("READY=1")
    assert "settings invalid: keeping the previous ones" in scene.log()
    refused = await scene.sandbox.discord.invoke("ask", {"prompt": "am I in now?"}, user=someone)
    await refused.wait_until(lambda i: "You can't use this bot here." in i.text)
    assert "You asked" in (await scene.ask("why is the sky blue?")).text
