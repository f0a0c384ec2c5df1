"""How the tests are given to the workers: in batches, and in which order.

For `--dist loadgroup --no-loadscope-reorder`: whoever has no group gets one here.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest

import pytest

BATCH, SLOW_BATCH = 12, 2
"""Tests of a module. Their messages would take the time of a worker if each was sent for itself; a batch of
slow ones that begins late would be waited for."""

HOSTILE = {"hostile", "security"}
"""The folders whose slow tests take longest, several of one bot in a row."""


@pytest.hookimpl(tryfirst=True)  # before xdist adds the groups to the tests' ids
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lasts long begins first, so that what ends last is short. Those of one bot stay in their order.

    The hostile and those of a bot wait most of the time: each begins in turn with one that computes.
    """
    hostile, bots, slow, others = (defaultdict[str, list[pytest.Item]](list) for _ in range(4))
    seen = Counter[str]()
    for item in items:
        if "end_to_end" in item.path.parts:
            batches = bots
        elif not _is_slow(item):
            batches = others
        else:
            batches = hostile if HOSTILE & set(item.path.parts) else slow
        batches[_group_of(item, seen)].append(item)
    longest = _in_turn(hostile.values(), (*bots.values(), *slow.values()))
    items[:] = chain.from_iterable(_in_turn(longest, others.values()))


def _in_turn(*kinds: Iterable[list[pytest.Item]]) -> Iterator[list[pytest.Item]]:
    """One batch of each kind, until there is none left of any."""
    return filter(None, chain.from_iterable(zip_longest(*kinds, fillvalue=[])))


def _group_of(item: pytest.Item, seen: Counter[str]) -> str:
    """The group of a test; a batch of its module where it had none."""
    if (group := item.get_closest_marker("xdist_group")) is not None:
        return str(group.args[0])
    kind, size = ("slow ", SLOW_BATCH) if _is_slow(item) else ("", BATCH)
    module = f"{kind}{item.nodeid.partition('::')[0]}"
    name = f"{module} {seen[module] // size}"
    seen[module] += 1
    item.add_marker(pytest.mark.xdist_group(name))
    return name


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Give a test its own id back: by that with the group `--last-failed` would not find it.

    Not in the worker, whose reports have no `node`: there xdist compares the ids.
    """
    if hasattr(report, "node") and report.nodeid.rfind("@") > report.nodeid.rfind("]"):
        report.nodeid = report.nodeid.rpartition("@")[0]


def _is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None
