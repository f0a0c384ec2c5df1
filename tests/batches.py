"""How the tests are given to the workers."""

from collections import Counter

from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]  # it tells no types

BATCH = 12
"""Tests of a module; their messages would take the time of a worker if each was sent for itself."""


class BatchScheduling(LoadGroupScheduling):  # type: ignore[misc]  # its base is untyped
    """Keeps the tests of a group together, and sends the others of a module several at a time."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.config.option.loadscopereorder = False  # in the order of the collection
        self._batches: dict[str, str] = {}
        self._seen = Counter[str]()

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        if scope != nodeid:
            return scope
        if nodeid not in self._batches:
            module = nodeid.partition("::")[0]
            self._batches[nodeid] = f"{module} {self._seen[module] // BATCH}"
            self._seen[module] += 1
        return self._batches[nodeid]
