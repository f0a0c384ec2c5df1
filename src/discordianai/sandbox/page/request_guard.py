"""Who may use the page: whoever has its address, from that address alone."""

import secrets
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes; a file of 10 MiB in base64 fits."""

HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guarded:
    """Lets a request through to `app` only with the token in its path, and from the page itself.

    `hosts` are what the Host header may be: another name may come from DNS rebinding. A POST needs the page's
    own Origin, and JSON as its content type, which no form of another page can send. The path that `app` sees
    is without the token.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: tuple[str, ...]) -> None:
        self._app = app
        self._token = token
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # a WebSocket is closed so

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            await send(message)

        first, _, rest = scope["path"].removeprefix("/").partition("/")
        if refusal := self._refusal(scope["method"], first, Headers(scope=scope)):
            await PlainTextResponse(f"{refusal}\n", 403)(scope, receive, send_with_headers)
            return
        inner = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}
        await self._app(inner, receive, send_with_headers)

    def _refusal(self, method: str, token: str, headers: Headers) -> str:
        """Why not, if not."""
        host = headers.get("host", "")
        if host not in self._hosts:
            return "The page is not served by this name."
        if not secrets.compare_digest(token.encode(), self._token.encode()):
            return "The token in the address is wrong: use the address that the terminal shows."
        if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            return "Another page may not ask for this."
        if method not in {"GET", "HEAD", "POST"}:
            return "Use GET or POST."
        if method == "POST":
            return self._post_refusal(host, headers)
        return ""

    def _post_refusal(self, host: str, headers: Headers) -> str:
        if headers.get("origin") != f"http://{host}":
            return "Another page may not do this."
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return "Send JSON."
        length = headers.get("content-length", "")
        chunked = "transfer-encoding" in headers  # outranks the length, and may have no end
        if chunked or not length.isdecimal() or int(length) > LARGEST_BODY:
            return f"Send at most {LARGEST_BODY} bytes, with their length."
        return ""
