"""The double of an endpoint: takes and refuses what the original does, and answers as that does."""

from collections.abc import Iterator

from discordianai.sandbox.http import ServerExchange
from discordianai.sandbox.providers.api_errors import QUOTA_CODES, ApiError
from discordianai.sandbox.providers.chat.chat_reply import THOUGHT, ChatReply, question_of
from discordianai.sandbox.providers.chat.chat_request import (
    ChatTool,
    ImagePart,
    OpenAIChatCompletionRequest,
)
from discordianai.sandbox.providers.endpoints import endpoint_responses
from discordianai.sandbox.providers.endpoints.family import Calls, Family, Refusal, UsageWhen
from discordianai.sandbox.providers.provider_faults import Fault
from discordianai.sandbox.providers.provider_service import ProviderService, ServiceOptions
from discordianai.sandbox.providers.request_budget import Rate
from discordianai.sandbox.providers.scripted_answers import pieces_of
from discordianai.sandbox.providers.scripted_stream import (
    AcceptedQuestion,
    EventFraming,
    Json,
    Step,
    StepDelay,
)
from discordianai.sandbox.providers.strict_schema import Mistake, parse

CONTEXT = 8000
"""Tokens that a question may have."""


class EndpointService(ProviderService):
    """A running double. `asked` counts its questions, those in `refusals` included."""

    name = "endpoint"
    label = "Endpoint"

    def __init__(self, family: Family, options: ServiceOptions) -> None:
        super().__init__(options)
        self.family = family
        self.asked = 0
        self.refusals: list[ApiError] = []

    @property
    def rates(self) -> tuple[Rate, ...]:
        """See `ProviderService.rates`."""
        return self.options.foreign_rates

    async def route(self, exchange: ServerExchange, path: str, data: bytes) -> None:
        """See `ProviderService.route`."""
        if exchange.headers.get("authorization") != f"Bearer {self.options.api_key}":
            raise self.family.wrong_key.error()
        match exchange.method, path.removeprefix(self.family.base_path):
            case "POST", "/chat/completions":
                self.asked += 1
                await self._complete(exchange, path, self.json_body(exchange, data))
            case "POST", "/responses" if self.family.responses:
                self.asked += 1
                await self._respond(exchange, path, self.json_body(exchange, data))
            case "GET", "/models":
                listed = [{"id": model, "object": "model", "created": 0} for model in self.family.models]
                await self.send_json(exchange, 200, {"object": "list", "data": listed})
            case _:
                raise ApiError(404, message="Not Found")

    def error_body(self, error: ApiError) -> object:
        """See `ProviderService.error_body`."""
        return self.family.form(error)

    def note_rejection(self, _path: str, error: ApiError) -> None:
        """What this endpoint refuses is not the client's mistake: only by asking does it get to know."""
        self.refusals.append(error)

    def fault_error(self, fault: Fault) -> ApiError:
        """See `ProviderService.fault_error`: in the endpoint's own words."""
        worded = {
            "context_length_exceeded": self.family.too_long,
            "invalid_prompt": self.family.filtered,
            "model_not_found": self.family.no_model,
        }.get(fault.code or "")
        error = super().fault_error(fault)
        if error.code in QUOTA_CODES:
            error.kind = "insufficient_quota"
        return error if worded is None else worded.error(injected=True)

    async def _complete(self, exchange: ServerExchange, path: str, body: Json) -> None:
        request = self._accept(body)
        question = question_of(request, body)
        if question.tokens > CONTEXT:
            raise self.family.too_long.error()
        question = AcceptedQuestion(question.texts, question.stream, question.tokens, self._framing())
        fault = self.admit(path, body, question)
        await self.send(exchange, question, EndpointReply(self.family, request, question, fault), fault)

    async def _respond(self, exchange: ServerExchange, path: str, body: Json) -> None:
        question = endpoint_responses.accept(self.family, body)
        if question.tokens > CONTEXT:
            raise self.family.too_long.error()
        fault = self.admit(path, body, question)
        script = endpoint_responses.ResponsesScript(self.family, body, question)
        await self.send(exchange, question, script, fault)

    def _framing(self) -> EventFraming:
        family = self.family
        return EventFraming(
            family.content_type, keep_alive=family.comment, begin=family.comment, end=family.done
        )

    def _accept(self, body: Json) -> OpenAIChatCompletionRequest:
        """The request, if this endpoint takes it. Raises `ApiError`."""
        family = self.family
        unknown = [field for field in body if field not in family.known]
        if unknown and family.unknown is not None:
            error = family.unknown.error(unknown[0])
            error.param = unknown[0] if error.param == "{value}" else error.param
            error.value = body[unknown[0]]
            raise error
        known = {field: value for field, value in body.items() if field in family.known}
        request = parse(OpenAIChatCompletionRequest, known, _mistake)
        if request.model not in family.models and not family.any_model:
            raise family.no_model.error(request.model)
        for refuses, models, refusal in self._by_model(request):
            if refuses and request.model in models:
                raise refusal.error(request.model)
        return request

    def _by_model(
        self, request: OpenAIChatCompletionRequest
    ) -> Iterator[tuple[bool, frozenset[str], Refusal]]:
        """What a request has that some models refuse."""
        family = self.family
        system = any(message.role == "system" for message in request.messages)
        yield bool(request.tools), family.without_tools, family.no_tools
        yield system, family.without_system, family.no_system
        yield request.reasoning_effort is not None, family.without_effort, family.no_effort
        yield _has_image(request), family.without_images, family.bad_image


