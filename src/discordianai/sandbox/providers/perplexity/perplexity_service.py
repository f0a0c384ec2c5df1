"""The sandbox's Perplexity: the Agent interface under both paths, cancellation, and the list of models."""

import re
import time

from discordianai.sandbox.http import ServerExchange
from discordianai.sandbox.providers.api_errors import QUOTA_CODES, ApiError
from discordianai.sandbox.providers.model_catalog import PERPLEXITY
from discordianai.sandbox.providers.perplexity import agent_rules
from discordianai.sandbox.providers.perplexity.agent_reply import AgentReply, framing
from discordianai.sandbox.providers.perplexity.agent_request import AgentRequest
from discordianai.sandbox.providers.perplexity.agent_runs import Run, Runs, RunState, new_id
from discordianai.sandbox.providers.provider_faults import Fault, FaultKind
from discordianai.sandbox.providers.provider_service import (
    Headers,
    ProviderService,
    ServiceOptions,
    is_streamed,
)
from discordianai.sandbox.providers.request_budget import Rate
from discordianai.sandbox.providers.request_items import count_tokens, user_texts
from discordianai.sandbox.providers.scripted_stream import AcceptedQuestion, Json, StepDelay
from discordianai.sandbox.providers.strict_schema import parse

_AGENT_PATHS = ("/v1/agent", "/v1/responses")
_CANCEL = re.compile(r"/v1/(?:agent|responses)/([^/]+)/cancel")
BREAKS = frozenset({FaultKind.CUT, FaultKind.ABORT, FaultKind.END, FaultKind.HALF_CHARACTER})
"""Faults that break the stream, while the run continues."""

_DISCONTINUED = ("/chat/completions", "/v1/sonar", "/v1/chat/completions")

KINDS = {
    400: "invalid_request",
    401: "invalid_api_key",
    403: "forbidden",
    404: "not_found",
    413: "payload_too_large",
    424: "external_connector_error",
    429: "request_rate_limit_exceeded",
    502: "bad_gateway",
    504: "gateway_timeout",
}
"""The `type` that goes with a status."""


