"""Who may use the sandbox's page, and what it takes from them."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import trio

from discordianai.sandbox.bot_switch import BotSwitch
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.chat import Chat
from discordianai.sandbox.discord import CHANNELS
from discordianai.sandbox.faults import SWITCHES, FaultPanel
from discordianai.sandbox.launcher import Sandbox, open_sandbox
from discordianai.sandbox.page.page_server import open_page
from discordianai.sandbox.providers.provider_faults import MARKERS

GENERAL = str(CHANNELS[0].id)
ASK = {
    "id": "1",
    "name": "ask",
    "type": 1,
    "description": "Ask me anything",
    "options": [
        {"name": "prompt", "type": 3, "description": "Your question", "required": True},
        {"name": "file", "type": 11, "description": "A file"},
    ],
}


@dataclass(frozen=True)
class Scene:
    """The page without a bot, and a client that is no browser."""

    sandbox: Sandbox
    address: str
    client: httpx.AsyncClient

    @property
    def origin(self) -> str:
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"

    async def get(self, path: str = "", **headers: str) -> httpx.Response:
        return await self.client.get(f"{self.address}{path}", headers=headers)

    async def post(self, action: str, body: object, **headers: str) -> httpx.Response:
        sent = {"origin": self.origin, "content-type": "application/json", **headers}
        return await self.client.post(f"{self.address}{action}", content=json.dumps(body), headers=sent)

    async def state(self, person: str = "alice") -> Mapping[str, object]:
        answer = await self.get(f"state?person={person}&channel=&after=")
        found: Mapping[str, object] = answer.json()
        return found


@asynccontextmanager
async def open_scene(folder: Path, authority: Authority) -> AsyncIterator[Scene]:
    async with open_sandbox(folder, authority=authority) as sandbox, trio.open_nursery() as nursery:
        sandbox.discord.registered[None] = {"ask": ASK}
        chat, bot = Chat(sandbox.discord), BotSwitch(sandbox, nursery)
        async with (
            open_page(chat, FaultPanel(sandbox), bot, "http://127.0.0.1:9") as address,
            httpx.AsyncClient(timeout=60) as client,
        ):
            yield Scene(sandbox, address, client)


async def test_only_the_address_with_its_token_opens_the_page(tmp_path: Path, authority: Authority) -> None:
    """Nothing is served without it, nor by another name of this machine, which may be a rebound one."""
    async with open_scene(tmp_path, authority) as scene:
        assert (await scene.get()).status_code == 200
        for path in ("/", "/page.js", "/state", "/wrong-token/", "//", "/%2e%2e/"):
            assert (await scene.client.get(scene.origin + path)).status_code in {403, 404}
        assert (await scene.get(host="evil.example")).status_code == 403
        assert (await scene.get("state?person=alice&channel=&after=", host="evil.example")).status_code == 403


FOREIGN = (
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": ""},
    {"content-type": "text/plain"},
    {"content-type": "multipart/form-data"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
)


async def test_another_page_can_do_nothing(tmp_path: Path, authority: Authority) -> None:
    """Not even with the token: what a browser says of another page is refused."""
    async with open_scene(tmp_path, authority) as scene:
        body = {"person": "alice", "channel": GENERAL, "line": "/ask why"}
        for headers in FOREIGN:
            assert (await scene.post("send", body, **headers)).status_code == 403, headers
        assert scene.sandbox.discord.interactions == {}
        assert (await scene.post("send", body)).status_code == 200
        assert len(scene.sandbox.discord.interactions) == 1


async def test_a_body_has_a_length_that_holds(tmp_path: Path, authority: Authority) -> None:
    """A body in chunks has no end that could be known, whatever its head says."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"{}"

    async with open_scene(tmp_path, authority) as scene:
        sent = {"origin": scene.origin, "content-type": "application/json"}
        for length in ({}, {"content-length": "2", "transfer-encoding": "chunked"}):
            answer = await scene.client.post(
                f"{scene.address}heal", content=chunks(), headers={**sent, **length}
            )
            assert answer.status_code == 403, length
        assert (await scene.post("heal", {})).status_code == 200


async def test_reading_does_nothing(tmp_path: Path, authority: Authority) -> None:
    """Each action is a POST; a GET of its path is none, whatever comes with it."""
    async with open_scene(tmp_path, authority) as scene:
        before = scene.sandbox.discord.revision
        body = json.dumps({"person": "alice", "channel": GENERAL, "line": "why", "name": "500", "on": True})
        for action in ("send", "bot", "fault", "heal", "join"):
            headers = {"origin": scene.origin, "content-type": "application/json"}
            sent = scene.client.build_request("GET", scene.address + action, content=body, headers=headers)
            assert (await scene.client.send(sent)).status_code in {404, 405}
        assert (await scene.get("state?person=eve&channel=&after=")).status_code == 400
        assert scene.sandbox.discord.revision == before