def _mistake(mistake: Mistake) -> ApiError:
    return ApiError(400, None, mistake.path, f"{mistake.path}: expected {mistake.wanted}")


def _has_image(request: OpenAIChatCompletionRequest) -> bool:
    parts = (
        part for message in request.messages if isinstance(message.content, list) for part in message.content
    )
    return any(isinstance(part, ImagePart) for part in parts)


class EndpointReply(ChatReply):
    """A double's answer, with the quirks of its family."""

    def __init__(
        self,
        family: Family,
        request: OpenAIChatCompletionRequest,
        question: AcceptedQuestion,
        fault: Fault | None,
    ) -> None:
        super().__init__(family.label, request, question, fault)
        self._family = family

    def steps(self) -> Iterator[Step]:
        """See `Script`."""
        family, usage = self._family, self._usage(self._full_text())
        steps = list(self._quirky(super().steps()))
        for number, step in enumerate(steps):
            last = number == len(steps) - 1
            if family.usage is UsageWhen.EVERY or (family.usage is UsageWhen.LAST and last):
                step.event["usage"] = usage
        if family.first_chunk is not None:
            yield Step({**self._common, **family.first_chunk})
        yield from steps

    def _quirky(self, steps: Iterator[Step]) -> Iterator[Step]:
        for step in steps:
            if not step.event["choices"] and self._family.usage is not UsageWhen.ASKED:
                continue  # the chunk with the usage, which this endpoint sends otherwise
            for choice in step.event["choices"]:
                if choice["finish_reason"] == "stop":
                    choice["finish_reason"] = self._family.finish
                content = choice["delta"].get("content")
                if content and self._family.parts:
                    choice["delta"]["content"] = [{"type": "text", "text": content}]
            yield step

    def _text(self) -> Iterator[Step]:
        """The reasoning before the text."""
        family = self._family
        first, *rest = super()._text()
        yield first
        if family.reasoning:
            for piece in pieces_of(THOUGHT):
                yield Step(self._chunk({"content": None, family.reasoning: piece}))
        if family.thinks_in_text:
            for piece in ("<th", "ink>", *pieces_of(THOUGHT), "</thi", "nk>\n\n"):
                yield Step(self._chunk({"content": piece}))
        if family.parts:
            thought = [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]
            yield Step(self._chunk({"content": thought}))
        yield from rest

    def _call(self, tool: ChatTool) -> Iterator[Step]:
        if self._family.calls is Calls.PIECES:
            yield from super()._call(tool)
            return
        call = {"id": "", "type": "function", "function": self._function(tool)}
        yield Step(self._chunk({"role": "assistant", "tool_calls": [call]}), StepDelay.FIRST)
        yield Step(self._chunk({}, "stop"))
