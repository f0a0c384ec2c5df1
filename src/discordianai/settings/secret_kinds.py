"""Recognises a secret of another kind than the one wanted: what is pasted into the wrong place.

Only what is certain counts, because a secret that is refused here is never tried.
"""

import re
from urllib.parse import urlsplit

BOT_TOKEN = "a Discord bot's token"  # noqa: S105  # the name of a kind
PERPLEXITY = "a Perplexity key"
OPENAI = "an OpenAI key"
FOREIGN = ("an Anthropic key", "an OpenRouter key")

_KINDS = (
    (BOT_TOKEN, r"[\w-]{23,30}\.[\w-]{5,7}\.[\w-]{27,}"),
    (PERPLEXITY, r"pplx-.+"),
    (FOREIGN[0], r"sk-ant-.+"),
    (FOREIGN[1], r"sk-or-.+"),
    (OPENAI, r"sk-.+"),
    ("an address", r"https?://.+"),
    ("an id", r"\d{16,20}"),
    ("the application's public key", r"[0-9a-f]{64}"),
    ("the application's client secret", r"[\w-]{32}"),
    ("an OAuth2 access token", r"[A-Za-z0-9]{30}"),
)
"""The first that fits counts. A bot's token always has two dots in it, and none of the others has."""

_UNWANTED = {
    "openai.com": {PERPLEXITY, *FOREIGN},
    "perplexity.ai": {OPENAI, *FOREIGN},
}
"""Keys that a service cannot accept, by its domain."""

_SOURCES = {
    "openai.com": "create one at https://platform.openai.com/api-keys",
    "perplexity.ai": "create one at https://www.perplexity.ai/account/api/keys",
}


def wrong_token(value: str) -> str | None:
    """What is wrong with a bot's token, with what to do; None where it may be one."""
    kind = _kind_of(value)
    if kind in {None, BOT_TOKEN}:
        return None
    return (
        f"this is {kind}, not the bot's token: choose Reset Token in the developer portal, page Bot,"
        " and copy what it shows"
    )


def wrong_key(value: str, base_url: str) -> str | None:
    """What is wrong with a provider's key, with what to do; None where it may be one."""
    kind = _kind_of(value)
    if kind == BOT_TOKEN:
        return f"this is {kind}, which nobody but Discord may see: set the provider's own key"
    host = urlsplit(base_url).hostname or ""
    for domain, unwanted in _UNWANTED.items():
        if kind in unwanted and (host == domain or host.endswith(f".{domain}")):
            return f"this is {kind}, which {host} does not accept: {_SOURCES[domain]}"
    return None


def _kind_of(value: str) -> str | None:
    return next((kind for kind, pattern in _KINDS if re.fullmatch(pattern, value, re.ASCII)), None)
