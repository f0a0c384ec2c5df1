"""What is read of JSON from outside takes as long as it is, and no longer."""

import json
import time
import tracemalloc

import pytest

from discordianai.providers.json_values import MOST_VALUES, NotJson, parse, parse_all, parse_whole


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


@pytest.mark.parametrize("value", ['{"a": 1}', "[]", "1.5", '"ab"'])
def test_a_body_of_nothing_but_small_values_takes_no_memory(value: str) -> None:
    """Eight megabytes of it would take two hundred, and a second in which nothing else is done."""
    body = f'{{"output": [{f"{value}," * (8 * 2**20 // (len(value) + 1))}1]}}'.encode()
    tracemalloc.start()
    try:
        for read in (parse, parse_whole):
            with pytest.raises(NotJson):
                read(body)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2**20


def test_a_long_answer_of_code_is_no_such_body() -> None:
    """Half a million characters, as many as the longest answers have."""
    code = "call(a, b[0], {c: d})\n" * 25_000
    assert parse_whole(json.dumps({"output": code}))["output"] == code
