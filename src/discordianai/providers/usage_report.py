"""Reads what a provider counted and charges, in the spellings of the interfaces that there are.

The counts mean the same to the rest of the bot, wherever they come from: cached tokens are among the input,
what a model thinks is among the output, as it is billed.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal

from discordianai.providers.json_values import Json, count, table, text
from discordianai.records import Usage

MOST_TOKENS = 10**7
"""Ten times what a model reads at once. A larger report would use up a person's daily limit, and the minute's
budget."""

MOST_SEARCHES = 1000
"""Of one request; more make no sense."""

MOST_COST = 200
"""Dollars of one request: twice what o1-pro, the dearest model so far, costs at its limits."""

NANO = 10**9

_DETAILS = ("input_tokens_details", "prompt_tokens_details")
_CACHED = ("cached_tokens", "cache_read_input_tokens")
_WRITTEN = ("cache_write_tokens", "cache_creation_input_tokens", "cache_creation_tokens")
_SEARCHES = ("search_web", "web_search")
"""How Perplexity names its search in a bill."""


def usage(counted: Json, asked: str, answered: str) -> Usage | None:
    """The counts under these two keys, or None unless both make sense: one alone would be taken for all.

    Two zeros make none: they come from those who do not count.
    """
    input_tokens, output_tokens = count(counted, asked), count(counted, answered)
    if input_tokens is None or output_tokens is None or max(input_tokens, output_tokens) > MOST_TOKENS:
        return None
    if not input_tokens + output_tokens:
        return None
    cached = min(_cached(counted), input_tokens)
    return Usage(
        input_tokens,
        _with_thoughts(counted, input_tokens, output_tokens),
        cached_tokens=cached,
        cache_writes=min(_first(_details(counted), _WRITTEN), input_tokens - cached),
        searches=_searches(counted),
        cost=_cost(counted),
    )


def with_searches(counted: Usage, response: Json, items: int) -> Usage:
    """The same with the searches that OpenAI tells beside its usage, or else with those that were `items`."""
    if counted.searches:
        return counted
    told = count(table(table(response, "tool_usage"), "web_search"), "num_requests")
    return replace(counted, searches=_sane(items if told is None else told))


def is_search(item: Json) -> bool:
    """Whether an item of a response is charged as a search; one that only opens a page is not."""
    action = text(table(item, "action"), "type")
    charged = text(item, "status") != "failed" and action in {"", "search"}
    return charged and item.get("type") == "web_search_call"


def _with_thoughts(counted: Json, input_tokens: int, output_tokens: int) -> int:
    """Some, as xAI and Gemini, leave a model's thoughts out of the output, and have them in the total."""
    thoughts = (count(counted, "total_tokens") or 0) - input_tokens
    return thoughts if output_tokens < thoughts <= MOST_TOKENS else output_tokens


def _details(counted: Json) -> Iterator[Json]:
    yield from (table(counted, name) for name in _DETAILS)
    yield counted


def _cached(counted: Json) -> int:
    """DeepSeek names it otherwise than all others."""
    return _first(_details(counted), _CACHED) or count(counted, "prompt_cache_hit_tokens") or 0


def _first(places: Iterator[Json], names: tuple[str, ...]) -> int:
    return next((found for place in places for name in names if (found := count(place, name))), 0)


def _searches(counted: Json) -> int:
    calls = table(counted, "tool_calls_details")
    perplexity = sum(count(table(calls, name), "invocation") or 0 for name in _SEARCHES)
    return _sane(perplexity or count(table(counted, "server_tool_use"), "web_search_requests") or 0)


def _sane(searches: int) -> int:
    return min(searches, MOST_SEARCHES)


def _cost(counted: Json) -> int | None:
    """In nano-dollars. Perplexity's is a table; OpenRouter's is a number, of credits that are dollars."""
    of = table(counted, "cost")
    told = of.get("total_cost") if text(of, "currency") in {"", "USD"} else None
    return _nano(told if of else counted.get("cost"))


def _nano(told: object) -> int | None:
    """What JSON wrote as a number was read as a float, whose shortest form is what was written."""
    if isinstance(told, bool) or not isinstance(told, int | float) or not 0 <= told <= MOST_COST:
        return None
    return int((Decimal(repr(told)) * NANO).to_integral_value(ROUND_HALF_EVEN))
