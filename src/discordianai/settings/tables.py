"""The whole of `settings.toml` as one frozen, typed record, of the option dataclasses that the packages own.

Every key has a default but the secrets. Reading the file is in `file`, telling what is wrong in `complaints`.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, LiteralString, NoReturn

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from discordianai.answering.options import AssistantOptions
from discordianai.conversations.accounting import Limit
from discordianai.conversations.options import ConversationOptions, ModelOptions
from discordianai.discord.options import BotOptions
from discordianai.dispatch.budget import BudgetOptions
from discordianai.dispatch.options import STRATEGIES, DispatchOptions, RoutingOptions
from discordianai.operations.options import LoggingOptions, OperationsOptions
from discordianai.option import ModelName
from discordianai.providers.options import ProviderOptions
from discordianai.records import Provider
from discordianai.settings.by_provider import (
    ConnectionPoolSettings,
    NamedTables,
    ProviderPoolOptions,
    ProvidersSettings,
    RateLimitSettings,
)
from discordianai.settings.table import Group, Table
from discordianai.transport.options import PoolOptions


class DailyLimitsSettings(Group):
    """`[daily_limits]`."""

    user: Table[Limit] = Limit()
    server: Table[Limit] = Limit()


class Settings(Group):
    """The whole of `settings.toml`."""

    discord: Table[BotOptions] = BotOptions()
    providers: ProvidersSettings = ProvidersSettings()
    assistant: Table[AssistantOptions] = AssistantOptions()
    connection_pool: ConnectionPoolSettings = ConnectionPoolSettings()
    rate_limits: RateLimitSettings = RateLimitSettings()
    dispatch: Table[DispatchOptions] = DispatchOptions()
    routing: Table[RoutingOptions] = RoutingOptions()
    models: dict[ModelName, Table[ModelOptions]] = Field(default_factory=dict)
    conversations: Annotated[Table[ConversationOptions], Field(validate_default=True)] = ConversationOptions()
    daily_limits: DailyLimitsSettings = DailyLimitsSettings()
    operations: Table[OperationsOptions] = OperationsOptions()
    logging: Table[LoggingOptions] = LoggingOptions()

    @model_validator(mode="before")
    @classmethod
    def _arrays_are_tuples(cls, document: object) -> object:
        """For nothing in the settings changes later."""
        return _with_tuples(document)

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
    def _names_a_provider(cls, routing: RoutingOptions, info: ValidationInfo) -> RoutingOptions:
        known = _names_in(info)
        if known and routing.strategy not in {*STRATEGIES, *known}:
            _refuse("should be a strategy or the name of a provider", {"strategy": routing.strategy})
        strange = [name for name in routing.fallback or () if name not in known]
        if known and strange:
            _refuse("should have the names of providers", {"fallback": strange[0]})
        if len(set(routing.fallback or ())) < len(routing.fallback or ()):
            _refuse("should name each provider once", {"fallback": ", ".join(routing.fallback or ())})
        return routing

    @field_validator("models")
    @classmethod
    def _leave_room_beside_the_answer(
        cls, models: dict[str, ModelOptions], info: ValidationInfo
    ) -> dict[str, ModelOptions]:
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
        cls, table: ConversationOptions, info: ValidationInfo
    ) -> ConversationOptions:
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
        """Those that can be asked: at least one, or `file.load` would have refused the file.

        The two that are known need a key. Every further one is there because somebody wants it.
        """
        further = self.providers.__pydantic_extra__
        return tuple(
            self.record(name)
            for name, table in self.providers.by_name.items()
            if table.api_key is not None or name in further
        )

    @property
    def models_by_provider(self) -> Mapping[Provider, tuple[str, ...]]:
        """What each of them offers here, its usual model or preset first."""
        return {provider: self.provider(provider.name).all_models for provider in self.configured}

    def record(self, name: str) -> Provider:
        """Who that provider is, and what it can do. Raises `KeyError`."""
        return self.provider(name).record(name)

    def provider(self, name: str) -> ProviderOptions:
        """The table of that provider. Raises `KeyError`."""
        return self.providers.by_name[name]

    def pool(self, name: str) -> PoolOptions:
        """The pool of that provider."""
        return self.connection_pool.by_name.get(name) or ProviderPoolOptions()

    def rate_limit(self, name: str) -> BudgetOptions:
        """What that provider allows."""
        return self.rate_limits.by_name.get(name) or BudgetOptions()


def _with_tuples(value: object) -> object:
    match value:
        case dict():
            return {key: _with_tuples(inner) for key, inner in value.items()}
        case list():
            return tuple(map(_with_tuples, value))
    return value


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
        for model in table.all_models
    }


def _refuse(words: LiteralString, mistakes: Mapping[str, object]) -> NoReturn:
    """Complain about each of these keys of a table."""
    errors = [
        InitErrorDetails(type=PydanticCustomError("name", words, {"name": key}), loc=(key,), input=found)
        for key, found in mistakes.items()
    ]
    raise ValidationError.from_exception_data("names", errors)
