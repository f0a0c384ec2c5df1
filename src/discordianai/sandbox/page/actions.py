"""What the page has done: each action is one POST with a JSON object."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping

from discordianai.sandbox.bot_switch import BotSwitch
from discordianai.sandbox.chat import Chat, LocalFile, local_file
from discordianai.sandbox.discord import Channel, User
from discordianai.sandbox.discord.api_objects import Json
from discordianai.sandbox.faults import FaultPanel

LONGEST_LINE = 4000
Body = Mapping[str, object]


class Actions:
    """Each method raises `ValueError` with a sentence for the person; one returns what it found."""

    def __init__(self, chat: Chat, panel: FaultPanel, bot: BotSwitch) -> None:
        self._chat = chat
        self._panel = panel
        self._bot = bot
        self.all: Mapping[str, Callable[[Body], Awaitable[Json | None]]] = {
            "join": self._join,
            "send": self._send,
            "suggest": self._suggest,
            "press": self._press,
            "menu": self._menu,
            "submit": self._submit,
            "dismiss": self._dismiss,
            "fault": self._fault,
            "heal": self._heal,
            "bot": self._switch_bot,
        }

    def where(self, body: Body) -> tuple[User, Channel]:
        """The person and the channel that `body` names."""
        user = self.who(body)
        return user, self._chat.channel(user, _number(body, "channel"))

    def who(self, body: Body) -> User:
        """The person that `body` names, who has joined before."""
        name = _text(body, "person")
        if name not in self._chat.people:
            raise ValueError(f"Nobody here is called {name}.")
        return self._chat.person(name)

    async def _join(self, body: Body) -> None:
        self._chat.person(_text(body, "name"))
        self._chat.discord.note_change()

    async def _send(self, body: Body) -> None:
        user, channel = self.where(body)
        line = _text(body, "line").strip()
        if not line:
            raise ValueError("There is nothing to send.")
        if len(line) > LONGEST_LINE:
            raise ValueError(f"A line has at most {LONGEST_LINE} characters.")
        self._chat.send(line, user, channel, [_file(body["file"])] if body.get("file") else [])

    async def _suggest(self, body: Body) -> Json:
        user, typed = self.who(body), _text(body, "typed")[:LONGEST_LINE]
        found = await self._chat.suggestions(user, _text(body, "command"), _text(body, "option"), typed)
        return {"choices": found}

    async def _press(self, body: Body) -> None:
        user = self.who(body)
        self._chat.press(user, _number(body, "message"), _text(body, "button"))

    async def _menu(self, body: Body) -> None:
        user, channel = self.where(body)
        self._chat.use_menu(user, channel, _number(body, "message"), _text(body, "command"))

    async def _submit(self, body: Body) -> None:
        user = self.who(body)
        self._chat.submit(user, _number(body, "form"), _text(body, "text"))

    async def _dismiss(self, body: Body) -> None:
        self._chat.dismiss(self.who(body), _number(body, "form"))

    async def _fault(self, body: Body) -> None:
        self._panel.switch(_text(body, "name"), on=body.get("on") is True)

    async def _heal(self, _body: Body) -> None:
        self._panel.heal()

    async def _switch_bot(self, body: Body) -> None:
        if body.get("on") is True:
            await self._bot.start()
        else:
            await self._bot.kill()


def _text(body: Body, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} should be text.")
    return value


def _number(body: Body, key: str) -> int:
    """A snowflake, which JSON has as text: JavaScript's numbers are too small for it."""
    value = _text(body, key)
    if not value.isascii() or not value.isdigit() or len(value) > 20:
        raise ValueError(f"{key} should be a number.")
    return int(value)


def _file(value: object) -> LocalFile:
    if not isinstance(value, dict):
        raise ValueError("file should be an object.")
    name = _text(value, "name").replace("\\", "/").rpartition("/")[2]
    try:
        content = base64.b64decode(_text(value, "base64"), validate=True)
    except binascii.Error:
        raise ValueError("The file did not arrive whole.") from None
    if not name or len(name) > 200 or not name.isprintable():
        raise ValueError("The file's name is not usable.")
    return local_file(name, content)
