"""An endpoint that refuses tools, in whatever words: the rules decide, and nobody else answers instead."""

import pytest
import trio

from discordianai.answering.provider_chain import ChainRequest, ProviderChain
from discordianai.dispatch.breaker import BreakerState
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions
from discordianai.dispatch.routing import Inquiry, Router
from discordianai.option import Live
from discordianai.providers.port import TextDelta
from discordianai.records import ChatRequest, Dialect, Provider, Role, Route, Turn, Usage
from discordianai.sandbox.certificates import Authority
from tests.doubles.provider import FakeProvider
from tests.known_providers import PERPLEXITY
from tests.providers.refusing_server import Bodies, Json, refusing

WORDINGS: list[tuple[int, object]] = [
    (
        400,
        {"error": {"message": "registry.ollama.ai/library/gemma3:4b does not support tools", "code": None}},
    ),
    (
        400,
        {"object": "error", "message": '"auto" tool choice requires --enable-auto-tool-choice', "code": 400},
    ),
    (500, {"error": {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"}}),
    (404, {"error": {"message": "No endpoints found that support tool use.", "code": 404}}),
    (400, {"error": {"message": "deepseek-reasoner does not support Function Calling", "code": "x"}}),
    (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "tools"], "msg": "Extra inputs"}]}),
    (400, [{"error": {"code": 400, "message": 'Unknown name "tools": Cannot find field.'}}]),
    (400, {"error": "Dieses Modell unterstützt keine Werkzeugaufrufe."}),
    (400, {"error": {"message": "该模型不支持函数调用", "type": "invalid_request_error"}}),
    (422, "Ce modèle n'accepte pas l'appel de fonctions."),
]


class Scene:
    """An endpoint that refuses tools, a provider that searches, and the log of who answered."""

    def __init__(self, dispatchers: dict[str, Dispatcher], providers: list[Provider]) -> None:
        self.dispatchers = dispatchers
        self._chain = ProviderChain(dispatchers, Router(providers))

    async def ask(self, text: str) -> list[Route]:
        """Who was asked, in order; an answer must come."""

        def request(_: Provider, model: str) -> ChatRequest:
            return ChatRequest(model, (Turn(Role.USER, text),), instructions="Be brief.", person="ann")

        async def reserve(_provider: Provider, _model: str, _most: Usage) -> None:
            """There is no limit."""

        asked = ChainRequest(Inquiry(text, (), "here"), request, reserve, trio.current_time() + 60, 1)
        events = [event async for event in self._chain.events(asked)]
        assert any(isinstance(event, TextDelta) for event in events)
        return [event for event in events if isinstance(event, Route)]


@pytest.mark.parametrize(("status", "told"), WORDINGS, ids=range(len(WORDINGS)))
@pytest.mark.parametrize("dialect", [Dialect.CHAT, Dialect.RESPONSES], ids=lambda each: each.value)
async def test_the_rules_go_on_where_tools_are_refused(
    authority: Authority, dialect: Dialect, status: int, told: object
) -> None:
    """The endpoint answers the first question, the second costs one request, the web is still found."""

    def refuses(body: Json) -> tuple[int, object] | None:
        return (status, told) if "tools" in body else None

    async with refusing(authority, refuses, dialect) as (provider, bodies):
        searcher = FakeProvider(["found"], provider=PERPLEXITY)
        options = Live(DispatcherOptions(slots=10))
        here = provider.provider
        scene = Scene(
            {"here": Dispatcher(provider, options), "perplexity": Dispatcher(searcher, options)},
            [here, PERPLEXITY],
        )
        routes = await scene.ask("why is the sky blue?")
        assert routes[-1].provider == here
        assert routes[-1].note == "", "it is not a fallback"
        assert searcher.requests == []
        await costs_one_request(scene, bodies)
        assert (await scene.ask("what is the weather today?"))[-1].provider == PERPLEXITY
        figures = scene.dispatchers["here"].statistics()
        assert figures.breaker is BreakerState.CLOSED
        assert figures.retries == 0


async def costs_one_request(scene: Scene, bodies: Bodies) -> None:
    before = len(bodies)
    await scene.ask("and why is grass green?")
    assert len(bodies) == before + 1
    assert "tools" not in bodies[-1]
