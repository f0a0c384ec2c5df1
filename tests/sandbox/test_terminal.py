"""What the sandbox prints at the terminal."""

import subprocess
import sys

import pytest

from discordianai.cli.main import main
from discordianai.sandbox.terminal import PrintedMessage


def printed(*contents: str) -> str:
    """All that is printed of a message that is edited so."""
    shown = PrintedMessage()
    return "".join([*(shown.news(content) for content in contents), shown.rest()])


@pytest.mark.parametrize("last", ["```py\na\nb\n```\nEnd.", "```py\na\nb\n```"])
def test_a_code_block_that_is_being_written_is_printed_once(last: str) -> None:
    """Each edit closes it: what stood behind it is not printed before it stays."""
    assert printed("```py\n```", "```py\na\n```", "```py\na\nb\n```", last) == last


def test_an_answer_in_the_place_of_a_note_is_printed_below_it() -> None:
    """A note that has stood for a while was seen."""
    assert printed("-# You're next.", "-# You're next.", "An", "An answer") == "-# You're next.\nAn answer"
    assert printed("-# You're next.", "An answer") == "An answer"


def test_words_are_printed_as_soon_as_they_stay() -> None:
    """Not only when the answer is complete."""
    shown = PrintedMessage()
    assert [shown.news(text) for text in ("One", "One two", "One two three")] == ["", "One", " two"]
    assert shown.rest() == " three"
    assert shown.rest() == ""


def test_an_endpoint_that_there_is_none_of_is_told_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is started for it."""
    assert main(["sandbox", "--endpoint", "nobody"]) == 2
    told = capsys.readouterr().err
    assert "'nobody'" in told
    assert all(name in told for name in ("ollama", "vllm", "llama-cpp"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vllm", "llama.cpp", "LM Studio"])
def test_one_endpoint_answers_at_the_terminal(name: str) -> None:
    """By any way to write its name; what needs the web goes to Perplexity."""
    program = [sys.executable, "-m", "discordianai", "sandbox", "--endpoint", name]
    lines = "why is the sky blue?\nwhat is the weather today?\n"
    ended = subprocess.run(  # noqa: S603  # this program itself
        program, input=lines, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0
    footers = [line for line in ended.stdout.splitlines() if line.startswith("-# ")]
    label = {"vllm": "vLLM", "llama.cpp": "llama.cpp", "LM Studio": "LM Studio"}[name]
    assert footers[0].startswith(f"-# {label} · ")
    assert footers[1].startswith("-# Perplexity · ")
