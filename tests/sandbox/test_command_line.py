"""What people type at the sandbox, as commands with options."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from discordianai.sandbox.command_line import completions, parse
from discordianai.sandbox.discord.api_objects import Json

COMMANDS: Mapping[str, Json] = {
    "ask": {
        "options": [
            {"name": "prompt", "type": 3},
            {"name": "provider", "type": 3, "choices": [{"name": "OpenAI", "value": "openai"}]},
            {"name": "private", "type": 5},
            {"name": "file", "type": 11},
        ]
    },
    "history": {"options": [{"name": "page", "type": 4}]},
    "status": {},
    "Explain": {"type": 3},
}


@pytest.mark.parametrize(
    ("line", "name", "options"),
    [
        ("why is the sky blue", "ask", {"prompt": "why is the sky blue"}),
        ("/ask prompt:why is it private:true", "ask", {"prompt": "why is it", "private": True}),
        ("/ask prompt: why: because", "ask", {"prompt": "why: because"}),
        ("/ask see https://a.example/b", "ask", {"prompt": "see https://a.example/b"}),
        ('/ask file:"a b.txt" what', "ask", {"file": Path("a b.txt"), "prompt": "what"}),
        ("/ask provider:openai", "ask", {"provider": "openai"}),
        ("/history 2", "history", {"page": 2}),
        ("/history page:2", "history", {"page": 2}),
        ("/status", "status", {}),
    ],
)
def test_a_line_becomes_a_command(line: str, name: str, options: dict[str, object]) -> None:
    """No word of it is lost."""
    assert parse(line, COMMANDS) == (name, options)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/nothing", "There is no command /nothing. There are /ask, /history, /status."),
        ("/Explain", "There is no command /Explain."),
        ("/ask why private:perhaps", "private is true or false."),
        ("/history two", "page is a whole number."),
        ("/status now", "/status takes no text."),
    ],
)
def test_a_mistake_is_told(line: str, told: str) -> None:
    """In a sentence that says what is allowed."""
    with pytest.raises(ValueError, match=told):
        parse(line, COMMANDS)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("/", ["/ask ", "/history ", "/status "]),
        ("/as", ["/ask "]),
        ("/ask pr", ["prompt:", "provider:", "private:"]),
        ("/ask why provider:", ["provider:openai "]),
        ("/ask private:t", ["private:true "]),
        ("/status ", []),
        ("/nothing x", []),
    ],
)
def test_the_last_word_is_completed(line: str, found: list[str]) -> None:
    """With commands, options, and the values that are declared."""
    assert [*completions(line, COMMANDS)] == found
