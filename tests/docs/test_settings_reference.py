"""The page of the settings says what settings.toml and the declared keys say."""

from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.pages import module

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    return module(DOCS / "settings_reference.py")


@pytest.fixture(scope="module")
def shipped() -> str:
    return (DOCS.parent / "settings.toml").read_text(encoding="utf-8")


def test_the_page_has_a_place_for_every_secret_and_every_key(reference: ModuleType) -> None:
    """There the tables are put in when the site is built."""
    page = reference.put_in((DOCS / "settings.md").read_text(encoding="utf-8"))
    assert "| `discord.token` | `discord-token` | `DISCORD_TOKEN` |" in page
    assert "## `[logging.levels]`" in page
    assert "<!--" not in page


def test_a_row_has_the_type_the_range_the_default_and_the_meaning(
    reference: ModuleType, shipped: str
) -> None:
    page = reference.render(shipped)
    for row in (
        "| `max_attempts` | whole number, 1 to 10 | `3` | attempts per provider before ",
        "| `drain_seconds` | number, 0 to 600 | `20.0` | seconds for answers ",
        "| `ttl_days` | number, more than 0, up to 36,500 | `30.0` | days until they are deleted | restart |",
        "| `in_flight` | whole number, 1 to 100 | `2` | questions answered at the same time | *reload* |",
        "| `guild_ids` | list of ids | `[]` | servers ",
        "| `api_key` | text, secret | unset | ",
        "| `max_answer_tokens` | whole number, at least 16 | unset | ",
        '| `level` | `DEBUG`, `INFO`, `WARNING` or `ERROR` | `"INFO"` | ',
    ):
        assert f"\n{row}" in page


def test_a_key_without_a_word_means_what_it_meant_before(reference: ModuleType) -> None:
    first, second = reference.read("[openai]\nmodel = 'a' # who answers\n[perplexity]\nmodel = 'b'\n")
    assert first.keys == second.keys == {"model": "who answers"}


def test_what_is_said_above_a_header_or_a_key_belongs_to_it(reference: ModuleType) -> None:
    text = "# About\n# the table.\n[assistant]\n# About\n# the key.\n# instructions = 'a # b'\n"
    (table,) = reference.read(text)
    assert table.prose == ["# About", "# the table."]
    assert table.keys == {"instructions": "About the key."}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[openai]\nmodel = 'a'\n", r"openai\.model: say behind it what it means"),
        ("[openai]\nmodel = 'a' # b\n# lost\n\n[perplexity]\n", "above no header and no key: # lost"),
    ],
)
def test_a_key_without_a_meaning_and_a_meaning_without_a_key_are_told(
    reference: ModuleType, text: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        reference.read(text)


def test_a_table_of_the_operator_s_own_names_is_told_by_what_they_take(reference: ModuleType) -> None:
    page = reference.render("[logging.levels]\n")
    assert "Each key is a name, quoted where it has a dot in it, and takes `DEBUG`, `INFO`" in page


def test_a_key_that_nobody_declares_is_told(reference: ModuleType) -> None:
    """It would be refused when the bot starts."""
    with pytest.raises(ValueError, match=r"assistant\.mood: there is no such key"):
        reference.render("[assistant]\nmood = 1 # how it is\n")
