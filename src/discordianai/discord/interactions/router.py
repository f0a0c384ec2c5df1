"""Routes interactions and messages: who may do this here, and what is wanted.

The admission decides whether a question fits the limits. Nothing here waits: Discord wants the
acknowledgement within three seconds.
"""

from dataclasses import replace

from discordianai.conversations.pending_questions import StoredQuestion
from discordianai.discord.audit_log import RefusalCause
from discordianai.discord.commands.command import (
    Command,
    HandledCommand,
    Invocation,
    MessageCommand,
    ModalCommand,
    QuestionCommand,
    QuestionDraft,
)
from discordianai.discord.commands.quotation import of_message
from discordianai.discord.commands.registry import OfferedCommands
from discordianai.discord.events.interaction import (
    AutocompleteInteraction,
    CommandInteraction,
    ComponentInteraction,
    EventOrigin,
    Interaction,
    MessageCommandInteraction,
    ModalInteraction,
)
from discordianai.discord.events.message_event import IncomingMessage
from discordianai.discord.events.sharded_guilds import KnownGuilds
from discordianai.discord.interactions import access
from discordianai.discord.interactions.admission import address_of
from discordianai.discord.interactions.forms import OpenForms
from discordianai.discord.interactions.outcomes import (
    AskQuestion,
    CancelAnswer,
    InteractionOutcome,
    OpenModal,
    Refuse,
    Regenerate,
    RunCommand,
    SuggestChoices,
)
from discordianai.discord.messages import buttons
from discordianai.discord.messages.buttons import Action, Button
from discordianai.discord.options import BotOptions
from discordianai.discord.rendering.characters import VISIBLE
from discordianai.option import Live

GO_ON = "Continue where you stopped."
UNKNOWN = "I no longer have this command. Please try again in a few minutes."
OLD_BUTTON = "This button is from an older version and no longer works."
TOO_OLD = "That was too long ago: I no longer remember the question."
OLD_MODAL = "This form was open for too long. Please use the command again."
TOO_LONG = "That's too long. It can have up to {most} characters."
NOTHING_SAID = "There's nothing in that message that I can read."
NOTHING_ASKED = "What can I do for you? Write your question next to the mention, or mention me in a reply."
REPLY_MISSING = "I can't see the message you replied to. Please paste its text, or use Apps > Ask about this."
LOOK_AT_IT = "Look at this."
ADMINS_ONLY = "Only the bot's admins can use this."

_AGAIN = {Action.AGAIN, Action.SEARCH}


