"""What people do and see in the local Discord, for those who show it: the terminal and the page."""

import mimetypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

from discordianai.sandbox.command_line import ATTACHMENT, parse
from discordianai.sandbox.discord import CHANNELS, Channel, Interaction, LocalDiscord, SandboxMessage, User
from discordianai.sandbox.discord.api_objects import BOT, TEXT, Json, direct_messages, moderator
from discordianai.sandbox.discord.message_parts import written
from discordianai.sandbox.discord.sandbox_interaction import ACKNOWLEDGE_WITHIN
from discordianai.sandbox.discord.user_actions import say, submit, type_into, upload, use_menu

COMMAND, COMPONENT, FORM = 2, 3, 5
"""Discord's types of interactions."""

FIRST_PERSON = "alice"
OWNER = moderator().name

MENTION = f"@{BOT.name}"
"""How a person mentions the bot; the message has its id."""

MOST_PEOPLE = 50
LONGEST_NAME = 32
LARGEST_FILE = 10 * 1024 * 1024
"""Bytes, as in Discord."""

SHOWN = 60
"""The newest messages of a channel."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file that somebody sends along."""

    name: str
    content: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class ShownButton:
    """A button; `style` is Discord's number, where 1 is primary and 4 is danger."""

    custom_id: str
    label: str
    style: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A message as one person sees it.

    `context` is what stands above it, such as who used which command. A `private` one is only shown to this
    person; while `loading`, Discord shows that the bot is thinking.
    """

    id: int
    author: str
    text: str
    is_bot: bool = True
    context: str = ""
    private: bool = False
    loading: bool = False
    edited: bool = False
    buttons: tuple[ShownButton, ...] = ()
    files: tuple[tuple[str, int], ...] = ()
    """Name and size in bytes."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form with one field that the bot has opened for a person."""

    id: int
    title: str
    label: str


@dataclass(frozen=True, slots=True)
class _Said:
    channel: Channel
    entry: Entry
    json: Json


