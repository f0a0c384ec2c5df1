"""The table of prices that comes with the package, and what is set in its place."""

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discordianai.conversations.accounting import NANO, Price, dollars
from discordianai.conversations.options import NO_OPTIONS, AccountingOptions, ModelOptions
from discordianai.conversations.prices import bundled, from_json, host_of
from discordianai.records import Usage

OPENAI = "api.openai.com"
PERPLEXITY = "api.perplexity.ai"


@pytest.mark.parametrize(
    ("host", "model", "rates"),
    [
        (OPENAI, "gpt-6-luna", ("0.1", "0.01", "0.5", "10")),
        (OPENAI, "gpt-6.1-terra", ("1", "0.05", "5", "10")),
        (OPENAI, "gpt-5.4-mini", ("0.75", "0.075", "4.5", "10")),
        (OPENAI, "gpt-6-luna-2026-09-22", ("0.1", "0.01", "0.5", "10")),
        (PERPLEXITY, "perplexity/sonar", ("0.25", "0.0625", "2.5", "2.5")),
        (PERPLEXITY, "anthropic/claude-haiku-5-5", ("0.1", "0.01", "0.5", "2.5")),
        (PERPLEXITY, "fast", ("0.1", "0.01", "0.5", "2.5")),
        ("name.openai.azure.com", "gpt-6-luna", ("0.1", "0.01", "0.5", "10")),
    ],
)
def test_known_prices_are_in_the_table(host: str, model: str, rates: tuple[str, ...]) -> None:
    """As the providers' own pages had them in autumn 2026."""
    price = bundled().price(host, model)
    assert price is not None
    assert (price.input, price.cached, price.output, price.searches) == tuple(map(Decimal, rates))


@pytest.mark.parametrize(
    ("host", "model"),
    [
        ("127.0.0.1", "gpt-6-luna"),
        (OPENAI, "gpt-6-luna-of-mine"),
        (OPENAI, ""),
        (PERPLEXITY, "high"),
        (PERPLEXITY, "nobody/nothing"),
        ("evil-api.openai.com.example", "gpt-6-luna"),
        ("", "gpt-6-luna"),
    ],
)
def test_what_nobody_knows_has_no_price(host: str, model: str) -> None:
    """A model of a known name on a machine of one's own costs what nobody knows."""
    assert bundled().price(host, model) is None


def test_all_of_the_table_can_be_read() -> None:
    """Each row is a price, none is negative, and a day and a source are told."""
    table = bundled()
    assert "genai-prices" in table.source
    assert table.as_of.year >= 2026
    written = json.loads((files("discordianai.conversations") / "prices.json").read_text())
    rows = 0
    for provider in written["providers"].values():
        host = provider["hosts"][0]
        for model in provider["models"]:
            price = table.price("a" + host if host.startswith(".") else host, model)
            assert price is not None
            assert min(price.input, price.output, price.searches) >= 0
            rows += 1
    assert rows > 500


def test_a_longer_request_costs_more_for_all_of_its_tokens() -> None:
    """OpenAI's, above 272,000 tokens: double for the input, half more for the output."""
    luna = bundled().price(OPENAI, "gpt-6-luna")
    assert luna is not None
    assert luna.cost(Usage(272_000, 1000)) == NANO * 272 // 10_000 + 500_000
    assert luna.cost(Usage(272_001, 1000)) == 272_001 * 200 + 1000 * 750


def test_what_is_set_comes_before_what_is_known() -> None:
    """And what is not set stays as it is known: of searches the price, of cached input that of all input."""

    def price(options: ModelOptions = NO_OPTIONS) -> Price | None:
        models = {"gpt-6-luna": options}
        return AccountingOptions(models, hosts={"openai": OPENAI}, table=bundled()).price(
            "openai", "gpt-6-luna"
        )

    known = price()
    assert known is not None
    free = ModelOptions(input_price=0.3, output_price=0.7, cached_price=0.0)
    own = Price(Decimal("0.3"), Decimal("0.7"), searches=Decimal(10))
    assert price(ModelOptions(input_price=0.3, output_price=0.7)) == own
    assert price(free) == replace(own, cached=Decimal(0))
    assert price(ModelOptions(search_price=4.0)) == replace(known, searches=Decimal(4))
    assert price(ModelOptions(cached_price=0.02)) == replace(known, cached=Decimal("0.02"))
    alone = AccountingOptions({"mine": ModelOptions(search_price=4.0)}).price("local", "mine")
    assert alone is None


def test_a_written_price_is_the_decimal_number_that_stands_there() -> None:
    """A tenth has no float: seven million tokens at 0.1 would be a nano-dollar off now and then."""
    price = ModelOptions(input_price=0.1, output_price=0.7).price(None)
    assert price is not None
    for tokens in (1, 3, 7, 999_999, 7_000_001):
        assert price.cost(Usage(tokens, tokens)) == tokens * 800


@given(
    rates=st.lists(st.decimals(0, 1000, places=6), min_size=5, max_size=5),
    counts=st.lists(st.integers(0, 10**6), min_size=5, max_size=5),
)
def test_a_cost_is_exact_to_a_nano_dollar(rates: list[Decimal], counts: list[int]) -> None:
    """The same by fractions."""
    price = Price(rates[0], rates[1], rates[2], rates[3], rates[4])
    plain, output, cached, written, searches = counts
    usage = Usage(plain + cached + written, output, cached, written, searches)
    kinds = zip(rates, (plain, output, cached, written, searches), (6, 6, 6, 6, 3), strict=True)
    told = sum(Fraction(rate) * amount / 10**of for rate, amount, of in kinds)
    assert abs(price.cost(usage) - told * NANO) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("nano", "words"),
    [
        (0, "$0.00"),
        (1, "under $0.0001"),
        (100_000, "$0.0001"),
        (2_640_000, "$0.0026"),
        (NANO, "$1.00"),
        (1_234_567_890_000, "$1,234.57"),
    ],
)
def test_amounts_are_told_in_dollars(nano: int, words: str) -> None:
    """To the cent, and less than a dollar more finely."""
    assert dollars(nano) == words


def test_the_host_is_that_of_the_address() -> None:
    """With a port, in capitals, with a path."""
    assert host_of("https://API.OpenAI.com:443/v1") == OPENAI
    assert host_of("http://127.0.0.1:11434/v1") == "127.0.0.1"


def test_a_table_that_is_none_is_refused() -> None:
    """It would price everything at nothing."""
    with pytest.raises(ValueError, match="isoformat"):
        from_json(b"{}")
