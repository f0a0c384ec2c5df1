"""What a provider counted means the same, in whatever interface's words it comes."""

import pytest

from discordianai.providers.json_values import Json
from discordianai.providers.usage_report import MOST_COST, with_searches
from discordianai.providers.usage_report import usage as read
from discordianai.records import Usage

PERPLEXITY: Json = {
    "input_tokens": 2754,
    "input_tokens_details": {
        "cached_tokens": 2751,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 2751,
    },
    "output_tokens": 13,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 2767,
    "tool_calls_details": {"search_web": {"invocation": 1, "cost_usd": 0.0025}},
    "cost": {
        "currency": "USD",
        "input_cost": 0,
        "output_cost": 0.00003,
        "cache_read_cost": 0.00011,
        "tool_calls_cost": 0.0025,
        "total_cost": 0.00264,
    },
}
OPENAI: Json = {
    "input_tokens": 4100,
    "input_tokens_details": {"cached_tokens": 3072, "cache_write_tokens": 1000},
    "output_tokens": 77,
    "output_tokens_details": {"reasoning_tokens": 64},
    "total_tokens": 4177,
}
DEEPSEEK: Json = {
    "prompt_tokens": 900,
    "completion_tokens": 50,
    "total_tokens": 950,
    "prompt_cache_hit_tokens": 512,
    "prompt_cache_miss_tokens": 388,
}
OPENROUTER: Json = {
    "prompt_tokens": 194,
    "completion_tokens": 2,
    "total_tokens": 196,
    "prompt_tokens_details": {"cached_tokens": 128},
    "cost": 0.00014,
    "server_tool_use": {"web_search_requests": 2},
}
XAI: Json = {
    "prompt_tokens": 32,
    "completion_tokens": 9,
    "total_tokens": 135,
    "prompt_tokens_details": {"cached_tokens": 6},
    "completion_tokens_details": {"reasoning_tokens": 94},
}


@pytest.mark.parametrize(
    ("told", "counts"),
    [
        (PERPLEXITY, Usage(2754, 13, cached_tokens=2751, searches=1, cost=2_640_000)),
        (OPENAI, Usage(4100, 77, cached_tokens=3072, cache_writes=1000)),
        (DEEPSEEK, Usage(900, 50, cached_tokens=512)),
        (OPENROUTER, Usage(194, 2, cached_tokens=128, searches=2, cost=140_000)),
        (XAI, Usage(32, 103, cached_tokens=6)),
    ],
    ids=["perplexity", "openai", "deepseek", "openrouter", "thoughts beside the output"],
)
def test_each_interfaces_counts_are_read(told: Json, counts: Usage) -> None:
    """Cached tokens are among the input, thoughts among the output, as each of them bills it."""
    asked, answered = (
        ("input_tokens", "output_tokens")
        if "input_tokens" in told
        else ("prompt_tokens", "completion_tokens")
    )
    assert read(told, asked, answered) == counts


@pytest.mark.parametrize(
    "cost",
    [None, "0.1", True, -0.1, MOST_COST + 1, float("inf"), float("nan"), [], {}, {"total_cost": "1"}],
    ids=repr,
)
def test_a_cost_without_sense_is_none(cost: object) -> None:
    """Then the prices count, as where nothing is told."""
    counted = read({"input_tokens": 10, "output_tokens": 5, "cost": cost}, "input_tokens", "output_tokens")
    assert counted == Usage(10, 5)


def test_another_currency_is_no_cost_in_dollars() -> None:
    """There is no rate to change it by."""
    cost = {"currency": "EUR", "total_cost": 1.5}
    told: Json = {"input_tokens": 10, "output_tokens": 5, "cost": cost}
    counted = read(told, "input_tokens", "output_tokens")
    assert counted == Usage(10, 5)


def test_no_more_is_cached_than_there_was() -> None:
    """Plain input would be less than nothing, and so would be its cost."""
    details = {"cached_tokens": 50, "cache_write_tokens": 50}
    told: Json = {"input_tokens": 10, "output_tokens": 5, "input_tokens_details": details}
    assert read(told, "input_tokens", "output_tokens") == Usage(10, 5, cached_tokens=10)


def test_a_total_without_sense_does_not_change_the_output() -> None:
    """A total may be missing, or less than its parts."""
    for total in (0, 3, 10**12, -1, "many"):
        told: Json = {"input_tokens": 10, "output_tokens": 5, "total_tokens": total}
        assert read(told, "input_tokens", "output_tokens") == Usage(10, 5)


def test_the_searches_are_those_that_are_charged() -> None:
    """OpenAI tells their number; where it does not, those that were seen count."""
    told: Json = {"tool_usage": {"web_search": {"num_requests": 3}}}
    assert with_searches(Usage(1, 1), told, 7).searches == 3
    assert with_searches(Usage(1, 1), {}, 2).searches == 2
    assert with_searches(Usage(1, 1, searches=4), {}, 2).searches == 4
