"""Asks the bot that runs here whether it is alive, as a container's health check does."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

from discordianai.operations.checks.findings import Finding, ok, problem, warning
from discordianai.operations.options import OperationsOptions

SECONDS = 5.0
"""For the connection to an address, and for the whole answer from then on."""

SUBJECT = "bot"

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  # compared, not bound
"""Addresses that mean all of this machine's, and one of these."""


def reached_at(host: str) -> str:
    """Where this machine reaches the bot whose pages are on that address."""
    return _ANY.get(host, host)


def ask(options: OperationsOptions) -> Finding:
    """What the bot says of its health."""
    if not options.port:
        return problem(SUBJECT, "operations.port is 0, so it cannot be asked", "set a port")
    host = reached_at(options.host)
    try:
        health = _get(host, options.port)
    except (OSError, http.client.HTTPException, ValueError):
        return problem(
            SUBJECT,
            f"nothing that could be the bot answers on {host}, port {options.port}",
            "check that it runs, and with these settings",
        )
    return _judge(health)


def _get(host: str, port: int) -> Mapping[str, Any]:
    """Raises `OSError`, `HTTPException`, `ValueError`."""
    with closing(http.client.HTTPConnection(host, port, timeout=SECONDS)) as connection:
        connection.connect()
        with _shut_down_after(SECONDS, connection.sock):
            connection.request("GET", "/health")
            health = json.loads(connection.getresponse().read(1_000_000))
    if not isinstance(health, dict) or not isinstance(health.get("live"), bool):
        raise ValueError("no bot answers like that")
    return health


@contextmanager
def _shut_down_after(seconds: float, connected: socket.socket) -> Iterator[None]:
    """Let every read end then: its own timeout begins anew with each byte that comes."""

    def shut_down() -> None:
        with suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, shut_down)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _judge(health: Mapping[str, Any]) -> Finding:
    reasons = ", ".join(map(str, health.get("reasons") or ()))
    if not health["live"]:
        return problem(SUBJECT, f"it is stuck: {reasons}", "restart it", live=False, ready=False)
    if not health.get("ready"):
        return warning(SUBJECT, f"it is alive but not ready: {reasons}", "wait", live=True, ready=False)
    return ok(SUBJECT, "it is alive and ready", live=True, ready=True)
