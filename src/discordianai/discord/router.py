"""Decides in memory, before the acknowledgement, what becomes of an interaction and who will see the answer.

Discord wants the acknowledgement within three seconds, and a public one cannot become private later: so
nothing here waits.
"""

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

from discordianai.conversations.pending import Said
from discordianai.discord import access, buttons
from discordianai.discord.atlas import Atlas
from discordianai.discord.buttons import Action, Button
from discordianai.discord.commands import message_menu as menus
from discordianai.discord.commands.command import ASK_ABOUT, AUTO, MODEL, MOST_CHOICES, Entry, Errand, entries
from discordianai.discord.intake import Intake, QuestionDraft, address_of
from discordianai.discord.interaction import (
    AutocompleteInteraction,
    CommandInteraction,
    ComponentInteraction,
    Interaction,
    MessageCommandInteraction,
    ModalInteraction,
)
from discordianai.discord.message import Message
from discordianai.discord.outcomes import (
    CancelAnswer,
    OpenModal,
    Outcome,
    Refuse,
    Regenerate,
    RunCommand,
    SuggestChoices,
)
from discordianai.model import Attachment, Person, Question
from discordianai.settings import Settings

GO_ON = "Go on where you stopped."
UNKNOWN = "I don't know this command any more. Please try again in a few minutes."
OLD_BUTTON = "This button is of an older version of me, and does nothing any more."
TOO_OLD = "That is too long ago: I don't remember the question any more."
OLD_FORM = "This form has been open for too long. Please choose the command again."
NOTHING_SAID = "There is no text in that message."
LOOK_AT_IT = "Look at this."
ADMINS_ONLY = "This is for the bot's admins."

MOST_FORMS = 1000
"""Forms that are open; of the oldest ones the message is forgotten then."""

_AGAIN = {Action.AGAIN, Action.SEARCH}
_ERRANDS = {Action.PAGE: Errand.HISTORY, Action.FORGET: Errand.FORGET_FOR_SURE, Action.KEEP: Errand.FORGET}


