"""The provider table, and what the operator can set of a provider: `[providers.NAME]`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypeVar, get_args
from urllib.parse import urlsplit

from annotated_types import Ge, Le, MaxLen
from pydantic import (
    AfterValidator,
    Field,
    ModelWrapValidatorHandler,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from discordianai.option import Credential, Key, ModelName, Seconds, Url
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


Preset = Literal["fast", "low", "medium", "high", "xhigh"]
Value = TypeVar("Value")
Models = TypeVar("Models", str | None, tuple[str, ...])

_PATHS = ("/chat/completions", "/responses", "/v1/agent")
"""What the dialects add to an address. Pages about other programs often name the whole."""

_OTHER_PATHS = ("/completions", "/models", "/messages", "/embeddings")
"""Ends of addresses that other programs ask."""

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


def _one_line(label: str) -> str:
    if not label.isprintable() or not label.strip():
        raise PydanticCustomError("label", "should be letters and signs on one line")
    return label


Label = Annotated[str, MaxLen(40), AfterValidator(_one_line)]
"""What people read of a provider, in a choice of Discord's and below an answer."""


BaseUrl = Annotated[Url, Key("address of the API, without the path of the endpoint, such as /responses")]
ModelToAsk = Annotated[ModelName | None, Field(validate_default=True), Key("the model that answers")]
PresetToAsk = Annotated[Preset | None, Key("fast, low, medium, high or xhigh; only an agent has presets")]
ReadTimeout = Annotated[Seconds, Key("seconds between two pieces of an answer")]
Verbosity = Annotated[
    Literal["low", "medium", "high"] | None,
    Key("low, medium or high: how long answers are; not for agents"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderOptions:
    """`[providers.NAME]`: how to reach somebody who answers, and how it is to answer. Times are in seconds.

    `api_key` is None for an endpoint that wants none. `auto` as the `dialect` goes by the host of `base_url`.
    A `preset` gives way to a `model`. `reasoning_effort` and `verbosity` are left to the model where they are
    None. Where `web_search`, `images`, `files` and `tools` are not set, the provider can do what its dialect
    can.
    """

    api_key: Annotated[
        Credential | None, Key("from the provider's website; without one the provider is not used")
    ] = None
    label: Annotated[Label | None, Key("the name that people see")] = None
    dialect: Annotated[
        Literal["auto", "responses", "agent", "chat"],
        Key("responses, agent or chat (completions); auto: by the host of base_url, else chat"),
    ] = "auto"
    base_url: BaseUrl
    preset: PresetToAsk = None
    model: ModelToAsk = None
    more_models: Annotated[
        tuple[ModelName, ...], Key("more models for /model and /ask; for an agent also presets")
    ] = ()
    offer_listed: Annotated[
        bool,
        Key("people can also choose any model that the provider lists; for inference servers that you run"),
    ] = False
    read_timeout: ReadTimeout = 60.0
    first_token_timeout: Annotated[
        Seconds, Key("seconds until the first piece: reasoning models send nothing while they think")
    ] = 120.0
    reasoning_timeout: Annotated[
        float,
        Ge(1),
        Le(840),
        Key("seconds that it may think or search without any text, whatever else it sends", live=True),
    ] = 240.0
    reasoning_effort: Annotated[
        Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None,
        Key("none, minimal, low, medium, high, xhigh or max, if the model supports it"),
    ] = None
    verbosity: Verbosity = None
    max_answer_tokens: Annotated[int | None, Ge(16), Key("includes reasoning tokens; unset: no limit")] = None
    web_search: Annotated[
        bool | None, Key("whether it searches the web; unset: by the dialect (all but chat do)")
    ] = None
    images: Annotated[bool | None, Key("whether it accepts images; unset: yes")] = None
    files: Annotated[
        bool | None, Key("whether it accepts PDFs; unset: by the dialect (only responses does)")
    ] = None
    tools: Annotated[
        bool | None,
        Key("whether it can call a function to hand a search to another provider; unset: all but agents can"),
    ] = None

    @property
    def spoken(self) -> Dialect:
        """The dialect that it is."""
        return _dialect(self.dialect, self.base_url)

    @property
    def usual_model(self) -> str:
        """Who answers unless a question names another one: a model, or a preset."""
        return self.model or self.preset or ""  # one of the two is there

    @property
    def all_models(self) -> tuple[str, ...]:
        """What this provider offers here, its usual model or preset first."""
        return tuple(dict.fromkeys((self.usual_model, *self.more_models)))

    def is_preset(self, model: str) -> bool:
        """Whether that name stands for whatever model the provider chooses."""
        return self.spoken is Dialect.AGENT and model in get_args(Preset)

    def record(self, name: str) -> Provider:
        """Who this is, and what it can do."""
        search = None
        if self.web_search is not None:
            search = _SEARCHING[self.spoken] if self.web_search else WebSearch.NEVER
        told = Capabilities(search, self.images, self.files, self.tools)
        return provider(name, self.label or _label(name), self.spoken, told)

    @model_validator(mode="wrap")
    @classmethod
    def _defaults_are_for_their_dialect(
        cls, written: object, validate: "ModelWrapValidatorHandler[ProviderOptions]"
    ) -> "ProviderOptions":
        """A default gives way where the dialect that is spoken has no place for it."""
        options = validate(written)
        said = written if isinstance(written, Mapping) else {}
        if "verbosity" not in said and options.spoken is not Dialect.RESPONSES:
            options = replace(options, verbosity=None)
        if "preset" not in said and options.spoken is not Dialect.AGENT:
            options = replace(options, preset=None)
        return options

    @field_validator("base_url")
    @classmethod
    def _ends_before_the_path(cls, value: str) -> str:
        version = ("/v1",) if dialect_of(value) is Dialect.AGENT else ()  # Perplexity's pages name it
        for path in (*_PATHS, *version):
            if value.lower().endswith(path):
                raise PydanticCustomError(
                    "url", "should end before {path}, which the bot adds itself", {"path": path}
                )
        for path in _OTHER_PATHS:
            if value.lower().endswith(path):
                raise PydanticCustomError(
                    "url", "should end before {path}: the bot has no use for that interface", {"path": path}
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
    if value is not None and dialect is not None and dialect not in dialects:
        raise PydanticCustomError(
            "dialect",
            "should be left out: the dialect here is {dialect}, and this is for {dialects} alone",
            {"dialect": dialect.value, "dialects": " and ".join(dialects)},
        )
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIOptions(ProviderOptions):
    """`[providers.openai]`."""

    base_url: BaseUrl = "https://api.openai.com/v1"
    model: ModelToAsk = "gpt-6-luna"
    read_timeout: ReadTimeout = 45.0
    verbosity: Verbosity = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class PerplexityOptions(ProviderOptions):
    """`[providers.perplexity]`."""

    base_url: BaseUrl = "https://api.perplexity.ai"
    preset: PresetToAsk = "fast"
