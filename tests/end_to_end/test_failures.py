"""What a person reads, and what the log has, when a provider fails."""

import re
from collections.abc import Iterator

import pytest
import trio

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import Interaction, person
from discordianai.sandbox.launcher import BotDatabase
from discordianai.sandbox.providers import Fault
from discordianai.sandbox.providers.provider_faults import FaultKind
from tests.end_to_end.conftest import STREAMING, Scene, Stage
from tests.end_to_end.databases import on_both_databases
from tests.end_to_end.sharing import SharedScene, Tables, labels, played, shared_scene

pytestmark = [pytest.mark.xdist_group("failures"), on_both_databases]

SECRETS = ("sandbox-key", "sandbox-token", "a question about turtles", "secret words", "aW50ZXJhY3Rpb246")
SETTINGS: Tables = {
    "logging": {"level": "DEBUG"},
    "dispatch": {"max_attempts": 1},
    "providers.openai": {"read_timeout": 4, "first_token_timeout": 4},  # a loaded machine may take a second
}

FAILURES = [
    (Fault.rate_limited(1), "more questions than it allows. Please try again", "RateLimited"),
    (
        Fault(FaultKind.STATUS, status=500),
        "OpenAI is having trouble right now. Please try again",
        "Overloaded",
    ),
    (
        Fault(FaultKind.STATUS, status=503),
        "OpenAI is having trouble right now. Please try again",
        "Overloaded",
    ),
    (Fault.slow_down(), "more questions than it allows. Please try again", "RateLimited"),
    (Fault.overloaded(), "OpenAI is having trouble right now. Please try again", "Overloaded"),
    (Fault(FaultKind.FAILED), "OpenAI is having trouble right now. Please try again", "Overloaded"),
    (Fault.too_long(), "That's too long for OpenAI's model. Please shorten", "ContextTooLong"),
    (Fault.invalid_prompt(), "OpenAI's content filter refused this question.", "ContentFiltered"),
    (Fault.no_images(), "OpenAI couldn't read the file", "FileRefused"),
    (Fault(FaultKind.STATUS, status=400, param="store"), "OpenAI refused this question.", "BadRequest"),
    (
        Fault(FaultKind.STATUS, status=400, code="image_parse_error"),
        "couldn't read the file",
        "FileRefused",
    ),
    (Fault(FaultKind.STATUS, status=404, code="model_not_found"), "no longer has the model", "ModelNotFound"),
    (
        Fault(FaultKind.STATUS, status=404, code="unknown_url"),
        "check the address and the",
        "EndpointNotFound",
    ),
    (
        Fault(FaultKind.STATUS, status=403, code="request_forbidden"),
        "doesn't let this bot's",
        "PermissionDenied",
    ),
    (Fault.raw(b"data: " + b"x" * 2**21), "sent an invalid answer", "MalformedAnswer"),
    (Fault(FaultKind.THOUGHT_ONLY), "The model reached its length limit before it said anything", "answered"),
    (
        Fault.raw(b"{}", content_type="application/json"),
        "sent an invalid answer",
        "MalformedAnswer",
    ),
    (Fault(FaultKind.STALL), "OpenAI took too long to answer. Please try again", "TimedOut"),
    (Fault(FaultKind.CUT), "The connection to OpenAI was lost. Please try again", "ConnectionLost"),
    (Fault(FaultKind.EMPTY), "The model gave an empty answer", "answered"),
]
"""Before anything was said."""

BREAKS = [
    (Fault(FaultKind.CUT, after=20), "The answer breaks off here. The connection to OpenAI was lost."),
    (Fault(FaultKind.ABORT, after=20), "The answer breaks off here. The connection to OpenAI was lost."),
    (Fault(FaultKind.END, after=20), "The answer breaks off here. The connection to OpenAI was lost."),
    (
        Fault(FaultKind.HALF_CHARACTER, after=20),
        "The answer breaks off here. The connection to OpenAI was lost.",
    ),
    (Fault(FaultKind.EVENT, after=20), "The answer breaks off here. OpenAI is having trouble right now."),
    (Fault(FaultKind.STALL, after=20), "The answer breaks off here. OpenAI took too long to answer."),
    (Fault(FaultKind.LENGTH), "The answer was cut short because it reached the length limit."),
]
"""In the middle of an answer."""


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, database: BotDatabase | None
) -> Iterator[SharedScene]:
    yield from shared_scene(tmp_path_factory.mktemp("failures"), authority, SETTINGS, database=database)


async def asked(scene: Scene, number: int, *faults: Fault) -> Interaction:
    """A question about turtles, which OpenAI answers badly."""
    scene.sandbox.openai.misbehave(*faults)
    options = {"provider": "openai"}
    return await scene.ask("a question about turtles", options=options, user=person(number))


