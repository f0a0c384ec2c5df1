"""Events that come twice are told from new ones, within a bound."""

from discordianai.discord.interactions.recent_events import RecentEvents


def test_an_event_is_new_once() -> None:
    """Whichever shard it comes on."""
    recent = RecentEvents()
    assert [recent.is_new(event) for event in (1, 2, 1, 2, 3)] == [True, True, False, False, True]


def test_only_so_many_are_kept() -> None:
    """The oldest are forgotten; those that come again are as old as they were."""
    recent = RecentEvents(kept=3)
    for event in (1, 2, 3, 1, 4):
        recent.is_new(event)
    assert not recent.is_new(4)
    assert recent.is_new(1)
