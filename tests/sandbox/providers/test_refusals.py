"""Each kind of wrong request is refused as the original refuses it, and is kept as the client's mistake."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.providers import ProviderService, open_providers
from discordianai.sandbox.providers.api_errors import Rejection
from tests.sandbox.providers.clients import FAST

Json = dict[str, Any]

FUNCTION: Json = {
    "type": "function",
    "name": "web_search",
    "parameters": {
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
        "additionalProperties": False,
    },
}
CHAT_TOOL: Json = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALL: Json = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
MESSAGE: Json = {"role": "user", "content": "a"}
PICTURE = "data:image/png;base64,iVBORw0KGgo="


def said(*parts: Json, role: str = "user") -> Json:
    """An input of one message with these parts."""
    return {"input": [{"role": role, "content": list(parts)}]}


@asynccontextmanager
async def provider_chain(
    service: ProviderService, authority: Authority
) -> AsyncIterator[Callable[[str, object], Awaitable[httpx.Response]]]:
    """A function that sends a body to a path, with the right key."""
    headers = {"authorization": f"Bearer {service.options.api_key}"}
    assert service.server is not None
    url = service.server.url
    async with httpx.AsyncClient(verify=authority.client_context(), headers=headers, timeout=60) as client:
        yield lambda path, body: client.post(url + path, json=body)


OPENAI: list[tuple[Json, str | None, str]] = [
    ({"colour": "red"}, "unknown_parameter", "colour"),
    ({"messages": []}, "unknown_parameter", "messages"),
    ({"max_tokens": 100}, "unknown_parameter", "max_tokens"),
    (
        {"input": [{"role": "user", "content": "a", "created_by": "b"}]},
        "unknown_parameter",
        "input[0].created_by",
    ),
    (said({"type": "input_text", "text": "a", "at": 1}), "unknown_parameter", "input[0].content[0].at"),
    ({"reasoning": {"effort": "low", "budget": 1}}, "unknown_parameter", "reasoning.budget"),
    ({"text": {"verbose": True}}, "unknown_parameter", "text.verbose"),
    (
        {"stream": True, "stream_options": {"include_usage": True}},
        "unknown_parameter",
        "stream_options.include_usage",
    ),
    ({"tools": [{"type": "web_search", "max_results": 3}]}, "unknown_parameter", "tools[0].max_results"),
    ({"input": 5}, "invalid_type", "input"),
    ({"stream": "yes"}, "invalid_type", "stream"),
    ({"max_output_tokens": "100"}, "invalid_type", "max_output_tokens"),
    ({"input": ["a"]}, "invalid_type", "input[0]"),
    ({"input": [{"role": "user", "content": 7}]}, "invalid_type", "input[0].content"),
    ({"model": "gpt-4"}, "model_not_found", "model"),
    ({"temperature": 0.2}, None, "temperature"),
    ({"top_p": 0.9}, None, "top_p"),
    ({"model": "gpt-6.1-sol", "reasoning": {"effort": "none"}}, "unsupported_value", "reasoning.effort"),
    ({"model": "gpt-5-mini", "reasoning": {"effort": "max"}}, "unsupported_value", "reasoning.effort"),
    ({"reasoning": {"effort": "huge"}}, "invalid_value", "reasoning.effort"),
    ({"text": {"verbosity": "terse"}}, "invalid_value", "text.verbosity"),
    ({"max_output_tokens": 15}, "integer_below_min_value", "max_output_tokens"),
    ({"safety_identifier": "a" * 129}, "string_above_max_length", "safety_identifier"),
    ({"input": []}, "missing_required_parameter", "input"),
    ({"input": ""}, "missing_required_parameter", "input"),
    ({"input": [{"content": "a"}]}, "missing_required_parameter", "input[0].role"),
    ({"input": [{"role": "tool", "content": "a"}]}, "invalid_value", "input[0].role"),
    (
        said({"type": "input_text", "text": "a"}, role="assistant"),
        "invalid_value",
        "input[0].content[0].type",
    ),
    (said({"type": "text", "text": "a"}), "invalid_value", "input[0].content[0].type"),
    (
        said({"type": "input_image", "image_url": {"url": PICTURE}}),
        "invalid_type",
        "input[0].content[0].image_url",
    ),
    (said({"type": "input_image", "image_url": "AAAA"}), "invalid_value", "input[0].content[0].image_url"),
    (
        said({"type": "input_image", "image_url": "data:image/png;base64,?"}),
        "invalid_base64_image",
        "input[0].content[0].image_url",
    ),
    (
        said({"type": "input_file", "filename": "a.pdf", "file_data": "AAAA"}),
        "invalid_value",
        "input[0].content[0].file_data",
    ),
    (
        said({"type": "input_file", "file_data": "data:application/pdf;base64,AAAA"}),
        "missing_required_parameter",
        "input[0].content[0].filename",
    ),
    ({"tools": [CHAT_TOOL]}, "missing_required_parameter", "tools[0].name"),
    ({"tools": [{"type": "search"}]}, "invalid_value", "tools[0].type"),
    ({"tools": [{**FUNCTION, "name": "a b"}]}, "invalid_value", "tools[0].name"),
    (
        {"tools": [{**FUNCTION, "parameters": {"type": "object"}}]},
        "invalid_function_parameters",
        "tools[0].parameters",
    ),
    ({"tool_choice": {"type": "function", "name": "f"}}, None, "tool_choice"),
    ({"tool_choice": "always"}, "invalid_value", "tool_choice"),
    (
        {"model": "gpt-5-mini", "tools": [{"type": "web_search"}], "reasoning": {"effort": "minimal"}},
        None,
        "tools",
    ),
    ({"input": [CALL]}, None, "input"),
    ({"stream_options": {"include_obfuscation": False}}, "invalid_value", "stream_options"),
    ({"previous_response_id": "resp_1"}, "previous_response_not_found", "previous_response_id"),
    ({"model": "gpt-5-mini", "input": "word " * 220_000}, "context_length_exceeded", "input"),
]


async def test_openai_refuses(authority: Authority) -> None:
    """400, with the code and the path that OpenAI gives."""
    async with open_providers(authority, FAST) as services, provider_chain(services.openai, authority) as ask:
        for change, code, param in OPENAI:
            body = {"model": "gpt-6-luna", "input": "why?", **change}
            error = (await ask("/v1/responses", body)).json()["error"]
            assert (change, error["code"], error["param"]) == (change, code, param)
            assert error["type"] == "invalid_request_error"
            rejection = services.openai.rejected[-1]
            assert (rejection.path, rejection.status, rejection.param) == ("/v1/responses", 400, param)
        assert len(services.openai.rejected) == len(OPENAI)
        assert not services.openai.requests


async def test_openai_words_an_unknown_parameter_with_its_path(authority: Authority) -> None:
    """The whole body, once."""
    async with open_providers(authority, FAST) as services, provider_chain(services.openai, authority) as ask:
        messages = [{"role": "user", "content": "a"}] * 3 + [
            {"role": "user", "content": "a", "created_by": "b"}
        ]
        body = {"model": "gpt-6-luna", "input": messages}
        answer = await ask("/v1/responses", body)
        assert services.openai.rejected == [
            Rejection("/v1/responses", 400, "unknown_parameter", "input[3].created_by")
        ]
    assert answer.json() == {
        "error": {
            "message": "Unknown parameter: 'input[3].created_by'.",
            "type": "invalid_request_error",
            "param": "input[3].created_by",
            "code": "unknown_parameter",
        }
    }


OPENAI_CHAT: list[tuple[Json, int, str | None, str]] = [
    ({"tools": [CHAT_TOOL]}, 400, None, "reasoning_effort"),
    ({"tools": [CHAT_TOOL], "reasoning_effort": "low"}, 400, None, "reasoning_effort"),
    ({"model": "gpt-6.1-sol", "tools": [CHAT_TOOL]}, 400, None, "reasoning_effort"),
    (
        {"model": "gpt-5.4-mini", "tools": [CHAT_TOOL], "reasoning_effort": "low"},
        400,
        None,
        "reasoning_effort",
    ),
    ({"model": "sonar"}, 404, "model_not_found", "model"),
    ({"max_tokens": 10}, 400, "unsupported_parameter", "max_tokens"),
    ({"temperature": 0.2}, 400, "unsupported_value", "temperature"),
    ({"input": "why?"}, 400, "unknown_parameter", "input"),
    ({"messages": [{"role": "user", "content": "a", "at": 1}]}, 400, "unknown_parameter", "messages[0].at"),
]


async def test_openais_chat_refuses(authority: Authority) -> None:
    """Today's models take no function tools there, unless they are told not to reason."""
    async with open_providers(authority, FAST) as services, provider_chain(services.openai, authority) as ask:
        for change, status, code, param in OPENAI_CHAT:
            body = {"model": "gpt-6-luna", "messages": [MESSAGE], **change}
            answer = await ask("/v1/chat/completions", body)
            error = answer.json()["error"]
            assert (change, answer.status_code, error["code"], error["param"]) == (
                change,
                status,
                code,
                param,
            )
        assert len(services.openai.rejected) == len(OPENAI_CHAT)


