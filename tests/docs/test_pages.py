"""What the pages show is there: commands, make's targets, settings, and the pages themselves."""

import argparse
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from discordianai.cli.main import make_parser
from discordianai.settings.keys import declared
from discordianai.settings.tables import Settings
from tests.docs.pages import (
    PAGES,
    ROOT,
    Shown,
    arguments,
    blocks,
    paragraphs,
    runs_program,
    shown,
    spans,
    typed,
)

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def parses(words: list[str]) -> bool:
    """Whether the program takes exactly that."""
    try:
        make_parser().parse_args(words)
    except SystemExit as end:
        return end.code in {0, None}  # --help
    return True


def is_known(words: list[str]) -> bool:
    """Whether there are such commands and options, if not all that they need."""
    parser = make_parser()
    for word in words:
        actions = parser._actions
        choices: Any = next((a.choices for a in actions if isinstance(a, argparse._SubParsersAction)), None)
        if word.startswith("-"):
            if word.partition("=")[0] not in parser._option_string_actions:
                return False
        elif choices is not None:
            if word not in choices:
                return False
            parser = choices[word]
    return True


def runs_make(line: str) -> bool:
    return line == "make" or line.startswith("make ")


def words_of(piece: Shown) -> list[str]:
    words = arguments(typed(piece.text))
    assert words is not None
    return words


def test_a_command_that_is_shown_is_one() -> None:
    pieces = shown(blocks, runs_program)
    assert [str(piece) for piece in pieces if not parses(words_of(piece))] == []


def test_a_command_that_is_mentioned_is_one() -> None:
    pieces = shown(spans, runs_program)
    assert [str(piece) for piece in pieces if not is_known(words_of(piece))] == []


def test_make_has_every_target_that_is_shown() -> None:
    for piece in (*shown(blocks, runs_make), *shown(spans, runs_make)):
        words = [word for word in shlex.split(typed(piece.text), comments=True)[1:] if "=" not in word]
        assert set(words) <= TARGETS, str(piece)


def test_commands_are_found_where_they_are_shown() -> None:
    lines = [str(piece) for piece in shown(blocks, runs_program)]
    assert any("discordianai check --online" in line for line in lines)
    assert any("README.md" in str(piece) for piece in shown(blocks, runs_make))


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("discordianai check --online", True),
        ("$ sudo X=1 .venv/bin/discordianai backup a.sqlite3 --force  # a copy", True),
        ("python -m discordianai migrate config.ini > settings.toml", True),
        ("discordianai chek", False),
        ("discordianai check --offline", False),
        ("discordianai backup", False),
    ],
)
def test_a_wrong_command_would_be_noticed(line: str, right: bool) -> None:
    words = arguments(typed(line))
    assert words is not None
    assert parses(words) is right


def test_what_only_looks_like_the_program_is_not_taken_for_it() -> None:
    assert arguments("discordianai.sqlite3") is None
    assert arguments("discordianai@name") is None
    assert arguments("discordianai-user") is None


# Settings


@cache
def keys() -> frozenset[str]:
    """The path of every table and key, as in `providers.openai.model`; `*` for a name of one's own choice."""
    paths = [key.path for key in declared()]
    return frozenset(".".join(path[:length]) for path in paths for length in range(1, len(path) + 1))


def there_is(path: str) -> bool:
    """Whether there is such a table or key; a `*` in `path` stands for any name."""
    parts = path.split(".")
    return any(
        len(parts) == len(known)
        and all(part in {own, "*"} or own == "*" for part, own in zip(parts, known, strict=True))
        for known in (key.split(".") for key in keys())
    )


IN_TABLE = re.compile(r'\[([a-z_]+(?:\.(?:[a-z_]+|"[^"]+"|[A-Z*]+))*)\](?: ([a-z_]+))?')
DOTTED = re.compile(rf"(?:{'|'.join(Settings.model_fields)})(?:\.[a-z_]+)+")
FILES = {"md", "py", "toml", "service", "sqlite"}


IN_WORDS = re.compile(r"`([a-z_]+)(?: = [^`]+)?` (?:in|of) `\[([a-z_.*]+)\]`")


def settings_named(piece: Shown) -> list[str]:
    if match := IN_TABLE.match(piece.text):
        table = re.sub(r'"[^"]*"', "*", match[1])
        return [table, f"{table}.{match[2]}"] if match[2] else [table]
    if DOTTED.fullmatch(piece.text) and piece.text.rpartition(".")[2] not in FILES:
        return [piece.text]
    return []


@cache
def settings_on_pages() -> list[tuple[Shown, str]]:
    alone = [(piece, name) for page in PAGES for piece in spans(page) for name in settings_named(piece)]
    in_words = [
        (Shown(page.name, number, match[0]), f"{match[2]}.{match[1]}")
        for page in PAGES
        for number, paragraph in enumerate(paragraphs(page), 1)
        for match in IN_WORDS.finditer(paragraph)
    ]
    return alone + in_words


def test_a_setting_that_is_mentioned_with_its_table_is_one() -> None:
    assert [str(piece) for piece, name in settings_on_pages() if not there_is(name)] == []


def test_settings_are_found_where_they_are_mentioned() -> None:
    names = {name for _, name in settings_on_pages()}
    assert {
        "dispatch.queue_size",
        "rate_limits.openai",
        "discord.guild_ids",
        "connection_pool.openai",
    } <= names
    assert {"discord.guild_ids", "logging.level", "dispatch.deadline_seconds"} <= names


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("[dispatch] queue_size", True),
        ("[connection_pool.*] max_keepalive", True),
        ('[models."gpt-5"] input_price', True),
        ("providers.openai.base_url", True),
        ("[dispatch] quue_size", False),
        ("[no_table]", False),
        ("providers.openai.base_uri", False),
    ],
)
def test_a_wrong_setting_would_be_noticed(text: str, right: bool) -> None:
    names = settings_named(Shown("page.md", 1, text))
    assert names
    assert all(map(there_is, names)) is right


# Pages


def test_every_page_has_its_place_in_the_site() -> None:
    listed = set(re.findall(r"- ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} <= listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if not re.match(r"[a-z]+:", target) and not target.startswith("<")]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_no_page_has_the_marks_of_an_unfinished_merge() -> None:
    """They would be shown to the reader as they are."""
    marks = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)
    assert [page.name for page in PAGES if marks.search(page.read_text())] == []
