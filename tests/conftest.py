"""What tests of several packages share."""

import gc
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from discordianai.sandbox.certificates import Authority, make_authority

pytest_plugins = ["tests.postgres"]

settings.register_profile("fast", max_examples=30, deadline=None)
settings.register_profile("all", max_examples=100, deadline=None)
settings.register_profile("thorough", max_examples=10_000, deadline=None)
settings.load_profile("fast")  # `--hypothesis-profile` comes later
"""How many examples a property is tried with: by `make test`, by `make test-all`, before it is believed."""


def pytest_collection_finish() -> None:
    """What is imported and collected stays: no collection of garbage is to look through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """Formatting lines that nobody reads would be a good part of the suite's time; structlog's default draws
    each traceback with its source and its variables, which takes half a second."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def authority() -> Authority:
    """One certificate authority for the whole run: making one takes a while."""
    return make_authority()
