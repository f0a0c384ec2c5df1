"""Ids in the log: hidden wherever they stand, the same each time, and of no use without the key."""

import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from discordianai.pseudonyms import Pseudonyms, is_pseudonym

KEY = b"k" * 32
ANN = 987654321012345678


def test_a_name_is_the_same_for_the_same_key_and_another_for_another() -> None:
    """So that a person can be followed over restarts, and not from one bot to the next."""
    assert Pseudonyms(KEY).of(ANN) == Pseudonyms(KEY).of(ANN)
    assert Pseudonyms(KEY).of(ANN) != Pseudonyms(KEY).of(ANN + 1)
    assert len({Pseudonyms(KEY).of(ANN), Pseudonyms(b"o" * 32).of(ANN), Pseudonyms().of(ANN)}) == 3
    assert is_pseudonym(Pseudonyms(KEY).of(ANN))


def test_until_there_is_a_key_names_are_of_this_process_alone() -> None:
    pseudonyms = Pseudonyms()
    before = pseudonyms.of(ANN)
    pseudonyms.use(KEY)
    assert before != pseudonyms.of(ANN) == Pseudonyms(KEY).of(ANN)


def test_a_name_is_no_plain_hash_that_trying_all_ids_would_undo() -> None:
    digests = [hashlib.new(name, str(ANN).encode()).hexdigest() for name in ("md5", "sha1", "sha256")]
    assert not any(Pseudonyms(KEY).of(ANN)[3:] in digest for digest in digests)


@given(st.integers(10**15, 2**64 - 1), st.text("abc /<@!>:,\"'()[]{}\n", max_size=9))
def test_no_id_is_left_in_any_value(discord_id: int, around: str) -> None:
    """Numbers, addresses, mentions, lists and tables."""
    text = f"{around} /channels/{discord_id}/messages/{discord_id}?x=<@{discord_id}>{around.lstrip('abc')}"
    for value in (discord_id, text, [text, {"a": discord_id}], {"x": (text,)}, {discord_id: 1}):
        shown = str(Pseudonyms(KEY).hide("reason", value))
        assert str(discord_id) not in shown
        assert Pseudonyms(KEY).of(discord_id) in shown


def test_what_is_named_as_an_id_is_hidden_however_short_it_is() -> None:
    for field in ("person", "server", "channel"):
        assert Pseudonyms(KEY).hide(field, 7) == Pseudonyms(KEY).of(7)
    assert Pseudonyms(KEY).hide("scope", 0) == 0


def test_other_figures_stay() -> None:
    told = {"seconds": 0.12345678901234567, "pause": "0.12345678901234567", "count": 1_000_000, "late": True}
    hidden = {field: Pseudonyms(KEY).hide(field, value) for field, value in told.items()}
    assert hidden == told
    assert re.fullmatch(r"[\d.]+", str(hidden["pause"]))
