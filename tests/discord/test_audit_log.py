"""Refusals and acts of power: each is counted, few are logged, and who is always refused is named."""

import sys
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from discordianai.discord.audit_log import LINES, MOST_TALLIES, AuditLog, PrivilegedAct, RefusalCause
from discordianai.pseudonyms import Pseudonyms
from discordianai.records import Person, Place

ANN, BOB = Person(10, "Ann"), Person(11, "Bob")
HERE, ALONE = Place(channel_id=1, guild_id=5), Place(channel_id=9)
NAMES = Pseudonyms(b"k" * 32)


@pytest.fixture(autouse=True)
def lines_are_written() -> None:
    """The suite's own logging leaves out INFO."""
    structlog.reset_defaults()


@dataclass
class Scene:
    """An audit log whose time passes when a test says so."""

    now: float = 1_800_000_000.0
    audit: AuditLog = field(init=False)

    def __post_init__(self) -> None:
        self.audit = AuditLog(NAMES, clock=lambda: self.now, monotonic=lambda: self.now)

    def refuse(self, person: Person, times: int = 1, every: float = 0.0, place: Place = HERE) -> None:
        for _ in range(times):
            self.audit.refused(person, place, RefusalCause.ACCESS)
            self.now += every


def lines(logs: list[MutableMapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in log.items() if key != "log_level"} for log in logs]


def test_each_is_counted_by_its_kind() -> None:
    scene = Scene()
    scene.refuse(ANN, 3)
    scene.audit.refused(BOB, HERE, RefusalCause.LIMIT)
    scene.audit.acted(BOB, HERE, PrivilegedAct.STOP)
    counted = scene.audit.now()
    assert counted.refusals == {RefusalCause.ACCESS: 3, RefusalCause.LIMIT: 1}
    assert counted.acts == {PrivilegedAct.STOP: 1}


def test_a_person_has_one_line_a_minute_and_the_next_one_counts_what_came_between() -> None:
    """Ids alone, which the log hides, and no name."""
    scene = Scene()
    with capture_logs() as logs:
        scene.refuse(ANN, 30, every=1.0)
        scene.audit.acted(ANN, HERE, PrivilegedAct.PERSONA)
        scene.audit.acted(BOB, ALONE, PrivilegedAct.STATUS)
        scene.now += 31
        scene.audit.acted(ANN, HERE, PrivilegedAct.STOP)
    assert lines(logs) == [
        {"event": "refused", "cause": "access", "person": 10, "server": 5, "channel": 1},
        {"event": "privileged act", "act": "status", "person": 11, "channel": 9},
        {
            "event": "privileged act",
            "act": "stop",
            "person": 10,
            "server": 5,
            "channel": 1,
            "since_the_last_line": "29 access, 1 persona",
        },
    ]


def test_many_people_do_not_fill_the_log() -> None:
    scene = Scene()
    with capture_logs() as logs:
        for number in range(1, 1000):
            scene.refuse(Person(number, "x"))
        assert len(logs) == LINES
        scene.now += 61
        scene.refuse(Person(1, "x"))
    assert len(logs) == LINES + 1


def test_memory_is_bounded_whoever_comes() -> None:
    scene = Scene()
    for number in range(1, 20 * MOST_TALLIES):
        scene.refuse(Person(number, "x"), 2, place=Place(1, 10**6 + number))
    sizes = {name: len(value) for name, value in vars(scene.audit).items() if hasattr(value, "__len__")}
    assert max(sizes.values()) <= 10 * MOST_TALLIES, sizes
    assert sys.getsizeof(scene.audit._tallies) < 500_000
    assert len(scene.audit._tallies) == MOST_TALLIES


def test_who_is_refused_all_the_time_is_named_with_their_server() -> None:
    """Over some time: a burst is a burst."""
    scene = Scene()
    scene.refuse(BOB, 500)
    assert scene.audit.now().always_refused == ()
    scene = Scene()
    began = scene.now
    scene.refuse(ANN, 20, every=31.0)
    (person, server) = scene.audit.now().always_refused
    assert (person.kind, person.name, person.refused, person.since) == ("person", NAMES.of(10), 20, began)
    assert (server.kind, server.name) == ("server", NAMES.of(5))
    assert person.cause is RefusalCause.ACCESS


def test_who_is_answered_too_is_not_always_refused() -> None:
    """Their server is not, either."""
    scene = Scene()
    scene.refuse(ANN, 10, every=61.0)
    for _ in range(5):
        scene.audit.admitted(ANN, HERE)
        scene.audit.admitted(BOB, HERE)
    scene.refuse(ANN, 20, every=61.0)
    assert scene.audit.now().always_refused == ()


def test_what_was_yesterday_is_over() -> None:
    scene = Scene()
    scene.refuse(ANN, 20, every=61.0)
    assert scene.audit.now().always_refused
    scene.now += 86_400
    assert scene.audit.now().always_refused == ()
    assert not scene.audit._tallies  # no id is kept for longer
    scene.refuse(ANN)
    assert scene.audit.now().always_refused == ()
