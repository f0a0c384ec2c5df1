"""Writes the table of prices that comes with the package; run by `make prices`, where genai-prices is
installed.

genai-prices is not a run-time dependency: it brings a second HTTP client, and 20 MB. Of its data the table
has the providers that people point such a bot at, and the prices of text; where a price depends on the hour
of the day, the highest one.
"""

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

TABLE = Path("src/discordianai/conversations/prices.json")

HOSTS = {
    "openai": ["api.openai.com"],
    "perplexity": ["api.perplexity.ai"],
    "azure": [".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"],
    "anthropic": ["api.anthropic.com"],
    "google": ["generativelanguage.googleapis.com"],
    "groq": ["api.groq.com"],
    "mistral": ["api.mistral.ai"],
    "deepseek": ["api.deepseek.com"],
    "x-ai": ["api.x.ai"],
    "openrouter": ["openrouter.ai"],
    "together": ["api.together.xyz", "api.together.ai"],
    "fireworks": ["api.fireworks.ai"],
    "cerebras": ["api.cerebras.ai"],
    "moonshotai": ["api.moonshot.ai"],
}
"""The providers in the table, by their names in genai-prices. A host that begins with a dot is the end of
one."""

SEARCHED_LIKE = {"perplexity": "perplexity/sonar"}
"""Providers that pass models of other makers on at the makers' prices: the model whose price of a search
holds for them all."""

SAME_AS = {"perplexity": {"fast": "openai/gpt-6-luna"}}
"""Names that stand for a model. Perplexity tells what a request has cost; the price is for the reservation,
and for answers that were stopped. Of its other presets the model is not known."""

RATES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "searches": "web_searches_kcount",
}

Model = Any  # genai-prices is not installed where mypy runs
Rates = dict[str, str]


def table(providers: dict[str, Model], source: str, now: datetime) -> dict[str, object]:
    """The table; `providers` are those of genai-prices by their ids."""
    return {
        "source": source,
        "date": now.date().isoformat(),
        "unit": "US dollars for a million tokens, and for a thousand searches",
        "providers": {name: _provider(name, providers, now) for name in HOSTS},
    }


def _provider(name: str, providers: dict[str, Model], now: datetime) -> dict[str, object]:
    models = _models(providers[name], now)
    if name == "azure":  # which has no prices of its own for most of OpenAI's models
        models = _models(providers["openai"], now) | models
    found: dict[str, object] = {"hosts": HOSTS[name], "models": dict(sorted(models.items()))}
    if name in SEARCHED_LIKE:
        found["searches"] = models[SEARCHED_LIKE[name]]["searches"]
    return found | ({"same_as": SAME_AS[name]} if name in SAME_AS else {})


def _models(provider: Model, now: datetime) -> dict[str, dict[str, Any]]:
    models: dict[str, dict[str, Any]] = {}
    for model in provider.models:
        prices = _highest(model, now)
        if getattr(prices, "input_mtok", None) is None or getattr(prices, "output_mtok", None) is None:
            continue  # one for pictures, for sounds, or for embeddings
        for name in dict.fromkeys((model.id, *_names(model.match))):
            models.setdefault(name, _row(prices))
    return models


def _highest(model: Model, now: datetime) -> Model:
    hours = (model.get_prices(now + timedelta(hours=hour)) for hour in range(24))
    return max(hours, key=lambda prices: _base(getattr(prices, "output_mtok", None)))


def _names(match: Model) -> Iterator[str]:
    """The names that a rule takes, and those with which dated names begin."""
    for rule in getattr(match, "or_", [match]):
        name = getattr(rule, "equals", None) or getattr(rule, "starts_with", None)
        if name:
            yield re.sub(r"[-@:]+$", "", name)


def _row(prices: Model) -> dict[str, Any]:
    row: dict[str, Any] = {
        ours: _text(_base(rate))
        for ours, theirs in RATES.items()
        if (rate := getattr(prices, theirs, None)) is not None
    }
    starts = sorted({tier.start for rate in _rates(prices) for tier in getattr(rate, "tiers", ())})
    if starts:
        row["above"] = {str(start): _tier(prices, start) for start in starts}
    return row


def _tier(prices: Model, start: int) -> Rates:
    found = {}
    for ours, theirs in RATES.items():
        rate = getattr(prices, theirs, None)
        if rate is not None and ours != "searches":
            reached = [tier.price for tier in getattr(rate, "tiers", ()) if tier.start <= start]
            found[ours] = _text(reached[-1] if reached else _base(rate))
    return found


def _rates(prices: Model) -> Iterator[Model]:
    return (rate for name in RATES.values() if (rate := getattr(prices, name, None)) is not None)


def _base(rate: Model) -> Decimal:
    return getattr(rate, "base", rate) or Decimal(0)


def _text(price: Decimal) -> str:
    return f"{price.normalize():f}"


def as_text(found: dict[str, Any]) -> str:
    """The file: a model on each line, so that a new version can be compared with the old one."""
    head = {name: value for name, value in found.items() if name != "providers"}
    lines = [f" {json.dumps(name)}: {json.dumps(value)}," for name, value in head.items()]
    providers = []
    for name, provider in found["providers"].items():
        facts = {key: value for key, value in provider.items() if key != "models"}
        models = ",\n".join(
            f"   {json.dumps(key)}: {json.dumps(row)}" for key, row in provider["models"].items()
        )
        opening = json.dumps(facts)[:-1]
        providers.append(f'  {json.dumps(name)}: {opening}, "models": {{\n{models}\n  }}}}')
    return "{\n" + "\n".join(lines) + '\n "providers": {\n' + ",\n".join(providers) + "\n }\n}\n"


def main() -> int:
    """Write the table."""
    providers = {provider.id: provider for provider in import_module("genai_prices.data").providers}
    source = f"genai-prices {version('genai-prices')}, MIT licence, https://github.com/pydantic/genai-prices"
    found = table(providers, source, datetime.now(UTC))
    TABLE.write_text(as_text(found), encoding="utf-8")
    sys.stdout.write(f"{TABLE}: {found['date']}, {source}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
