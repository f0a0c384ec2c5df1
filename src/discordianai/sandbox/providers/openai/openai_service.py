"""The sandbox's OpenAI: Responses, chat completions with today's restrictions, and the list of models."""

import math

import trio

from discordianai.sandbox.http import ServerExchange
from discordianai.sandbox.providers.api_errors import QUOTA_CODES, ApiError
from discordianai.sandbox.providers.chat.chat_reply import ChatReply, question_of
from discordianai.sandbox.providers.chat.chat_request import OpenAIChatCompletionRequest
from discordianai.sandbox.providers.model_catalog import OPENAI
from discordianai.sandbox.providers.openai import openai_rules
from discordianai.sandbox.providers.openai.decision_request import DecisionRequest, decided
from discordianai.sandbox.providers.openai.responses_reply import ResponsesReply
from discordianai.sandbox.providers.openai.responses_request import ResponsesRequest
from discordianai.sandbox.providers.provider_faults import FaultKind
from discordianai.sandbox.providers.provider_service import Headers, ProviderService
from discordianai.sandbox.providers.request_budget import MINUTE, Rate, duration
from discordianai.sandbox.providers.request_items import count_tokens, user_texts
from discordianai.sandbox.providers.scripted_stream import AcceptedQuestion, EventFraming, Json
from discordianai.sandbox.providers.strict_schema import parse

KINDS = {
    "slow_down": "rate_limit_error",
    "server_is_overloaded": "service_unavailable_error",
    "rate_limit_exceeded": "requests",
    **dict.fromkeys(QUOTA_CODES, "insufficient_quota"),
}
"""The `type` that goes with a code; with others, it goes by the status."""


class OpenAIService(ProviderService):
    """See the module."""

    name = "openai"
    label = "OpenAI"

    @property
    def rates(self) -> tuple[Rate, ...]:
        """See `ProviderService.rates`."""
        return (Rate(self.options.requests_per_minute),)

    @property
    def tokens_per_minute(self) -> int | None:
        """See `ProviderService.tokens_per_minute`."""
        return self.options.tokens_per_minute

    async def route(self, exchange: ServerExchange, path: str, data: bytes) -> None:
        """See `ProviderService.route`."""
        self.authenticate(exchange)
        match exchange.method, path:
            case "POST", "/v1/responses":
                await self._respond(exchange, path, self.json_body(exchange, data))
            case "POST", "/v1/decisions":
                await self._decide(exchange, path, self.json_body(exchange, data))
            case "POST", "/v1/chat/completions":
                await self._chat(exchange, path, self.json_body(exchange, data))
            case "GET", "/v1/models":
                listed = [model.listed() for model in OPENAI.values()]
                await self.send_json(exchange, 200, {"object": "list", "data": listed})
            case "GET", _ if path.startswith("/v1/models/"):
                model = path.removeprefix("/v1/models/")
                if model not in OPENAI:
                    message = f"The model '{model}' does not exist"
                    raise ApiError(404, "model_not_found", "model", message)
                await self.send_json(exchange, 200, OPENAI[model].listed())
            case _:
                message = f"Invalid URL ({exchange.method} {path})"
                raise ApiError(404, message=message)

    def error_body(self, error: ApiError) -> Json:
        """See `ProviderService.error_body`."""
        kind = error.kind or KINDS.get(error.code or "")
        kind = kind or ("server_error" if error.status >= 500 else "invalid_request_error")
        return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code}}

    def limit_headers(self) -> Headers:
        """See `ProviderService.limit_headers`."""
        options = self.options
        requests, tokens = options.requests_per_minute, options.tokens_per_minute
        asked, used = self.budget.used(Rate(requests)), self.budget.tokens_used()
        return [
            ("openai-version", "2020-10-01"),
            ("openai-processing-ms", f"{options.first_token * 1000:.0f}"),
            ("x-ratelimit-limit-requests", str(requests)),
            ("x-ratelimit-remaining-requests", str(max(0, requests - asked))),
            ("x-ratelimit-reset-requests", duration(asked * MINUTE / requests if requests else MINUTE)),
            ("x-ratelimit-limit-tokens", str(tokens)),
            ("x-ratelimit-remaining-tokens", str(max(0, tokens - used))),
            ("x-ratelimit-reset-tokens", duration(used * MINUTE / tokens if tokens else MINUTE)),
        ]

    def retry_headers(self, error: ApiError) -> Headers:
        """See `ProviderService.retry_headers`."""
        if error.retry_after is None:
            return []
        milliseconds = math.ceil(error.retry_after * 1000)
        return [("retry-after", f"{error.retry_after:g}"), ("retry-after-ms", str(milliseconds))]

    async def _respond(self, exchange: ServerExchange, path: str, body: Json) -> None:
        request = parse(ResponsesRequest, body, openai_rules.refusal)
        tokens = count_tokens([body.get("instructions"), body.get("input")])
        openai_rules.check(request, tokens)
        framing = EventFraming(
            "text/event-stream; charset=utf-8", number=lambda n: n, event_lines=self.options.event_lines
        )
        question = AcceptedQuestion(user_texts(request.items), bool(request.stream), tokens, framing)
        fault = self.admit(path, body, question)
        await self.send(exchange, question, ResponsesReply(request, body, question, fault), fault)

    async def _decide(self, exchange: ServerExchange, path: str, body: Json) -> None:
        request = parse(DecisionRequest, body, openai_rules.refusal)
        openai_rules.model_of(request.model)
        tokens = count_tokens([body["input"], body["questions"]])
        framing = EventFraming("application/json", number=lambda n: n)
        fault = self.admit(path, body, AcceptedQuestion(request.texts, False, tokens, framing))
        if fault is not None and fault.kind is FaultKind.RAW:
            await self.send_raw(exchange, fault)
            return
        stalls = fault is not None and fault.kind is FaultKind.STALL
        await trio.sleep(math.inf if stalls else self.options.first_token / 3)
        await self.send_json(exchange, 200, decided(request, tokens))

    async def _chat(self, exchange: ServerExchange, path: str, body: Json) -> None:
        request = parse(OpenAIChatCompletionRequest, body, openai_rules.refusal)
        openai_rules.check_chat(request)
        question = question_of(request, body)
        fault = self.admit(path, body, question)
        await self.send(exchange, question, ChatReply(self.label, request, question, fault), fault)
