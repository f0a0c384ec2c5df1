"""How many searches a request may take, which a limit in money counts on."""

import pytest
from pydantic import SecretStr

from discordianai.providers.json_values import Json
from discordianai.providers.options import OpenAIOptions
from discordianai.providers.responses import MOST_SEARCHES, ResponsesCodec
from discordianai.records import ChatRequest, Role, SearchMode, Turn
from discordianai.sandbox.providers.openai.openai_rules import check
from discordianai.sandbox.providers.openai.responses_request import ResponsesRequest
from tests.known_providers import OPENAI

KEY = SecretStr("a-key")


def sent(search: SearchMode, base_url: str) -> Json:
    options = OpenAIOptions(api_key=KEY, base_url=base_url)
    request = ChatRequest("gpt-6-luna", (Turn(Role.USER, "why?"),), search=search)
    return ResponsesCodec(OPENAI, options).encode(request)


@pytest.mark.parametrize("search", [SearchMode.OFFERED, SearchMode.REQUIRED])
def test_openai_is_told_how_often_to_search_at_most(search: SearchMode) -> None:
    """In words that it takes: each search is charged."""
    body = sent(search, "https://api.openai.com/v1")
    assert body["max_tool_calls"] == MOST_SEARCHES
    check(ResponsesRequest.model_validate(body), 10)


@pytest.mark.parametrize(
    ("search", "base_url"),
    [(SearchMode.OFF, "https://api.openai.com/v1"), (SearchMode.REQUIRED, "http://127.0.0.1:11434/v1")],
)
def test_nobody_else_is_told(search: SearchMode, base_url: str) -> None:
    """Others may refuse a field that they do not know."""
    assert "max_tool_calls" not in sent(search, base_url)