class Chat:
    """The local Discord's people, what they said, and what they see."""

    def __init__(self, discord: LocalDiscord) -> None:
        self.discord = discord
        self._people: dict[str, User] = {}
        self._said: list[_Said] = []
        self._done_forms: set[int] = set()
        for name in (FIRST_PERSON, "bob", OWNER):
            self.person(name)

    @property
    def people(self) -> tuple[str, ...]:
        """The names of those who have been here."""
        return tuple(self._people)

    def person(self, name: str) -> User:
        """The person of that name, who is a new one if nobody has it. Raises `ValueError`."""
        if name not in self._people:
            if not name.isprintable() or not 0 < len(name.strip()) <= LONGEST_NAME:
                raise ValueError(f"A name has 1 to {LONGEST_NAME} characters.")
            if len(self._people) >= MOST_PEOPLE:
                raise ValueError(f"There are {MOST_PEOPLE} people already.")
            number = 1_300_000_000_000_020_000 + 10 * len(self._people)
            self._people[name] = moderator() if name == OWNER else User(number, name)
        return self._people[name]

    def channels(self, user: User) -> tuple[Channel, ...]:
        """Where this person can write: channels, threads, and the direct messages with the bot, last."""
        named = [channel for channel in CHANNELS if channel.kind == TEXT]
        return (*named, *self.discord.threads, direct_messages(user))

    def channel(self, user: User, channel_id: int) -> Channel:
        """One of them. Raises `ValueError`."""
        for channel in self.channels(user):
            if channel.id == channel_id:
                return channel
        raise ValueError("There is no such channel.")

    # What a person sees

    def entries(self, user: User, channel: Channel) -> list[Entry]:
        """The newest messages of a channel, in their order."""
        shown = {said.entry.id: said.entry for said in self._said if said.channel.id == channel.id}
        for message, interaction in self._messages(user):
            if message.channel_id == channel.id and message.id not in shown and not message.deleted:
                shown[message.id] = _entry(message, interaction)
        return [shown[number] for number in sorted(shown)][-SHOWN:]

    def message(self, user: User, message_id: int) -> SandboxMessage:
        """A message of the bot that this person sees. Raises `ValueError`."""
        for message, _ in self._messages(user):
            if message.id == message_id and not message.deleted:
                return message
        raise ValueError("That message is not there any more.")

    def _messages(self, user: User) -> Iterator[tuple[SandboxMessage, Interaction | None]]:
        """The bot's messages that this person may see; a response comes with its interaction."""
        for interaction in list(self.discord.interactions.values()):
            for message in interaction.messages:
                if not message.private or interaction.user.id == user.id:
                    yield message, interaction
        yield from ((message, None) for message in list(self.discord.channel_messages))

    def form(self, user: User) -> Form | None:
        """The newest form that is open for this person."""
        for interaction in reversed(list(self.discord.interactions.values())):
            if interaction.user.id == user.id and interaction.form and interaction.id not in self._done_forms:
                field = interaction.form["components"][0]["components"][0]
                return Form(interaction.id, interaction.form["title"], field["label"])
        return None

    # What a person does

    def send(
        self,
        line: str,
        user: User,
        channel: Channel,
        files: Sequence[LocalFile] = (),
        *,
        may_read: bool = False,
    ) -> Interaction | None:
        """Run a typed command, ask a question, or say something where the bot is mentioned or spoken to.

        `may_read`: a path in the line is read from the disk. None where it was said: no interaction comes of
        it. Raises `ValueError`, and `OSError` for a path.
        """
        spoken = channel.guild_id is None or channel in self.discord.threads
        if not line.startswith("/") and (MENTION in line or spoken):
            self.say(line, user, channel, files)
            return None
        name, options = parse(line, self.discord.commands)
        if name not in self.discord.offered(channel.guild_id):
            raise ValueError(f"/{name} is not offered in {channel.name}.")
        for option, value in options.items():
            if isinstance(value, Path):
                if not may_read:
                    raise ValueError("Choose the file beside the line.")
                options[option] = self._upload(_read(value))
        self._attach(name, options, files)
        return self.discord.invoke_now(name, options, user=user, channel=channel)

    def _attach(self, name: str, options: dict[str, object], files: Sequence[LocalFile]) -> None:
        """Set the options that take files and are free. Raises `ValueError`."""
        declared = self.discord.commands[name].get("options", ())
        free = [
            each["name"] for each in declared if each["type"] == ATTACHMENT and each["name"] not in options
        ]
        if len(files) > len(free):
            raise ValueError(f"/{name} takes {len(free) or 'no'} file{'s' * (len(free) > 1)}.")
        for option, file in zip(free, files, strict=False):
            options[option] = self._upload(file)

    def _upload(self, file: LocalFile) -> Json:
        return upload(self.discord, file.name, file.content, file.content_type)

    def say(self, line: str, user: User, channel: Channel, files: Sequence[LocalFile] = ()) -> None:
        """A plain message, for the bot or not."""
        sent = [self._upload(file) for file in files]
        text = line.replace(MENTION, f"<@{BOT.id}>")
        number = say(self.discord, text, user=user, channel=channel, files=sent)
        entry = Entry(
            number,
            user.name,
            line,
            is_bot=False,
            files=tuple((file.name, len(file.content)) for file in files),
        )
        message = written(self.discord, text, user=user, channel=channel, attachments=sent)
        self._said.append(_Said(channel, entry, {**message, "id": str(number)}))
        del self._said[:-1000]
        self.discord.note_change()

    async def suggestions(self, user: User, command: str, option: str, typed: str) -> list[str]:
        """What the bot suggests for an option with autocompletion; nothing after three seconds."""
        declared = self.discord.commands.get(command, {}).get("options", ())
        if not any(each["name"] == option and each.get("autocomplete") for each in declared):
            return []
        interaction = type_into(self.discord, command, option, typed, user=user)
        with trio.move_on_after(ACKNOWLEDGE_WITHIN):
            while interaction.response_type is None:
                await interaction.wait_changed()
        return list(interaction.choices)

    def press(self, user: User, message_id: int, custom_id: str) -> Interaction:
        """Press a button. Raises `ValueError` where it is not there any more."""
        message = self.message(user, message_id)
        if custom_id not in {button.custom_id for button in _buttons(message)}:
            raise ValueError("That button is not there any more.")
        return self.discord.press(message, custom_id, user)

    def use_menu(self, user: User, channel: Channel, message_id: int, command: str) -> Interaction:
        """Choose a command from a message's menu. Raises `ValueError`."""
        if command not in self.menu:
            raise ValueError(f"There is no {command} in a message's menu.")
        said = next((said.json for said in self._said if said.entry.id == message_id), None)
        message = said or self.message(user, message_id).json()
        return use_menu(self.discord, command, "", user=user, channel=channel, message=message)

    @property
    def menu(self) -> tuple[str, ...]:
        """The commands in a message's menu."""
        return tuple(name for name, each in self.discord.commands.items() if each.get("type", 1) != 1)

    def submit(self, user: User, form_id: int, text: str) -> Interaction:
        """Submit a form. Raises `ValueError` where it is not open."""
        opened = self._open_form(user, form_id)
        if not text.strip():
            raise ValueError("The form's field is empty.")
        self._done_forms.add(form_id)
        return submit(self.discord, opened, text)

    def dismiss(self, user: User, form_id: int) -> None:
        """Close a form without sending it. Raises `ValueError` where it is not open."""
        self._open_form(user, form_id)
        self._done_forms.add(form_id)
        self.discord.note_change()

    def _open_form(self, user: User, form_id: int) -> Interaction:
        for interaction in self.discord.interactions.values():
            if (interaction.id, interaction.user.id) == (
                form_id,
                user.id,
            ) and form_id not in self._done_forms:
                return interaction
        raise ValueError("That form is not open.")