@pytest.mark.parametrize(
    "change",
    [
        {"tools": [CHAT_TOOL], "reasoning_effort": "none"},
        {"tools": [CHAT_TOOL], "model": "gpt-5-mini"},
        {"tools": [CHAT_TOOL], "model": "gpt-5.4-mini"},
        {"safety_identifier": "h", "verbosity": "low", "store": False, "max_completion_tokens": 100},
    ],
    ids=str,
)
async def test_openais_chat_takes(authority: Authority, change: Json) -> None:
    """What is still allowed."""
    async with open_providers(authority, FAST) as services, provider_chain(services.openai, authority) as ask:
        body = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "why?"}], **change}
        answer = await ask("/v1/chat/completions", body)
        assert answer.status_code == 200
        assert services.openai.rejected == []


PERPLEXITY: list[tuple[Json, str, str]] = [
    *(
        ({name: value}, "invalid_request", name)
        for name, value in {
            "safety_identifier": "h",
            "user": "h",
            "text": {"verbosity": "low"},
            "include": [],
            "prompt_cache_options": {},
            "messages": [],
            "max_tokens": 10,
            "max_completion_tokens": 10,
            "reasoning_effort": "low",
            "search_domain_filter": [],
            "web_search_options": {},
            "return_images": True,
            "stop": "a",
            "n": 1,
            "top_k": 3,
        }.items()
    ),
    ({"reasoning": {"effort": "low", "summary": "auto"}}, "invalid_request", "summary"),
    (said({"type": "input_image", "image_url": PICTURE, "detail": "low"}), "invalid_request", "detail"),
    ({"input": [{"role": "user", "content": "a", "phase": "final_answer"}]}, "invalid_request", "phase"),
    ({"stream_options": {"include_obfuscation": False}}, "invalid_request", "include_obfuscation"),
    ({"tools": [CHAT_TOOL]}, "invalid_request", "function"),
    ({"stream": "yes"}, "invalid_request", "stream"),
    ({"input": 5}, "invalid_request", "input"),
    ({"input": []}, "invalid_request", "input"),
    ({"input": ""}, "invalid_request", "input"),
    ({"preset": None}, "invalid_request", "model"),
    ({"preset": "quick"}, "invalid_request", "preset"),
    ({"model": "sonar"}, "invalid_model", "model"),
    ({"model": "perplexity/sonar-pro"}, "invalid_model", "model"),
    ({"tools": [FUNCTION]}, "invalid_request", "tools"),
    ({"tools": [{**FUNCTION, "name": "search_web"}]}, "invalid_request", "tools"),
    (
        {"preset": None, "model": "perplexity/sonar", "tool_choice": {"type": "web_search"}},
        "invalid_request",
        "tool_choice",
    ),
    ({"input": [CALL]}, "invalid_request", "input"),
    ({"max_steps": 0}, "invalid_parameter", "max_steps"),
    ({"temperature": 3}, "invalid_parameter", "temperature"),
    ({"model": "anthropic/claude-haiku-5-5"}, "invalid_request", "max_output_tokens"),
    (said({"type": "input_image", "image_url": "http://e.org/a.png"}), "invalid_request", "image_url"),
    (
        {"model": "perplexity/sonar", **said({"type": "input_image", "image_url": PICTURE})},
        "invalid_request",
        "image_url",
    ),
    (
        {"tools": [{"type": "web_search", "filters": {"search_domain_filter": ["https://e.org"]}}]},
        "invalid_search_domain_filter",
        "search_domain_filter",
    ),
    (
        {"tools": [{"type": "web_search", "filters": {"search_after_date_filter": "2026-11-01"}}]},
        "invalid_date_format",
        "search_after_date_filter",
    ),
]