class InteractionRouter:
    """Who gets in. Lives on the listener's thread."""

    def __init__(self, settings: Settings, intake: Intake, atlas: Atlas) -> None:
        self._rules = settings.discord
        self._intake = intake
        self._atlas = atlas
        configured = settings.configured
        self._models = tuple(model for each in configured for model in settings.models_of(each.name))
        known = entries(configured, several_models=len(self._models) > 1)
        self._entries = {entry.name: entry for entry in known}
        self._forms: OrderedDict[str, tuple[str, tuple[Attachment, ...]]] = OrderedDict()

    def adopt(self, settings: Settings) -> None:
        """Decide by these settings from now on, as far as they can change while the bot runs; any thread."""
        self._rules = settings.discord
        self._intake.adopt(settings)

    def route(self, done: Interaction) -> Outcome:
        """What becomes of it. A question that is taken has been admitted: it must be released."""
        if isinstance(done, AutocompleteInteraction):
            return self._suggest(done)
        place = done.origin.place
        lineage = self._atlas.lineage(place.channel_id, place.parent_id)
        if reason := access.refusal(done.origin, self._rules, lineage):
            return Refuse(reason)
        if _is_errand(done, self._entries) and (refusal := self._intake.errand(done.origin)):
            return refusal
        match done:
            case CommandInteraction():
                return self._command(done)
            case MessageCommandInteraction():
                return self._menu(done)
            case ComponentInteraction():
                return self._press(done)
            case ModalInteraction():
                return self._submission(done)

    def route_message(self, message: Message, bot_id: int) -> Question | Refuse | None:
        """What becomes of a message in a channel; None where it is not for the bot, or not from people.

        Who may not ask here is told so in direct messages only: nothing in a channel is for one person alone.
        """
        place = message.origin.place
        addressed = (
            message.mentions_bot
            or message.replies_to_bot
            or place.guild_id is None
            or self._atlas.owner_of(place.channel_id) == bot_id
        )
        if message.author_is_bot or not addressed or not (message.text or message.attachments):
            return None
        parent_id = self._atlas.parent_of(place.channel_id)
        lineage = self._atlas.lineage(place.channel_id, parent_id)
        if reason := access.refusal(message.origin, self._rules, lineage):
            if place.guild_id is None and self._intake.errand(message.origin) is None:
                return Refuse(reason)
            return None
        if self._atlas.owner_of(place.channel_id) is not None:  # only threads have one
            place = replace(place, parent_id=parent_id)
        draft = QuestionDraft(
            message.text or LOOK_AT_IT,
            attachments=message.attachments,
            message_id=message.origin.interaction_id,
        )
        return self._intake.take(replace(message.origin, place=place), draft)

    def _command(self, command: CommandInteraction) -> Outcome:
        entry, options = self._entries.get(command.name), command.options
        if entry is None:
            return Refuse(UNKNOWN)
        if entry.errand is not None:
            return self._errand(command, entry.errand)
        private = bool(options.get("private", False))
        if command.name == "search":
            draft = QuestionDraft(str(options.get("query", "")), search=True, private=private)
        else:
            chosen = str(options.get("provider", AUTO))
            draft = QuestionDraft(
                str(options.get("prompt", "")),
                provider=chosen if chosen != AUTO else None,
                model=str(options.get("model", "")),
                attachments=command.attachments,
                private=private,
                in_thread=bool(options.get("thread", False)) and not private,
            )
        return self._intake.take(command.origin, draft)

    def _errand(self, command: CommandInteraction, errand: Errand) -> RunCommand | Refuse:
        admin = access.is_admin(command.origin, self._rules)
        if errand is Errand.STATUS and not admin:
            return Refuse(ADMINS_ONLY)
        address = address_of(command.origin, private=True)
        return RunCommand(errand, command.origin, address, command.options, admin=admin)

    def _menu(self, use: MessageCommandInteraction) -> Outcome:
        if use.name not in self._entries:
            return Refuse(UNKNOWN)
        if not use.text.strip() and not use.attachments:
            return Refuse(NOTHING_SAID)
        if use.name == ASK_ABOUT.name:
            return self._form(use)
        task = menus.task(use.name, use.origin.locale) or use.name
        # Only who asks for it reads it: nobody else has asked for a summary of what they can read themselves.
        draft = QuestionDraft(menus.about(task, use.text), attachments=use.attachments, private=True)
        return self._intake.take(use.origin, draft)

    def _form(self, use: MessageCommandInteraction) -> OpenModal:
        custom_id = f"about:{secrets.token_urlsafe(12)}"
        self._forms[custom_id] = (use.text, use.attachments)
        if len(self._forms) > MOST_FORMS:
            self._forms.popitem(last=False)
        return OpenModal(custom_id, "Ask about this message", "Your question")

    def _submission(self, submission: ModalInteraction) -> Outcome:
        text, attachments = self._forms.pop(submission.custom_id, (None, ()))
        if text is None:
            return Refuse(OLD_FORM)
        draft = QuestionDraft(menus.about(submission.text, text), attachments=attachments)
        return self._intake.take(submission.origin, draft)

    def _suggest(self, typing: AutocompleteInteraction) -> SuggestChoices:
        if typing.focused != MODEL.name:
            return SuggestChoices(())
        typed = typing.text.lower()
        fitting = [model for model in self._models if typed in model.lower()]
        return SuggestChoices(tuple(fitting[:MOST_CHOICES]))

    def _press(self, press: ComponentInteraction) -> Outcome:
        button = buttons.read(press.custom_id)
        if button is None:
            return Refuse(OLD_BUTTON)
        if not access.may_press(press.origin, button, self._rules):
            return Refuse(access.NOT_YOURS)
        if button.action in _ERRANDS:
            page = buttons.number(button)
            address = address_of(press.origin, private=True)
            return RunCommand(_ERRANDS[button.action], press.origin, address, page=page, in_place=True)
        if button.action in _AGAIN:
            if (turn := buttons.turn(button)) is None:
                return Refuse(OLD_BUTTON)
            return Regenerate(press, button.person_id, turn, search=button.action is Action.SEARCH)
        if button.action is Action.STOP:
            interaction_id = buttons.number(button)
            return CancelAnswer(interaction_id) if interaction_id else Refuse(OLD_BUTTON)
        draft = QuestionDraft(GO_ON, person=_asker(press, button), private=press.private)
        return self._intake.take(press.origin, draft)

    def regenerate(self, recall: Regenerate, said: Said | None) -> Question | Refuse:
        """The question of a `Regenerate`, with what the store knows of it."""
        place = recall.press.origin.place
        # What was said elsewhere, or in private, is not repeated here, whatever a custom id says.
        if (
            said is None
            or said.person_id != recall.person_id
            or said.guild_id != place.guild_id
            or said.key.private is not recall.press.private
            or said.key.channel_id not in {0, place.channel_id}
        ):
            return Refuse(TOO_OLD)
        button = Button(Action.AGAIN, recall.person_id)
        asker = _asker(recall.press, button)
        text = said.text.removeprefix(said.key.spoken(asker, ""))
        private = recall.press.private
        draft = QuestionDraft(text, person=asker, search=recall.search, private=private, typed=False)
        return self._intake.take(recall.press.origin, draft)


def _is_errand(done: Interaction, entries: Mapping[str, Entry]) -> bool:
    """Buttons count as such, too: Stop must be free, and the others become questions, which count anyway."""
    if isinstance(done, CommandInteraction):
        entry = entries.get(done.name)
        return entry is not None and entry.errand is not None
    if not isinstance(done, ComponentInteraction):
        return False
    button = buttons.read(done.custom_id)
    return button is not None and button.action in _ERRANDS


def _asker(press: ComponentInteraction, button: Button) -> Person:
    """Whose conversation goes on: that of who asked, whoever presses."""
    if press.asker is not None and press.asker.id == button.person_id:
        return press.asker
    if press.origin.person.id == button.person_id:
        return press.origin.person
    return Person(button.person_id, "")
