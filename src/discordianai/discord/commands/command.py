"""The kinds of commands: each is a declaration, together with what happens when somebody uses it.

A question command makes a question of its use, a message command of the message in whose menu it was chosen,
and a modal command asks for words about that message first. All that runs on the listener's thread, before
the acknowledgement, and waits for nothing. What a handled command does runs on the trio thread afterwards.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

from discordianai.discord.audit_log import PrivilegedAct, RefusalCause
from discordianai.discord.commands.declaration import CommandKind, Declaration
from discordianai.discord.commands.services import Services
from discordianai.discord.events.interaction import (
    CommandInteraction,
    EventOrigin,
    MessageCommandInteraction,
)
from discordianai.discord.events.payload import Value
from discordianai.discord.messages.buttons import Button
from discordianai.discord.messages.port import File
from discordianai.records import Attachment, Quotation

LONGEST_PROMPT = 6000
"""Characters; Discord's own limit for a string option."""


@dataclass(frozen=True, slots=True)
class QuestionDraft:
    """A question as somebody asked it, before it is admitted or refused.

    `text` is what the person wrote, and `quotation` what that points at.

    `provider` is the name of who is to answer; with `search`, the live web is wanted.
    What was not `typed` just now may be longer: it may have the text of a file in it. One that `continues`
    the last answer means nothing without it. `note` is to be said below the answer, which may come
    as a file where the person `may_attach` one. Text that came `from_form` is shown nowhere by Discord.
    """

    text: str
    provider: str | None = None
    search: bool = False
    model: str = ""
    attachments: tuple[Attachment, ...] = ()
    private: bool = False
    in_thread: bool = False
    message_id: int | None = None
    typed: bool = True
    quotation: Quotation | None = None
    continues: bool = False
    note: str = ""
    may_attach: bool = True
    from_form: bool = False


@dataclass(frozen=True, slots=True)
class Invocation:
    """One use of a handled command, or of a `button` under its reply. The operator names an `admin`."""

    origin: EventOrigin
    options: Mapping[str, Value] = field(default_factory=dict, repr=False)
    button: Button | None = None
    admin: bool = False


@dataclass(frozen=True, slots=True)
class CommandReply:
    """What only the person reads. `act` is what they did with special permissions, `refused` why they may
    not.
    """

    text: str = field(repr=False)
    buttons: tuple[Button, ...] = ()
    file: File | None = None
    act: PrivilegedAct | None = field(default=None, compare=False)
    refused: RefusalCause | None = field(default=None, compare=False)


Handler = Callable[[Invocation, Services], Awaitable[CommandReply]]
"""May raise only `StoreError`."""


@dataclass(frozen=True, slots=True)
class Modal:
    """A form with one field."""

    title: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionCommand(Declaration):
    """A slash command that asks a question."""

    draft: Callable[[CommandInteraction], QuestionDraft]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandledCommand(Declaration):
    """A slash command that does something else; its reply is for the person alone.

    `components` are what the buttons under its replies do, by their action: it replaces the reply.
    """

    handle: Handler
    components: Mapping[str, Handler] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCommand(Declaration):
    """A command in the menu of a message, which asks a question about it."""

    kind: ClassVar[CommandKind] = CommandKind.MESSAGE

    draft: Callable[[MessageCommandInteraction], QuestionDraft]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalCommand(Declaration):
    """A command in the menu of a message. `draft` gets what was written into its `modal`, too."""

    kind: ClassVar[CommandKind] = CommandKind.MESSAGE

    modal: Modal
    draft: Callable[[MessageCommandInteraction, str], QuestionDraft]


Command = QuestionCommand | HandledCommand | MessageCommand | ModalCommand