async def test_perplexity_refuses(authority: Authority) -> None:
    """400, with the type and the bare key that Perplexity gives; the code is the status."""
    async with (
        open_providers(authority, FAST) as services,
        provider_chain(services.perplexity, authority) as ask,
    ):
        for change, kind, param in PERPLEXITY:
            body = {"preset": "fast", "input": "why?", **change}
            error = (await ask("/v1/agent", body)).json()["error"]
            assert (change, error["type"], error["param"]) == (change, kind, param)
            assert error["code"] == 400
            assert services.perplexity.rejected[-1] == Rejection("/v1/agent", 400, kind, param)
        assert len(services.perplexity.rejected) == len(PERPLEXITY)
        assert not services.perplexity.requests


async def test_perplexity_words_an_unknown_field_as_its_decoder_does(authority: Authority) -> None:
    """The whole body, once."""
    async with (
        open_providers(authority, FAST) as services,
        provider_chain(services.perplexity, authority) as ask,
    ):
        body = {"preset": "fast", "input": "why?", "safety_identifier": "h"}
        answer = await ask("/v1/responses", body)
    message = 'invalid request body: json: unknown field "safety_identifier"'
    error = {"message": message, "type": "invalid_request", "code": 400, "param": "safety_identifier"}
    assert answer.json() == {"error": error}


