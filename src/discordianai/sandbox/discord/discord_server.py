"""Serves the local Discord with Starlette and Hypercorn, under trio."""

import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import trio
import trio.lowlevel
from hypercorn.config import Config
from hypercorn.typing import Framework
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from discordianai.asgi_server import serve
from discordianai.sandbox.discord.gateway_server import GatewayServerConnection
from discordianai.sandbox.discord.local_discord import DiscordOptions, LocalDiscord
from discordianai.sandbox.discord.rest_server import RestServer

CLOSE_TIMEOUT = 0.5


@asynccontextmanager
async def open_local_discord(options: DiscordOptions | None = None) -> AsyncIterator[LocalDiscord]:
    """Serve on a free port of 127.0.0.1 while the block runs."""
    discord = LocalDiscord(options or DiscordOptions())

    async def gateway(websocket: WebSocket) -> None:
        await GatewayServerConnection(discord, websocket).serve()

    async def upload(request: Request) -> Response:
        kind, content = discord.uploads.get(request.url.path, ("", b""))
        return Response(content, 200 if kind else 404, media_type=kind)

    routes = [WebSocketRoute("/gateway", gateway), Route("/attachments/{id}/{name}", upload)]
    app = Starlette(routes=[*RestServer(discord).routes(), *routes])
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    discord.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    framework, config = cast(Framework, app), _config(listener)
    async with trio.open_nursery() as nursery:
        stop = trio.Event()
        await nursery.start(serve, framework, config, stop)
        yield discord
        discord.drop_gateway(resumable=False)
        stop.set()
        nursery.cancel_scope.deadline = trio.current_time() + CLOSE_TIMEOUT


def _config(listener: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]  # Hypercorn closes it
    config.accesslog = None
    config.include_date_header = False  # the local Discord has a clock of its own
    quiet = logging.getLogger("discordianai.sandbox.hypercorn")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    config.errorlog = quiet
    config.graceful_timeout = CLOSE_TIMEOUT
    config.keep_alive_timeout = 300.0
    config.keep_alive_max_requests = 10**9  # connections last as long as the client wants
    config.backlog = 1000
    return config
