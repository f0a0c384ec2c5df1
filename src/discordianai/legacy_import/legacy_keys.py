"""The mapping of the old keys to the new ones, and how their values are parsed.

The keys are those of that bot's version 0.2.9.9 (its docs/Configuration.md and src/config.py), and the few of
earlier versions that mean the same.
"""

import re
from collections.abc import Callable, Mapping
from configparser import ConfigParser
from dataclasses import dataclass
from urllib.parse import urlsplit

Value = str | int | list[int]

LEVELS = {"CRITICAL": "ERROR", "FATAL": "ERROR", "WARN": "WARNING"}
"""Names of log levels that are not known here, and the nearest that is."""

STATUSES = {"offline": "invisible", "do_not_disturb": "dnd"}
"""Names of a bot's status that are not known here, and what they mean."""

PRESETS = {
    "sonar": "fast",
    "sonar-pro": "low",
    "sonar-reasoning": "low",
    "sonar-reasoning-pro": "medium",
    "sonar-deep-research": "high",
}
"""Models that Perplexity no longer has, and the preset that it names in place of each."""

ENDING = {
    **dict.fromkeys(("gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-5-pro", "o3", "o3-pro"), "2026-12-11"),
    **dict.fromkeys(("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini"), "2027-01-14"),
    **dict.fromkeys(("gpt-4", "gpt-3.5-turbo", "o1", "o3-mini", "o4-mini", "gpt-4.1-nano"), "2026-10-23"),
}
"""Models of that bot's time, and the day on which OpenAI shuts each down, by its page on deprecations."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The new keys for an old key, and how its value is parsed.

    `read` returns None where there is nothing to set, and raises `ValueError` with what would be right.
    """

    targets: tuple[str, ...]
    read: Callable[[str], Value | None]


def word(text: str) -> str:
    """The text without a comment behind it, which config.ini knows only on lines of their own."""
    return re.split(r"\s[#;]", text, maxsplit=1)[0].strip()


def number(text: str) -> int:
    """A whole number."""
    try:
        return int(word(text))
    except ValueError:
        raise ValueError("should be a whole number") from None


def level(text: str) -> str:
    """The name of a log level as it is called here."""
    name = word(text).upper()
    return LEVELS.get(name, name)


def status(text: str) -> str:
    """The bot's status, under its name here."""
    name = word(text).lower()
    return STATUSES.get(name, name)


def kind(text: str) -> str:
    """The kind of the bot's activity."""
    return word(text).lower()


def preset(text: str) -> str:
    """The preset that replaces a model."""
    try:
        return PRESETS[word(text).lower()]
    except KeyError:
        raise ValueError("that model is gone; see preset and model of [providers.perplexity]") from None


def own_address(text: str) -> None:
    """Nothing for Perplexity's own address: its API has another path now."""
    if urlsplit(word(text)).hostname != "api.perplexity.ai":
        raise ValueError(
            "Perplexity is asked through another interface now; if that address has it,"
            ' set base_url and dialect = "agent" in [providers.perplexity]'
        )


def port_if_off(text: str) -> int | None:
    """Port 0 if nothing is to be served."""
    try:
        on = ConfigParser.BOOLEAN_STATES[word(text).lower()]
    except KeyError:
        raise ValueError("should be true or false") from None
    return None if on else 0


def ids(text: str) -> list[int] | None:
    """The ids in a list; `names` returns the rest."""
    return [int(entry) for entry in _entries(text) if _is_id(entry)] or None


def names(text: str) -> list[str]:
    """The entries of a list that are not ids."""
    return [entry for entry in _entries(text) if not _is_id(entry)]


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in word(text).split(",") if entry.strip()]


def _is_id(entry: str) -> bool:
    """Discord's ids have 17 digits or more, up to 64 bits; a channel's name hardly ever looks so."""
    return re.fullmatch(r"[0-9]{15,20}", entry) is not None and int(entry) < 2**64


RULES: Mapping[str, Rule] = {
    "ALLOWED_CHANNELS": Rule(("discord.allowed_channel_ids",), ids),
    "ALLOWED_CHANNEL_IDS": Rule(("discord.allowed_channel_ids",), ids),
    "API_URL": Rule(("providers.openai.base_url",), word),
    "OPENAI_API_URL": Rule(("providers.openai.base_url",), word),
    "GPT_MODEL": Rule(("providers.openai.model",), word),
    "REASONING_EFFORT": Rule(("providers.openai.reasoning_effort",), word),
    "VERBOSITY": Rule(("providers.openai.verbosity",), word),
    "PERPLEXITY_API_URL": Rule(("providers.perplexity.base_url",), own_address),
    "PERPLEXITY_MODEL": Rule(("providers.perplexity.preset",), preset),
    "OUTPUT_TOKENS": Rule(
        ("providers.openai.max_answer_tokens", "providers.perplexity.max_answer_tokens"), number
    ),
    "SYSTEM_MESSAGE": Rule(("assistant.instructions",), str),
    # The number of connections comes before that of kept ones, which must not be larger.
    "OPENAI_MAX_CONNECTIONS": Rule(("connection_pool.openai.max_connections",), number),
    "OPENAI_MAX_KEEPALIVE": Rule(("connection_pool.openai.max_keepalive",), number),
    "PERPLEXITY_MAX_CONNECTIONS": Rule(("connection_pool.perplexity.max_connections",), number),
    "PERPLEXITY_MAX_KEEPALIVE": Rule(("connection_pool.perplexity.max_keepalive",), number),
    "RATE_LIMIT": Rule(("rate_limits.user.questions",), number),
    "RATE_LIMIT_PER": Rule(("rate_limits.user.per_seconds",), number),
    "MAX_HISTORY_PER_USER": Rule(("conversations.max_turns",), number),
    "LOG_LEVEL": Rule(("logging.level",), level),
    "BOT_PRESENCE": Rule(("discord.status",), status),
    "ACTIVITY_TYPE": Rule(("discord.presence_kind",), kind),
    "ACTIVITY_STATUS": Rule(("discord.presence",), str),
    "HEALTH_HOST": Rule(("operations.host",), word),
    "HEALTH_PORT": Rule(("operations.port",), number),
    "HEALTH_ENABLED": Rule(("operations.port",), port_if_off),  # after the port that it switches off
}
"""In the order in which they are taken and written; of two for the same key the later one counts."""

_UNUSED = "the old bot read it but ignored it"

NO_COUNTERPART: Mapping[str, str] = {
    "INPUT_TOKENS": _UNUSED,
    "CONTEXT_WINDOW": _UNUSED,
    "ENTITY_DETECTION_MIN_WORDS": _UNUSED,
    "LOOKBACK_MESSAGES_FOR_CONSISTENCY": "the provider is not chosen by earlier messages",
    "USER_LOCK_CLEANUP_INTERVAL": "there is nothing to clean up",
    "LOG_FILE": "the log goes to stderr: under systemd to the journal",
    "GPT_TOKENS": "providers.openai.max_answer_tokens is near, but limits the answer alone",
    "OPENAI_TIMEOUT": "providers.openai.read_timeout is near, but counts between two pieces of an answer",
}
"""Why a key has none, or which one is near."""