def local_file(name: str, content: bytes) -> LocalFile:
    """A file with the content type that its name suggests. Raises `ValueError` where it is too large."""
    if len(content) > LARGEST_FILE:
        raise ValueError("A file has at most 10 MiB.")
    return LocalFile(name, content, mimetypes.guess_type(name)[0] or "application/octet-stream")


def _read(path: Path) -> LocalFile:
    with path.open("rb") as file:
        return local_file(path.name, file.read(LARGEST_FILE + 1))


def _entry(message: SandboxMessage, interaction: Interaction | None) -> Entry:
    first = interaction is not None and message is interaction.messages[0]
    return Entry(
        message.id,
        BOT.name,
        message.content,
        context=_context(interaction) if interaction is not None and first else "",
        private=message.private,
        loading=message.loading,
        edited=len(message.history) > 1,
        buttons=_buttons(message),
        files=tuple((name, len(content)) for name, content in message.files.items()),
    )


def _buttons(message: SandboxMessage) -> tuple[ShownButton, ...]:
    parts = (part for row in message.components for part in row["components"])
    return tuple(ShownButton(part["custom_id"], part["label"], part["style"]) for part in parts)


def _context(interaction: Interaction) -> str:
    """What the person did, as Discord tells it above the response, with a command's options."""
    name, data = interaction.user.name, interaction.payload["data"]
    match interaction.payload["type"], data.get("type"):
        case 2, 1:
            files = {key: file["filename"] for key, file in data["resolved"]["attachments"].items()}
            values = {each["name"]: files.get(each["value"], each["value"]) for each in data["options"]}
            options = (f"{key}: {'true' if value is True else value}" for key, value in values.items())
            return " ".join([f"{name} used /{data['name']}", *options])
        case 2, _:
            return f"{name} used {data['name']} on a message"
        case 5, _:
            return f"{name} sent a form"
        case _:
            return f"{name} pressed a button"
