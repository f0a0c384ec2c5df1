"""The tables of `settings.toml` that there is one of for each provider."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from discordianai.dispatch.budget import BudgetOptions, Burst, Requests, Tokens
from discordianai.dispatch.options import ServerRateOptions, UserRateOptions
from discordianai.providers.options import OpenAIOptions, PerplexityOptions, ProviderOptions
from discordianai.settings.table import Group, Table
from discordianai.transport.options import Connections, KeptConnections, PoolOptions

RESERVED = ("user", "server", "tool", "rules", "decisions", "auto", "discord")
"""Names that other keys have where a provider's would stand."""

_PROVIDER_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


def is_provider_name(name: str) -> bool:
    """Whether the operator may call a provider so."""
    return _PROVIDER_NAME.fullmatch(name) is not None and name not in RESERVED


def _provider_name(name: str) -> str:
    if name in RESERVED:
        raise PydanticCustomError(
            "provider_name",
            "should have another name: {reserved} have meanings of their own",
            {"reserved": ", ".join(RESERVED)},
        )
    if not is_provider_name(name):
        raise PydanticCustomError(
            "provider_name", "should be named with up to 40 of a-z, 0-9 and -, beginning with a letter"
        )
    return name


ProviderName = Annotated[str, AfterValidator(_provider_name)]


class NamedTables(Group):
    """Tables whose names are those of providers: two that are known, and others of the operator's choice."""

    model_config = ConfigDict(extra="allow")


class ProvidersSettings(NamedTables):
    """`[providers]`."""

    __pydantic_extra__: dict[ProviderName, Table[ProviderOptions]] = Field(init=False)
    openai: Table[OpenAIOptions] = OpenAIOptions()
    perplexity: Table[PerplexityOptions] = PerplexityOptions()

    @property
    def by_name(self) -> Mapping[str, ProviderOptions]:
        """All of them: the two that are known first."""
        return {"openai": self.openai, "perplexity": self.perplexity, **self.__pydantic_extra__}


@dataclass(frozen=True, slots=True)
class ProviderPoolOptions(PoolOptions):
    """`[connection_pool.NAME]`: the defaults for other providers than OpenAI and Perplexity.

    Only a written `max_keepalive` has to fit: the default gives way to a smaller `max_connections`.
    """

    max_connections: Connections = 20
    max_keepalive: KeptConnections = 5

    @model_validator(mode="wrap")
    @classmethod
    def _default_gives_way(
        cls, written: object, validate: "ModelWrapValidatorHandler[ProviderPoolOptions]"
    ) -> "ProviderPoolOptions":
        options = validate(written)
        return replace(options, max_keepalive=min(options.max_keepalive, options.max_connections))

    @field_validator("max_keepalive")
    @classmethod
    def _fits(cls, value: int, info: ValidationInfo) -> int:
        most = info.data.get("max_connections")
        if most is not None and value > most:
            raise PydanticCustomError(
                "keepalive", "should be at most max_connections, which is {most}", {"most": most}
            )
        return value


@dataclass(frozen=True, slots=True)
class OpenAIPoolOptions(ProviderPoolOptions):
    """`[connection_pool.openai]`."""

    max_connections: Connections = 50
    max_keepalive: KeptConnections = 10


@dataclass(frozen=True, slots=True)
class PerplexityPoolOptions(ProviderPoolOptions):
    """`[connection_pool.perplexity]`."""

    max_connections: Connections = 30


class ConnectionPoolSettings(NamedTables):
    """`[connection_pool]`."""

    __pydantic_extra__: dict[ProviderName, Table[ProviderPoolOptions]] = Field(init=False)
    openai: Table[OpenAIPoolOptions] = OpenAIPoolOptions()
    perplexity: Table[PerplexityPoolOptions] = PerplexityPoolOptions()

    @property
    def by_name(self) -> Mapping[str, PoolOptions]:
        """Those that are written or known."""
        return {"openai": self.openai, "perplexity": self.perplexity, **self.__pydantic_extra__}


@dataclass(frozen=True, slots=True)
class OpenAIBudgetOptions(BudgetOptions):
    """`[rate_limits.openai]`."""

    requests_per_minute: Requests = 500
    tokens_per_minute: Tokens = 200_000


@dataclass(frozen=True, slots=True)
class PerplexityBudgetOptions(BudgetOptions):
    """`[rate_limits.perplexity]`."""

    requests_per_minute: Requests = 50
    burst: Burst = 1


class RateLimitSettings(NamedTables):
    """`[rate_limits]`."""

    __pydantic_extra__: dict[ProviderName, Table[BudgetOptions]] = Field(init=False)
    user: Table[UserRateOptions] = UserRateOptions()
    server: Table[ServerRateOptions] = ServerRateOptions()
    openai: Table[OpenAIBudgetOptions] = OpenAIBudgetOptions()
    perplexity: Table[PerplexityBudgetOptions] = PerplexityBudgetOptions()

    @property
    def by_name(self) -> Mapping[str, BudgetOptions]:
        """Those of providers that are written or known."""
        return {"openai": self.openai, "perplexity": self.perplexity, **self.__pydantic_extra__}
