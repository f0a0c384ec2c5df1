"""A Discord at the terminal: type `/ask why is the sky blue`, and watch the answer come."""

import sys
import tempfile
import textwrap
from pathlib import Path

import trio

from discordianai.sandbox.discord import Interaction
from discordianai.sandbox.discord.api_objects import Json
from discordianai.sandbox.launcher import Sandbox, open_bot, open_sandbox
from discordianai.sandbox.providers.provider_faults import MARKERS

QUIET = 1.6
"""Seconds after the last edit, with no request in flight, until an answer counts as complete.

The bot edits once a second.
"""

TYPED = 1
"""The type of Discord's commands that are typed; others are in menus."""

ANSWER_TIMEOUT = 300.0

WELCOME = f"""\
This is the sandbox: a Discord, an OpenAI and a Perplexity on this machine. The bot is real, the answers are
the sandbox's own.
Try: /ask why is the sky blue
     /search what happened today
     /ask private:true tell nobody
A question with one of these words in it is answered as the word says, mostly badly:
{textwrap.fill(" ".join(MARKERS), 100, initial_indent="     ", subsequent_indent="     ")}
Ctrl-D ends it.
"""


async def run() -> int:
    """Answer what is typed, or each line of standard input; the exit status is the bot's."""
    say(WELCOME)
    with tempfile.TemporaryDirectory(prefix="discordianai-sandbox-") as folder:
        async with open_sandbox(Path(folder)) as sandbox, open_bot(sandbox) as bot:
            await bot.ready()
            await _converse(sandbox)
            status = await bot.stop()
        if status:
            say(sandbox.log.read_text())
    return status


async def _converse(sandbox: Sandbox) -> None:
    """Read lines until there are no more."""
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
    """A typed line as a command and its options. Raises `ValueError`.

    `name:value` sets an option; the words that are left are the first option. A line that begins with no
    slash is a question.
    """
    command, _, rest = (line if line.startswith("/") else f"/ask {line}").partition(" ")
    name = command.removeprefix("/")
    if name not in commands:
        known = ", ".join(
            f"/{known}" for known, command in commands.items() if command.get("type", 1) == TYPED
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
    """Print what the bot writes, as it writes it."""
    shown: dict[int, Shown] = {}
    with trio.move_on_after(ANSWER_TIMEOUT):
        while True:
            with trio.move_on_after(QUIET) as quiet:
                await interaction.wait_changed()
            for message in interaction.messages:
                if shown and message.id not in shown:
                    # A further message begins on a line of its own, when those before it are complete.
                    say("".join(earlier.rest() for earlier in shown.values()) + "\n")
                say(shown.setdefault(message.id, Shown()).news(message.content))
            services = (sandbox.openai, sandbox.perplexity, sandbox.foreign)
            busy = any(service.in_flight for service in services)
            if quiet.cancelled_caught and not busy and not interaction.loading:
                break
    say("".join(message.rest() for message in shown.values()))
    say("\n(only you see this)\n\n" if interaction.private else "\n\n")


class Shown:
    """What was printed of one message. A terminal takes nothing back, and a message changes at its end.

    While a code block is being written, each edit closes it, and the next goes on inside: so what one edit
    has is printed when the next one has it, too.
    """

    def __init__(self) -> None:
        self._printed = ""
        self._latest = ""

    def news(self, content: str) -> str:
        """What to print now that the message is `content`."""
        pairs = enumerate(zip(self._latest, content, strict=False))
        settled = next((at for at, (old, new) in pairs if old != new), min(len(self._latest), len(content)))
        self._latest = content
        return self._up_to(content[:settled])

    def rest(self) -> str:
        """What is left to print of a message that is complete."""
        return self._up_to(self._latest)

    def _up_to(self, text: str) -> str:
        """All of it anew where it is another one, as an answer is in the place of a note."""
        if self._printed.startswith(text):
            return ""
        before, self._printed = self._printed, text
        return text[len(before) :] if text.startswith(before) else f"\n{text}"


def say(text: str) -> None:
    """Print at once."""
    print(text, end="", flush=True)  # noqa: T201  # this is the terminal