@played
async def test_each_failure_is_one_clear_sentence_with_a_number_that_the_log_has(scene: Scene) -> None:
    for fault, sentence, detail in FAILURES:
        answer = await asked(scene, 1, fault)
        assert sentence in answer.text
        number = re.search(r"\(error (\d+)\)", answer.text)
        assert number is not None
        lines = [line for line in scene.log().splitlines() if f"question={number[1]} " in line + " "]
        assert any(detail in line for line in lines)
    assert "You asked" in (await scene.ask("and now?", user=person(1))).text


@pytest.mark.slow
async def test_an_answer_that_breaks_off_keeps_its_part_and_can_be_gone_on_with(stage: Stage) -> None:
    """A bot of its own: with the failures of the others the circuit breaker might open."""
    async with stage(settings=SETTINGS, providers=STREAMING) as scene:
        for fault, sentence in BREAKS:
            answer = await asked(scene, 2, fault)
            assert answer.text.startswith("*(The sandbox's OpenAI speaks")
            assert sentence in answer.text
            assert labels(answer) == ["Continue", "Again", "Search the web"]
        more = scene.sandbox.discord.press(answer.messages[-1], "Continue", person(2))
        await scene.wait_answered(scene.answered() + 1)
        assert "The sandbox's OpenAI speaks" in more.text


@played
async def test_where_nobody_was_asked_for_the_other_provider_answers_and_says_why(scene: Scene) -> None:
    scene.sandbox.openai.misbehave(Fault.quota())
    answer = await scene.ask("a question about turtles", user=person(3))
    assert "The sandbox's Perplexity speaks" in answer.text
    assert "OpenAI couldn't answer, so Perplexity did." in answer.text


@played
async def test_no_credit_and_a_wrong_key_are_told_at_once_and_the_provider_is_left_alone(
    scene: Scene,
) -> None:
    """For 15 s nothing is sent: nobody waits for what only an operator can change."""
    providers = {
        "openai": "account with OpenAI has no credit left. The",
        "perplexity": "accept this bot's API key. The",
    }
    scene.sandbox.openai.misbehave(Fault.quota())
    scene.sandbox.perplexity.misbehave(Fault.wrong_key())
    for who in ("openai", "perplexity"):
        await scene.ask("a question about turtles", options={"provider": who}, user=person(3))
    for who, sentence in providers.items():
        before = len(getattr(scene.sandbox, who).requests)
        answer = await scene.ask("a question about turtles", options={"provider": who}, user=person(4))
        assert sentence in answer.text
        assert len(getattr(scene.sandbox, who).requests) == before


@played
async def test_no_secret_and_no_word_of_a_person_is_in_the_log_whatever_fails(scene: Scene) -> None:
    """After the others: it looks at what they have left."""
    log = scene.log()
    assert not [word for word in (*SECRETS, "You asked", "Person0", "Traceback") if word in log]


@pytest.mark.slow
async def test_a_provider_that_is_not_there_is_said_to_be_unreachable(stage: Stage) -> None:
    async with stage(
        settings={"providers.openai": {"base_url": "https://127.0.0.1:1", "api_key": "x"}}
    ) as scene:
        answer = await scene.ask("who?", options={"provider": "openai"})
        assert "connection to OpenAI was lost" in answer.text
        answer = await scene.ask("who?")
        assert "You asked" in answer.text
        assert "OpenAI couldn't answer, so Perplexity did." in answer.text


@pytest.mark.slow
async def test_a_short_pause_is_waited_for_and_during_a_long_one_the_other_provider_answers(
    stage: Stage,
) -> None:
    """A single 429 that asks for an hour delays nobody, and stays with the provider that it came from."""
    async with stage() as scene:
        openai = scene.sandbox.openai
        openai.misbehave(Fault.rate_limited(1))
        answer = await scene.ask("a question about turtles", options={"provider": "openai"})
        assert "You asked" in answer.text
        assert "error" not in answer.text
        assert len(openai.requests) == 2
        openai.misbehave(Fault.rate_limited(3600))
        began = trio.current_time()
        for _ in range(4):
            answer = await scene.ask("a question about turtles")
            assert "The sandbox's Perplexity speaks" in answer.text
            assert "OpenAI couldn't answer, so Perplexity did." in answer.text
        refused = await scene.ask("a question about turtles", options={"provider": "openai"})
        assert "more questions than it allows. Please try again in" in refused.text
        assert trio.current_time() - began < 15
        assert len(openai.requests) == 3
        assert "circuit breaker opened" in scene.log()
