"""The operator's status page in a real browser."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.browser.chromium import AXE, Browser

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]
ROOT = Path(__file__).parents[2]


@contextmanager
def served() -> Iterator[str]:
    """A status page of made-up figures, where one provider was never asked."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.browser.status_server"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.kill()


@pytest.mark.parametrize("width", [400, 1280])
def test_the_status_page_fits_and_tells(browser: Browser, width: int) -> None:
    """Each figure in words, nothing wider than the window, no complaint, no serious barrier."""
    with served() as address:
        browser.leave()
        browser.resize(width, 900)
        browser.driver.get(address)
        browser.wait_text("#connections", "api.openai.com:443", "HTTP/2", "3 of 10", "1 min", "12 s ago")
        browser.wait_text("#warnings", "a provider asked for a pause")
        browser.wait_text("#advice", "Nothing needs to change.")
        browser.wait_text("#latencies", "OpenAI: whole answer", "1,000: half under")
        assert browser.overflow() <= 0
        for cell in browser.all("#connections td"):
            assert cell.size["height"] < 40  # pixels: no name or figure is broken into two lines
        figures = browser.text("#sections")
        perplexity = figures[figures.index("Perplexity") : figures.index("The bot")]
        assert "none yet" in perplexity
        assert "0.0 ms" not in perplexity
        assert "no limit requests" not in figures
        assert "no limit tokens" not in figures
        assert "none yet" in browser.text("#latencies")
        for scheme in ("dark", "light") if AXE.exists() else ():
            browser.prefer(scheme)
            assert browser.barriers() == []
        assert browser.errors() == []
        assert all(url.startswith(address) for url in browser.requested())
        browser.leave()
        assert httpx.get(address, headers={"host": "evil.example"}).status_code == 400
