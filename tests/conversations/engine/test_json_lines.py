"""Each row becomes a line of JSON, whatever is in it."""

import json
import math

import pytest

from discordianai.conversations.engine.json_lines import line


@pytest.mark.parametrize(
    ("column", "garbled"),
    [
        ("at", math.inf),
        ("at", -math.inf),
        ("at", 1e300),
        ("finished_at", -1e18),
        ("at", b"\xff"),
        ("text", b"half \xff"),
        ("attachments", "[" * 100_000),
        ("attachments", "[[[1]]]"),
        ("more", "{" * 3),
    ],
)
def test_what_a_disk_fault_garbled_is_a_line_all_the_same(column: str, garbled: object) -> None:
    """One such row must not keep a person from all others."""
    written = line("turn", {"role": "user", column: garbled})
    assert json.loads(written, parse_constant=pytest.fail)["role"] == "user"
