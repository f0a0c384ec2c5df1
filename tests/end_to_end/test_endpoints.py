"""Sixteen kinds of endpoints behind one bot, each a double with the refusals and quirks of its original."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from itertools import count
from pathlib import Path

import httpx
import pytest
import trio

from discordianai.operations.snapshot import Snapshot, from_json
from discordianai.sandbox.asgi_server import free_port
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import Interaction, person
from discordianai.sandbox.discord.user_actions import upload
from discordianai.sandbox.launcher import ENDPOINTS, open_bot, open_sandbox
from discordianai.sandbox.providers import FAMILIES, EndpointService, ProviderService
from tests.end_to_end.conftest import FAST, UNLIMITED, Scene

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
WISHES = {"reasoning_effort": "low", "verbosity": "low", "max_answer_tokens": 5000, "images": True}
_people = count(7000)

Told = Callable[[str], str]
"""What people read, by the label of the provider."""


def too_long(label: str) -> str:
    return f"That's too long for {label}'s model."


def filtered(label: str) -> str:
    return f"{label}'s content filter refused this question."


def unreadable(label: str) -> str:
    return f"{label} couldn't read the file sent with this question."


class Endpoints:
    """All of them, with what they were asked."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        sandbox = scene.sandbox
        known: Mapping[str, ProviderService] = {"openai": sandbox.openai, "perplexity": sandbox.perplexity}
        self.services = {**known, **sandbox.endpoints}

    def requests(self) -> dict[str, int]:
        """How many each has had."""
        return {
            name: service.asked if isinstance(service, EndpointService) else service.paths.total()
            for name, service in self.services.items()
        }

    async def ask_all(self, prompt: str, told: Told | None = None, *, picture: bool = False) -> None:
        """Ask each, all at once, and wait until each has answered, or has told that."""
        async with trio.open_nursery() as nursery:
            for name in ENDPOINTS:
                nursery.start_soon(self._ask, name, prompt, told, picture)

    async def _ask(self, name: str, prompt: str, told: Told | None, picture: bool) -> None:
        discord, label = self.scene.sandbox.discord, self.label(name)
        options: dict[str, object] = {"prompt": prompt, "provider": name}
        if picture:
            options["file"] = upload(discord, "a.png", PICTURE, "image/png")
        asked = await discord.invoke("ask", options, user=person(next(_people)))
        words = f"-# {label} · " if told is None else told(label)
        if name == "perplexity" and told in {too_long, filtered}:
            words = "Perplexity refused this question."  # it has no codes, and no words, for these
        await reads(asked, words, name)

    def label(self, name: str) -> str:
        """What people call it."""
        return {"openai": "OpenAI", "perplexity": "Perplexity"}.get(name) or FAMILIES[name].label


async def reads(asked: Interaction, words: str, name: str) -> None:
    with trio.move_on_after(60):
        await asked.wait_until(lambda shown: words in shown.text)
        return
    raise AssertionError(f"{name}: {words!r} is not in {asked.text!r}")


@pytest.mark.slow
async def test_sixteen_kinds_of_endpoints_are_served(authority: Authority, tmp_path: Path) -> None:
    """Each first question is answered, each further one costs one request. One that is refused itself costs
    one, is told truly, and nothing is learned from it. Health tells what is left out."""
    port = free_port()
    async with open_sandbox(
        tmp_path, authority=authority, providers=FAST, endpoints=tuple(FAMILIES)
    ) as sandbox:
        wishes = {table: {**keys, **WISHES} for table, keys in sandbox.with_endpoints.items()}
        sandbox.write_settings({**UNLIMITED, **wishes, "operations": {"port": port}})
        async with open_bot(sandbox) as bot, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await bot.ready()
            endpoints = Endpoints(Scene(sandbox, bot))
            await endpoints.ask_all("why?")
            learned = (await snapshot(client)).providers
            assert learned["mistral"].left_out == {
                "mistral-small-latest": (
                    "max_completion_tokens",
                    "reasoning effort",
                    "stream_options",
                    "verbosity",
                )
            }
            assert learned["anthropic"].left_out == {}
            assert "xAI refuses reasoning effort for grok-4" in (await client.get("/health")).text
            await costs_one_each(endpoints, partial(endpoints.ask_all, "and why?"))
            await costs_one_each(endpoints, partial(endpoints.ask_all, "how? !toolong", too_long))
            await costs_one_each(endpoints, partial(endpoints.ask_all, "how? !policy", filtered))
            picture = partial(endpoints.ask_all, "and this? !noimages", unreadable, picture=True)
            await costs_one_each(endpoints, picture)
            await costs_one_each(endpoints, partial(endpoints.ask_all, "and now?"))
            after = (await snapshot(client)).providers
            assert {name: each.left_out for name, each in after.items()} == {
                name: each.left_out for name, each in learned.items()
            }


async def costs_one_each(endpoints: Endpoints, ask: Callable[[], Awaitable[None]]) -> None:
    before = endpoints.requests()
    await ask()
    assert endpoints.requests() == {name: number + 1 for name, number in before.items()}


async def snapshot(client: httpx.AsyncClient) -> Snapshot:
    return from_json((await client.get("/api/snapshot")).content)
