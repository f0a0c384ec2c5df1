"""What people see of a command, in Discord's terms: its name, its description, its options."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import IntEnum, StrEnum
from itertools import chain
from types import MappingProxyType
from typing import ClassVar

from discordianai.records import Provider

MOST_CHOICES, LONGEST_CHOICE = 25, 100
"""Discord's own limits, for the choices of an option and for what completes it; in characters."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What people can choose from on this bot: each provider with its models, the usual one first.

    `listed` has what providers list themselves, by their names, where that is offered; it may change.
    """

    models: Mapping[Provider, tuple[str, ...]]
    listed: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def providers(self) -> tuple[Provider, ...]:
        """In the order of the settings."""
        return tuple(self.models)

    @property
    def all_models(self) -> tuple[str, ...]:
        """The models of all providers."""
        return tuple(model for provider in self.models for model in self.models_of(provider))

    def models_of(self, provider: Provider) -> tuple[str, ...]:
        """The models of one provider, those in the settings first."""
        return tuple(dict.fromkeys((*self.models[provider], *self.listed.get(provider.name, ()))))

    def provider_of(self, model: str) -> str | None:
        """The name of the provider that offers that model; those in the settings come first."""
        named = (provider.name for provider, models in self.models.items() if model in models)
        listed = (name for name, models in self.listed.items() if model in models)
        return next(chain(named, listed), None)

    @property
    def searches(self) -> bool:
        """Whether any provider can search the web."""
        return any(provider.searches for provider in self.models)

    @property
    def several_models(self) -> bool:
        """Whether there is more than one model: a choice of one is not offered."""
        return len(self.all_models) > 1 or bool(self.listed)


class CommandKind(IntEnum):
    """Discord's numbers for kinds of commands."""

    CHAT_INPUT = 1
    """A slash command."""
    MESSAGE = 3
    """One in the menu of a message."""


class OptionKind(StrEnum):
    """What an option accepts, in Discord's terms."""

    STRING = "string"
    BOOLEAN = "boolean"
    ATTACHMENT = "attachment"


Choice = tuple[str, str]
"""What people read, and what Discord then sends."""


def always(_offer: Offer) -> bool:
    """Whatever is offered."""
    return True


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a slash command. It is left out where it is not `available`.

    `autocomplete` gets what was typed so far and returns what completes it. `max_length` is in characters.
    """

    name: str
    description: str
    kind: OptionKind = OptionKind.STRING
    _: KW_ONLY
    required: bool = False
    max_length: int | None = None
    choices: Callable[[Offer], Sequence[Choice]] | None = None
    autocomplete: Callable[[str, Offer], Sequence[str]] | None = None
    available: Callable[[Offer], bool] = always


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A command as Discord lists it. It is not registered where it is not `available`.

    `admins_only` commands are refused to everybody whom the operator has not named as an admin. `own_data`
    commands give people access to what is stored about them: nobody is refused them anywhere.
    """

    kind: ClassVar[CommandKind] = CommandKind.CHAT_INPUT

    name: str
    description: str = ""  # those in the menu of a message have none
    options: tuple[Option, ...] = ()
    available: Callable[[Offer], bool] = always
    admins_only: bool = False
    own_data: bool = False

    def too_long(self, given: Mapping[str, object]) -> int | None:
        """The limit of the first option that exceeds it, or None. Discord itself refuses such a command."""
        limits = {option.name: option.max_length for option in self.options}
        lengths = ((limits.get(name), value) for name, value in given.items() if isinstance(value, str))
        return next((most for most, value in lengths if most is not None and len(value) > most), None)
