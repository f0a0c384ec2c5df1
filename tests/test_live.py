"""Who holds options that change has those of the moment, and is told once of each change."""

from dataclasses import dataclass, replace

import pytest

from discordianai.option import Live


@dataclass(frozen=True)
class Options:
    """Of two parts."""

    line: int = 1
    pool: int = 1


def test_what_is_read_is_what_holds_now() -> None:
    """Also by who holds a part, and a part of that."""
    live = Live(Options())
    part = live.part(lambda options: options.pool)
    doubled = part.part(lambda pool: 2 * pool)
    live.reconfigure(Options(pool=5))
    assert (live.now, part.now, doubled.now) == (Options(pool=5), 5, 10)


def test_who_follows_is_told_of_changes_of_its_own_part_alone() -> None:
    """A budget is not begun anew because a list of people has changed."""
    told: list[int] = []
    live = Live(Options())
    live.part(lambda options: options.pool).follow(told.append)
    live.reconfigure(Options(line=7))
    live.reconfigure(Options(line=7))
    assert told == []
    live.reconfigure(replace(live.now, pool=3))
    assert told == [3]


def test_who_came_first_is_told_first_and_finds_all_of_its_own_part_changed() -> None:
    """A pool is to have its place before the dispatcher lets a request through."""
    told: list[tuple[str, int]] = []
    live = Live(Options())
    pool = live.part(lambda options: options.pool)
    pool.follow(lambda size: told.append(("pool", size)))
    live.part(lambda options: options.pool).follow(lambda _: told.append(("dispatcher", pool.now)))
    live.reconfigure(Options(pool=4))
    assert told == [("pool", 4), ("dispatcher", 4)]


def test_a_bug_in_one_who_follows_keeps_no_other_from_being_told() -> None:
    """Nor from reading them: else the same settings, read again, would be no change any more."""
    told: list[int] = []
    live = Live(Options())

    def broken(_: Options) -> None:
        raise KeyError("a bug")

    live.follow(broken)
    part = live.part(lambda options: options.pool)
    part.follow(told.append)
    with pytest.raises(KeyError):
        live.reconfigure(Options(pool=2))
    assert (live.now.pool, part.now, told) == (2, 2, [2])
