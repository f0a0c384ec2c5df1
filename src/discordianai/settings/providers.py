"""The tables of `settings.toml` that there is one of for each provider."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from discordianai.model import Dialect, Provider, WebSearch
from discordianai.option import Key, Label, ModelName, ProviderName, Seconds, Table, Url
from discordianai.providers.table import Capabilities, dialect_of, provider

Preset = Literal["fast", "low", "medium", "high", "xhigh"]
Value = TypeVar("Value")
Models = TypeVar("Models", str | None, tuple[str, ...])

_PATHS = ("/chat/completions", "/responses", "/v1/agent")
"""What the dialects add to an address. Pages about other programs often name the whole."""

_SEARCHING = {
    Dialect.RESPONSES: WebSearch.ON_REQUEST,
    Dialect.AGENT: WebSearch.ALWAYS,
    Dialect.CHAT: WebSearch.ALWAYS,
}
"""When a provider searches of which the operator says that it does: chat completions cannot ask for it."""


def _label(name: str) -> str:
    """What people read where the operator has not said."""
    known = {"openai": "OpenAI", "perplexity": "Perplexity"}
    return known.get(name, name.replace("-", " ").title())


class ProviderSettings(Table):
    """`[providers.NAME]`: somebody who answers. Times are in seconds.

    `auto` as the `dialect` goes by the host of `base_url`. A `preset` gives way to a `model`. Where
    `web_search`, `images`, `files` and `tools` are not set, the provider can do what its dialect can.
    """

    api_key: Key | None = None
    label: Label | None = None
    dialect: Literal["auto", "responses", "agent", "chat"] = "auto"
    base_url: Url
    preset: Preset | None = None
    model: Annotated[ModelName | None, Field(validate_default=True)] = None
    more_models: tuple[ModelName, ...] = ()
    read_timeout: Seconds = 60.0
    first_token_timeout: Seconds = 120.0
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    max_answer_tokens: Annotated[int, Field(ge=16)] | None = None
    web_search: bool | None = None
    images: bool | None = None
    files: bool | None = None
    tools: bool | None = None

    @property
    def spoken(self) -> Dialect:
        """The dialect that it is."""
        return _dialect(self.dialect, self.base_url)

    @property
    def usual_model(self) -> str:
        """Who answers unless a question names another one: a model, or a preset."""
        return self.model or self.preset or ""  # one of the two is there

    def record(self, name: str) -> Provider:
        """Who this is, and what it can do."""
        search = None
        if self.web_search is not None:
            search = _SEARCHING[self.spoken] if self.web_search else WebSearch.NEVER
        told = Capabilities(search, self.images, self.files, self.tools)
        return provider(name, self.label or _label(name), self.spoken, told)

    @field_validator("base_url")
    @classmethod
    def _ends_before_the_path(cls, value: str) -> str:
        for path in _PATHS:
            if value.endswith(path):
                raise PydanticCustomError(
                    "url", "should end before {path}, which the bot adds itself", {"path": path}
                )
        return value

    @field_validator("model")
    @classmethod
    def _is_there_without_a_preset(cls, value: str | None, info: ValidationInfo) -> str | None:
        dialect = _dialect_in(info)
        if value is not None or dialect is None or "preset" not in info.data:
            return value
        if dialect is not Dialect.AGENT:
            raise PydanticCustomError("missing", "Field required")
        if info.data["preset"] is None:
            raise PydanticCustomError("missing", "Field required", {"instead": "preset"})
        return value

    @field_validator("model", "more_models")
    @classmethod
    def _has_its_makers_name(cls, value: Models, info: ValidationInfo) -> Models:
        names = (value,) if isinstance(value, str) else value or ()
        for name in names if _dialect_in(info) is Dialect.AGENT else ():
            if "/" not in name and name not in get_args(Preset):
                raise PydanticCustomError(
                    "agent_model", "should be a preset, or a model with its maker, like perplexity/sonar"
                )
        return value

    @field_validator("preset")
    @classmethod
    def _is_known_there(cls, value: Preset | None, info: ValidationInfo) -> Preset | None:
        return _only_if(value, info, Dialect.AGENT)

    @field_validator("verbosity")
    @classmethod
    def _is_heeded(cls, value: str | None, info: ValidationInfo) -> str | None:
        return _only_if(value, info, Dialect.RESPONSES, Dialect.CHAT)

    @field_validator("web_search")
    @classmethod
    def _can_be_told(cls, value: bool | None, info: ValidationInfo) -> bool | None:
        return _only_if(value, info, Dialect.RESPONSES, Dialect.CHAT) if value is False else value

    @field_validator("files")
    @classmethod
    def _can_be_sent(cls, value: bool | None, info: ValidationInfo) -> bool | None:
        return _only_if(value, info, Dialect.RESPONSES) if value else value

    @field_validator("tools")
    @classmethod
    def _can_be_called(cls, value: bool | None, info: ValidationInfo) -> bool | None:
        return _only_if(value, info, Dialect.RESPONSES, Dialect.CHAT) if value else value


def _dialect(named: str, base_url: str) -> Dialect:
    return dialect_of(base_url) if named == "auto" else Dialect(named)


def _dialect_in(info: ValidationInfo) -> Dialect | None:
    """None where what tells it is itself a mistake."""
    if "dialect" not in info.data or "base_url" not in info.data:
        return None
    return _dialect(info.data["dialect"], info.data["base_url"])


def _only_if(value: Value, info: ValidationInfo, *dialects: Dialect) -> Value:
    """The value, where these dialects have a place for it."""
    dialect = _dialect_in(info)
    if dialect is not None and dialect not in dialects:
        raise PydanticCustomError(
            "dialect",
            "should be left out: the dialect here is {dialect}, and this is for {dialects} alone",
            {"dialect": dialect.value, "dialects": " and ".join(dialects)},
        )
    return value


class OpenAISettings(ProviderSettings):
    """`[providers.openai]`."""

    base_url: Url = "https://api.openai.com/v1"
    model: Annotated[ModelName | None, Field(validate_default=True)] = "gpt-6-luna"
    read_timeout: Seconds = 45.0
    verbosity: Literal["low", "medium", "high"] | None = "low"


class PerplexitySettings(ProviderSettings):
    """`[providers.perplexity]`."""

    base_url: Url = "https://api.perplexity.ai"
    preset: Preset | None = "fast"


class NamedTables(Table):
    """Tables whose names are those of providers: two that are known, and others of the operator's choice."""

    model_config = ConfigDict(extra="allow")


