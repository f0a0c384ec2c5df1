"""The response object of the Responses interface, as it grows with its answer."""

import math
import time
import uuid
from typing import Any

from discordianai.sandbox.providers.model_catalog import OPENAI, REASONING_TOKENS
from discordianai.sandbox.providers.openai.responses_request import ResponsesRequest
from discordianai.sandbox.providers.provider_faults import FaultKind
from discordianai.sandbox.providers.scripted_stream import Json

SEARCH_TOKENS = 4000
"""Input tokens that a search adds."""

_ECHOED = (
    "model",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "user",
)
LEAST_CACHED, CACHE_STEP = 1024, 128
"""Tokens of the shortest prompt that OpenAI caches, and in what steps."""

_NO_TOKENS = {"image_tokens": 0, "text_tokens": 0}
_NO_IMAGES = {"input_tokens": 0, "input_tokens_details": _NO_TOKENS, "output_tokens": 0, "total_tokens": 0}


class ResponseObject:
    """The response so far: its items, its characters, its searches."""

    def __init__(
        self, request: ResponsesRequest, body: Json, input_tokens: int, kind: FaultKind | None
    ) -> None:
        self.output: list[Json] = []
        self.written = 0
        """Characters."""
        self.searches = 0
        self._request = request
        self._body = body
        self._input_tokens = input_tokens
        self._kind = kind
        self._id = f"resp_{uuid.uuid4().hex}"
        self._created = int(time.time())

    @property
    def reasoning_tokens(self) -> int:
        """Reasoning tokens: as many as the effort has, within the limit."""
        effort = self._effort
        if effort == "none" and self._kind in (FaultKind.REASONING, FaultKind.THOUGHT_ONLY):
            effort = "low"
        limit, thought = self._request.max_output_tokens, REASONING_TOKENS[effort]
        if limit is not None and (self._kind is FaultKind.THOUGHT_ONLY or thought > limit):
            return limit
        return thought

    @property
    def left(self) -> float:
        """The number of tokens left for the text."""
        limit = self._request.max_output_tokens
        return math.inf if limit is None else limit - self.reasoning_tokens

    @property
    def _effort(self) -> str:
        options = self._request.reasoning
        return (options.effort if options else None) or OPENAI[self._request.model].effort

    def at(self, status: str, *, error: Json | None = None, reason: str | None = None) -> Json:
        """The object with this status; `reason` says why it is incomplete."""
        over = status in ("completed", "incomplete")
        request = self._request
        response: Json = {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "completed_at": int(time.time()) if status == "completed" else None,
            "status": status,
            "background": False,
            "error": error,
            "incomplete_details": {"reason": reason} if reason else None,
            "output": list(self.output) if over or status == "failed" else [],
            "service_tier": "default" if over else request.service_tier or "auto",
            "usage": self._usage() if over else None,
        }
        response |= self._settings() | {name: self._body.get(name) for name in _ECHOED}
        if over and self.searches:
            searched = {"num_requests": self.searches}
            response["tool_usage"] = {"image_gen": _NO_IMAGES, "web_search": searched}
        return response

    def _settings(self) -> Json:
        """The request's options, with defaults."""
        request, body = self._request, self._body
        options, text = request.reasoning, request.text
        return {
            "parallel_tool_calls": request.parallel_tool_calls is not False,
            "reasoning": {
                "context": (options.context if options else None) or "all_turns",
                "effort": self._effort,
                "summary": options.summary if options else None,
            },
            "store": request.store is not False,
            "temperature": 1.0,
            "text": {
                "format": {"type": "text"},
                "verbosity": (text.verbosity if text else None) or "medium",
            },
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": [_with_defaults(tool) for tool in body.get("tools") or ()],
            "top_logprobs": 0,
            "top_p": 1.0,
            "truncation": request.truncation or "disabled",
            "frequency_penalty": 0.0,
            "presence_penalty": 0.0,
            "metadata": request.metadata or {},
            "moderation": None,
            "prompt_cache_retention": None,
        }

    def _cached(self) -> int:
        """Of a prompt that has room in OpenAI's cache, and goes on from one that it has seen."""
        asked = self._body["input"]
        goes_on = isinstance(asked, list) and any(item.get("role") == "assistant" for item in asked)
        cached = self._input_tokens // CACHE_STEP * CACHE_STEP
        return cached if goes_on and cached >= LEAST_CACHED else 0

    def _usage(self) -> Json:
        input_tokens = self._input_tokens + SEARCH_TOKENS * self.searches
        output_tokens = self.written // 4 + self.reasoning_tokens
        return {
            "input_tokens": input_tokens,
            "input_tokens_details": {"cached_tokens": self._cached(), "cache_write_tokens": 0},
            "output_tokens": output_tokens,
            "output_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
            "total_tokens": input_tokens + output_tokens,
        }


def _with_defaults(tool: dict[str, Any]) -> Json:
    if tool["type"] == "function":
        return {"description": None, "parameters": None, "strict": True, **tool}
    return {"search_context_size": "medium", **tool}
