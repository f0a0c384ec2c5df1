"""One Chromium and one sandbox for all tests of a module: both take seconds to start."""

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Browser, missing, open_browser, open_sandbox_page


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A window of 1280 by 800 pixels."""
    if reason := missing():
        pytest.skip(reason)
    with open_browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a sandbox's page."""
    if reason := missing():
        pytest.skip(reason)
    with open_sandbox_page() as address:
        yield address