FOREIGN: list[tuple[Json, str]] = [
    *(
        ({name: value}, name)
        for name, value in {
            "safety_identifier": "h",
            "verbosity": "low",
            "prompt_cache_key": "h",
            "store": False,
            "reasoning_effort": "low",
            "parallel_tool_calls": False,
            "metadata": {},
            "service_tier": "auto",
        }.items()
    ),
    (
        {"stream": True, "stream_options": {"include_obfuscation": False}},
        "stream_options.include_obfuscation",
    ),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "developer", "content": "a"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": "a", "at": 1}]}, "messages[0].at"),
    ({"tools": [FUNCTION]}, "tools[0].name"),
    ({"max_tokens": 0}, "max_tokens"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": PICTURE}]}]},
        "messages[0].content[0].image_url",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PICTURE}}]}]},
        "messages[0].content[0].image_url",
    ),
]


async def test_the_foreign_service_refuses(authority: Authority) -> None:
    """400, naming the parameter."""
    async with (
        open_providers(authority, FAST) as services,
        provider_chain(services.foreign, authority) as ask,
    ):
        for change, param in FOREIGN:
            answer = await ask(
                "/v1/chat/completions", {"model": "local-model", "messages": [MESSAGE], **change}
            )
            error = answer.json()["error"]
            assert (change, answer.status_code, error["param"]) == (change, 400, param)
            assert param in error["message"] or "image" in param
        assert len(services.foreign.rejected) == len(FOREIGN)


async def test_what_is_not_there_is_not_found(authority: Authority) -> None:
    """Neither Responses at the foreign service nor a path that nobody has."""
    async with open_providers(authority, FAST) as services:
        for service, path in [
            (services.foreign, "/v1/responses"),
            (services.openai, "/v1/agent"),
            (services.openai, "/chat/completions"),
            (services.perplexity, "/v1/models"),
        ]:
            async with provider_chain(service, authority) as ask:
                answer = await ask(path, {"model": "local-model", "input": "why?"})
            assert answer.status_code == 404, path
            assert [rejection.status for rejection in service.rejected][-1] == 404


@pytest.mark.parametrize("name", ["openai", "perplexity", "foreign"])
async def test_a_wrong_key_and_a_body_that_is_no_object_are_the_clients_mistakes(
    authority: Authority, name: str
) -> None:
    """401; 400 for a list, 100,000 levels, half a surrogate, another content type."""
    path = {"openai": "/v1/responses", "perplexity": "/v1/agent", "foreign": "/v1/chat/completions"}[name]
    async with open_providers(authority, FAST) as services:
        service: ProviderService = getattr(services, name)
        assert service.name == name
        async with provider_chain(service, authority) as ask:
            answer = await ask(path, ["why?"])
        assert answer.status_code == 400
        assert service.server is not None
        async with httpx.AsyncClient(verify=authority.client_context(), timeout=60) as client:
            answer = await client.post(service.server.url + path, json={})
            assert answer.status_code == 401
            key = {"authorization": f"Bearer {service.options.api_key}"}
            json = "application/json"
            bodies = [
                (b"[" * 100_000, json),
                (b'{"model": "\\ud83d"}', json),
                (b"a=b", "application/x-www-form-urlencoded"),
            ]
            for content, kind in bodies:
                headers = {"content-type": kind, **key}
                answer = await client.post(service.server.url + path, content=content, headers=headers)
                assert answer.status_code == 400
        assert [rejection.status for rejection in service.rejected] == [400, 401, 400, 400, 400]
