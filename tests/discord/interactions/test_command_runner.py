"""What the person sees of a handler's end, whatever it is: against the local Discord."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trio

from discordianai.conversations.sqlite.store import SqliteStore
from discordianai.conversations.store import StoreError
from discordianai.discord.commands import history
from discordianai.discord.commands.command import CommandReply, Handler, Invocation
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.interactions import command_runner
from discordianai.discord.interactions.command_runner import (
    NO_FILE,
    NOT_SHOWN,
    STORE_ILL,
    STORE_SLOW,
    TOO_MUCH,
    CommandRunner,
)
from discordianai.discord.interactions.outcomes import FAILED, RunCommand
from discordianai.discord.messages import rest
from discordianai.discord.messages.buttons import Button
from discordianai.discord.messages.port import File
from discordianai.discord.messages.reply import REFUSED
from discordianai.discord.messages.rest import DiscordApi
from discordianai.records import ReplyAddress
from discordianai.sandbox.discord import Interaction, LocalDiscord, open_local_discord
from discordianai.sandbox.discord.api_objects import BOT_ID
from tests.discord.commands.builders import HERE, invocation, open_services, turns

COMMAND = {"name": "history", "description": "What I remember"}


@dataclass(frozen=True)
class Scene:
    discord: LocalDiscord
    client: httpx.AsyncClient
    runner: CommandRunner
    store: SqliteStore

    async def run(self, handler: Handler) -> Interaction:
        """Use a command that is handled so."""
        interaction = self.discord.invoke_now("history")
        path = f"/interactions/{interaction.id}/{interaction.token}/callback"
        await self.client.post(self.discord.api_url + path, json={"type": 5, "data": {"flags": 64}})
        address = ReplyAddress(BOT_ID, interaction.id, interaction.token, 1, True, 0.0)
        await self.runner.run(RunCommand("history", handler, invocation(), address))
        return interaction


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with (
        open_local_discord() as discord,
        httpx.AsyncClient(timeout=60) as client,
        open_services(tmp_path) as (services, store),
    ):
        headers = {"Authorization": "Bot sandbox-token"}
        path = f"{discord.api_url}/applications/{BOT_ID}/commands"
        await client.put(path, json=[COMMAND], headers=headers)
        api = DiscordApi(client, discord.api_url)
        yield Scene(discord, client, CommandRunner(services, api, DiscordCounter()), store)


async def test_the_reply_comes_with_its_buttons_and_its_file(scene: Scene) -> None:
    """Nobody is notified by it."""

    async def handle(_invocation: Invocation, _services: object) -> CommandReply:
        return CommandReply("@everyone", (Button("page", 10, "1", "Older"),), File("all.jsonl", b"{}"))

    (message,) = (await scene.run(handle)).messages
    assert message.content == "@everyone"
    assert message.files == {"all.jsonl": b"{}"}
    ((button,),) = (row["components"] for row in message.components)
    assert (button["label"], button["custom_id"]) == ("Older", "page:10:1")


async def test_words_that_a_reply_repeats_hide_no_link_and_unfold_none(scene: Scene) -> None:
    """`/history` shows what a model wrote, as it was stored."""
    await scene.store.append(
        HERE, turns("q", "[https://bank.example](https://evil.example) \u202ex", at=time.time())
    )
    (message,) = (await scene.run(history.COMMAND.handle)).messages
    assert "[https://bank.example (evil.example)](https://evil.example) x" in message.content
    assert message.flags & 4


async def test_a_reply_that_is_too_long_is_cut(scene: Scene) -> None:
    """Discord would refuse it, and the person would see the bot think for ever."""

    async def handle(_invocation: Invocation, _services: object) -> CommandReply:
        return CommandReply("word " * 1000)

    text = (await scene.run(handle)).text
    assert 1000 < len(text) <= 2000
    assert text.endswith("word\n…")


async def test_whose_reply_is_refused_in_every_form_reads_a_sentence(scene: Scene) -> None:
    """Otherwise they would see the bot think for ever."""
    scene.discord.refused_texts = {
        '"flags": 68': (400, 50035)
    }  # ephemeral and without embeds, as replies are

    async def handle(_invocation: Invocation, _services: object) -> CommandReply:
        return CommandReply("fine", (Button("page", 10, "1", "Older"),))

    assert (await scene.run(handle)).text == f"-# {REFUSED}"


async def test_where_the_store_fails_the_person_is_told_and_the_operator_why(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    async def handle(_invocation: Invocation, _services: object) -> CommandReply:
        raise StoreError("the disk is full")

    assert (await scene.run(handle)).text == STORE_ILL
    assert "the disk is full" in capsys.readouterr().out


async def test_a_bug_in_a_handler_ends_that_command_alone_and_in_words(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator finds it in the log."""

    async def handle(_invocation: Invocation, _services: object) -> CommandReply:
        raise ValueError("a bug")

    async def fine(_invocation: Invocation, _services: object) -> CommandReply:
        return CommandReply("fine")

    assert FAILED in (await scene.run(handle)).text
    assert "bug in a command" in capsys.readouterr().out
    assert (await scene.run(fine)).text == "fine"


