"""What the operator can set: `settings.toml` as one frozen, typed record.

Every key has a default but the secrets. Reading the file, and telling what is wrong with it, is in
`file`.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal, LiteralString, NoReturn

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from discordianai.model import Provider
from discordianai.option import (
    FileName,
    Host,
    Ids,
    Key,
    Level,
    ModelName,
    Module,
    Money,
    ProviderName,
    Table,
    Tokens,
    Url,
)
from discordianai.settings.providers import (
    ConnectionPoolSettings,
    NamedTables,
    PoolSettings,
    ProviderRateSettings,
    ProviderSettings,
    ProvidersSettings,
)

STRATEGIES = ("tool", "rules")
"""How a provider is chosen where none is named."""


class DiscordSettings(Table):
    """`[discord]`: the bot's account, who may use it, and how it answers. Empty lists allow everybody."""

    token: Key | None = None
    api_url: Url = "https://discord.com/api/v10"
    guild_ids: Ids = ()
    allowed_channel_ids: Ids = ()
    allowed_role_ids: Ids = ()
    allowed_user_ids: Ids = ()
    blocked_guild_ids: Ids = ()
    blocked_channel_ids: Ids = ()
    blocked_role_ids: Ids = ()
    blocked_user_ids: Ids = ()
    admin_user_ids: Ids = ()
    direct_messages: bool = True
    respond_to: Literal["commands", "mentions"] = "commands"
    presence: Annotated[str, Field(max_length=128)] = "your questions"
    presence_kind: Literal["playing", "listening", "watching", "competing", "custom"] = "watching"
    status: Literal["online", "idle", "dnd", "invisible"] = "online"
    drain_seconds: Annotated[float, Field(ge=0, le=600)] = 20.0
    edit_interval: Annotated[float, Field(ge=1, le=10)] = 1.0
    max_messages: Annotated[int, Field(ge=1, le=50)] = 5
    max_file_kilobytes: Annotated[int, Field(ge=0, le=10_240)] = 256
    max_image_kilobytes: Annotated[int, Field(ge=0, le=20_480)] = 8192


class RateSettings(Table):
    """At most `questions` in any `per_seconds`."""

    questions: Annotated[int, Field(ge=1, le=1_000_000)]
    per_seconds: Annotated[float, Field(gt=0, le=86_400)] = 60.0


class UserRateSettings(RateSettings):
    """`[rate_limits.user]`: of each person. `in_flight` are worked on at once, `waiting` more may wait."""

    questions: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    in_flight: Annotated[int, Field(ge=1, le=100)] = 2
    waiting: Annotated[int, Field(ge=0, le=100)] = 3

    @property
    def most_open(self) -> int:
        """Of one person, in work and in the line together."""
        return self.in_flight + self.waiting


class ServerRateSettings(RateSettings):
    """`[rate_limits.server]`: of all people of a server together."""

    questions: Annotated[int, Field(ge=1, le=1_000_000)] = 300


class RateLimitSettings(NamedTables):
    """`[rate_limits]`."""

    __pydantic_extra__: dict[ProviderName, ProviderRateSettings] = Field(init=False)
    user: UserRateSettings = UserRateSettings()
    server: ServerRateSettings = ServerRateSettings()
    openai: ProviderRateSettings = ProviderRateSettings(requests_per_minute=500, tokens_per_minute=200_000)
    perplexity: ProviderRateSettings = ProviderRateSettings(requests_per_minute=50, burst=1)

    @property
    def by_name(self) -> Mapping[str, ProviderRateSettings]:
        """Those of providers that are written or known."""
        return {"openai": self.openai, "perplexity": self.perplexity, **self.__pydantic_extra__}


class DispatchSettings(Table):
    """`[dispatch]`: what stands between a question and its provider."""

    queue_size: Annotated[int, Field(ge=1, le=10_000)] = 200
    deadline_seconds: Annotated[float, Field(ge=1, le=840)] = 300.0
    max_attempts: Annotated[int, Field(ge=1, le=10)] = 3