class PerplexityService(ProviderService):
    """See the module."""

    name = "perplexity"
    label = "Perplexity"
    body_limit = 32 * 2**20

    def __init__(self, options: ServiceOptions) -> None:
        super().__init__(options)
        self.runs = Runs()
        self.cancelled: list[str] = []
        """The ids of runs that were cancelled while they ran, in order; `runs[id].cancelled_at` is when."""

    @property
    def runs_billed(self) -> int:
        """How many runs reached their end, with or without a client."""
        return self.runs.billed

    @property
    def rates(self) -> tuple[Rate, ...]:
        """See `ProviderService.rates`."""
        return self.options.perplexity_rates

    async def route(self, exchange: ServerExchange, path: str, data: bytes) -> None:
        """See `ProviderService.route`."""
        if (exchange.method, path) == ("GET", "/v1/models"):  # needs no key
            listed = [
                {"id": model, "object": "model", "created": 0, "owned_by": model.partition("/")[0]}
                for model in PERPLEXITY
            ]
            await self.send_json(exchange, 200, {"object": "list", "data": listed})
            return
        self.authenticate(exchange)
        cancel = _CANCEL.fullmatch(path)
        if exchange.method == "POST" and cancel:
            await self._cancel(exchange, cancel[1])
        elif exchange.method == "POST" and path in _AGENT_PATHS:
            await self._run(exchange, path, self.json_body(exchange, data))
        else:
            ended = path in _DISCONTINUED
            message = "This endpoint has been discontinued. Use the Agent API." if ended else "Not found"
            raise ApiError(404, message=message)

    async def _run(self, exchange: ServerExchange, path: str, body: Json) -> None:
        """Answer a question with a run, which continues without its client until it is cancelled."""
        request = parse(AgentRequest, body, agent_rules.refusal, unknown_first=True)
        agent_rules.check(request)
        tokens = count_tokens([body.get("instructions"), body.get("input")])
        framed = framing(event_lines=self.options.event_lines)
        question = AcceptedQuestion(user_texts(request.items), bool(request.stream), tokens, framed)
        fault = self.admit(path, body, question)
        if fault and fault.kind is FaultKind.RAW:
            await self.send_raw(exchange, fault)
        else:
            script = AgentReply(new_id(), request, body, question, fault)
            copy = AgentReply(script.id, request, body, question, fault)
            run = self.runs.begin(script.id, self._length(copy, question, fault))
            await self._follow(exchange, question, run, script, fault)
        self.answered += 1

    async def _follow(
        self,
        exchange: ServerExchange,
        question: AcceptedQuestion,
        run: Run,
        script: AgentReply,
        fault: Fault | None,
    ) -> None:
        """Send a run to its client."""
        headers = self.headers(run.id.removeprefix("resp_"))
        sender = self.sender(exchange, question.framing, fault)
        sender.stopped = run.stopped
        try:
            if is_streamed(question, fault):
                if not await sender.send_answer(script, headers):
                    await sender.send(script.cancelled())
                    await sender.finish()
            else:
                await sender.wait(run.length)
                cancelled = run.stopped.is_set()
                body = script.cancelled_whole() if cancelled else self.whole_answer(script, fault)
                await self.send_json(exchange, 200, body, headers)
            if fault is None or fault.kind not in BREAKS:
                run.finished = time.monotonic()
        finally:
            if run.state is RunState.RUNNING:
                run.dropped_at = time.monotonic()

    async def _cancel(self, exchange: ServerExchange, response_id: str) -> None:
        run = self.runs.get(response_id)
        if run is None:
            raise ApiError(404, message=f"Response with id '{response_id}' not found.")
        if run.state is not RunState.RUNNING:
            message = f"Response with id '{response_id}' is already in a terminal state."
            # Not the client's mistake: the run may have ended while the cancellation was under way.
            raise ApiError(400, message=message, kind="invalid_request", injected=True)
        run.cancel()
        self.cancelled.append(response_id)
        await self.send_json(exchange, 200, {"response_id": response_id, "status": "cancelling"})

    def _length(self, script: AgentReply, question: AcceptedQuestion, fault: Fault | None) -> float:
        """How many seconds the run takes, with or without a client."""
        if fault is not None and fault.kind is FaultKind.STALL:
            return float("inf")
        if not question.stream:
            return self.options.first_token
        pace = self.pace.under(fault)
        waits = {StepDelay.FIRST: pace.first, StepDelay.PIECE: pace.between, StepDelay.NONE: 0.0}
        return sum(waits[step.delay] for step in script.steps())

    def error_body(self, error: ApiError) -> Json:
        """See `ProviderService.error_body`: the type says what it is, the code repeats the status."""
        kind = error.kind or ("insufficient_quota" if error.code in QUOTA_CODES else None)
        kind = kind or {"model_not_found": "invalid_model"}.get(error.code or "")
        kind = kind or KINDS.get(error.status, "internal_error")
        body: Json = {"message": error.message, "type": kind, "code": error.status}
        return {"error": body | ({"param": error.param} if error.param else {})}

    def fault_error(self, fault: Fault) -> ApiError:
        """See `ProviderService.fault_error`: without credit, a key is refused here."""
        error = super().fault_error(fault)
        error.param = error.param and error.param.rpartition(".")[2]
        if fault.kind is FaultKind.QUOTA:
            error.status = 401
        return error

    def rate_limit_error(self, wait: float) -> ApiError:  # noqa: ARG002  # only headers report it
        """See `ProviderService.rate_limit_error`: only the other headers say when to retry."""
        message = "Request rate limit exceeded, please try again later."
        return ApiError(429, message=message, kind="request_rate_limit_exceeded", injected=True)

    def limit_headers(self) -> Headers:
        """See `ProviderService.limit_headers`: of the window that is one second long."""
        rate = next((rate for rate in self.rates if rate.aligned), None)
        if rate is None:
            return []
        used = self.budget.used(rate)
        return [
            ("x-ratelimit-limit", str(rate.count)),
            ("x-ratelimit-remaining", str(max(0, rate.count - used))),
            ("x-ratelimit-reset", str(self.budget.reset_at(rate))),
            ("x-ratelimit-used", str(used)),
        ]
