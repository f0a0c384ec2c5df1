"""The two strict services share the shape of an item, and each keeps what only it takes."""

from typing import Any

import pytest

from discordianai.sandbox.providers.api_errors import ApiError
from discordianai.sandbox.providers.openai import openai_rules
from discordianai.sandbox.providers.openai.responses_request import ResponsesRequest
from discordianai.sandbox.providers.perplexity import agent_rules
from discordianai.sandbox.providers.perplexity.agent_request import AgentRequest
from discordianai.sandbox.providers.request_items import unpaired_calls, user_texts
from discordianai.sandbox.providers.strict_schema import parse

Json = dict[str, Any]

TEXT: Json = {"type": "input_text", "text": "a"}
IMAGE: Json = {"type": "input_image", "image_url": "https://example.org/a.png"}
FILE: Json = {"type": "input_file", "file_url": "https://example.org/a.pdf", "filename": "a.pdf"}
MESSAGE: Json = {"role": "user", "content": "a"}
CALL: Json = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT: Json = {"type": "function_call_output", "call_id": "call_1", "output": "b"}
REASONING: Json = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}]}
FUNCTION: Json = {"type": "function", "name": "f", "strict": False}


def with_part(part: Json) -> Json:
    """A request whose message has this part."""
    return {"input": [{"role": "user", "content": [TEXT, part]}]}


def with_item(item: Json) -> Json:
    """A request whose input has this item."""
    return {"input": [item]}


def openai_takes(body: Json) -> bool:
    """Whether OpenAI's types allow it."""
    try:
        parse(ResponsesRequest, {"model": "gpt-6-luna", "input": "a", **body}, openai_rules.refusal)
    except ApiError:
        return False
    return True


def perplexity_takes(body: Json) -> bool:
    """Whether Perplexity's types allow it."""
    try:
        parse(AgentRequest, {"preset": "fast", "input": "a", **body}, agent_rules.refusal, unknown_first=True)
    except ApiError:
        return False
    return True


@pytest.mark.parametrize(
    "body",
    [
        *map(with_part, (TEXT, IMAGE, FILE)),
        *map(with_item, (MESSAGE, CALL, OUTPUT, {**OUTPUT, "id": "a", "status": "completed"}, REASONING)),
        {"tools": [FUNCTION]},
        {"reasoning": {"effort": "max"}},
        {"tool_choice": "required"},
    ],
)
def test_both_take_what_they_share(body: Json) -> None:
    """The same item is right at OpenAI and at Perplexity."""
    assert openai_takes(body)
    assert perplexity_takes(body)


@pytest.mark.parametrize(
    "body",
    [
        with_part({**IMAGE, "detail": "low"}),
        with_part({"type": "input_image", "file_id": "a"}),
        with_part({**FILE, "detail": "low"}),
        with_part({**FILE, "file_id": "a"}),
        with_item({**MESSAGE, "id": "a"}),
        with_item({**MESSAGE, "status": "completed"}),
        with_item({"role": "assistant", "content": [{"type": "output_text", "text": "a"}]}),
        with_item({**MESSAGE, "role": "assistant", "phase": "final_answer"}),
        with_item({**CALL, "id": "a"}),
        with_item({**OUTPUT, "output": [FILE]}),
        with_item({"type": "item_reference", "id": "a"}),
        {"tools": [{"type": "web_search", "filters": {"allowed_domains": ["example.org"]}}]},
        {"reasoning": {"summary": "auto"}},
        {"stream_options": {"include_obfuscation": False}},
    ],
)
def test_perplexity_refuses_what_only_openai_takes(body: Json) -> None:
    """A field or form of OpenAI's alone is unknown to Perplexity."""
    assert openai_takes(body)
    assert not perplexity_takes(body)


@pytest.mark.parametrize(
    "body",
    [
        with_item({**CALL, "thought_signature": "a"}),
        with_item({**CALL, "name": "a function"}),
        with_item({**OUTPUT, "name": "f"}),
        with_item({**OUTPUT, "thought_signature": "a"}),
        with_item({**REASONING, "content": [{"type": "reasoning_text", "text": "a"}]}),
        with_item({"type": "reasoning", "summary": []}),
        with_item({"role": "assistant", "content": [TEXT]}),
        {"tools": [{**FUNCTION, "name": "a function"}]},
        {"tools": [{"type": "web_search", "filters": {"search_recency_filter": "day"}}]},
        {"stream_options": {"include_usage": True}},
    ],
)
def test_openai_refuses_what_only_perplexity_takes(body: Json) -> None:
    """A field or form of Perplexity's alone is unknown to OpenAI."""
    assert perplexity_takes(body)
    assert not openai_takes(body)


def test_what_the_user_said_is_the_first_text_of_each_message() -> None:
    """Neither the model's messages count nor the operator's; a message of pictures alone is empty."""
    items = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": [IMAGE, TEXT, {**TEXT, "text": "b"}]},
        {"role": "user", "content": [IMAGE]},
    ]
    openai = parse(ResponsesRequest, {"model": "gpt-6-luna", "input": items}, openai_rules.refusal)
    perplexity = parse(AgentRequest, {"preset": "fast", "input": items}, agent_rules.refusal)
    assert user_texts(openai.items) == user_texts(perplexity.items) == ("one", "a", "")


def test_calls_and_outputs_belong_together() -> None:
    """A call without its output is told apart from an output without its call."""
    items = [CALL, OUTPUT, {**CALL, "call_id": "call_2"}, {**OUTPUT, "call_id": "call_3"}]
    openai = parse(ResponsesRequest, {"model": "gpt-6-luna", "input": items}, openai_rules.refusal)
    perplexity = parse(AgentRequest, {"preset": "fast", "input": items}, agent_rules.refusal)
    assert unpaired_calls(openai.items) == unpaired_calls(perplexity.items) == (["call_2"], ["call_3"])
