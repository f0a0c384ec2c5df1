"""Discord at the terminal: type `/ask why is the sky blue` and see the answer as it streams."""

import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import trio

from discordianai.sandbox.asgi_server import free_port
from discordianai.sandbox.bot_switch import BotEnded, BotSwitch, open_bot_switch
from discordianai.sandbox.chat import FIRST_PERSON, Chat, Entry, ShownButton
from discordianai.sandbox.command_line import completions
from discordianai.sandbox.discord import CHANNELS, Channel, DiscordOptions, Interaction, User, direct_messages
from discordianai.sandbox.faults import SWITCHES, FaultPanel
from discordianai.sandbox.figures import BotFigures
from discordianai.sandbox.keyboard import Keyboard, open_keyboard
from discordianai.sandbox.launcher import BotDatabase, Sandbox, open_sandbox
from discordianai.sandbox.live_region import LiveRegion, printable
from discordianai.sandbox.page.page_server import open_page
from discordianai.sandbox.providers import FAMILIES
from discordianai.sandbox.providers.provider_faults import MARKERS

QUIET = 1.6
"""Seconds without an edit or a request in flight until an answer counts as complete.

The bot edits once a second.
"""

ANSWER_TIMEOUT = 300.0
"""Seconds."""

FRAME = 0.1
"""Seconds between two drawings."""

WELCOME = """\
This is the sandbox: a Discord, an OpenAI and a Perplexity on this machine.
The bot is real, the answers are the sandbox's own.{database}
In a browser: {page}
Try: /ask why is the sky blue
     /search what happened today
     /ask what is in this file:README.md
     /ask private:true tell nobody
1, 2, ... press a button. /? lists what else there is. Tab completes.
Ctrl-D ends it.
"""

LOCAL: dict[str, str] = {
    "/as NAME": "be another person; Owner may do everything",
    "/in CHANNEL": "go to general, help, random, or a thread",
    "/dm": "write to the bot in direct messages; /in general goes back",
    "/menu COMMAND": "use a command of the last message's menu",
    "/fault NAME": "switch a fault on; without a name, list them",
    "/heal": "switch all faults off",
    "/kill": "kill the bot; /start starts it again",
    "/start": "start the bot",
    "/?": "this list",
}
"""What the terminal does itself, beside the bot's commands."""


async def run(endpoint: str | None = None, database: BotDatabase | None = None) -> int:
    """Answer each line of standard input; return the bot's exit status.

    `endpoint` is one of `ENDPOINTS`, which takes OpenAI's place; `database` has the conversations.
    """
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    port = free_port()  # the bot listens there itself
    with (
        # The bot would go on by itself when the terminal is closed. A signal that comes while everything
        # starts is heard when the conversation begins.
        trio.open_signal_receiver(signal.SIGTERM, signal.SIGHUP) as signals,
        tempfile.TemporaryDirectory(prefix="discordianai-sandbox-") as folder,
    ):
        # The bot reads messages that mention it: its owner has switched that intent on.
        discord, doubles = DiscordOptions(allowed_intents=-1), [name for name in FAMILIES if name == endpoint]
        async with open_sandbox(
            Path(folder), discord=discord, endpoints=doubles, database=database
        ) as sandbox:
            alone = sandbox.only(endpoint) if endpoint is not None else {}
            sandbox.write_settings(
                {"operations": {"port": port}, "discord": {"respond_to": "mentions"}, **alone}
            )
            status_url = f"http://127.0.0.1:{port}"
            chat, panel = Chat(sandbox.discord), FaultPanel(sandbox)
            async with (
                httpx.AsyncClient(trust_env=False, timeout=1.0) as client,
                open_bot_switch(sandbox) as bot,
                open_page(chat, panel, bot, status_url) as address,
                open_keyboard(lambda line: _completions(line, chat), interactive=interactive) as keyboard,
            ):
                where = f"\nIts conversations are in {database.url}" if database else ""
                say(WELCOME.format(page=address, database=where))
                try:
                    await bot.ready()
                except BotEnded as error:
                    say(f"{error}\n")
                    return 1
                terminal = Terminal(sandbox, chat, panel, bot, keyboard, BotFigures(client, status_url))
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_end_on, signals, nursery.cancel_scope)
                    await terminal.converse()
                    nursery.cancel_scope.cancel()
                status = await bot.stop()
        if status:
            say(sandbox.log.read_text())
    return status