class ProvidersSettings(NamedTables):
    """`[providers]`."""

    __pydantic_extra__: dict[ProviderName, ProviderSettings] = Field(init=False)
    openai: OpenAISettings = OpenAISettings()
    perplexity: PerplexitySettings = PerplexitySettings()

    @property
    def by_name(self) -> Mapping[str, ProviderSettings]:
        """All of them: the two that are known first."""
        return {"openai": self.openai, "perplexity": self.perplexity, **self.__pydantic_extra__}


class PoolSettings(Table):
    """`[connection_pool.NAME]`: how many connections a provider's client may hold.

    Only a written `max_keepalive` has to fit: the default gives way to a smaller `max_connections`.
    """

    max_connections: Annotated[int, Field(ge=1, le=1000)] = 20
    max_keepalive: Annotated[int, Field(ge=0, le=1000)] = 5
    keepalive_expiry: Seconds = 60.0
    streams_per_connection: Annotated[int, Field(ge=1, le=1000)] = 10
    ping_interval: Seconds = 15.0
    ping_timeout: Seconds = 5.0

    @field_validator("max_keepalive")
    @classmethod
    def _fits(cls, value: int, info: ValidationInfo) -> int:
        most = info.data.get("max_connections")
        if most is not None and value > most:
            raise PydanticCustomError(
                "keepalive", "should be at most max_connections, which is {most}", {"most": most}
            )
        return value


class OpenAIPoolSettings(PoolSettings):
    """`[connection_pool.openai]`."""

    max_connections: Annotated[int, Field(ge=1, le=1000)] = 50
    max_keepalive: Annotated[int, Field(ge=0, le=1000)] = 10


class PerplexityPoolSettings(PoolSettings):
    """`[connection_pool.perplexity]`."""

    max_connections: Annotated[int, Field(ge=1, le=1000)] = 30
    max_keepalive: Annotated[int, Field(ge=0, le=1000)] = 5


class ConnectionPoolSettings(NamedTables):
    """`[connection_pool]`."""

    __pydantic_extra__: dict[ProviderName, PoolSettings] = Field(init=False)
    openai: OpenAIPoolSettings = OpenAIPoolSettings()
    perplexity: PerplexityPoolSettings = PerplexityPoolSettings()

    @property
    def by_name(self) -> Mapping[str, PoolSettings]:
        """Those that are written or known."""
        return {"openai": self.openai, "perplexity": self.perplexity, **self.__pydantic_extra__}


class ProviderRateSettings(Table):
    """`[rate_limits.NAME]`: what a provider allows in any 60 seconds; without a key, no limit.

    At most `burst` requests at once.
    """

    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    burst: Annotated[int, Field(ge=1, le=1_000_000)] | None = None

    @field_validator("burst")
    @classmethod
    def _has_a_rate(cls, value: int | None, info: ValidationInfo) -> int | None:
        rate = info.data.get("requests_per_minute")
        if value is not None and (rate is None or value > rate):
            raise PydanticCustomError("burst", "should be at most requests_per_minute, which it needs")
        return value
