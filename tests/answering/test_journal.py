"""What the log has of questions that the store does not take."""

import pytest
from structlog.testing import capture_logs

from discordianai.answering.journal import Journal, JournalResult
from discordianai.answering.open_questions import QuestionCounter
from discordianai.conversations.store import KeptInMemory
from tests.answering.builders import Scene


@pytest.mark.parametrize("error", [TimeoutError("slow"), KeptInMemory("full")])
async def test_questions_that_are_not_stored_are_told_once_until_one_is(error: Exception) -> None:
    """A disk may be slow for hours, and each of thousands of questions meets it."""
    scene, counts = Scene(), QuestionCounter()
    journal = Journal(scene.store, counts)
    with capture_logs() as logs:
        for _ in range(2):
            for _ in range(5):
                assert journal.missed(scene.question(), error) is JournalResult.NOT_STORED
            assert await journal.accept(scene.question()) is JournalResult.STORED
    warnings = [log["event"] for log in logs if log["log_level"] == "warning"]
    told = [] if isinstance(error, KeptInMemory) else ["question not protected against a crash"] * 2
    assert warnings == told
    assert counts.now(0).unprotected == 10
