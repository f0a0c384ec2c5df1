"""What is read of JSON from outside takes as long as it is, and no longer."""

import time

import pytest

from discordianai.providers.json_values import MOST_VALUES, NotJson, parse_all


def test_some_objects_in_one_text_are_all_read() -> None:
    assert parse_all(' {"a": 1}\n\n[{"b": 2}]{}\t') == [{"a": 1}, {"b": 2}, {}]
    assert parse_all("") == []


def test_a_text_of_nothing_but_objects_is_none() -> None:
    """An event has a megabyte at most; half a million of objects would take minutes."""
    start = time.process_time()
    with pytest.raises(NotJson):
        parse_all("{}" * 500_000)
    assert len(parse_all("{}  " * MOST_VALUES)) == MOST_VALUES
    assert time.process_time() - start < 1