async def test_the_page_may_load_nothing_from_elsewhere(tmp_path: Path, authority: Authority) -> None:
    """Its policy says so, and neither may another page have it in a frame."""
    async with open_scene(tmp_path, authority) as scene:
        for path in ("", "page.js", "state?person=alice&channel=&after=", "nothing"):
            policy = (await scene.get(path)).headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy


async def test_a_file_is_taken_from_the_page_and_never_from_the_disk(
    tmp_path: Path, authority: Authority
) -> None:
    """A path in the line would have the sandbox read what the page has no business with."""
    async with open_scene(tmp_path, authority) as scene:
        line = {"person": "alice", "channel": GENERAL, "line": "/ask file:/etc/passwd what is this"}
        refused = await scene.post("send", line)
        assert refused.status_code == 400
        assert "Choose the file" in refused.json()["error"]
        file = {"name": "../notes.md", "base64": base64.b64encode(b"# Notes").decode()}
        assert (await scene.post("send", {**line, "line": "what", "file": file})).status_code == 200
        assert [*scene.sandbox.discord.uploads.values()] == [("text/markdown", b"# Notes")]
        assert all(path.endswith("/notes.md") for path in scene.sandbox.discord.uploads)


MISTAKES: tuple[tuple[str, object], ...] = (
    ("send", {"line": ""}),
    ("send", {"line": "/nothing"}),
    ("send", {"line": 5}),
    ("send", {"line": "x" * 5000}),
    ("send", {"line": "x", "person": "nobody"}),
    ("send", {"line": "x", "channel": "9"}),
    ("send", {"line": "x", "channel": "²"}),
    ("send", {"line": "x", "file": {"name": "a", "base64": "?"}}),
    ("send", {"line": "x", "file": [1]}),
    ("suggest", {"command": "ask"}),
    ("press", {"message": "5", "button": "x"}),
    ("menu", {"message": "5", "command": "ask"}),
    ("submit", {"form": "5", "text": "x"}),
    ("dismiss", {"form": "5"}),
    ("fault", {"name": "nothing", "on": True}),
    ("fault", {"name": "429", "on": False}),
    ("join", {"name": "\x1b"}),
    ("join", {"name": "x" * 33}),
    ("send", None),
    ("send", [1, 2]),
)


async def test_a_mistake_is_answered_in_a_sentence(tmp_path: Path, authority: Authority) -> None:
    """Whatever is sent, the page goes on."""
    async with open_scene(tmp_path, authority) as scene:
        for action, body in MISTAKES:
            sent = {"person": "alice", "channel": GENERAL, **body} if isinstance(body, dict) else body
            answer = await scene.post(action, sent)
            assert answer.status_code == 400, (action, body)
            assert answer.json()["error"].endswith("."), (action, body)
        assert (await scene.get("state?person=alice&channel=&after=")).status_code == 200


async def test_a_fault_that_lasts_is_on_until_it_is_switched_off(
    tmp_path: Path, authority: Authority
) -> None:
    """The page shows which, and one of the gateway's takes the place of another."""
    async with open_scene(tmp_path, authority) as scene:

        async def on() -> list[str]:
            faults = (await scene.state())["faults"]
            assert isinstance(faults, list)
            return [fault["name"] for fault in faults if fault["on"]]

        for name in ("openai-down", "identify-4000", "resume-4000", "429"):
            await scene.post("fault", {"name": name, "on": True})
        assert await on() == ["openai-down", "resume-4000"]
        assert scene.sandbox.openai.outage is not None
        await scene.post("fault", {"name": "openai-down", "on": False})
        assert scene.sandbox.openai.outage is None
        await scene.post("heal", {})
        assert await on() == []
        assert not any(service.withdraw(MARKERS["!429"]) for service in scene.sandbox.providers)


def test_each_fault_has_its_own_name() -> None:
    """And a sentence of what it does."""
    assert len(SWITCHES) > 60
    assert all(switch.help for switch in SWITCHES.values())


async def test_news_come_when_something_changes(tmp_path: Path, authority: Authority) -> None:
    """A request for news waits for the next change, and what a private person sees nobody else does."""
    async with open_scene(tmp_path, authority) as scene, trio.open_nursery() as nursery:
        revision = (await scene.state())["revision"]
        found: list[httpx.Response] = []

        async def wait() -> None:
            found.append(await scene.get(f"state?person=alice&channel={GENERAL}&after={revision}"))

        nursery.start_soon(wait)
        await trio.sleep(0.3)
        assert not found
        await scene.post("send", {"person": "bob", "channel": GENERAL, "line": "@DiscordianAI hello"})
        with trio.fail_after(5):
            while not found:  # noqa: ASYNC110  # the answer tells nobody
                await trio.sleep(0.01)
        entries = found[0].json()["entries"]
        assert [(entry["author"], entry["text"]) for entry in entries] == [("bob", "@DiscordianAI hello")]
