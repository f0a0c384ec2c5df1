"""When the sandbox's OpenAI calls a tool instead of answering, and how that streams."""

import json
import re
from typing import Any

import trio

from discordianai.sandbox.http import Exchange
from discordianai.sandbox.providers.streaming import said_by_people

Json = dict[str, Any]

CALLS_FOR_THE_WEB = re.compile(r"\b(today|latest|news|weather)\b|!search|今日|heute", re.IGNORECASE)
"""What makes it call: a model would understand the question, this one looks for words."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def are_well_formed(tools: Any) -> bool:
    """Whether these are tools as OpenAI takes them."""
    return isinstance(tools, list) and all(_is_well_formed(tool) for tool in tools)


def _is_well_formed(tool: Any) -> bool:
    try:
        function = tool["function"]
        name, parameters = function["name"], function["parameters"]
        known = parameters["properties"].keys()
    except (KeyError, TypeError, AttributeError):
        return False
    return bool(tool["type"] == "function" and _NAME.fullmatch(name) and set(parameters["required"]) <= known)


def called_for(body: Json) -> Json | None:
    """The call that this question leads to, if it does."""
    question = said_by_people(body)[-1]
    if not CALLS_FOR_THE_WEB.search(question):
        return None
    function = body["tools"][0]["function"]
    query = f"sandbox search: {' '.join(question.split())[:80]}"
    return {"name": function["name"], "arguments": json.dumps({function["parameters"]["required"][0]: query})}


async def stream_call(
    exchange: Exchange, body: Json, call: Json, headers: list[tuple[str, str]], first_token: float
) -> None:
    """Stream the call, its arguments in pieces of eight characters."""
    await exchange.start(200, [("content-type", "text/event-stream; charset=utf-8"), *headers])
    await trio.sleep(first_token)
    opening = {"index": 0, "id": "call_1", "type": "function", "function": {**call, "arguments": ""}}
    await _event(exchange, body, {"role": "assistant", "content": None, "tool_calls": [opening]})
    for start in range(0, len(call["arguments"]), 8):
        piece = {"index": 0, "function": {"arguments": call["arguments"][start : start + 8]}}
        await _event(exchange, body, {"tool_calls": [piece]})
    await _event(exchange, body, {}, "tool_calls")
    asked, said = len(json.dumps(body["messages"])) // 4, len(call["arguments"]) // 4
    usage = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
    await _send(exchange, {"model": body["model"], "choices": [], "usage": usage})
    await exchange.send(b"data: [DONE]\n\n")
    await exchange.finish()


async def _event(exchange: Exchange, body: Json, delta: Json, reason: str | None = None) -> None:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    await _send(exchange, {"model": body["model"], "object": "chat.completion.chunk", "choices": [choice]})


async def _send(exchange: Exchange, data: Json) -> None:
    await exchange.send(b"data: " + json.dumps({"id": "chatcmpl-sandbox", **data}).encode() + b"\n\n")