async def test_a_file_that_discord_does_not_take_is_not_the_end_of_the_reply(scene: Scene) -> None:
    """The local Discord takes ten megabytes."""

    async def handle(_invocation: Invocation, _services: object) -> CommandReply:
        return CommandReply("All of it.", file=File("all.jsonl", bytes(11 * 1024 * 1024)))

    assert (await scene.run(handle)).text == f"All of it.\n\n{NO_FILE}"


@pytest.mark.parametrize(("errors", "shown"), [(2, f"All of it.\n\n{NO_FILE}"), (4, f"-# {NOT_SHOWN}")])
async def test_a_reply_that_meets_nothing_but_errors_of_discord_is_told_of(
    scene: Scene, errors: int, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only its file does, the rest is shown. Otherwise the person would see the bot think for ever."""
    monkeypatch.setattr(rest, "ATTEMPTS", 2)
    monkeypatch.setattr(rest, "LONGEST_TROUBLE", 0.1)
    scene.discord.fail_next("/@original", 500, errors)

    async def handle(_invocation: Invocation, _services: object) -> CommandReply:
        return CommandReply("All of it.", file=File("all.jsonl", b"{}"))

    assert (await scene.run(handle)).text == shown


@pytest.mark.parametrize("in_place", [False, True])
async def test_who_pressed_a_button_that_is_not_run_keeps_what_they_read(
    scene: Scene, in_place: bool
) -> None:
    """A command that is not run has nothing but "thinking", and that is replaced."""

    async def page(_invocation: Invocation, _services: object) -> CommandReply:
        return CommandReply("page 1", (Button("page", 10, "1", "Older"),))

    interaction = await scene.run(page)
    address = ReplyAddress(BOT_ID, interaction.id, interaction.token, 1, True, 0.0)
    await scene.runner.apologise(RunCommand("history", page, invocation(), address, in_place=in_place))
    texts = [message.content for message in interaction.messages]
    assert texts == (["page 1", f"-# {TOO_MUCH}"] if in_place else [f"-# {TOO_MUCH}"])
    assert bool(interaction.messages[0].components) is in_place
    assert interaction.messages[-1].private


async def test_who_waits_for_a_disk_that_hangs_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise nothing would end the thinking: after a quarter of an hour, Discord takes no answer."""
    monkeypatch.setattr(command_runner, "HANDLE_WITHIN", 0.1)

    async def handle(_invocation: Invocation, _services: object) -> CommandReply:
        await trio.sleep_forever()
        raise AssertionError

    with trio.fail_after(10):
        (message,) = (await scene.run(handle)).messages
    assert message.content == STORE_SLOW
