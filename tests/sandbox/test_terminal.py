"""The sandbox at the terminal: what is seen on its screen, and what comes through a pipe."""

import os
import re
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pexpect
import pyte
import pytest

from discordianai.cli.main import main
from discordianai.sandbox.live_region import LiveRegion, printable, wrapped
from discordianai.sandbox.terminal import WELCOME, fault_list

COLUMNS, ROWS = 80, 24

QUESTIONS = ("/ask why is the sky blue", "/ask how deep is the sea")


def seen(written: str, columns: int = COLUMNS, rows: int = ROWS) -> list[str]:
    """The rows that a terminal has after this was written to it, those that scrolled away first."""
    screen = pyte.HistoryScreen(columns, rows, history=5000)
    pyte.Stream(screen).feed(written.replace("\n", "\r\n"))
    above = ["".join(row[column].data for column in range(columns)) for row in screen.history.top]
    return [row.rstrip() for row in (*above, *screen.display)]


def edited(*texts: str, last: str, rows: int = ROWS) -> list[str]:
    """What is seen of a text that is edited so and then finished."""
    out = StringIO()
    region = LiveRegion(out, lambda: os.terminal_size((COLUMNS, rows)))
    for text in texts:
        region.show(text, "the bar")
    region.finish(last)
    return [row for row in seen(out.getvalue(), rows=rows) if row]


def test_an_edit_in_the_middle_leaves_each_line_once() -> None:
    """A code block is closed by each edit, a link is made of a number, a note gives way to the answer."""
    texts = ("-# You're next.", "One [1]\n```py\na\n```", "One [[1]](<https://a>)\n```py\na\nb\n```\nEnd")
    assert edited(*texts, last=texts[-1]) == texts[-1].split("\n")


def test_a_text_longer_than_the_screen_is_seen_once() -> None:
    """While it grows only its end is shown, which leaves no trace above the screen."""
    lines = [f"line {number} {'word ' * (number % 30)}".rstrip() for number in range(100)]
    growing = ["\n".join(lines[:count]) for count in range(1, 101)]
    found = edited(*growing, last="\n".join(lines), rows=10)
    assert re.sub(r"\s", "", "".join(found)) == re.sub(r"\s", "", "".join(lines))


def test_what_a_message_says_cannot_move_the_cursor() -> None:
    """Only line breaks stay of all control characters."""
    assert printable("a\x1b[2Jb\x07\rc\n\td") == "a [2Jb  c\n    d"


@pytest.mark.parametrize("text", ["word " * 50, "x" * 200, "本当に" * 40, ""])
def test_no_row_is_wider_than_the_screen(text: str) -> None:
    """Wide characters take two cells; nothing but spaces at the breaks is lost."""
    rows = wrapped(text, 30)
    assert all(len(row.encode("gb18030")) <= 30 for row in rows)  # which has two bytes for two cells
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")


def lines_of(answer: str) -> list[str]:
    """The lines that have something to say."""
    return [line for line in answer.splitlines() if len(line.strip()) > 12]


def check(transcript: str) -> None:
    """Both answers are whole, and each line of each stands there once."""
    _, *answers = re.split(r"^> /ask .*$", transcript, flags=re.MULTILINE)
    assert len(answers) == 2
    for answer in answers:
        lines = lines_of(answer)
        assert sorted(lines) == sorted(set(lines))
        assert sum("You asked: “" in line for line in lines) == 1
        assert sum("-# OpenAI" in line for line in lines) == 1


@pytest.mark.slow
def test_two_questions_through_a_pipe_have_each_line_once() -> None:
    """The transcript is plain and whole, and the exit status is 0."""
    run = subprocess.run(
        [sys.executable, "-m", "discordianai", "sandbox"],
        input="".join(f"{question}\n" for question in QUESTIONS),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "\x1b" not in run.stdout
    check(run.stdout)


class Person:
    """Somebody at a terminal with the sandbox."""

    def __init__(self) -> None:
        self._raw = StringIO()
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "discordianai", "sandbox"],
            dimensions=(ROWS, COLUMNS),
            encoding="utf-8",
            timeout=60,
        )
        self.child.logfile_read = self._raw
        self.child.expect("> ")

    @property
    def written(self) -> str:
        """All that came so far."""
        return self._raw.getvalue()

    def types(self, text: str, then: str) -> None:
        """Types, and waits until that is seen."""
        self.child.send(text)
        self.child.expect(then)

    def leaves(self) -> list[str]:
        """Ctrl-D; the rows of the whole session."""
        self.child.sendeof()
        self.child.expect(pexpect.EOF)
        self.child.close()
        assert self.child.exitstatus == 0
        return seen(self.written.replace("\r\n", "\n"))


