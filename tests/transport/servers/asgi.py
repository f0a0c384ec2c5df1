"""What servers written in Python serve: see the package."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.transport.servers.launching import LARGE

Message = dict[str, Any]
PIECE = 65_536


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """An application of ASGI."""
    if scope["type"] != "http":
        raise RuntimeError("no lifespan here")
    marks = [(b"x-id", value) for name, value in scope["headers"] if name == b"x-id"]
    match scope["path"]:
        case "/reject":
            status, body = 413, b"too much"
        case "/files/large":
            status, body = 200, LARGE
        case _:
            status, body = 200, b"x" * 2048
            while (await receive()).get("more_body"):
                pass
    await send({"type": "http.response.start", "status": status, "headers": marks})
    for start in range(0, len(body), PIECE):
        piece = body[start : start + PIECE]
        await send({"type": "http.response.body", "body": piece, "more_body": start + PIECE < len(body)})
