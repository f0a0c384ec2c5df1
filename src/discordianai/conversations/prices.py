"""The table of prices that comes with the package: what models cost at their providers, on a certain day.

`make prices` writes it (prices.json) from genai-prices. A provider is known by the host of its address, so
that a model of the same name on a machine of one's own has no price.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from urllib.parse import urlsplit

from discordianai.conversations.accounting import Price
from discordianai.providers.json_values import Json, parse, table, text

_DATED = re.compile(r"(-20\d\d-?\d\d-?\d\d|-latest)$")
"""The end of the name of a model's version, which costs what the model does."""

_MAKERS = {"xai": "x-ai"}
"""Model makers as resellers name them, by their names in the table."""


@dataclass(frozen=True, slots=True)
class _Provider:
    models: Json
    same_as: Mapping[str, str] = field(default_factory=dict)
    searches: Decimal | None = None


@dataclass(frozen=True, eq=False, slots=True)
class PriceTable:
    """Prices as they were on the day `as_of`; `source` says where they are from."""

    as_of: date
    source: str
    _by_name: Mapping[str, _Provider] = field(repr=False)
    _by_host: Mapping[str, str] = field(repr=False)

    def price(self, host: str, model: str) -> Price | None:
        """What a model costs at the provider with that host; None if it is not in the table."""
        name = self._named(host.lower())
        return None if name is None else self._at(self._by_name[name], model)

    def _named(self, host: str) -> str | None:
        ends = (name for end, name in self._by_host.items() if end.startswith(".") and host.endswith(end))
        return self._by_host.get(host) or next(ends, None)

    def _at(self, provider: _Provider, model: str) -> Price | None:
        model = provider.same_as.get(model, model)
        own = _find(provider, model)
        if own is not None or provider.searches is None:
            return own
        maker, _, name = model.partition("/")
        of_maker = self._by_name.get(_MAKERS.get(maker, maker))
        passed_on = _find(of_maker, name) if of_maker else None
        return passed_on and replace(passed_on, searches=provider.searches)


def host_of(base_url: str) -> str:
    """The host of a provider's address; empty if there is none."""
    return urlsplit(base_url).hostname or ""


@cache
def bundled() -> PriceTable:
    """The table in this package, read once."""
    return from_json((files("discordianai.conversations") / "prices.json").read_bytes())


def from_json(written: bytes) -> PriceTable:
    """A table as `make prices` writes it. Raises `ValueError`."""
    whole = parse(written)
    providers = table(whole, "providers")
    hosts: dict[str, str] = {}
    by_name = {}
    for name in providers:
        provider = table(providers, name)
        found = provider.get("hosts")
        hosts |= dict.fromkeys(map(str, found if isinstance(found, list) else ()), name)
        searches = text(provider, "searches")
        by_name[name] = _Provider(
            table(provider, "models"),
            {alias: str(model) for alias, model in table(provider, "same_as").items()},
            Decimal(searches) if searches else None,
        )
    return PriceTable(
        date.fromisoformat(text(whole, "date")),
        text(whole, "source"),
        MappingProxyType(by_name),
        MappingProxyType(hosts),
    )


def _find(provider: _Provider, model: str) -> Price | None:
    row = table(provider.models, model) or table(provider.models, _DATED.sub("", model))
    return _price(row) if row else None


def _price(row: Json) -> Price:
    longer = table(row, "above")
    return Price(
        input=Decimal(text(row, "input")),
        output=Decimal(text(row, "output")),
        cached=_rate(row, "cached"),
        cache_write=_rate(row, "cache_write"),
        searches=_rate(row, "searches") or Decimal(0),
        above=tuple((int(tokens), _price(table(longer, tokens))) for tokens in sorted(longer, key=int)),
    )


def _rate(row: Json, name: str) -> Decimal | None:
    written = text(row, name)
    return Decimal(written) if written else None
