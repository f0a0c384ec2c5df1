"""`make prices` takes from genai-prices what the bot needs, and what is dearest where that varies."""

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from discordianai.conversations.accounting import Price
from discordianai.conversations.prices import PriceTable, from_json

ROOT = Path(__file__).parent.parent
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def target() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prices", ROOT / ".ci" / "prices.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rates(**prices: object) -> SimpleNamespace:
    return SimpleNamespace(
        **{name: Decimal(price) if isinstance(price, str) else price for name, price in prices.items()}
    )


def tiers(base: str, above: str) -> SimpleNamespace:
    return SimpleNamespace(base=Decimal(base), tiers=[SimpleNamespace(start=1000, price=Decimal(above))])


@dataclass
class Model:
    """As genai-prices has them: prices by the hour, and rules for names."""

    id: str
    by_hour: Mapping[int, SimpleNamespace]
    match: SimpleNamespace = field(default_factory=SimpleNamespace)

    def get_prices(self, at: datetime) -> SimpleNamespace:
        return self.by_hour.get(at.hour, self.by_hour[0])


def made(target: ModuleType, **models: list[Model]) -> PriceTable:
    providers = {name: SimpleNamespace(models=models.get(name, [])) for name in target.HOSTS}
    sonar = rates(input_mtok="0.25", output_mtok="2.5", web_searches_kcount="2.5")
    providers["perplexity"].models = [Model("perplexity/sonar", {0: sonar}), *models.get("perplexity", [])]
    found = target.table(providers, "a source", NOON)
    text = target.as_text(found)
    assert json.loads(text) == found
    return from_json(text.encode())


def test_the_price_of_a_model_is_the_highest_of_the_day(target: ModuleType) -> None:
    """DeepSeek's depend on the hour."""
    low, high = rates(input_mtok="0.1", output_mtok="0.2"), rates(input_mtok="0.3", output_mtok="0.6")
    table = made(target, deepseek=[Model("deep", {0: low, 3: high})])
    assert table.price("api.deepseek.com", "deep") == Price(Decimal("0.3"), Decimal("0.6"))
    assert (table.as_of, table.source) == (NOON.date(), "a source")


def test_a_model_is_known_by_all_of_its_names_and_by_those_of_its_versions(target: ModuleType) -> None:
    """Rules that name it, or how its versions begin."""
    names = SimpleNamespace(or_=[SimpleNamespace(equals="alias"), SimpleNamespace(starts_with="begins-")])
    table = made(target, openai=[Model("it", {0: rates(input_mtok="1", output_mtok="2")}, names)])
    for name in ("it", "alias", "begins", "begins-2026-11-24", "it-20261124", "it-latest"):
        assert table.price("api.openai.com", name) is not None, name
    assert table.price("api.openai.com", "begins-with-another-word") is None


def test_longer_requests_and_searches_have_their_prices(target: ModuleType) -> None:
    """The prices of a longer request are all there, also those that do not change."""
    longer = rates(
        input_mtok=tiers("1", "2"),
        output_mtok=tiers("5", "7.50"),
        cache_read_mtok="0.1",
        web_searches_kcount="10",
    )
    price = made(target, openai=[Model("it", {0: longer})]).price("api.openai.com", "it")
    assert price == Price(
        Decimal(1),
        Decimal(5),
        Decimal("0.1"),
        searches=Decimal(10),
        above=((1000, Price(Decimal(2), Decimal("7.5"), Decimal("0.1"))),),
    )


def test_what_has_no_price_of_text_is_left_out(target: ModuleType) -> None:
    """Embeddings have no output, and pictures no tokens."""
    table = made(
        target, openai=[Model("embedding", {0: rates(input_mtok="1")}), Model("sound", {0: rates()})]
    )
    assert table.price("api.openai.com", "embedding") is None
    assert table.price("api.openai.com", "sound") is None
