"""Asks the bot that runs here whether it is alive, as a container's health check does."""

import http.client
import json
from collections.abc import Mapping
from typing import Any

from discordianai.operations.checks.findings import Finding, ok, problem, warning
from discordianai.operations.options import OperationsOptions

SECONDS = 5.0
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
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", "/health")
        health = json.loads(connection.getresponse().read(1_000_000))
    finally:
        connection.close()
    if not isinstance(health, dict) or not isinstance(health.get("live"), bool):
        raise ValueError("no bot answers like that")
    return health


def _judge(health: Mapping[str, Any]) -> Finding:
    reasons = ", ".join(map(str, health.get("reasons") or ()))
    if not health["live"]:
        return problem(SUBJECT, f"it is stuck: {reasons}", "restart it", live=False, ready=False)
    if not health.get("ready"):
        return warning(SUBJECT, f"it is alive but not ready: {reasons}", "wait", live=True, ready=False)
    return ok(SUBJECT, "it is alive and ready", live=True, ready=True)
