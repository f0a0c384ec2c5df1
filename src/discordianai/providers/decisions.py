"""OpenAI's decisions, `POST /decisions`: a model answers questions by probabilities, without text."""

from dataclasses import dataclass, replace

import httpx

from discordianai.providers import failures
from discordianai.providers.endpoint import ProviderEndpoint
from discordianai.providers.errors import MalformedAnswer
from discordianai.providers.json_values import Json, table, tables, text
from discordianai.providers.options import ProviderOptions
from discordianai.providers.usage_report import usage
from discordianai.records import ChatRequest, Provider, SearchMode, Turn, Usage

PATH = "/decisions"
NAME = "web"
INSTRUCTIONS = (
    "To answer the last message well, one has to look something up on the live web: news, weather, prices,"
    " results, schedules, recent events or versions, a page that is named, or whatever else may have changed"
    " lately; or the person asks to search."
)

LATEST = 3
"""Turns that are judged: the question, and what it may follow up on."""

LONGEST_TURN = 2000
"""Characters of each: the first of them tell what it is about."""


@dataclass(frozen=True, slots=True)
class WebDecision:
    """How probable it is, from 0 to 1, that a question needs the live web; what that took, if it is told.

    `probability` is None where the answer was not waited for: it costs what it took all the same.
    """

    probability: float | None
    usage: Usage | None = None


class DecisionClient:
    """Asks over `client`, which the caller opens and closes."""

    def __init__(self, client: httpx.AsyncClient, provider: Provider, options: ProviderOptions) -> None:
        self._endpoint = ProviderEndpoint(client, provider, options)
        self.provider = provider
        self.model = options.usual_model

    async def decide(self, request: ChatRequest) -> WebDecision:
        """Whether the last turn needs the web. Raises `ProviderError`; the caller bounds the time."""
        try:
            async with self._endpoint.post(PATH, _body(judged(request))) as response:
                if not response.is_success:
                    error = await self._endpoint.refusal(response)
                    raise failures.from_response(self.provider, response, error)
                return self._read(await self._endpoint.json(response))
        except httpx.HTTPError as error:
            raise failures.from_httpx(self.provider, error) from error

    def _read(self, body: Json) -> WebDecision:
        answer = next((one for one in tables(body, "answers") if text(one, "name") == NAME), {})
        probability = answer.get("probability")
        if isinstance(probability, bool) or not isinstance(probability, int | float):  # or a refusal
            raise MalformedAnswer(self.provider, "a decision without a probability")
        if not 0 <= probability <= 1:
            raise MalformedAnswer(self.provider, "a probability beyond 0 and 1")
        return WebDecision(float(probability), usage(table(body, "usage"), "input_tokens", "output_tokens"))


def judged(request: ChatRequest) -> ChatRequest:
    """What is sent of a question's request: its newest turns, each within a bound, without files."""
    turns = tuple(Turn(turn.role, turn.text[:LONGEST_TURN]) for turn in request.turns[-LATEST:])
    return replace(request, turns=turns, instructions=INSTRUCTIONS, tools=(), search=SearchMode.OFF)


def _body(request: ChatRequest) -> Json:
    optional = {"safety_identifier": request.person, "prompt_cache_key": request.conversation}
    return {
        "model": request.model,
        "input": [{"role": turn.role.value, "content": turn.text} for turn in request.turns],
        "questions": [{"type": "predicate", "name": NAME, "instructions": request.instructions}],
        **{key: value for key, value in optional.items() if value},
    }
