"""Headless Chromium beside the sandbox or a bot, for the tests of the pages and for their pictures."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from selenium.common.exceptions import TimeoutException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

T = TypeVar("T")

PATIENCE = 40.0
"""Seconds; the machine may be busy."""

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"


def missing() -> str:
    """What is not installed here, for whoever skips; "" where all is there."""
    programs = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"not installed: {', '.join(programs)} (.ci/run installs them)" if programs else ""


class Browser:
    """A window. Elements are found by CSS selectors; each wait ends after `PATIENCE`."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def leave(self) -> None:
        """Show nothing, and forget what was asked for and complained of."""
        self.driver.get("about:blank")
        self.errors()
        self.requested()

    def resize(self, width: int, height: int) -> None:
        """The page's own size, not the window's."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: str) -> None:
        """Have the reader prefer `dark` or `light` colours."""
        features = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", features)

    def find(self, selector: str) -> WebElement:
        """The first such element, once it is there."""
        return self._wait(lambda: self.all(selector), f"no {selector}")[0]

    def all(self, selector: str) -> list[WebElement]:
        """Those that are there now."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """The visible text of the first such element."""
        return str(
            self.driver.execute_script("return document.querySelector(arguments[0]).innerText", selector)
        )

    def wait_text(self, selector: str, *wanted: str) -> str:
        """Wait until the element's text has all of these in it; return it."""

        def found() -> str:
            there = self.text(selector) if self.all(selector) else ""
            return there if all(each in there for each in wanted) else ""

        return self._wait(found, f"{selector} never had {wanted}", selector)

    def until(self, script: str, why: str) -> object:
        """Wait until this JavaScript expression is true."""
        return self._wait(lambda: self.driver.execute_script(f"return {script}"), why)

    def _wait(self, condition: Callable[[], T], why: str, selector: str = "body") -> T:
        try:
            return WebDriverWait(self.driver, PATIENCE, poll_frequency=0.1).until(lambda _: condition())
        except TimeoutException:
            there = self.text(selector) if self.all(selector) else ""
            raise AssertionError(f"{why}, but: {there[-1000:]}") from None

    def press(self, label: str, within: str = "body") -> None:
        """Click the last button there that has this label."""
        script = (
            "const found = [...document.querySelectorAll(arguments[0] + ' button')]"
            ".filter((each) => each.innerText === arguments[1]); found.at(-1)?.click(); return found.length"
        )
        self._wait(lambda: self.driver.execute_script(script, within, label), f"no button {label}")

    def errors(self) -> list[str]:
        """What the console complained of since the last call."""
        return [f"{each['level']}: {each['message']}" for each in self._log("browser")]

    def requested(self) -> set[str]:
        """The addresses that were asked for since the last call, without what is in the page itself."""
        events = [json.loads(each["message"])["message"] for each in self._log("performance")]
        asked = (event["params"] for event in events if event["method"] == "Network.requestWillBeSent")
        urls = {str(each["request"]["url"]) for each in asked}
        return {url for url in urls if not url.startswith("data:")}

    def _log(self, kind: str) -> list[dict[str, str]]:
        entries: list[dict[str, str]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]  # selenium's
        return entries

    def barriers(self) -> list[str]:
        """What axe-core finds serious or critical on the page as it is."""
        self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
        found = self.driver.execute_async_script(
            "const [done] = arguments; axe.run().then((found) => done(found.violations))"
        )
        return [
            f"{each['id']}: {node['html'][:200]}"
            for each in found
            if each["impact"] in {"serious", "critical"}
            for node in each["nodes"]
        ]

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(
            self.driver.execute_script(
                "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )


@contextmanager
def open_browser(folder: Path, width: int = 1280, height: int = 800) -> Iterator[Browser]:
    """Open a window while the block runs; its files go into `folder`."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (
        "--headless=new",
        "--no-sandbox",  # the tests may run as root
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        "--force-color-profile=srgb",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        f"--user-data-dir={folder / 'profile'}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service(shutil.which("chromedriver") or "", log_output=str(folder / "chromedriver.log"))
    driver = Chrome(options=options, service=service)
    try:
        driver.set_script_timeout(PATIENCE)
        driver.set_page_load_timeout(PATIENCE)
        browser = Browser(driver)
        browser.leave()  # the browser's own first page
        browser.resize(width, height)
        yield browser
    finally:
        driver.quit()


@contextmanager
def open_sandbox_page() -> Iterator[str]:
    """Run the sandbox as a process while the block runs; yield its page's address."""
    with subprocess.Popen(
        [sys.executable, "-m", "discordianai", "sandbox"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"http://127\.0\.0\.1:\d+/\S+/", line):
                    yield found[0]
                    break
            process.stdin.close()  # as Ctrl-D
            process.wait(PATIENCE)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
