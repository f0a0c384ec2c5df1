"""The provider behind its options."""

from collections.abc import Callable, Mapping

import httpx

from discordianai.model import Dialect, Provider
from discordianai.providers.agent import AgentCodec
from discordianai.providers.chat import ChatCodec
from discordianai.providers.client import ProviderClient
from discordianai.providers.codec import Codec
from discordianai.providers.options import ProviderOptions
from discordianai.providers.port import ChatProvider
from discordianai.providers.responses import ResponsesCodec

_CODECS: Mapping[Dialect, Callable[[Provider, ProviderOptions], Codec]] = {
    Dialect.RESPONSES: ResponsesCodec,
    Dialect.AGENT: AgentCodec,
    Dialect.CHAT: ChatCodec,
}


def make_provider(client: httpx.AsyncClient, provider: Provider, options: ProviderOptions) -> ChatProvider:
    """`provider`, asked as `options` say over `client`, which the caller opens and closes."""
    return ProviderClient(client, provider, options, _CODECS[provider.dialect](provider, options))
