"""The provider behind its options."""

from collections.abc import Callable, Mapping

import httpx

from discordianai.providers.agent import AgentCodec
from discordianai.providers.chat import ChatCodec
from discordianai.providers.client import ProviderClient
from discordianai.providers.codec import Codec
from discordianai.providers.port import ChatProvider, ProviderOptions
from discordianai.providers.responses import ResponsesCodec
from discordianai.records import Dialect

_CODECS: Mapping[Dialect, Callable[[ProviderOptions], Codec]] = {
    Dialect.RESPONSES: ResponsesCodec,
    Dialect.AGENT: AgentCodec,
    Dialect.CHAT: ChatCodec,
}


def make_provider(client: httpx.AsyncClient, options: ProviderOptions) -> ChatProvider:
    """The provider that `options` describe, over `client`, which the caller opens and closes."""
    return ProviderClient(client, options, _CODECS[options.provider.dialect](options))
