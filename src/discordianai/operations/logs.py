"""Logs on stderr: for people on a terminal, `key=value` lines elsewhere, JSON on request.

Interaction tokens are in the addresses of Discord's webhooks and so in the error texts of every library that
calls them; whoever holds one can write as the bot. `redact` takes them out of everything that is logged.
"""

import logging
import re
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from discordianai.settings import LoggingSettings

_TOKEN_IN_PATH = re.compile(r"((?:webhooks|interactions)/\d+/)[\w.~%-]{16,}")

QUIET_LIBRARIES = ("interactions", "aiohttp", "asyncio", "httpx", "httpcore", "hpack", "h2", "hypercorn")
"""They log addresses, payloads and questions at INFO and DEBUG; their warnings are enough."""


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Remove interaction tokens from every text of a log line, its traceback included."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _TOKEN_IN_PATH.sub(r"\1…", value)
    return event


def configure(settings: LoggingSettings) -> None:
    """Send structlog's lines and those of the standard library the same way. Call once, at start."""
    style = settings.format
    if style == "auto":
        style = "console" if sys.stderr.isatty() else "plain"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(style),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("discordianai").setLevel(settings.level)
    for library in QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def _renderers(style: str) -> list[Processor]:
    if style == "console":
        # The console renderer writes tracebacks itself, in colour; they are redacted as text all the same.
        return [structlog.processors.format_exc_info, redact, structlog.dev.ConsoleRenderer()]
    rendered: Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.processors.LogfmtRenderer(
            key_order=["timestamp", "level", "logger", "event"], bool_as_flag=False
        )
    )
    return [structlog.processors.format_exc_info, redact, rendered]
