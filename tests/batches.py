"""How the tests are given to the workers: in batches, and in which order.

For `--dist loadgroup --no-loadscope-reorder`: whoever has no group gets one here.
"""

from collections import Counter

import pytest

BATCH, SLOW_BATCH = 12, 2
"""Tests of a module. Their messages would take the time of a worker if each was sent for itself; a batch of
slow ones that begins late would be waited for."""

BOTS = ("hostile", "end_to_end")
"""The folders whose tests begin first: they wait most of the time. The longest are hostile ones, several in a
row."""


@pytest.hookimpl(tryfirst=True)  # before xdist adds the groups to the tests' ids
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits begins first, so that what ends last is short. Those of one bot stay in their order."""
    items.sort(key=_place)
    seen = Counter[str]()
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            kind, size = ("slow ", SLOW_BATCH) if _is_slow(item) else ("", BATCH)
            module = f"{kind}{item.nodeid.partition('::')[0]}"
            item.add_marker(pytest.mark.xdist_group(f"{module} {seen[module] // size}"))
            seen[module] += 1


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Give a test its own id back: by that with the group `--last-failed` would not find it.

    Not in the worker, whose reports have no `node`: there xdist compares the ids.
    """
    if hasattr(report, "node") and report.nodeid.rfind("@") > report.nodeid.rfind("]"):
        report.nodeid = report.nodeid.rpartition("@")[0]


def _is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


def _place(item: pytest.Item) -> int:
    folder = next((at for at, name in enumerate(BOTS) if name in item.path.parts), None)
    return len(BOTS) + (not _is_slow(item)) if folder is None else folder
