"""What `[discord] shards` may be, and what is said where it is something else."""

import tomllib
from pathlib import Path

import pytest

from discordianai.discord.options import BotOptions
from discordianai.discord.shard_range import ShardRange, parse
from discordianai.settings.document import SettingsError
from discordianai.settings.file import load


@pytest.mark.parametrize(
    ("written", "shards"),
    [
        (1, ShardRange()),
        (16, ShardRange(0, 15, 16)),
        ("16", ShardRange(0, 15, 16)),
        ("5/16", ShardRange(5, 5, 16)),
        ("0-3/16", ShardRange(0, 3, 16)),
        ("0-15/16", ShardRange(0, 15, 16)),
        ("auto", None),
    ],
)
def test_a_number_a_range_or_auto(written: int | str, shards: ShardRange | None) -> None:
    """A range is of this process; the total is the bot's."""
    assert parse(written) == shards
    assert BotOptions(shards=written).shard_range == shards


def test_a_range_is_written_as_it_is_set() -> None:
    """For checks and advice."""
    assert [str(parse(written)) for written in (1, 16, "0-15/16", "5/16", "0-3/16")] == [
        "1",
        "16",
        "16",
        "5/16",
        "0-3/16",
    ]
    assert list(ShardRange(4, 7, 16).ids) == [4, 5, 6, 7]


WRONG = {
    "0": "should have a total of 1 to 10,000 shards",
    "-1": 'should be a number, "auto", or a range like "0-3/16"',
    "10001": "should have a total of 1 to 10,000 shards",
    "true": 'should be a number, "auto", or a range like "0-3/16"',
    "1.0": 'should be a number, "auto", or a range like "0-3/16"',
    "[1]": 'should be a number, "auto", or a range like "0-3/16"',
    '""': 'should be a number, "auto", or a range like "0-3/16"',
    '"all"': 'should be a number, "auto", or a range like "0-3/16"',
    '"0-3"': 'should be a number, "auto", or a range like "0-3/16"',
    '"0..3/16"': 'should be a number, "auto", or a range like "0-3/16"',
    '"³/16"': 'should be a number, "auto", or a range like "0-3/16"',
    '"16/16"': "should have numbers from 0 to 15: Discord counts shards from 0",
    '"0-16/16"': "should have numbers from 0 to 15: Discord counts shards from 0",
    '"3-0/16"': 'should have the lower number first: "0-3/16"',
    '"0-0/0"': "should have a total of 1 to 10,000 shards",
    '"9999999/9999999"': 'should be a number, "auto", or a range like "0-3/16"',
}


@pytest.mark.parametrize("written", WRONG)
def test_anything_else_is_told_in_one_sentence(written: str, tmp_path: Path) -> None:
    """With the key, and what would be right."""
    path = tmp_path / "settings.toml"
    path.write_text(f"[discord]\nshards = {written}\n", encoding="utf-8")
    tomllib.loads(path.read_text(encoding="utf-8"))
    with pytest.raises(SettingsError) as failed:
        load(path, {"DISCORD_TOKEN": "token", "OPENAI_API_KEY": "key"})
    (problem,) = failed.value.problems
    assert problem.startswith("discord.shards: ")
    assert problem.endswith(f"{WRONG[written]} (the default is 1)")
