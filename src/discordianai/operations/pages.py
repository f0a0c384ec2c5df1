"""Health, metrics and the status page, as an ASGI application that only answers GET.

There is no login: anyone who can reach the address may read. So the pages are read-only, and show no secret
and nothing that people said; a page of another site can neither read it (no CORS), nor frame or embed it, nor
come by a name that it has pointed at this machine (the Host header is checked).
"""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files

from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from discordianai.metric import BOUNDS
from discordianai.operations import metrics
from discordianai.operations.advice import advise
from discordianai.operations.health import STARTING, HealthVerdict, judge
from discordianai.operations.logs import RecentWarnings
from discordianai.operations.metrics import make_registry
from discordianai.operations.snapshot import Snapshot, to_json


@dataclass(frozen=True, slots=True)
class Page:
    """`policy` are the directives of a Content-Security-Policy that allow what is in the text."""

    text: str
    policy: str


def read_page() -> Page:
    """Put the three files together."""
    folder = files("discordianai.operations") / "status"
    html, style, script = (
        (folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")
    )
    bounds = " ".join(map(str, BOUNDS))  # of the buckets of each latency, whose counts a snapshot has
    text = html.replace("BOUNDS", bounds).replace("/*STYLE*/", style).replace("/*SCRIPT*/", script)
    return Page(text, f"style-src '{_hash(style)}'; script-src '{_hash(script)}'")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


NOTHING_MORE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": NOTHING_MORE,
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Pages:
    """`hosts` are the names by which it may be asked for; None: by any."""

    def __init__(self, hosts: Sequence[str] | None, warnings: RecentWarnings) -> None:
        self._warnings = warnings
        self._snapshot: Callable[[], Snapshot] | None = None
        self._registry = make_registry(self._now)
        self._page = read_page()
        trusted = Middleware(TrustedHostMiddleware, allowed_hosts=hosts or ["*"], www_redirect=False)
        self.app: ASGIApp = Starlette(
            routes=[
                Route("/", self._status, methods=["GET"]),
                Route("/api/snapshot", self._api, methods=["GET"]),
                Route("/api/metrics", self._api_metrics, methods=["GET"]),
                Route("/api/advice", self._api_advice, methods=["GET"]),
                Route("/api/warnings", self._api_warnings, methods=["GET"]),
                Route("/metrics", self._metrics, methods=["GET"]),
                Route("/health", self._health, methods=["GET"]),
                Route("/health/live", self._live, methods=["GET"]),
                Route("/health/ready", self._ready, methods=["GET"]),
            ],
            middleware=[Middleware(_Headers), trusted],
        )

    def shows(self, snapshot: Callable[[], Snapshot]) -> None:
        """Show this snapshot from now on; before the first one, the bot is starting."""
        self._snapshot = snapshot

    def _now(self) -> Snapshot | None:
        return self._snapshot() if self._snapshot is not None else None

    def _verdict(self) -> HealthVerdict:
        snapshot = self._now()
        return judge(snapshot) if snapshot is not None else STARTING

    async def _status(self, _request: Request) -> Response:
        policy = f"{NOTHING_MORE}; connect-src 'self'; img-src data:; {self._page.policy}"
        return HTMLResponse(self._page.text, headers={"content-security-policy": policy})

    async def _api(self, _request: Request) -> Response:
        return self._json(to_json)

    async def _api_metrics(self, _request: Request) -> Response:
        return self._json(metrics.to_json)

    async def _api_advice(self, _request: Request) -> Response:
        return self._json(lambda snapshot: _dumped([asdict(each) for each in advise(snapshot)]))

    async def _api_warnings(self, _request: Request) -> Response:
        return Response(
            _dumped([asdict(each) for each in self._warnings.latest]), media_type="application/json"
        )

    def _json(self, told: Callable[[Snapshot], bytes]) -> Response:
        snapshot = self._now()
        if snapshot is None:
            return JSONResponse({"starting": True}, status_code=503)
        return Response(told(snapshot), media_type="application/json")

    async def _metrics(self, request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._registry), headers={"content-type": content_type})

    async def _health(self, _request: Request) -> Response:
        verdict = self._verdict()
        body = {
            "live": verdict.live,
            "ready": verdict.ready,
            "degraded": verdict.degraded,
            "reasons": verdict.reasons,
            "remarks": verdict.remarks,
        }
        return JSONResponse(body, status_code=200 if verdict.ready else 503)

    async def _live(self, _request: Request) -> Response:
        return _yes_or_no(self._verdict().live)

    async def _ready(self, _request: Request) -> Response:
        return _yes_or_no(self._verdict().ready)


def _dumped(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _yes_or_no(yes: bool) -> Response:
    return PlainTextResponse("yes\n" if yes else "no\n", status_code=200 if yes else 503)


class _Headers:
    """What every response has, refusals included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                message["headers"] += [
                    (name.encode(), value.encode())
                    for name, value in HEADERS.items()
                    if name.encode() not in there
                ]
            await send(message)

        await self._app(scope, receive, send_with_headers)
