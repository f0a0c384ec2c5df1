"""What tests of several packages share."""

import gc
import logging
import signal
import sys
import time
from collections.abc import Generator, Iterator

import pytest
import structlog
from hypothesis import settings

from discordianai.sandbox.certificates import Authority, make_authority

pytest_plugins = ["tests.postgres", "tests.batches"]

settings.register_profile("fast", max_examples=20, deadline=None)
settings.register_profile("all", max_examples=100, deadline=None)
settings.register_profile("thorough", max_examples=10_000, deadline=None)
settings.load_profile("fast")  # `--hypothesis-profile` comes later
"""How many examples a property is tried with: by `make test`, by `make test-all`, before it is believed."""

DAY = 86_400


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays: to look through it for garbage takes a fifth of the time, and
    no later collection is to look through it again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_runtest_setup() -> None:
    """No test is to see two days (UTC): what is counted for a day would begin anew."""
    if (left := DAY - time.time() % DAY) < 20:
        time.sleep(left)


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


@pytest.fixture(autouse=True)
def process_as_before() -> Iterator[None]:
    """A bot takes over its process, and some of the operator's commands do: its logging, and how often its
    threads take turns. Each test has them as the first one had."""
    root, interval = logging.getLogger(), sys.getswitchinterval()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in list(root.manager.loggerDict):
        if name.startswith("discordianai"):
            logging.getLogger(name).setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)
    sys.setswitchinterval(interval)


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """Ctrl-C is heard, also by what the tests start: a shell has what it runs in the background ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def authority() -> Authority:
    """One certificate authority for the whole run: making one takes a while."""
    return make_authority()


@pytest.fixture(autouse=True, scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[None]:
    """No client here trusts the machine's own authorities: to read them takes each client 25 ms."""
    certificate = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.write_ca(certificate)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(certificate))
        yield
