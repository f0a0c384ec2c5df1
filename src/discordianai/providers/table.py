"""The provider table: the dialect of each host, and what each dialect can do."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from discordianai.records import Dialect, Provider, WebSearch

DIALECTS_BY_HOST = {"api.openai.com": Dialect.RESPONSES, "api.perplexity.ai": Dialect.AGENT}
"""What `dialect = "auto"` means. For every other host it means chat completions, which most offer."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do; None where that follows from its dialect."""

    web_search: WebSearch | None = None
    images: bool | None = None
    files: bool | None = None
    tools: bool | None = None


_OF_DIALECT = {
    Dialect.RESPONSES: Provider("", "", Dialect.RESPONSES, WebSearch.ON_REQUEST, files=True),
    # Files have a place in Perplexity's types since 0.46, of a form that is documented nowhere; functions of
    # ours would only stand beside its own search.
    Dialect.AGENT: Provider("", "", Dialect.AGENT, WebSearch.ALWAYS, tools=False),
    Dialect.CHAT: Provider("", "", Dialect.CHAT),
}


def dialect_of(base_url: str) -> Dialect:
    """The dialect for that address, by its host."""
    return DIALECTS_BY_HOST.get(urlsplit(base_url).hostname or "", Dialect.CHAT)


def provider(name: str, label: str, dialect: Dialect, told: Capabilities | None = None) -> Provider:
    """The record of a provider. What the operator `told` overrides what its dialect can usually do."""
    usual, told = _OF_DIALECT[dialect], told or Capabilities()
    return Provider(
        name=name,
        label=label,
        dialect=dialect,
        web_search=usual.web_search if told.web_search is None else told.web_search,
        images=usual.images if told.images is None else told.images,
        files=usual.files if told.files is None else told.files,
        tools=usual.tools if told.tools is None else told.tools,
    )