async def _end_on(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    async for _ in signals:
        scope.cancel()


def _completions(line: str, chat: Chat) -> Iterator[str]:
    """What the last word of a line may become."""
    command, space, rest = line.partition(" ")
    word = rest.rpartition(" ")[2] if space else command
    yield from completions(line, chat.discord.commands)
    names: tuple[str, ...] = ()
    if not space:
        names = tuple(f"{each.partition(' ')[0]} " for each in LOCAL)
    elif command == "/fault":
        names = tuple(SWITCHES)
    elif command == "/as":
        names = chat.people
    elif command == "/in":
        names = tuple(channel.name for channel in (*CHANNELS, *chat.discord.threads))
    elif command == "/menu":
        names = chat.menu
    elif word.startswith("!"):
        names = tuple(f"{marker} " for marker in MARKERS)
    yield from (name for name in names if name.startswith(word))
    yield from _suggestions(command.removeprefix("/"), word, chat)


def _suggestions(command: str, word: str, chat: Chat) -> Iterator[str]:
    """What the bot suggests for an option that is being typed; asked from readline's thread."""
    option, colon, typed = word.partition(":")
    if colon and command in chat.discord.commands:
        user = chat.person(FIRST_PERSON)
        found = trio.from_thread.run(chat.suggestions, user, command, option, typed)
        yield from (f"{option}:{each} " for each in found)


class Terminal:
    """One person at a time, in one channel."""

    def __init__(
        self,
        sandbox: Sandbox,
        chat: Chat,
        panel: FaultPanel,
        bot: BotSwitch,
        keyboard: Keyboard,
        figures: BotFigures,
    ) -> None:
        self._sandbox = sandbox
        self._chat = chat
        self._panel = panel
        self._bot = bot
        self._keyboard = keyboard
        self._figures = figures
        self._user: User = chat.person(FIRST_PERSON)
        self._channel: Channel = CHANNELS[0]
        self._printed: dict[int, str] = {}
        """The text of each message that was printed, by its id."""
        self._buttons: list[tuple[int, ShownButton]] = []
        """Those that the last answers have, in the order of their numbers."""
        self._bar = ""

    async def converse(self) -> None:
        """Read lines until the end of input."""
        while True:
            form = self._chat.form(self._user)
            prompt = f"{form.title} / {form.label} > " if form else self._prompt()
            line = await self._keyboard.line(prompt)
            if line is None:
                return
            if not self._keyboard.interactive and line.strip():
                say(f"{prompt}{line}\n")
            try:
                if form is not None and line.strip():
                    await self._watch(self._chat.submit(self._user, form.id, line))
                elif form is not None:
                    self._chat.dismiss(self._user, form.id)
                elif line.strip():
                    await self._do(line.strip())
            except OSError as error:
                say(f"{error.filename}: {error.strerror}\n\n")
            except (ValueError, BotEnded) as error:
                say(f"{error}\n\n")

    def _prompt(self) -> str:
        """Who and where, unless as in the beginning."""
        person = "" if self._user.name == FIRST_PERSON else f"{self._user.name} "
        place = "" if self._channel == CHANNELS[0] else f"{_name(self._channel)} "
        return f"{person}{place}> "

    async def _do(self, line: str) -> None:
        """Do what a line says. Raises `ValueError`, and `OSError` for a file."""
        command, _, rest = line.partition(" ")
        if line.isdecimal():
            await self._watch(self._pressed(int(line)))
        elif command in {"/as", "/in", "/dm"}:
            self._go(command, rest.strip())
        elif command == "/menu":
            entries = self._chat.entries(self._user, self._channel)
            if not entries:
                raise ValueError("There is no message here yet.")
            await self._watch(self._chat.use_menu(self._user, self._channel, entries[-1].id, rest.strip()))
        elif command in {"/fault", "/heal", "/kill", "/start", "/?"}:
            await self._control(command, rest.strip())
        else:
            await self._send(line)

    def _pressed(self, number: int) -> Interaction:
        if not 0 < number <= len(self._buttons):
            raise ValueError(f"There is no button {number}.")
        message_id, button = self._buttons[number - 1]
        return self._chat.press(self._user, message_id, button.custom_id)

    def _go(self, command: str, name: str) -> None:
        if command == "/as":
            self._user = self._chat.person(name)
        direct = direct_messages(self._user)
        if command == "/dm" or (command == "/as" and self._channel.guild_id is None):
            self._channel = direct
        elif command == "/in":
            found = [each for each in self._chat.channels(self._user) if each.name == name and each != direct]
            if not found:
                raise ValueError(f"There is no channel {name}.")
            self._channel = found[-1]
        self._buttons = []

    async def _control(self, command: str, name: str) -> None:
        match command:
            case "/fault" if name:
                switch = self._panel.switch(name)
                say(f"{switch.name}: {switch.help}{'; /heal ends it' if switch.off else ''}\n\n")
            case "/fault":
                say(fault_list())
            case "/heal":
                self._panel.heal()
            case "/kill":
                await self._bot.kill()
                say("The bot was killed. /start starts it again, and it resumes what it left open.\n\n")
            case "/start":
                await self._bot.start()
                await self._bot.ready()
                await self._watch(None)
            case _:
                say("".join(f"  {each:14} {told}\n" for each, told in LOCAL.items()) + "\n")

    async def _send(self, line: str) -> None:
        await self._watch(self._chat.send(line, self._user, self._channel, may_read=True))

    # Showing what the bot writes

    async def _watch(self, interaction: Interaction | None) -> None:
        """Show what the bot writes until it is complete, or until somebody types the next line."""
        since = len(self._chat.discord.threads)
        live = self._keyboard.interactive
        region = LiveRegion(sys.stdout, shutil.get_terminal_size) if live else None
        with trio.move_on_after(ANSWER_TIMEOUT) as watch:
            async with trio.open_nursery() as nursery:
                if region is not None:
                    nursery.start_soon(self._draw, region, since)
                    nursery.start_soon(self._take_keys, watch, since)
                await self._wait_complete(interaction)
                nursery.cancel_scope.cancel()
        new = self._new(since)
        if watch.cancelled_caught:
            new = []  # what is not complete yet is shown by the next watch
        text = "".join(f"{self._text(where, entry)}\n\n" for where, entry in new)
        self._printed |= {entry.id: entry.text for _, entry in new}
        self._number_buttons(self._shown(since))
        text += self._hints(since) if new else ""
        if region is not None:
            region.finish(printable(text))
        else:
            say(printable(text))

    async def _wait_complete(self, interaction: Interaction | None) -> None:
        """Wait until nothing has changed for a while, and no answer is on its way."""
        services = self._sandbox.providers
        while True:
            with trio.move_on_after(QUIET) as quiet:
                await self._chat.discord.wait_changed()
            if interaction is not None and interaction.form and not interaction.messages:
                return
            busy = any(service.in_flight for service in services)
            loading = interaction is not None and interaction.loading and self._bot.running
            if quiet.cancelled_caught and not busy and not loading:
                return

    async def _draw(self, region: LiveRegion, since: int) -> None:
        """Draw again and again; nothing waits for it."""
        for frame in range(int(ANSWER_TIMEOUT / FRAME)):
            if frame % int(1 / FRAME) == 0:
                self._bar = await self._figures.line()
            new = self._new(since)
            self._number_buttons(new)  # those of an earlier answer would be pressed for its own
            parts = [self._text(where, entry) for where, entry in new]
            region.show(
                printable("\n\n".join([*parts, *filter(None, [self._hints(since).rstrip()])])), self._bar
            )
            await trio.sleep(FRAME)

    async def _take_keys(self, watch: trio.CancelScope, since: int) -> None:
        def press(key: str) -> bool:
            self._number_buttons(self._new(since))
            if not key.isdecimal() or not 0 < int(key) <= len(self._buttons):
                return False
            self._pressed(int(key))
            return True

        await self._keyboard.watch(press)
        watch.cancel()

    def _new(self, since: int) -> list[tuple[Channel, Entry]]:
        """What was not printed yet, here and in threads opened since there were so many."""
        return [
            (place, entry)
            for place, entry in self._shown(since)
            if entry.is_bot and self._printed.get(entry.id) != entry.text
        ]

    def _shown(self, since: int) -> list[tuple[Channel, Entry]]:
        """All that the person sees, here and in those threads."""
        places = [self._channel, *self._chat.discord.threads[since:]]
        return [
            (place, entry)
            for place in dict.fromkeys(places)
            for entry in self._chat.entries(self._user, place)
        ]

    def _text(self, place: Channel, entry: Entry) -> str:
        where = "" if place == self._channel else f"[{_name(place)}]\n"
        text = f"{entry.author} is thinking ..." if entry.loading else entry.text
        files = "".join(f"\n[file: {name}, {size:,} bytes]" for name, size in entry.files)
        return f"{where}{text}{files}{chr(10) + '(only you see this)' if entry.private else ''}"

    def _number_buttons(self, among: list[tuple[Channel, Entry]]) -> None:
        """Number the buttons of the newest of these messages that has any."""
        having = [entry for _, entry in among if entry.buttons]
        newest = max(having, key=lambda entry: entry.id, default=None)
        self._buttons = [(newest.id, button) for button in newest.buttons] if newest else []

    def _hints(self, since: int) -> str:
        """The buttons by their numbers, and how to get to a new thread."""
        buttons = "   ".join(
            f"{number}: {button.label}" for number, (_, button) in enumerate(self._buttons, 1)
        )
        threads = (f"/in {thread.name} goes to the thread" for thread in self._chat.discord.threads[since:])
        return "".join(f"{each}\n" for each in filter(None, [buttons, *threads])) + "\n"


def _name(channel: Channel) -> str:
    return "direct messages" if channel.guild_id is None else f"#{channel.name}"


def fault_list() -> str:
    """Every fault by its group, with what it does."""
    lines: list[str] = []
    group = ""
    for switch in SWITCHES.values():
        if switch.group != group:
            lines.append(switch.group)
            group = switch.group
        lines.append(f"  {switch.name:27} {switch.help}{' (until /heal)' if switch.off else ''}")
    return (
        "\n".join(lines) + "\nA word such as !429 in a question does the same as a fault of the next one.\n\n"
    )


def say(text: str) -> None:
    """Print at once."""
    print(text, end="", flush=True)  # noqa: T201  # this is the terminal
