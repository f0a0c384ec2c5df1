"""What the service manager is told, over a real socket."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from discordianai.operations.systemd import LONGEST_STATUS, Notifier
from tests.operations.managers import Manager, open_abstract_manager, open_manager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with open_manager(tmp_path) as opened:
        yield opened


def test_the_manager_hears_what_the_bot_does_in_its_life(manager: Manager) -> None:
    notifier = Notifier(manager.watching(10))
    notifier.extend_timeout(45)
    notifier.status("connecting to Discord")
    assert notifier.starting
    notifier.ready()
    notifier.watchdog()
    before = time.monotonic()
    notifier.reloading()
    notifier.ready()
    notifier.stopping()
    *plain, reloading, ready, stopping = manager.waiting()
    assert plain == ["EXTEND_TIMEOUT_USEC=45000000", "STATUS=connecting to Discord", "READY=1", "WATCHDOG=1"]
    kind, moment = reloading.split("\n")
    assert kind == "RELOADING=1"
    assert before <= int(moment.removeprefix("MONOTONIC_USEC=")) / 1e6 <= time.monotonic()
    assert (ready, stopping) == ("READY=1", "STOPPING=1")
    assert not notifier.starting


def test_a_socket_without_a_file_is_heard_too() -> None:
    with open_abstract_manager(f"discordianai-test-{os.getpid()}") as manager:
        Notifier(manager.environment()).ready()
        assert manager.waiting() == ["READY=1"]


def test_the_same_status_is_told_once(manager: Manager) -> None:
    notifier = Notifier(manager.environment())
    for text in ("3 in flight", "3 in flight", "4 in flight"):
        notifier.status(text)
    assert manager.waiting() == ["STATUS=3 in flight", "STATUS=4 in flight"]


def test_a_status_cannot_smuggle_in_another_assignment(manager: Manager) -> None:
    notifier = Notifier(manager.environment())
    notifier.status("fine\nREADY=1\0" + "x" * 10_000)
    (told,) = manager.waiting()
    assert told.startswith("STATUS=fine READY=1 xxx")
    assert len(told) == len("STATUS=") + LONGEST_STATUS


def test_where_nobody_listens_nothing_happens() -> None:
    notifier = Notifier({"WATCHDOG_USEC": "1000000"})
    assert not notifier.active
    assert notifier.watchdog_seconds is None
    notifier.ready()
    notifier.watchdog()


@pytest.mark.parametrize(
    "address", ["/nowhere/at/all", "/" + "x" * 200, "@" + "x" * 200, "a\0b", "vsock:2:1234"]
)
def test_an_address_that_leads_nowhere_is_logged_once_and_never_raises(address: str) -> None:
    structlog.reset_defaults()
    with capture_logs() as lines:
        notifier = Notifier({"NOTIFY_SOCKET": address})
        notifier.ready()
        notifier.stopping()
    assert [line["event"] for line in lines] == ["service manager could not be notified"]


def test_a_manager_that_does_not_read_holds_nothing_up_and_still_hears_the_end(manager: Manager) -> None:
    notifier = Notifier(manager.watching(10))
    began = time.monotonic()
    for number in range(1000):  # many more than its queue holds
        notifier.status(f"{number} answered")
        notifier.watchdog()
    notifier.ready()
    notifier.watchdog()
    assert time.monotonic() - began < 5
    heard = manager.waiting()
    assert len(heard) < 1000
    notifier.stopping()
    assert manager.waiting() == ["STATUS=999 answered\nREADY=1\nSTOPPING=1"]


def test_a_manager_that_comes_back_is_told_what_it_missed(tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    notifier.ready()
    with open_manager(tmp_path) as manager:
        notifier.status("fine")
        assert manager.waiting() == ["READY=1\nSTATUS=fine"]


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "me"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_only_where_this_process_is_watched(
    manager: Manager, variables: dict[str, str], seconds: float | None
) -> None:
    notifier = Notifier(manager.environment(**variables))
    assert notifier.watchdog_seconds == seconds
    notifier.watchdog()
    assert manager.waiting() == (["WATCHDOG=1"] if seconds else [])
