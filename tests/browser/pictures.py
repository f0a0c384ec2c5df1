"""`make pictures`: the pictures of README and docs, taken of the sandbox and its bot as they run."""

import sys
import tempfile
from pathlib import Path

import trio
from selenium.webdriver.common.keys import Keys

from discordianai.sandbox.asgi_server import free_port
from discordianai.sandbox.launcher import open_bot, open_sandbox
from tests.browser.chromium import Browser, missing, open_browser, open_sandbox_page

DOCS = Path(__file__).parents[2] / "docs"
WIDTH, HEIGHT = 1180, 780
LAST = "#messages > li:last-child"


def sandbox_page(browser: Browser, address: str) -> None:
    """An answer with its code and its sources, and below it one that streams."""
    browser.driver.get(address)
    browser.wait_text("#state", "bot connected")
    for line, wanted in (
        ("/ask why is the sky blue", "no search needed"),
        ("/search how many sources", "as you asked"),
        ("/ask private:true !slow tell nobody", "Stop"),
    ):
        browser.find("#line").send_keys(line, Keys.ESCAPE, Keys.ENTER)
        browser.wait_text(LAST, wanted)
    browser.wait_text("#connections", "1 of ")
    browser.driver.save_screenshot(str(DOCS / "sandbox.png"))


def picker(browser: Browser) -> None:
    """On a small screen, with the commands."""
    browser.resize(400, 760)
    browser.press("Stop", LAST)
    browser.wait_text(LAST, "Stopped.")
    browser.find("#line").send_keys("/")
    browser.wait_text("#picker", "/search")
    browser.driver.execute_script("document.querySelector('#line').scrollIntoView({block: 'end'})")
    browser.driver.save_screenshot(str(DOCS / "sandbox-small.png"))


async def status_page(browser: Browser, folder: Path) -> None:
    """Of a bot that has answered a few questions."""
    port = free_port()
    async with open_sandbox(folder) as sandbox:
        sandbox.write_settings({"operations": {"port": port}})
        async with open_bot(sandbox) as bot:
            await bot.ready()
            for number in range(6):
                asked = await sandbox.discord.invoke("ask", {"prompt": f"what is {number} times {number}"})
                await asked.settled()
            await trio.to_thread.run_sync(_take_status_page, browser, f"http://127.0.0.1:{port}/")


def _take_status_page(browser: Browser, address: str) -> None:
    browser.resize(WIDTH, 1180)
    browser.driver.get(address)
    browser.wait_text("#connections", "HTTP/2")
    browser.until("new Promise((done) => setTimeout(done, 8000, true))", "")  # some seconds of its charts
    browser.driver.save_screenshot(str(DOCS / "status-page.png"))


def main() -> int:
    """Take them all; the exit status is 1 where Chromium is missing."""
    if reason := missing():
        print(reason, file=sys.stderr)  # noqa: T201  # for whoever ran make
        return 1
    with tempfile.TemporaryDirectory() as folder, open_browser(Path(folder), WIDTH, HEIGHT) as browser:
        with open_sandbox_page() as address:
            sandbox_page(browser, address)
            picker(browser)
        trio.run(status_page, browser, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
