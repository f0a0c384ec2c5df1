"""The settings of what is remembered."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from discordianai.conversations.accounting import Limit, Price, exact
from discordianai.conversations.database_url import BadUrl, DatabaseUrl, is_url, parse
from discordianai.conversations.prices import PriceTable
from discordianai.option import Key, Money, Tokens

DAY = 86_400.0


def _database(name: str) -> str:
    """A file, or a URL."""
    if "\0" in name:
        raise PydanticCustomError("path", "should be the path of a file, which has no null character in it")
    if is_url(name):
        try:
            parse(name)
        except BadUrl as error:
            raise PydanticCustomError("database_url", "{words}", {"words": str(error)}) from None
    return name


def _password(secret: SecretStr) -> SecretStr:
    """It may have any character that a line of text can have."""
    if not secret.get_secret_value().isprintable():
        raise PydanticCustomError("secret", "should be one line, without control characters: write it again")
    return secret


DatabasePassword = Annotated[SecretStr, AfterValidator(_password)]


@dataclass(frozen=True, slots=True)
class ConversationOptions:
    """`[conversations]`: what is remembered, and for whom. `max_turns` counts questions and answers.

    `context_tokens` is for models that are not in `[models]`.
    """

    database: Annotated[
        str,
        MinLen(1),
        AfterValidator(_database),
        Key(
            "a file (under systemd, a relative path is in the state directory), or"
            " postgresql://user@host/database"
        ),
    ] = "discordianai.sqlite3"
    database_password: Annotated[
        DatabasePassword | None, Key("of the user in that URL; unset: what ~/.pgpass says, if anything")
    ] = None
    scope: Annotated[
        Literal["user-in-channel", "channel", "user"], Key("user-in-channel, channel or user")
    ] = "user-in-channel"
    max_turns: Annotated[int, Ge(0), Le(1000), Key("questions and answers kept for each conversation")] = 50
    ttl_days: Annotated[float, Gt(0), Le(36_500), Key("days until they are deleted")] = 30.0
    grace_days: Annotated[
        float,
        Ge(0),
        Le(36_500),
        Key("days until a server's conversations are deleted after the bot was removed from it"),
    ] = 7.0
    context_tokens: Annotated[Tokens, Key("tokens for a question, its context and the answer together")] = (
        16_000
    )
    cache_megabytes: Annotated[
        float,
        Ge(0),
        Le(100_000),
        Key("memory for recently used conversations, others are read from disk; not with PostgreSQL"),
    ] = 16.0

    @property
    def url(self) -> DatabaseUrl | None:
        """The PostgreSQL database; None where it is a file."""
        return parse(self.database) if is_url(self.database) else None

    @property
    def ttl(self) -> float:
        """`ttl_days` in seconds."""
        return self.ttl_days * DAY

    @property
    def grace(self) -> float:
        """`grace_days` in seconds."""
        return self.grace_days * DAY

    @property
    def cache_bytes(self) -> int:
        """`cache_megabytes` in bytes."""
        return int(self.cache_megabytes * 2**20)


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """`[models."ID"]`: prices are in US dollars, and come before those that are known of the model.

    `requests_per_minute` and `tokens_per_minute` are for a model that its provider limits by itself.
    """

    context_tokens: Annotated[Tokens | None, Key("instead of the one in [conversations]", live=True)] = None
    input_price: Annotated[
        Money | None,
        Key("price of a million input tokens; needs output_price", live=True),
    ] = None
    output_price: Annotated[
        Money | None,
        Field(validate_default=True),
        Key("price of a million output tokens; needs input_price", live=True),
    ] = None
    cached_price: Annotated[
        Money | None,
        Key(
            "price of a million input tokens from the provider's cache; unset: input_price if set, else as"
            " known",
            live=True,
        ),
    ] = None
    search_price: Annotated[
        Money | None,
        Key("price of a thousand web searches; unset: what the provider is known to charge", live=True),
    ] = None

    requests_per_minute: Annotated[
        int | None,
        Ge(1),
        Le(1_000_000),
        Key("of this model, in any 60 seconds; its provider's limit applies, too", live=True),
    ] = None
    tokens_per_minute: Annotated[
        int | None,
        Ge(1),
        Le(1_000_000_000),
        Key("of this model, input and output together, in any 60 seconds", live=True),
    ] = None

    def price(self, known: Price | None) -> Price | None:
        """What is set here, and otherwise what is `known`; None if the model counts in tokens only."""
        if self.input_price is not None and self.output_price is not None:
            searches = known.searches if known else Decimal(0)
            known = Price(exact(self.input_price), exact(self.output_price), searches=searches)
        if known is None:
            return None
        cached = known.cached if self.cached_price is None else exact(self.cached_price)
        searches = known.searches if self.search_price is None else exact(self.search_price)
        return replace(known, cached=cached, searches=searches)

    @field_validator("output_price")
    @classmethod
    def _both_or_none(cls, value: float | None, info: ValidationInfo) -> float | None:
        if (value is None) != (info.data.get("input_price") is None):
            raise PydanticCustomError("price", "should be there if and only if input_price is")
        return value


NO_OPTIONS = ModelOptions()


@dataclass(frozen=True, slots=True)
class AccountingOptions:
    """Prices by model, and the daily limits of each person and of each server.

    `hosts` has the host of each provider, by its name, and `table` the prices that are known there.
    """

    models: Mapping[str, ModelOptions] = field(default_factory=lambda: MappingProxyType({}))
    person: Limit = field(default_factory=Limit)
    guild: Limit = field(default_factory=Limit)
    hosts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    table: PriceTable | None = None

    def price(self, provider: str, model: str) -> Price | None:
        """None if the model counts in tokens only."""
        known = self.table.price(self.hosts.get(provider, ""), model) if self.table else None
        return self.models.get(model, NO_OPTIONS).price(known)
