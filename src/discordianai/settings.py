"""What the operator can set: `settings.toml` as one frozen, typed record.

Every key has a default but the secrets. Reading the file, and telling what is wrong with it, is in
`settings_file`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from discordianai.model import ProviderName
from discordianai.settings_fields import (
    FileName,
    Host,
    Ids,
    Key,
    Level,
    ModelName,
    Module,
    Money,
    Seconds,
    Tokens,
    Url,
)


class Table(BaseModel):
    """One table of the file: nothing in it is guessed, converted or changed later."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _arrays_are_tuples(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


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


class ProviderSettings(Table):
    """What both providers have in common. Times are in seconds."""

    api_key: Key | None = None
    base_url: Url
    model: ModelName
    more_models: tuple[ModelName, ...] = ()
    read_timeout: Seconds
    first_token_timeout: Seconds = 120.0
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    max_answer_tokens: Annotated[int, Field(ge=16)] | None = None


class OpenAISettings(ProviderSettings):
    """`[openai]`."""

    base_url: Url = "https://api.openai.com/v1"
    model: ModelName = "gpt-5-mini"
    read_timeout: Seconds = 45.0


class PerplexitySettings(ProviderSettings):
    """`[perplexity]`."""

    base_url: Url = "https://api.perplexity.ai"
    model: ModelName = "sonar-pro"
    read_timeout: Seconds = 60.0


class PoolSettings(Table):
    """`[connection_pool.*]`: how many connections a provider's client may hold.

    Only a written `max_keepalive` has to fit: the default gives way to a smaller `max_connections`.
    """

    max_connections: Annotated[int, Field(ge=1, le=1000)]
    max_keepalive: Annotated[int, Field(ge=0, le=1000)]
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


class ConnectionPoolSettings(Table):
    """`[connection_pool]`."""

    openai: OpenAIPoolSettings = OpenAIPoolSettings()
    perplexity: PerplexityPoolSettings = PerplexityPoolSettings()


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


class ProviderRateSettings(Table):
    """`[rate_limits.openai]` and `.perplexity`: for any 60 seconds; without a key, no limit."""

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


class RateLimitSettings(Table):
    """`[rate_limits]`."""

    user: UserRateSettings = UserRateSettings()
    server: ServerRateSettings = ServerRateSettings()
    openai: ProviderRateSettings = ProviderRateSettings(requests_per_minute=500, tokens_per_minute=200_000)
    perplexity: ProviderRateSettings = ProviderRateSettings(requests_per_minute=50)


class DispatchSettings(Table):
    """`[dispatch]`: what stands between a question and its provider."""

    queue_size: Annotated[int, Field(ge=1, le=10_000)] = 200
    deadline_seconds: Annotated[float, Field(ge=1, le=840)] = 300.0
    max_attempts: Annotated[int, Field(ge=1, le=10)] = 3


class RoutingSettings(Table):
    """`[routing]`: who answers where a person has not said, if both providers are set up."""

    strategy: Literal["tool", "rules", "openai", "perplexity"] = "tool"


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
    openai: OpenAISettings = OpenAISettings()
    perplexity: PerplexitySettings = PerplexitySettings()
    assistant: AssistantSettings = AssistantSettings()
    connection_pool: ConnectionPoolSettings = ConnectionPoolSettings()
    rate_limits: RateLimitSettings = RateLimitSettings()
    dispatch: DispatchSettings = DispatchSettings()
    routing: RoutingSettings = RoutingSettings()
    conversations: ConversationSettings = ConversationSettings()
    models: dict[ModelName, ModelSettings] = Field(default_factory=dict)
    daily_limits: DailyLimitsSettings = DailyLimitsSettings()
    operations: OperationsSettings = OperationsSettings()
    logging: LoggingSettings = LoggingSettings()

    def provider(self, name: ProviderName) -> ProviderSettings:
        """The table of that provider."""
        return self.openai if name is ProviderName.OPENAI else self.perplexity

    def pool(self, name: ProviderName) -> PoolSettings:
        """The pool of that provider."""
        pools = self.connection_pool
        return pools.openai if name is ProviderName.OPENAI else pools.perplexity

    def rate_limit(self, name: ProviderName) -> ProviderRateSettings:
        """What that provider allows."""
        limits = self.rate_limits
        return limits.openai if name is ProviderName.OPENAI else limits.perplexity

    def models_of(self, name: ProviderName) -> tuple[str, ...]:
        """What that provider offers here, its usual model first."""
        table = self.provider(name)
        return tuple(dict.fromkeys((table.model, *table.more_models)))

    def provider_of(self, model: str) -> ProviderName | None:
        """Who offers that model here."""
        return next((name for name in self.providers if model in self.models_of(name)), None)

    @property
    def providers(self) -> tuple[ProviderName, ...]:
        """Those that have a key: at least one, or `settings_file.load` would have refused the file."""
        return tuple(name for name in ProviderName if self.provider(name).api_key is not None)
