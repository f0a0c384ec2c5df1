"""The doubles of endpoints refuse as their originals do: status and body as public reports quote them."""

from typing import Any

import httpx
import pytest

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.providers import FAMILIES, open_endpoints
from tests.sandbox.providers.clients import FAST

Json = dict[str, Any]
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "why?"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}

REPORTED: list[tuple[str, Json, int, object]] = [
    (
        "ollama",
        {"tools": [TOOL]},
        400,
        {
            "error": {
                "message": "registry.ollama.ai/library/gemma3:latest does not support tools",
                "type": "api_error",
                "param": None,
                "code": None,
            }
        },
    ),
    (
        "llama-cpp",
        {"tools": [TOOL]},
        500,
        {"error": {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"}},
    ),
    (
        "vllm",
        {"tools": [TOOL]},
        400,
        {
            "object": "error",
            "message": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be '
            "set",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
    ),
    (
        "mistral",
        {"max_completion_tokens": 5},
        422,
        {
            "object": "error",
            "message": {
                "detail": [
                    {
                        "type": "extra_forbidden",
                        "loc": ["body", "max_completion_tokens"],
                        "msg": "Extra inputs are not permitted",
                        "input": 5,
                    }
                ]
            },
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        },
    ),
    (
        "xai",
        {"reasoning_effort": "low"},
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "Model grok-4 does not support parameter reasoningEffort.",
        },
    ),
    (
        "gemini",
        {"verbosity": "low"},
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": 'Invalid JSON payload received. Unknown name "verbosity": Cannot find field.',
                    "status": "INVALID_ARGUMENT",
                    "details": [
                        {
                            "@type": "type.googleapis.com/google.rpc.BadRequest",
                            "fieldViolations": [
                                {
                                    "description": 'Invalid JSON payload received. Unknown name "verbosity": '
                                    "Cannot find field."
                                }
                            ],
                        }
                    ],
                }
            }
        ],
    ),
]


@pytest.mark.parametrize(("name", "fields", "status", "told"), REPORTED, ids=[case[0] for case in REPORTED])
async def test_a_refusal_is_that_of_the_original(
    authority: Authority, name: str, fields: Json, status: int, told: object
) -> None:
    headers = {"authorization": f"Bearer {FAST.api_key}"}
    async with (
        open_endpoints(authority, [name], FAST) as services,
        httpx.AsyncClient(verify=authority.client_context(), headers=headers, timeout=60) as client,
    ):
        body = {"model": FAMILIES[name].models[0], "messages": MESSAGES, **fields}
        answer = await client.post(f"{services[name].url}/chat/completions", json=body)
        assert answer.status_code == status
        assert answer.json() == told
        assert len(services[name].refusals) == 1


@pytest.mark.parametrize("name", FAMILIES)
async def test_what_every_endpoint_has_is_there(authority: Authority, name: str) -> None:
    """Its models by their names, an answer in one piece, and nothing without the key."""
    async with (
        open_endpoints(authority, [name], FAST) as services,
        httpx.AsyncClient(
            verify=authority.client_context(), base_url=services[name].url, timeout=60
        ) as client,
    ):
        headers = {"authorization": f"Bearer {FAST.api_key}"}
        listed = (await client.get("/models", headers=headers)).json()
        assert [model["id"] for model in listed["data"]] == list(FAMILIES[name].models)
        body = {"model": FAMILIES[name].models[0], "messages": MESSAGES[1:]}
        whole = (await client.post("/chat/completions", json=body, headers=headers)).json()
        assert "why?" in whole["choices"][0]["message"]["content"]
        assert (await client.get("/models")).status_code in {400, 401}
