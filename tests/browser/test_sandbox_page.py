"""The sandbox's page in a real browser, with the real bot."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.chromium import AXE, Browser

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

LAST = "#messages > li:last-child"


@pytest.fixture(autouse=True)
def page(browser: Browser, address: str) -> Iterator[Browser]:
    """The page in general, as alice, with a bot. Nothing goes wrong in the browser during a test."""
    browser.driver.get(address)
    browser.wait_text("#state", "bot connected")
    yield browser
    assert browser.errors() == []
    origin = "http://" + urlsplit(address).netloc
    assert all(url.startswith(origin) for url in browser.requested())


def send(page: Browser, line: str) -> None:
    """Type a line, and press Enter."""
    page.find("#line").clear()
    page.find("#line").send_keys(line, Keys.ESCAPE, Keys.ENTER)


def choose(page: Browser, selector: str, value: str) -> None:
    """Choose from a list."""
    script = "const [list, value] = arguments; list.value = value; list.dispatchEvent(new Event('change'))"
    page.driver.execute_script(script, page.find(selector), value)


def test_an_answer_streams_and_stops(page: Browser) -> None:
    """It grows while one looks, and Stop ends it; Continue goes on. The keyboard stays at the button."""
    send(page, "/ask !slow tell me a long story")
    first = page.wait_text(LAST, "alice used /ask", "Stop", "You")
    page.until(
        f"document.querySelector('{LAST}').innerText.length > {len(first)}", "the answer does not grow"
    )
    page.press("Stop", LAST)
    page.wait_text(LAST, "Stopped.", "Continue")
    page.press("Continue", LAST)
    page.wait_text(LAST, "Stop")
    page.press("Stop", LAST)
    page.wait_text(LAST, "Stopped.")


def test_a_long_answer_has_its_sources_its_code_and_its_lists(page: Browser) -> None:
    """As elements: a link leads to https, code is in a block, and the message's own markup stays text."""
    send(page, "/search what happened today <img src=x onerror=alert(1)> <b>bold</b>")
    page.wait_text("#messages", "Sources", "as you asked")
    links = page.all(f"{LAST} .text a")
    assert links
    assert all(str(link.get_attribute("href")).startswith("https://") for link in links)
    assert all(link.get_attribute("rel") == "noopener noreferrer" for link in links)
    page.find("#messages pre code")
    page.find("#messages ul li strong")
    assert page.all("#messages img") == []
    assert page.all("#messages b") == []
    assert "```" not in page.text("#messages")


def test_a_private_answer_is_marked_and_seen_by_one(page: Browser) -> None:
    """Bob, who looks into the same channel, sees nothing of it."""
    send(page, "/ask private:true a secret between us")
    page.wait_text(LAST, "Only you can see this", "Again")
    choose(page, "#person", "bob")
    page.until("me.person === 'bob'", "alice stays")
    page.until("!document.querySelector('#messages').innerText.includes('secret')", "bob sees it")


def test_a_form_opens_from_a_message_s_menu(page: Browser) -> None:
    """It is a dialog that is sent or cancelled, by keyboard too."""
    send(page, "/ask something to ask about")
    page.wait_text("#messages", "something to ask about")
    page.wait_text(LAST, "Again")
    page.find(f"{LAST} summary").click()
    page.press("Ask about this", LAST)
    page.until("document.querySelector('#form').open", "no form")
    page.find("#dismiss").click()
    page.until("!document.querySelector('#form').open", "the form stays")
    page.find(f"{LAST} summary").click()
    page.press("Ask about this", LAST)
    page.until("document.querySelector('#form').open", "no form")
    page.find("#field").send_keys("and why is that?")
    page.find("#submit").click()
    page.wait_text("#messages", "sent a form", "and why is that?")
    page.wait_text(LAST, "Again")


def test_a_file_goes_with_a_question_and_comes_with_an_export(page: Browser, tmp_path: Path) -> None:
    """The bot reads the one; the other is a link that saves it."""
    notes = tmp_path / "notes.md"
    notes.write_text("# The notes of the day")
    page.find("#file").send_keys(str(notes))
    send(page, "/ask what is in this")
    page.wait_text("#messages", "file: notes.md", "The notes of the day")
    page.wait_text(LAST, "Again")
    send(page, "/export")
    page.wait_text(LAST, "bytes")
    link = page.find(f"{LAST} a[download]")
    text = page.driver.execute_async_script(
        "fetch(arguments[0]).then((answer) => answer.text()).then(arguments[1])", link.get_attribute("href")
    )
    assert "The notes of the day" in text


def test_the_picker_lists_commands_and_is_used_by_keyboard(page: Browser) -> None:
    """Arrow keys choose, Tab takes, and a screen reader is told which."""
    line = page.find("#line")
    line.clear()
    line.send_keys("/se")
    page.wait_text("#picker", "/search")
    line.send_keys(Keys.ARROW_DOWN)
    assert page.find("#line").get_attribute("aria-activedescendant") == "picker-0"
    line.send_keys(Keys.TAB)
    assert line.get_attribute("value") == "/search "
    line.clear()
    line.send_keys("/ask why provider:")
    page.wait_text("#picker", "provider:openai")
    line.clear()
    line.send_keys("/ask why model:g")
    assert "model:gpt-" in page.wait_text("#picker", "model:g")
    line.clear()


def test_faults_and_what_they_do(page: Browser) -> None:
    """One for the next question, one that lasts; the person reads a sentence each time."""
    page.driver.execute_script(
        "document.querySelectorAll('#faults details').forEach((each) => { each.open = true })"
    )
    for name in ("openai-down", "perplexity-down"):
        page.press(name)
        page.until(f"document.querySelector('#fault-{name}').ariaPressed === 'true'", f"{name} stays off")
    send(page, "/ask does this work")
    page.wait_text(LAST, "does this work", "error")
    page.press("Switch all off")
    page.until("!document.querySelector('#faults [aria-pressed=true]')", "a fault stays on")


