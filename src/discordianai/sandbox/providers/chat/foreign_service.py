"""A service compatible with OpenAI's chat completions, as servers of open models are."""

import re

from discordianai.sandbox.http import ServerExchange
from discordianai.sandbox.providers.api_errors import QUOTA_CODES, ApiError
from discordianai.sandbox.providers.chat.chat_reply import ChatReply, question_of
from discordianai.sandbox.providers.chat.chat_request import ChatCompletionRequest, ImagePart
from discordianai.sandbox.providers.model_catalog import FOREIGN, WITHOUT_IMAGES
from discordianai.sandbox.providers.provider_faults import NO_IMAGES, Fault
from discordianai.sandbox.providers.provider_service import ProviderService
from discordianai.sandbox.providers.request_budget import Rate
from discordianai.sandbox.providers.scripted_stream import Json
from discordianai.sandbox.providers.strict_schema import Mistake, MistakeKind, parse

_IMAGE = re.compile(r"https?://\S+|data:image/[\w.+-]+;base64,[A-Za-z0-9+/=]+")


class ForeignService(ProviderService):
    """See the module."""

    name = "foreign"
    label = "Foreign"

    @property
    def rates(self) -> tuple[Rate, ...]:
        """See `ProviderService.rates`."""
        return self.options.foreign_rates

    async def route(self, exchange: ServerExchange, path: str, data: bytes) -> None:
        """See `ProviderService.route`."""
        self.authenticate(exchange)
        match exchange.method, path:
            case "POST", "/v1/chat/completions":
                await self._complete(exchange, path, self.json_body(exchange, data))
            case "GET", "/v1/models":
                listed = [
                    {"id": model, "object": "model", "created": 0, "owned_by": "local"} for model in FOREIGN
                ]
                await self.send_json(exchange, 200, {"object": "list", "data": listed})
            case _:
                raise ApiError(404, message="Not Found")

    def error_body(self, error: ApiError) -> Json:
        """See `ProviderService.error_body`: the code is the status, where there is no other."""
        kind = "insufficient_quota" if error.code in QUOTA_CODES else "invalid_request_error"
        kind = "server_error" if error.status >= 500 else kind
        code = error.code or error.status
        return {"error": {"message": error.message, "type": kind, "param": error.param, "code": code}}

    def fault_error(self, fault: Fault) -> ApiError:
        """See `ProviderService.fault_error`: the Responses interface's `input` is `messages` here."""
        error = super().fault_error(fault)
        error.param = error.param and re.sub(r"^input\b", "messages", error.param)
        return error

    async def _complete(self, exchange: ServerExchange, path: str, body: Json) -> None:
        request = parse(ChatCompletionRequest, body, _refusal, unknown_first=True)
        if request.model not in FOREIGN:
            message = f"The model `{request.model}` does not exist."
            raise ApiError(404, "model_not_found", "model", message)
        _check_images(request)
        question = question_of(request, body)
        fault = self.admit(path, body, question)
        await self.send(exchange, question, ChatReply(self.label, request, question, fault), fault)


def _refusal(mistake: Mistake) -> ApiError:
    unknown = mistake.kind is MistakeKind.UNKNOWN
    message = "Extra inputs are not permitted" if unknown else f"Input should be {mistake.wanted}"
    return ApiError(400, None, mistake.path, f"{mistake.path}: {message}")


def _check_images(request: ChatCompletionRequest) -> None:
    for at, message in enumerate(request.messages):
        if message.content is None or isinstance(message.content, str):
            continue
        for number, part in enumerate(message.content):
            if not isinstance(part, ImagePart):
                continue
            path = f"messages[{at}].content[{number}].image_url"
            if request.model in WITHOUT_IMAGES:
                raise ApiError(400, None, path, NO_IMAGES)
            if not _IMAGE.fullmatch(part.image_url.url):
                raise ApiError(400, None, path, "Invalid image URL.")
