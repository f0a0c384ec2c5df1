"""Serves the local Discord with Starlette and Hypercorn, under trio."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from discordianai.sandbox.asgi_server import listen, serve_on
from discordianai.sandbox.discord.gateway_server import GatewayServerConnection
from discordianai.sandbox.discord.local_discord import LocalDiscord
from discordianai.sandbox.discord.options import DiscordOptions
from discordianai.sandbox.discord.rest_server import RestServer


@asynccontextmanager
async def open_local_discord(options: DiscordOptions | None = None) -> AsyncIterator[LocalDiscord]:
    """Serve on a free port of 127.0.0.1 while the block runs."""
    discord = LocalDiscord(options or DiscordOptions())

    async def gateway(websocket: WebSocket) -> None:
        await GatewayServerConnection(discord, websocket).serve()

    async def upload(request: Request) -> Response:
        kind, content = discord.uploads.get(request.url.path, ("", b""))
        return Response(content, 200 if kind else 404, media_type=kind)

    routes = [
        WebSocketRoute("/gateway", gateway),
        WebSocketRoute("/gateway/{shard:int}", gateway),
        Route("/attachments/{id}/{name}", upload),
    ]
    app = Starlette(routes=[*RestServer(discord).routes(), *routes])
    listener, port = listen()
    discord.url = f"http://127.0.0.1:{port}"
    async with serve_on(listener, app):
        yield discord
        discord.drop_gateway(resumable=False)
