"""The commands in the menu of a message: each asks about that message."""

from discordianai.discord.commands.command import MessageCommand, Modal, ModalCommand, QuestionDraft
from discordianai.discord.commands.quotation import about
from discordianai.discord.events.interaction import MessageCommandInteraction

LANGUAGES = {
    "bg": "Bulgarian",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en-GB": "British English",
    "en-US": "English",
    "es-419": "Latin American Spanish",
    "es-ES": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "lt": "Lithuanian",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt-BR": "Brazilian Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sv-SE": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh-CN": "simplified Chinese",
    "zh-TW": "traditional Chinese",
}
"""Discord's own list of locales."""


def _task(name: str, instruction: str) -> MessageCommand:
    """A command that asks for something to be done with the message, in the person's language."""

    def draft(interaction: MessageCommandInteraction) -> QuestionDraft:
        language = LANGUAGES.get(interaction.origin.locale, "the language of this message")
        # Only who asks for it reads it: nobody else has asked for a summary of what they can read themselves.
        return about(QuestionDraft(instruction.format(language=language), private=True), interaction.message)

    return MessageCommand(name=name, draft=draft)


def _ask(interaction: MessageCommandInteraction, question: str) -> QuestionDraft:
    # What one person sees is not repeated to everybody.
    return about(QuestionDraft(question, private=interaction.message.private), interaction.message)


ASK_ABOUT = ModalCommand(
    name="Ask about this", modal=Modal("Ask about this message", "Your question"), draft=_ask
)
COMMANDS = (
    ASK_ABOUT,
    _task("Summarize", "Summarize this message in {language}, in a few sentences."),
    _task("Explain", "Explain this message in {language}, for somebody who doesn't know the subject."),
    _task("Translate", "Translate this message into {language}. Give nothing but the translation."),
)