def test_a_question_survives_the_bot(page: Browser) -> None:
    """It is killed in the middle of an answer; the next one takes the question up."""
    send(page, "/ask !slow what survives a kill")
    page.wait_text(LAST, "Stop", "You")
    page.press("Kill the bot")
    page.wait_text("#state", "bot not running")
    page.until(
        "new Promise((done) => setTimeout(done, 5100, true))", ""
    )  # Discord wants 5 s between IDENTIFYs
    page.press("Start the bot")
    page.wait_text("#state", "bot connected")
    before = page.wait_text(LAST, "what survives a kill", "Stop")
    page.until(f"document.querySelector('{LAST}').innerText !== {json.dumps(before)}", "nobody goes on")
    page.press("Stop", LAST)
    page.wait_text(LAST, "Stopped.")


def test_beside_the_answer_is_what_carries_it(page: Browser) -> None:
    """A stream on a connection, and a request less in the budget."""
    send(page, "/ask !slow how are you carried")
    page.wait_text(LAST, "Stop")
    page.wait_text("#connections", "HTTP/2", "1 of ")
    page.wait_text("#budgets", "OpenAI", "1 of 50", "a minute", "closed")
    page.press("Stop", LAST)
    page.wait_text(LAST, "Stopped.")


def test_a_narrow_window_is_no_wider_than_itself(page: Browser) -> None:
    """At 400 pixels all of it can be used."""
    page.resize(400, 800)
    try:
        page.until("innerWidth === 400", "not narrow")
        assert page.overflow() <= 0
        send(page, "/ask private:true from a small screen")
        page.wait_text("#messages", "from a small screen")
        page.wait_text(LAST, "OpenAI")
        assert page.overflow() <= 0
    finally:
        page.resize(1280, 800)


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed (npm ci --prefix tests/browser)")
def test_nobody_is_kept_out(page: Browser) -> None:
    """axe-core finds no serious barrier: in the page, in a form, with the picker and every fault open."""
    send(page, "/search who is kept out")
    page.wait_text("#messages", "who is kept out")
    page.wait_text(LAST, "Sources", "Again")
    page.driver.execute_script(
        "document.querySelectorAll('#faults details').forEach((each) => { each.open = true })"
    )
    page.find("#line").send_keys("/")
    page.wait_text("#picker", "/ask")
    for scheme in ("dark", "light"):
        page.prefer(scheme)
        assert page.barriers() == []
    page.find("#line").clear()
    page.find(f"{LAST} summary").click()
    page.press("Ask about this", LAST)
    page.until("document.querySelector('#form').open", "no form")
    assert page.barriers() == []
    page.find("#dismiss").click()
    page.until("!document.querySelector('#form').open", "the form stays")


def test_another_origin_is_refused(page: Browser, address: str) -> None:
    """A page that knows the address, even: the browser sends its own origin, and is told no."""
    page.driver.get("data:text/html,<title>elsewhere</title>")
    script = (
        "const [address, body, done] = arguments;"
        "fetch(address + 'send', {method: 'POST', headers: {'content-type': 'application/json'}, body})"
        ".then(() => done('read'), () => fetch(address + 'send', {method: 'POST', mode: 'no-cors', body})"
        ".then(() => done('sent, not read'), () => done('not sent')))"
    )
    body = json.dumps({"person": "alice", "channel": "1300000000000000101", "line": "/ask from elsewhere"})
    assert page.driver.execute_async_script(script, address, body) != "read"
    page.errors()  # the browser complains of that page, as it should
    page.driver.get(address)
    page.wait_text("#state", "bot connected")
    assert "from elsewhere" not in page.text("#messages")


HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(1)> <a href=javascript:alert(1)>x</a>",
    '[x](javascript:alert(1)) [x](<data:text/html,<b>>) [x](https://a.example/"onclick=alert(1))',
    "[[a](https://a.example)](https://b.example) <https://user:pass@c.example/> https://d.example/<b>",
    "```html\n<iframe src=//e.example>\n``` ```\n<b>",
    "**__*~~||`" * 200,
    "[" * 2000,
    "*a " * 700 + "_b " * 300,
    "> " * 400 + "\n" + "- " * 400 + "\n" + "#" * 400,
    "\u202e\u0000<\u2028/div>",
)


def test_no_text_becomes_markup(page: Browser) -> None:
    """Only the renderer's own elements, links to http and https alone, and no text takes long."""
    script = (
        "const began = performance.now(), made = markdown(arguments[0]);"
        "return {took: performance.now() - began, text: made.textContent,"
        "tags: [...made.querySelectorAll('*')].map((each) => each.tagName),"
        "links: [...made.querySelectorAll('[href], [src]')].map((each) => each.href),"
        "handlers: [...made.querySelectorAll('*')].flatMap((each) => each.getAttributeNames())"
        ".filter((name) => name.startsWith('on'))}"
    )
    own = {"DIV", "P", "PRE", "CODE", "STRONG", "EM", "U", "S", "SPAN", "A", "UL", "LI", "BLOCKQUOTE", "TIME"}
    for text in HOSTILE:
        made = page.driver.execute_script(script, text)
        assert set(made["tags"]) <= own | {"H3", "H4", "H5"}, text
        assert all(link.startswith(("http://", "https://")) for link in made["links"]), made["links"]
        assert made["handlers"] == []
        assert made["took"] < 500, text
    bold = page.driver.execute_script("return markdown('**a** [b](<https://c.example/>)').innerHTML")
    assert bold.startswith('<div><strong>a</strong> <a href="https://c.example/"')
