"""The provider behind a name."""

import httpx

from discordianai.model import ProviderName
from discordianai.providers.openai import OpenAI
from discordianai.providers.perplexity import Perplexity
from discordianai.providers.port import ChatProvider, ProviderOptions


def make_provider(client: httpx.AsyncClient, options: ProviderOptions) -> ChatProvider:
    """The provider that `options` name, over `client`, which the caller opens and closes."""
    kind = OpenAI if options.name is ProviderName.OPENAI else Perplexity
    return kind(client, options)
