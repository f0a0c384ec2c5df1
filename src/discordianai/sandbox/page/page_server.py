"""Serves the page: its files, what it shows, and its actions."""

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from urllib.parse import quote

import httpx
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from discordianai.sandbox.asgi_server import listen, serve_on
from discordianai.sandbox.bot_switch import BotSwitch
from discordianai.sandbox.chat import Chat
from discordianai.sandbox.discord import CHANNELS
from discordianai.sandbox.discord.api_objects import Json
from discordianai.sandbox.faults import FaultPanel
from discordianai.sandbox.figures import BotFigures
from discordianai.sandbox.page.actions import Actions
from discordianai.sandbox.page.request_guard import Guarded
from discordianai.sandbox.page.views import state

LONGEST_POLL = 20.0
"""Seconds until a request for news is answered without any."""

PACE = 0.1
"""Seconds between two answers with news: edits that come closer together are shown at once."""

STATIC = {
    "": ("page.html", "text/html"),
    "page.css": ("page.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
    "markdown.js": ("markdown.js", "text/javascript"),
}


class _Page:
    """The routes, without the token."""

    def __init__(self, chat: Chat, panel: FaultPanel, bot: BotSwitch, figures: BotFigures) -> None:
        self._chat = chat
        self._panel = panel
        self._bot = bot
        self._figures = figures
        self._actions = Actions(chat, panel, bot)
        folder = files("discordianai.sandbox.page")
        self._files = {
            path: ((folder / name).read_text(encoding="utf-8"), kind) for path, (name, kind) in STATIC.items()
        }

    def app(self) -> ASGIApp:
        """For the guard."""
        return Starlette(
            routes=[
                *(Route(f"/{path}", self._static, methods=["GET"]) for path in STATIC),
                Route("/state", self._state, methods=["GET"]),
                Route("/figures", self._read_figures, methods=["GET"]),
                Route("/files/{message}/{name}", self._file, methods=["GET"]),
                Route("/{action}", self._act, methods=["POST"]),
            ]
        )

    async def _static(self, request: Request) -> Response:
        text, kind = self._files[request.url.path.removeprefix("/")]
        return Response(text, media_type=kind)

    async def _state(self, request: Request) -> Response:
        """The state once it is another one than `after`."""
        query = request.query_params
        try:
            user = self._actions.who(query)
            channel = self._actions.where(query)[1] if query.get("channel") else CHANNELS[0]
        except ValueError as error:
            return _refused(error)
        with trio.move_on_after(LONGEST_POLL):
            while query.get("after") == str(self._chat.discord.revision):
                await self._chat.discord.wait_changed()
                await trio.sleep(PACE)
        return _json(state(self._chat, self._panel, self._bot, user, channel))

    async def _read_figures(self, _request: Request) -> Response:
        return Response(await self._figures.text(), media_type="application/json")

    async def _file(self, request: Request) -> Response:
        """A file of the bot's, to be saved and never to be shown here."""
        number, name = request.path_params["message"], request.path_params["name"]
        try:
            user = self._actions.who(request.query_params)
            content = self._chat.message(user, int(number)).files[name]
        except (ValueError, KeyError):
            return Response(status_code=404)
        disposition = f"attachment; filename*=UTF-8''{quote(name)}"
        return Response(
            content, media_type="application/octet-stream", headers={"content-disposition": disposition}
        )

    async def _act(self, request: Request) -> Response:
        act = self._actions.all.get(request.path_params["action"])
        if act is None:
            return Response(status_code=404)
        try:
            body = json.loads(await request.body())
            if not isinstance(body, dict):
                raise ValueError("Send a JSON object.")
            found = await act(body)
        except (ValueError, RecursionError) as error:
            return _refused(error)
        return _json(found or {})


def _json(body: Json) -> Response:
    return JSONResponse(body)


def _refused(error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


@asynccontextmanager
async def open_page(chat: Chat, panel: FaultPanel, bot: BotSwitch, status_url: str) -> AsyncIterator[str]:
    """Serve the page while the block runs; yield its address, with the token that opens it.

    `status_url` is where the bot serves its status page.
    """
    token = secrets.token_urlsafe(24)
    listener, port = listen()
    hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
    async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
        page = _Page(chat, panel, bot, BotFigures(client, status_url))
        async with serve_on(listener, Guarded(page.app(), token, hosts)):
            yield f"http://{hosts[0]}/{token}/"
