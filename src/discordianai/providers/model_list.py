"""The models that a provider lists, `GET /models`, and the days on which it shuts them down."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

import httpx

from discordianai.providers.endpoint import ProviderEndpoint
from discordianai.providers.json_values import Json, tables, text
from discordianai.providers.options import ProviderOptions
from discordianai.records import Dialect, Provider

MOST_LISTED = 2000
"""Models of one provider; resellers list several hundred."""

LONGEST_ID = 100
"""Characters; as in the settings."""

ENDS_SOON = 30
"""Days before its end from which a model is warned of: choosing and trying another one takes a while."""

_LINKS = frozenset("[]<>`")
"""What Discord makes links and mentions of, and code: people see these ids below answers. None has these."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One of them; `shutdown` is the day on which it ends, None where none is announced."""

    id: str
    shutdown: date | None = None


class OfferedModels(Mapping[str, tuple[str, ...]]):
    """The models of providers that offer all that they list, by their names: what is in `listed` now.

    It may be read from any thread.
    """

    def __init__(self, options: Mapping[str, ProviderOptions], listed: Mapping[str, tuple[str, ...]]) -> None:
        self._names = tuple(name for name, one in options.items() if one.offer_listed)
        self._listed = listed

    def __getitem__(self, name: str) -> tuple[str, ...]:
        if name not in self._names:
            raise KeyError(name)
        return self._listed.get(name, ())

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


async def list_models(
    client: httpx.AsyncClient, provider: Provider, options: ProviderOptions
) -> tuple[ListedModel, ...]:
    """What the provider lists, in its order. Empty where it lists nothing that can be read.

    Raises `ProviderError`; many endpoints have no list.
    """
    # The address of an agent has no version in it.
    path = "/v1/models" if provider.dialect is Dialect.AGENT else "/models"
    return tuple(_models(await ProviderEndpoint(client, provider, options).fetch(path)))[:MOST_LISTED]


def _models(body: Json) -> Iterator[ListedModel]:
    for entry in tables(body, "data"):
        name = text(entry, "id")
        if 0 < len(name) <= LONGEST_ID and name.isprintable() and _LINKS.isdisjoint(name):
            yield ListedModel(name, _day(text(entry, "shutdown_date")))


def _day(written: str) -> date | None:
    if _DAY.fullmatch(written):
        with suppress(ValueError):  # the 31st of February
            return date.fromisoformat(written)
    return None
