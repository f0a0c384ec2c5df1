"""Logs on stderr: for people on a terminal, one line of `key=value` elsewhere, JSON on request. The newest
warnings are kept for the status page.

Under systemd each line has its priority in front, as `<3>` for an error, those of a traceback too: that is
how the journal takes them (sd-daemon(3)).

Interaction tokens are in the addresses of Discord's webhooks and so in the error texts of every library that
calls them; whoever holds one can write as the bot. `redact` takes them out of everything that is logged,
tracebacks included, and the password of a database, should a library ever repeat what it connects with.

Ids of people, servers, channels and messages are replaced by pseudonyms, at every level (`pseudonyms.py`).
"""

import logging
import os
import re
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from discordianai.operations.options import LoggingOptions
from discordianai.pseudonyms import Pseudonyms

_TOKEN_IN_PATH = re.compile(r"((?:webhooks|interactions)/(?:\d+|\{\w+\})/)[\w.~%-]{16,}")
"""The library writes `{interaction_id}` where it has not filled that in, and the token all the same."""

_DATABASE_PASSWORD = re.compile(
    r"""(postgres(?:ql)?://[^\s:/@]*:)[^\s@]*(?=@)   # of a URL, which our settings refuse
        | (\b(?:ssl)?password\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^\s'&]+)   # of libpq's own form""",
    re.VERBOSE | re.IGNORECASE,
)

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")

QUIET_LIBRARIES = ("interactions", "aiohttp", "asyncio", "httpx", "httpcore", "hpack", "h2", "hypercorn")
"""They log addresses, payloads and questions at INFO and DEBUG; their warnings are enough."""

PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
"""Of syslog(3), by structlog's names of levels."""


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Remove interaction tokens and the password of a database from every text of a log line."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _DATABASE_PASSWORD.sub(r"\1\2…", _TOKEN_IN_PATH.sub(r"\1…", value))
    return event


def hide_ids(pseudonyms: Pseudonyms) -> Processor:
    """Replace the ids in every field of a log line, its traceback included."""

    def hide(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: pseudonyms.hide(key, value) for key, value in event.items()}

    return hide


def show_controls(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape control characters and line breaks in texts from elsewhere."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _CONTROLS.sub(lambda found: repr(found[0])[1:-1], value)
    return event


def is_journal(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether `stream` leads to systemd's journal, as JOURNAL_STREAM tells (systemd.exec(5)).

    The variable alone says nothing: what the bot was started by may have sent stderr elsewhere.
    """
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # ValueError: a stream without a file
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def configure(options: LoggingOptions, pseudonyms: Pseudonyms | None = None) -> None:
    """Configure structlog and the standard library's logging alike.

    Call at the start; again, with other settings, it takes the place of what was. Without `pseudonyms`, ids
    have names that mean nothing to anybody.
    """
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
                structlog.processors.format_exc_info,
                redact,
                hide_ids(pseudonyms or Pseudonyms()),
                show_controls,
                _renderer(_style(options.format, sys.stderr)),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler, *(each for each in root.handlers if isinstance(each, RecentWarnings))]
    _set_levels(root, options)
    logging.captureWarnings(capture=True)


def _set_levels(root: logging.Logger, options: LoggingOptions) -> None:
    root.setLevel(logging.INFO)
    for name in list(root.manager.loggerDict):
        if name.startswith("discordianai."):
            logging.getLogger(name).setLevel(logging.NOTSET)  # former options may have named it
    logging.getLogger("discordianai").setLevel(options.level)
    for library in QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    for module, level in options.levels.items():
        logging.getLogger(module).setLevel(level)


def _style(wanted: str, stream: TextIO) -> str:
    if wanted != "auto":
        return wanted
    if stream.isatty():
        return "console"
    return "journal" if is_journal(stream) else "plain"


def _renderer(style: str) -> Processor:
    if style == "console":
        # Colours where they are seen, and wanted: https://no-color.org.
        colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        return structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback
        )
    if style == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return _Journal() if style == "journal" else _logfmt("timestamp")


def _logfmt(*first: str) -> Processor:
    return structlog.processors.LogfmtRenderer(
        key_order=[*first, "level", "logger", "event"], bool_as_flag=False
    )


class _Journal:
    """For the journal, which adds the time itself."""

    def __init__(self) -> None:
        self._logfmt = _logfmt()

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        priority = PRIORITIES.get(str(event.get("level")), PRIORITIES["info"])
        event.pop("timestamp", None)
        traceback = str(event.pop("exception", "") or "")
        line = str(self._logfmt(logger, method, event))
        return "\n".join(f"<{priority}>{text}" for text in (line, *traceback.splitlines()))


WARNINGS_KEPT = 20
LONGEST_WARNING = 300
"""Characters of the text of one."""


@dataclass(frozen=True, slots=True)
class LoggedWarning:
    """`time` is in seconds since the epoch; `text` is the event alone, without values or a traceback."""

    time: float
    level: str
    logger: str
    text: str


class RecentWarnings(logging.Handler):
    """Keeps the newest ones of the bot's own; what libraries say may have addresses in it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._latest: deque[LoggedWarning] = deque(maxlen=WARNINGS_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`; called in whichever thread logs."""
        if record.name.partition(".")[0] != "discordianai":
            return
        event = record.msg.get("event", "") if isinstance(record.msg, dict) else record.getMessage()
        level = record.levelname.lower()
        self._latest.append(LoggedWarning(record.created, level, record.name, str(event)[:LONGEST_WARNING]))

    @property
    def latest(self) -> Sequence[LoggedWarning]:
        """The newest first."""
        return tuple(self._latest)[::-1]


@contextmanager
def recent_warnings() -> Iterator[RecentWarnings]:
    """Keep them while the block runs; `logs.configure` leaves this handler in its place."""
    handler = RecentWarnings()
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield handler
    finally:
        root.removeHandler(handler)
