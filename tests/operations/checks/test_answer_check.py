"""What an answer shows to an operator."""

import pytest

from discordianai.operations.checks.answer_check import IMAGES, Answered, ask, judge_answer
from discordianai.operations.checks.findings import CheckStatus
from discordianai.providers.errors import BadRequest
from discordianai.records import ChatRequest, Role, Turn
from tests.doubles.provider import FakeProvider
from tests.known_providers import OPENAI
from tests.operations.checks.builders import about, subjects

QUESTION = ChatRequest("fake", (Turn(Role.USER, "Say: ok", images=("data:,",)),))


def test_what_a_client_leaves_out_is_told_with_what_it_means() -> None:
    """Tools are more than a field: without them, the bot decides by rules who answers."""
    left_out = ("tools", "verbosity")
    findings = list(
        judge_answer("openai answer", FakeProvider(), "fake", Answered(0.1), "HTTP/2", 60, left_out)
    )
    assert about(findings, "openai fields").found == (
        "fake is asked without tools, verbosity: the endpoint refuses that"
    )
    assert subjects(findings, CheckStatus.WARNING) == {"openai tools", "openai fields"}


async def test_only_what_helps_to_leave_out_counts_as_refused() -> None:
    """The same question has to be answered without it."""
    refused = BadRequest(OPENAI, "status 400")
    answered = await ask(FakeProvider([refused], ["ok"]), QUESTION)
    assert answered.refused == (IMAGES,)
    provider = FakeProvider([BadRequest(OPENAI, "status 400, param verbosity")], ["ok"])
    with pytest.raises(BadRequest):
        await ask(provider, QUESTION)
    assert len(provider.requests) == 1