class RoutingSettings(Table):
    """`[routing]`: who answers where a person has not said, if several providers are set up.

    `strategy` is one of `STRATEGIES`, or the name of a provider.
    """

    strategy: str = "tool"


class AssistantSettings(Table):
    """`[assistant]`: how the bot is told to answer."""

    instructions: str = (
        "You are a helpful assistant in a Discord server. Answer in the language of the question, "
        "briefly, in Discord's Markdown."
    )


class ConversationSettings(Table):
    """`[conversations]`: what is remembered. `max_turns` counts questions and answers.

    `context_tokens` is for models that are not in `[models]`.
    """

    database: FileName = "discordianai.sqlite3"
    scope: Literal["user-in-channel", "channel", "user"] = "user-in-channel"
    max_turns: Annotated[int, Field(ge=0, le=1000)] = 50
    grace_days: Annotated[float, Field(ge=0, le=36_500)] = 7.0
    ttl_days: Annotated[float, Field(gt=0, le=36_500)] = 30.0
    context_tokens: Tokens = 16_000
    cache_megabytes: Annotated[float, Field(ge=0, le=100_000)] = 16.0


class ModelSettings(Table):
    """`[models."NAME"]`: prices are for a million tokens, in whatever currency the limits are in."""

    context_tokens: Tokens | None = None
    input_price: Money | None = None
    output_price: Annotated[Money | None, Field(validate_default=True)] = None

    @field_validator("output_price")
    @classmethod
    def _both_or_none(cls, value: float | None, info: ValidationInfo) -> float | None:
        if (value is None) != (info.data.get("input_price") is None):
            raise PydanticCustomError("price", "should be there if and only if input_price is")
        return value


class DailyLimitSettings(Table):
    """`[daily_limits.user]` and `.server`: what may be spent in a day (UTC); without a key, no limit."""

    tokens: Annotated[int, Field(ge=1)] | None = None
    money: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class DailyLimitsSettings(Table):
    """`[daily_limits]`."""

    user: DailyLimitSettings = DailyLimitSettings()
    server: DailyLimitSettings = DailyLimitSettings()


class OperationsSettings(Table):
    """`[operations]`: where health and metrics are served. Port 0 serves nothing."""

    host: Host = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080


class LoggingSettings(Table):
    """`[logging]`. `auto` is `console` on a terminal, `journal` under systemd, and `plain` elsewhere."""

    level: Level = "INFO"
    format: Literal["auto", "console", "plain", "journal", "json"] = "auto"
    levels: dict[Module, Level] = Field(default_factory=dict)