@pytest.mark.slow
def test_two_questions_at_a_terminal_have_each_line_once() -> None:
    """Whatever was drawn while they streamed; the screen is too small for an answer."""
    person = Person()
    for question in QUESTIONS:
        person.types(f"{question}\n", r"1: Again[^\r]*\r\n\r\n> ")
    check("\n".join(person.leaves()))


@pytest.mark.slow
def test_what_a_person_does_at_the_terminal() -> None:
    """Buttons by their numbers while an answer streams, other people, a form, a file, a fault, a restart."""
    person = Person()
    person.types("/ask !slow a long story\n", "1: Stop")
    person.types("1", r"1: Continue[^\r]*\r\n\r\n> ")
    person.types("/as bob\n", "bob > ")
    person.types("/menu Ask about this\n", "Your question > ")
    person.types("why?\n", r"1: Again[^\r]*\r\n\r\nbob > ")
    person.types("what is this file:pyproject.toml\n", r"You asked[^\r]*pyproject\.toml.*\r\n\r\nbob > ")
    person.types("/in nowhere\n", "There is no channel nowhere")
    person.types("/dm\n", "bob direct messages > ")
    person.types("hello\n", r"1: Again[^\r]*\r\n\r\nbob direct messages > ")
    person.types("/fault openai-d\t", "own")
    person.types("\n", "503 for every question.*> ")
    person.types("/ask provider:openai anything\n", r"error [^\r]*\r\n.*messages > ")
    person.types("/heal\n", "messages > ")
    person.types("/ask model:gpt-6-l\t", "una")
    person.types("\x15/kill\n", "was killed")
    person.types("/fault identify-4004\n", "at identify: close 4004")
    person.types("/start\n", "The bot is not ready.*> ")
    person.types("/heal\n", "messages > ")
    person.types("/start\n", "messages > ")
    person.types("/ask private:true after the restart\n", r"1: Again[^\r]*\r\n\r\nbob direct messages > ")
    assert "(only you see this)" in person.leaves()


@pytest.mark.slow
def test_enter_after_a_key_does_not_end_the_showing() -> None:
    """Keys mean the buttons of the answer that streams, and none of an earlier one."""
    person = Person()
    person.types("/ask why\n", r"1: Again[^\r]*\r\n\r\n> ")
    person.types("/ask !slow a long story\n", "thinking")
    person.types("\n", "1: Stop")
    person.types("1\n", r"1: Continue[^\r]*\r\n\r\n> ")
    rows = person.leaves()
    assert sum(row.startswith(("Stopped.", "-# Stopped.")) for row in rows) == 1
    assert sum("You asked: “why”" in row for row in rows) == 1
    assert not any(row == ">" for row in rows[:-3])


@pytest.mark.slow
@pytest.mark.parametrize("line", ["", "/ask !slow a long story\n"])
def test_ctrl_c_ends_it_without_a_traceback(line: str) -> None:
    """At the prompt, and while an answer streams."""
    person = Person()
    if line:
        person.types(line, "1: Stop")
    person.child.sendintr()
    person.child.expect(pexpect.EOF)
    person.child.close()
    assert person.child.exitstatus == 1
    assert "Traceback" not in person.written
    assert person.written.endswith("stopped\r\n")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_no_bot_is_left_when_the_terminal_closes(number: signal.Signals) -> None:
    """It takes SIGHUP as a wish to reload, and would run on for ever."""
    person = Person()
    threads = Path(f"/proc/{person.child.pid}/task").glob("*/children")
    (bot,) = [pid for children in threads for pid in children.read_text().split()]
    person.child.kill(number)
    person.child.expect(pexpect.EOF)
    person.child.wait()
    left = Path(f"/proc/{bot}").exists()
    if left:
        os.kill(int(bot), signal.SIGKILL)
    assert not left


@pytest.mark.slow
def test_a_file_that_is_not_there_is_named() -> None:
    """As the other errors are: what, and why."""
    person = Person()
    person.types(
        "/ask what is this file:nowhere.md\n", r"\r\nnowhere\.md: No such file or directory\r\n\r\n> "
    )
    person.leaves()


def test_what_the_sandbox_itself_says_fits_a_small_terminal() -> None:
    """A terminal breaks a longer line in the middle of a word."""
    assert all(len(line) < COLUMNS for line in (WELCOME + fault_list()).splitlines())


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
