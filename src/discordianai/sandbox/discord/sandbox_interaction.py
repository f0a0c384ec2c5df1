"""One interaction of a user with the bot, as a test or the terminal follows it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

import trio

from discordianai.sandbox.discord.api_objects import ADMINISTRATOR, EXTERNAL_APPS, Channel, Json, User
from discordianai.sandbox.discord.sandbox_message import RestError, SandboxMessage

ACKNOWLEDGE_WITHIN = 3.0
TOKEN_LIFETIME = 15 * 60.0
"""Seconds; both Discord's own."""
GUEST_FOLLOW_UPS = 5
"""Follow-up messages where the bot is not a member."""


@dataclass(eq=False)
class Interaction:
    """What a user did, and every message of the bot in response, the original one first."""

    id: int
    token: str
    user: User
    channel: Channel
    created: float
    messages: list[SandboxMessage] = field(default_factory=list)
    response_type: int | None = None
    acknowledged_after: float | None = None
    """Seconds until the bot acknowledged it; None while it has not."""
    banned_responses: list[object] = field(default_factory=list)
    """The type of each response that came while the bot's address was banned, and so went nowhere."""
    refused_acknowledgements: int = 0
    source: SandboxMessage | None = None
    """The message whose button was pressed."""
    choices: list[str] = field(default_factory=list)
    """The autocomplete choices."""
    form: Json = field(default_factory=dict)
    """The modal that the bot has shown."""
    payload: Json = field(default_factory=dict, repr=False)
    """The data of its INTERACTION_CREATE."""

    def __post_init__(self) -> None:
        self._changed = trio.Event()

    @property
    def text(self) -> str:
        """The text of all messages, one after the other."""
        return "\n".join(message.content for message in self.messages if not message.deleted)

    @property
    def private(self) -> bool:
        """Whether only this user sees the answer."""
        return bool(self.messages) and self.messages[0].private

    @property
    def loading(self) -> bool:
        """Whether Discord still shows that the bot is thinking."""
        return not self.messages or self.messages[0].loading

    @property
    def guest(self) -> bool:
        """Whether the bot is not a member here, but the user's own app."""
        return "0" not in self.payload.get("authorizing_integration_owners", {})

    @property
    def forced_private(self) -> bool:
        """Whether Discord shows what a guest's app answers to the guest alone."""
        barred = not self.user.permissions & (EXTERNAL_APPS | ADMINISTRATOR)
        return self.guest and self.channel.guild_id is not None and barred

    def check_follow_up_limit(self) -> None:
        """Raise `RestError` when there can be no further message."""
        if self.guest and len(self.messages) > GUEST_FOLLOW_UPS:
            raise RestError(
                400, 40094, "This interaction has reached the maximum number of follow-up messages"
            )

    def acknowledge(self, kind: int, now: float) -> None:
        """Record the initial response. Raises `RestError` when it is late, or not the first."""
        if self.response_type is not None:
            self.refused_acknowledgements += 1
            raise RestError(400, 40060, "Interaction has already been acknowledged.")
        if now - self.created > ACKNOWLEDGE_WITHIN:
            self.refused_acknowledgements += 1
            raise RestError(404, 10062, "Unknown interaction")
        self.response_type = kind
        self.acknowledged_after = now - self.created

    def check_token(self, now: float) -> None:
        """Raise `RestError` when the token is not valid yet, or no longer."""
        if self.response_type is None:
            raise RestError(404, 10015, "Unknown Webhook")
        if now - self.created > TOKEN_LIFETIME:
            raise RestError(401, 50027, "Invalid Webhook Token")

    def find(self, message_id: str) -> SandboxMessage:
        """The message with this id, or `@original`. Raises `RestError`."""
        for message in self.messages:
            if not message.deleted and message_id in {str(message.id), "@original"}:
                return message
        raise RestError(404, 10008, "Unknown Message")

    def changed(self) -> None:
        """Wake everyone who waits for a change."""
        self._changed.set()
        self._changed = trio.Event()

    async def wait_changed(self) -> None:
        """Wait for the bot's next message or edit. The caller bounds the wait."""
        await self._changed.wait()

    async def wait_until(self, condition: Callable[[Self], bool], timeout: float = 60.0) -> None:
        """Wait until `condition` holds for this interaction. Raises `trio.TooSlowError` after `timeout` s."""
        with trio.fail_after(timeout):
            while not condition(self):
                await self._changed.wait()

    async def settled(self, quiet: float = 2.5, timeout: float = 60.0) -> None:
        """Wait until something was written and nothing has changed for `quiet` seconds."""
        with trio.fail_after(timeout):
            while True:
                changed = self._changed
                with trio.move_on_after(quiet):
                    await changed.wait()
                    continue
                if not self.loading:
                    return

    @property
    def last_edit(self) -> float:
        """The time of the last message or edit, by `time.monotonic`."""
        times = [moment for message in self.messages for moment, _ in message.history]
        return max(times, default=time.monotonic())


def options_json(command: Json, values: Mapping[str, object]) -> list[Json]:
    """The options of an invocation, typed as the command declares them. Raises `ValueError`."""
    declared = {option["name"]: option for option in command.get("options", ())}
    if unknown := values.keys() - declared.keys():
        raise ValueError(f"/{command['name']} has no option {', '.join(sorted(unknown))}")
    missing = [name for name, option in declared.items() if option.get("required") and name not in values]
    if missing:
        raise ValueError(f"/{command['name']} needs {', '.join(missing)}")
    for name, value in values.items():
        choices = [choice["value"] for choice in declared[name].get("choices") or ()]
        if choices and value not in choices:
            raise ValueError(f"{name} is one of {', '.join(choices)}")
    return [
        {
            "name": name,
            "type": declared[name]["type"],
            "value": value["id"] if isinstance(value, dict) else value,
        }
        for name, value in values.items()
    ]
