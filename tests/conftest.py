"""What tests of several rooms share."""

import pytest

from discordianai.sandbox.certificates import Authority, make_authority


@pytest.fixture(scope="session")
def authority() -> Authority:
    """One certificate authority for the whole run: making one takes a while."""
    return make_authority()