class InteractionRouter:
    """Lives on the listener's thread."""

    def __init__(self, options: Live[BotOptions], commands: OfferedCommands, guilds: KnownGuilds) -> None:
        self._options = options
        self._commands = commands
        self._guild_cache = guilds
        self._forms: OpenForms[tuple[ModalCommand, MessageCommandInteraction]] = OpenForms()

    def route(self, interaction: Interaction) -> InteractionOutcome:
        """What is to be done about it."""
        reason = None if self._is_about_own_data(interaction) else self._refusal(interaction.origin)
        if isinstance(interaction, AutocompleteInteraction):
            focused, typed = interaction.focused, interaction.text
            return SuggestChoices(() if reason else self._commands.complete(interaction.name, focused, typed))
        if reason:
            return Refuse(reason, RefusalCause.ACCESS)
        match interaction:
            case CommandInteraction():
                return self._command(interaction)
            case MessageCommandInteraction():
                return self._message_command(interaction)
            case ComponentInteraction():
                return self._component(interaction)
            case ModalInteraction():
                return self._modal(interaction)

    def route_message(self, message: IncomingMessage, bot_id: int) -> AskQuestion | Refuse | None:
        """What is to be done about a message; None if it is not for the bot, or not from a person.

        People who may not ask are told so only in direct messages: in a channel, everybody would see the
        refusal, so it is silent there.
        """
        place = message.origin.place
        own_roles = self._guild_cache.own_among(message.mentioned_role_ids, bot_id)
        if message.author_is_bot or not (own_roles or self._is_addressed(message, bot_id)):
            return None
        if reason := self._refusal(message.origin):
            return Refuse(reason, RefusalCause.ACCESS, silent=place.guild_id is not None)
        if self._guild_cache.thread_opener_of(place.channel_id) is not None:  # only threads have one
            place = replace(place, parent_id=self._guild_cache.parent_of(place.channel_id))
        text = message.without_mentions(own_roles)
        if not VISIBLE.search(text):
            text = ""
        draft = QuestionDraft(text or LOOK_AT_IT, message_id=message.origin.interaction_id)
        draft = of_message(draft, message.content, message.replied_to, bot_id)
        if not text and draft.quotation is None and not draft.attachments:
            return Refuse(REPLY_MISSING if message.reply_missing else NOTHING_ASKED)
        origin = message.origin
        files = self._guild_cache.file_rights.may_attach(place, origin.person.id, origin.role_ids)
        return AskQuestion(
            replace(origin, place=place), replace(draft, may_attach=files or place.guild_id is None)
        )

    def _refusal(self, origin: EventOrigin) -> str | None:
        lineage = self._guild_cache.lineage(origin.place.channel_id, origin.above)
        return access.refusal(origin, self._options.now, lineage)

    def _is_about_own_data(self, interaction: Interaction) -> bool:
        """Whether its command gives people what is stored about them, or lets them delete it."""
        if isinstance(interaction, CommandInteraction):
            command = self._commands.find(interaction.name)
            return command is not None and command.own_data
        if isinstance(interaction, ComponentInteraction):
            button = buttons.read(interaction.custom_id)
            component = self._commands.component(button.action) if button else None
            return component is not None and component[0].own_data
        return False

    def _is_addressed(self, message: IncomingMessage, bot_id: int) -> bool:
        """Whether a message is for the bot."""
        place = message.origin.place
        return (
            message.mentions_bot
            or message.replies_to(bot_id)
            or place.guild_id is None
            or self._guild_cache.thread_opener_of(place.channel_id) == bot_id
        )

    def _command(self, interaction: CommandInteraction) -> InteractionOutcome:
        command, origin = self._commands.find(interaction.name), interaction.origin
        if command is not None and not self._may_use(command, origin):
            return Refuse(ADMINS_ONLY, RefusalCause.PERMISSION)
        match command:
            case QuestionCommand():
                return AskQuestion(origin, command.draft(interaction))
            case HandledCommand():
                if most := command.too_long(interaction.options):
                    return Refuse(TOO_LONG.format(most=most))
                admin = access.is_admin(origin, self._options.now)
                invocation = Invocation(origin, interaction.options, admin=admin)
                address = address_of(origin, private=True)
                return RunCommand(command.name, command.handle, invocation, address)
        return Refuse(UNKNOWN)

    def _may_use(self, command: Command, origin: EventOrigin) -> bool:
        return not command.admins_only or access.is_admin(origin, self._options.now)

    def _message_command(self, interaction: MessageCommandInteraction) -> InteractionOutcome:
        command = self._commands.find(interaction.name)
        if not isinstance(command, MessageCommand | ModalCommand):
            return Refuse(UNKNOWN)
        if not self._may_use(command, interaction.origin):
            return Refuse(ADMINS_ONLY, RefusalCause.PERMISSION)
        if interaction.message.empty:
            return Refuse(NOTHING_SAID)
        if isinstance(command, ModalCommand):
            return self._open_modal(command, interaction)
        return AskQuestion(interaction.origin, command.draft(interaction))

    def _open_modal(self, command: ModalCommand, interaction: MessageCommandInteraction) -> OpenModal:
        custom_id = self._forms.open(interaction.origin.person.id, (command, interaction))
        return OpenModal(custom_id, command.modal)

    def _modal(self, interaction: ModalInteraction) -> InteractionOutcome:
        opened = self._forms.take(interaction.origin.person.id, interaction.custom_id)
        if opened is None:
            return Refuse(OLD_MODAL)
        command, about = opened
        draft = command.draft(about, interaction.origin.form_text)
        return AskQuestion(interaction.origin, replace(draft, from_form=True))

    def _component(self, press: ComponentInteraction) -> InteractionOutcome:
        button = buttons.read(press.custom_id)
        component = self._commands.component(button.action) if button else None
        if button is None or (component is None and button.action not in set(Action)):
            return Refuse(OLD_BUTTON)
        if reason := access.press_refusal(press.origin, button, self._options.now):
            return Refuse(reason, RefusalCause.BUTTON)
        if component is None:
            return self._under_an_answer(press, button)
        command, handler = component
        if not self._may_use(command, press.origin):
            return Refuse(ADMINS_ONLY, RefusalCause.PERMISSION)
        admin = access.is_admin(press.origin, self._options.now)
        invocation = Invocation(press.origin, button=button, admin=admin)
        return RunCommand(
            command.name, handler, invocation, address_of(press.origin, private=True), in_place=True
        )

    def _under_an_answer(self, press: ComponentInteraction, button: Button) -> InteractionOutcome:
        if button.action in _AGAIN:
            if (turn := buttons.turn(button)) is None:
                return Refuse(OLD_BUTTON)
            return Regenerate(press, turn, search=button.action == Action.SEARCH)
        if button.action == Action.STOP:
            interaction_id = buttons.number(button)
            return CancelAnswer(interaction_id, button.person_id) if interaction_id else Refuse(OLD_BUTTON)
        return AskQuestion(press.origin, QuestionDraft(GO_ON, private=press.private, continues=True))

    def regenerate(self, wanted: Regenerate, said: StoredQuestion | None) -> AskQuestion | Refuse:
        """The outcome of a `Regenerate`, given what the store has of its turn."""
        person, place = wanted.press.origin.person, wanted.press.origin.place
        # What was said elsewhere, or in private, is not repeated here, whatever a custom id says.
        if (
            said is None
            or said.person_id != person.id
            or said.guild_id != place.guild_id
            or said.key.private is not wanted.press.private
            or said.key.channel_id not in {0, place.channel_id}
        ):
            return Refuse(TOO_OLD)
        text = said.key.read(said.text).text
        private = wanted.press.private
        # They are all that was asked about now: without one of them, another question would be answered.
        files = tuple(replace(file, quoted=False) for file in said.attachments)
        draft = QuestionDraft(text, search=wanted.search, private=private, typed=False, attachments=files)
        return AskQuestion(wanted.press.origin, draft)
