"""What a person reads, and what the log has, when a provider fails."""

import re

from discordianai.sandbox.providers import Fault
from discordianai.sandbox.providers.faults import Kind
from tests.end_to_end.conftest import Stage

SECRETS = ("sandbox-key", "sandbox-token", "a question about turtles", "secret words", "aW50ZXJhY3Rpb246")


FAILURES = [
    (Fault.wrong_key(), "does not accept this bot's key", "AuthenticationFailed"),
    (Fault.quota(), "account at OpenAI is used up", "QuotaExhausted"),
    (Fault.rate_limited(1), "more questions than it allows", "RateLimited"),
    (Fault(Kind.STATUS, status=500), "has trouble right now", "Overloaded"),
    (Fault(Kind.CUT, after=0), "connection to OpenAI was lost", "ConnectionLost"),
    (Fault(Kind.EMPTY), "empty answer", "answered"),
]


async def test_each_failure_is_one_clear_sentence_with_a_number_that_the_log_has(stage: Stage) -> None:
    once = {"logging": {"level": "DEBUG"}, "dispatch": {"max_attempts": 1}}
    async with stage(settings=once) as scene:
        for fault, sentence, detail in FAILURES:
            scene.sandbox.openai.misbehave(fault)
            answer = await scene.ask("a question about turtles", options={"provider": "openai"})
            assert sentence in answer.text
            assert "Traceback" not in answer.text
            number = re.search(r"\(error (\d+)\)", answer.text)
            assert number is not None
            lines = [line for line in scene.log().splitlines() if f"question={number[1]} " in line + " "]
            assert any(detail in line for line in lines)
        assert "You asked" in (await scene.ask("and now?")).text
        assert not [secret for secret in SECRETS if secret in scene.log()]


async def test_a_stream_that_is_cut_keeps_its_part_with_a_note(stage: Stage) -> None:
    async with stage() as scene:
        scene.sandbox.openai.misbehave(Fault(Kind.CUT, after=20))
        answer = await scene.ask("a question about turtles")
        assert answer.text.startswith("*(The sandbox's OpenAI speaks")
        assert "connection to OpenAI was lost" in answer.text


async def test_a_provider_that_is_not_there_is_said_to_be_unreachable(stage: Stage) -> None:
    async with stage(settings={"openai": {"base_url": "https://127.0.0.1:1", "api_key": "x"}}) as scene:
        answer = await scene.ask("hello?", options={"provider": "openai"})
        assert "connection to OpenAI was lost" in answer.text
        answer = await scene.ask("hello?")
        assert "You asked" in answer.text
        assert "OpenAI could not answer, so Perplexity did." in answer.text


async def test_a_provider_that_asks_for_a_pause_is_asked_again_after_it_and_nobody_notices(
    stage: Stage,
) -> None:
    async with stage() as scene:
        scene.sandbox.openai.misbehave(Fault.rate_limited(1))
        answer = await scene.ask("a question about turtles", options={"provider": "openai"})
        assert "You asked" in answer.text
        assert "error" not in answer.text
        assert len(scene.sandbox.openai.requests) == 2


async def test_nothing_that_people_say_is_in_the_log(stage: Stage) -> None:
    async with stage() as scene:
        await scene.ask("a question about turtles")
        assert "answered" in scene.log()
        assert not [secret for secret in (*SECRETS, "You asked", "Person0") if secret in scene.log()]
