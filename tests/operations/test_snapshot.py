"""A snapshot goes through JSON, and comes back."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given

from discordianai.operations.snapshot import NotASnapshot, Snapshot, from_json, to_json
from discordianai.settings.keys import numbers
from discordianai.settings.tables import Settings
from tests.operations.builders import provider, well
from tests.operations.strategies import snapshots


@given(snapshots())
def test_json_loses_nothing(snapshot: Snapshot) -> None:
    assert from_json(to_json(snapshot)) == snapshot


def test_json_is_such_as_every_reader_takes() -> None:
    endless = replace(provider().dispatch, requests_left=math.inf)
    snapshot = well(providers={"openai": replace(provider(), dispatch=endless)})

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    told = json.loads(to_json(snapshot), parse_constant=refuse)
    assert told["providers"]["openai"]["dispatch"]["requests_left"] == "Infinity"


def test_a_snapshot_has_no_secret_and_nobodys_id() -> None:
    secret = {
        "discord": {"token": "hush-hush", "guild_ids": (1234567890123,), "admin_user_ids": (9876543210987,)},
        "providers": {"openai": {"api_key": "hush-hush"}},
    }
    told = to_json(well(settings=numbers(Settings.model_validate(secret)))).decode()
    for hidden in ("hush-hush", "1234567890123", "9876543210987"):
        assert hidden not in told


def test_the_pool_of_a_further_provider_is_told_where_nothing_is_written_of_it() -> None:
    """Advice holds what was used against it."""
    local = {"base_url": "http://x", "model": "m"}
    told = numbers(Settings.model_validate({"providers": {"local-llm": local}}))
    assert told["connection_pool.local-llm.max_connections"] == 20
    assert told["providers.local-llm.read_timeout"] == 60


def test_settings_are_told_by_the_keys_of_the_file() -> None:
    told = numbers(Settings())
    assert told["connection_pool.openai.max_connections"] == 50
    assert told["rate_limits.perplexity.requests_per_minute"] == 50
    assert told["providers.perplexity.read_timeout"] == 60
    assert "rate_limits.perplexity.tokens_per_minute" not in told


NO_SNAPSHOTS = [
    "",
    "{}",
    "[1, 2]",
    '{"process": {"version": 1}}',
    '{"process":' * 5000,
    "no JSON at all",
]


@pytest.mark.parametrize("text", NO_SNAPSHOTS)
def test_what_is_no_snapshot_is_said_to_be_none(text: str) -> None:
    with pytest.raises(NotASnapshot):
        from_json(text)