class Settings(Table):
    """The whole of `settings.toml`."""

    discord: DiscordSettings = DiscordSettings()
    providers: ProvidersSettings = ProvidersSettings()
    assistant: AssistantSettings = AssistantSettings()
    connection_pool: ConnectionPoolSettings = ConnectionPoolSettings()
    rate_limits: RateLimitSettings = RateLimitSettings()
    dispatch: DispatchSettings = DispatchSettings()
    routing: RoutingSettings = RoutingSettings()
    models: dict[ModelName, ModelSettings] = Field(default_factory=dict)
    conversations: Annotated[ConversationSettings, Field(validate_default=True)] = ConversationSettings()
    daily_limits: DailyLimitsSettings = DailyLimitsSettings()
    operations: OperationsSettings = OperationsSettings()
    logging: LoggingSettings = LoggingSettings()

    @field_validator("connection_pool", "rate_limits")
    @classmethod
    def _belong_to_providers(cls, tables: NamedTables, info: ValidationInfo) -> NamedTables:
        known = _names_in(info)
        further = tables.__pydantic_extra__ or {}
        strange = {name: table for name, table in further.items() if name not in known}
        if known and strange:
            _refuse("should have the name of a provider, and there is no [providers.{name}]", strange)
        return tables

    @field_validator("routing")
    @classmethod
    def _names_a_provider(cls, routing: RoutingSettings, info: ValidationInfo) -> RoutingSettings:
        known = _names_in(info)
        if known and routing.strategy not in {*STRATEGIES, *known}:
            _refuse("should be tool, rules or the name of a provider", {"strategy": routing.strategy})
        return routing

    @field_validator("models")
    @classmethod
    def _leave_room_beside_the_answer(
        cls, models: dict[str, ModelSettings], info: ValidationInfo
    ) -> dict[str, ModelSettings]:
        longest = _longest_answers(info)
        full = {
            name: table.context_tokens
            for name, table in models.items()
            if table.context_tokens is not None and table.context_tokens <= longest.get(name, 0)
        }
        if full:
            _refuse("should have context_tokens of more than its provider's max_answer_tokens", full)
        return models

    @field_validator("conversations")
    @classmethod
    def _leaves_room_beside_the_answer(
        cls, table: ConversationSettings, info: ValidationInfo
    ) -> ConversationSettings:
        own = {name for name, model in info.data.get("models", {}).items() if model.context_tokens}
        longest = [most for name, most in _longest_answers(info).items() if name not in own]
        if table.context_tokens <= max(longest, default=0):
            _refuse(
                "should be more than each provider's max_answer_tokens",
                {"context_tokens": table.context_tokens},
            )
        return table

    @property
    def configured(self) -> tuple[Provider, ...]:
        """Those that can be asked: at least one, or `settings_file.load` would have refused the file.

        The two that are known need a key. Every further one is there because somebody wants it.
        """
        further = self.providers.__pydantic_extra__
        return tuple(
            self.record(name)
            for name, table in self.providers.by_name.items()
            if table.api_key is not None or name in further
        )

    def record(self, name: str) -> Provider:
        """Who that provider is, and what it can do. Raises `KeyError`."""
        return self.provider(name).record(name)

    def provider(self, name: str) -> ProviderSettings:
        """The table of that provider. Raises `KeyError`."""
        return self.providers.by_name[name]

    def pool(self, name: str) -> PoolSettings:
        """The pool of that provider."""
        return self.connection_pool.by_name.get(name) or PoolSettings()

    def rate_limit(self, name: str) -> ProviderRateSettings:
        """What that provider allows."""
        return self.rate_limits.by_name.get(name) or ProviderRateSettings()

    @property
    def several_models(self) -> bool:
        """Whether there is a choice among models."""
        return sum(len(self.models_of(one.name)) for one in self.configured) > 1

    def models_of(self, name: str) -> tuple[str, ...]:
        """What that provider offers here, its usual model or preset first."""
        table = self.provider(name)
        return tuple(dict.fromkeys((table.usual_model, *table.more_models)))

    def provider_of(self, model: str) -> str | None:
        """The name of who offers that model here."""
        names = (configured.name for configured in self.configured)
        return next((name for name in names if model in self.models_of(name)), None)


def _names_in(info: ValidationInfo) -> Collection[str]:
    """The providers' names; nothing where their tables are themselves a mistake."""
    providers = info.data.get("providers")
    return providers.by_name if isinstance(providers, ProvidersSettings) else ()


def _longest_answers(info: ValidationInfo) -> Mapping[str, int]:
    """Tokens that an answer may have, by model; those without a limit are missing."""
    providers = info.data.get("providers")
    tables = providers.by_name.values() if isinstance(providers, ProvidersSettings) else ()
    return {
        model: table.max_answer_tokens
        for table in tables
        if table.max_answer_tokens is not None
        for model in (table.usual_model, *table.more_models)
    }


def _refuse(words: LiteralString, mistakes: Mapping[str, object]) -> NoReturn:
    """Complain about each of these keys of a table."""
    errors = [
        InitErrorDetails(type=PydanticCustomError("name", words, {"name": key}), loc=(key,), input=found)
        for key, found in mistakes.items()
    ]
    raise ValidationError.from_exception_data("names", errors)
