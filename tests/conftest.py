"""What tests of several rooms share."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from discordianai.sandbox.certificates import Authority, make_authority

settings.register_profile("thorough", max_examples=10_000, deadline=None)
"""What a property is shown with before it is believed: `pytest --hypothesis-profile=thorough`."""


@pytest.fixture(scope="session", autouse=True)
def quiet_logs() -> Iterator[None]:
    """Formatting lines that nobody reads would be a good part of the suite's time."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def authority() -> Authority:
    """One certificate authority for the whole run: making one takes a while."""
    return make_authority()
