"""Discord at the terminal: type `/ask why is the sky blue` and see the answer as it streams."""

import sys
import tempfile
import textwrap
from pathlib import Path

import trio

from discordianai.sandbox.discord import Interaction
from discordianai.sandbox.discord.api_objects import Json
from discordianai.sandbox.launcher import Sandbox, open_bot, open_sandbox
from discordianai.sandbox.providers import FAMILIES
from discordianai.sandbox.providers.provider_faults import MARKERS

QUIET = 1.6
"""Seconds without an edit or a request in flight until an answer counts as complete.

The bot edits once a second.
"""

SLASH_COMMAND = 1
"""Discord's type of a command that is typed; others are in menus."""

ANSWER_TIMEOUT = 300.0

WELCOME = f"""\
This is the sandbox: a Discord, an OpenAI and a Perplexity on this machine. The bot is real, the answers are
the sandbox's own.
Try: /ask why is the sky blue
     /search what happened today
     /ask private:true tell nobody
Put one of these words into a question to get that kind of answer, mostly a failure:
{textwrap.fill(" ".join(MARKERS), 100, initial_indent="     ", subsequent_indent="     ")}
Ctrl-D ends it.
"""


async def run(endpoint: str | None = None) -> int:
    """Answer each line of standard input; return the bot's exit status.

    `endpoint` is one of `ENDPOINTS`, which takes OpenAI's place.
    """
    say(WELCOME)
    doubles = [name for name in FAMILIES if name == endpoint]
    with tempfile.TemporaryDirectory(prefix="discordianai-sandbox-") as folder:
        async with open_sandbox(Path(folder), endpoints=doubles) as sandbox:
            if endpoint is not None:
                sandbox.write_settings(sandbox.only(endpoint))
            async with open_bot(sandbox) as bot:
                await bot.ready()
                await _converse(sandbox)
                status = await bot.stop()
        if status:
            say(sandbox.log.read_text())
    return status


async def _converse(sandbox: Sandbox) -> None:
    """Read lines until the end of input."""
    interactive = sys.stdin.isatty()
    while True:
        if interactive:
            say("> ")
        line = await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
        if not line:
            return
        if not line.strip():
            continue
        if not interactive:
            say(f"> {line}")
        try:
            name, options = parse(line.strip(), sandbox.discord.commands)
            interaction = await sandbox.discord.invoke(name, options)
        except ValueError as error:
            say(f"{error}\n\n")
            continue
        await _watch(sandbox, interaction)


def parse(line: str, commands: dict[str, Json]) -> tuple[str, dict[str, object]]:
    """Parse a typed line into a command and its options. Raises `ValueError`.

    `name:value` sets an option; the other words are the first option. A line without a slash is a
    question.
    """
    command, _, rest = (line if line.startswith("/") else f"/ask {line}").partition(" ")
    name = command.removeprefix("/")
    if name not in commands:
        known = ", ".join(
            f"/{known}" for known, command in commands.items() if command.get("type", 1) == SLASH_COMMAND
        )
        raise ValueError(f"There is no command /{name}. There are {known}.")
    declared = {option["name"]: option for option in commands[name].get("options", ())}
    options: dict[str, object] = {}
    words = []
    for word in rest.split(" "):
        key, colon, value = word.partition(":")
        if colon and key in declared and value:
            options[key] = value.lower() == "true" if declared[key]["type"] == 5 else value
        else:
            words.append(word.removeprefix("prompt:"))
    text = " ".join(words).strip()
    if text and declared:
        options.setdefault(next(iter(declared)), text)
    return name, options


async def _watch(sandbox: Sandbox, interaction: Interaction) -> None:
    """Print what the bot writes, while it writes."""
    shown: dict[int, PrintedMessage] = {}
    with trio.move_on_after(ANSWER_TIMEOUT):
        while True:
            with trio.move_on_after(QUIET) as quiet:
                await interaction.wait_changed()
            for message in interaction.messages:
                if shown and message.id not in shown:
                    # A further message starts on its own line, once those before it are complete.
                    say("".join(earlier.rest() for earlier in shown.values()) + "\n")
                say(shown.setdefault(message.id, PrintedMessage()).news(message.content))
            busy = any(service.in_flight for service in sandbox.providers)
            if quiet.cancelled_caught and not busy and not interaction.loading:
                break
    say("".join(message.rest() for message in shown.values()))
    say("\n(only you see this)\n\n" if interaction.private else "\n\n")


class PrintedMessage:
    """Prints one message as it grows. A terminal cannot edit, and an edit may change the end of a message.

    Each edit closes a code block that is still being written, and the next edit continues inside it. So text
    is printed once two successive edits agree on it.
    """

    def __init__(self) -> None:
        self._printed = ""
        self._latest = ""

    def news(self, content: str) -> str:
        """The text to print now that the message is `content`."""
        pairs = enumerate(zip(self._latest, content, strict=False))
        settled = next((at for at, (old, new) in pairs if old != new), min(len(self._latest), len(content)))
        self._latest = content
        return self._up_to(content[:settled])

    def rest(self) -> str:
        """The text left to print when the message is complete."""
        return self._up_to(self._latest)

    def _up_to(self, text: str) -> str:
        """The text after what is printed; all of it where the message was replaced, like a notice."""
        if self._printed.startswith(text):
            return ""
        before, self._printed = self._printed, text
        return text[len(before) :] if text.startswith(before) else f"\n{text}"


def say(text: str) -> None:
    """Print at once."""
    print(text, end="", flush=True)  # noqa: T201  # this is the terminal
