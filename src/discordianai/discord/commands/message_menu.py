"""What the commands in a message's menu ask about the message."""

from discordianai.discord.commands.command import EXPLAIN, SUMMARIZE, TRANSLATE

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


def task(name: str, locale: str) -> str | None:
    """What is to be done with the message; None for a command that no menu has."""
    language = LANGUAGES.get(locale, "the language of this message")
    return {
        SUMMARIZE.name: f"Summarize this message in {language}, in a few sentences.",
        EXPLAIN.name: f"Explain this message in {language}, for somebody who doesn't know the subject.",
        TRANSLATE.name: f"Translate this message into {language}. Give nothing but the translation.",
    }.get(name)


def about(task: str, quoted: str) -> str:
    """The task and the message as one question. What is quoted is no instruction."""
    lines = "\n".join(f"> {line}" for line in quoted.splitlines())
    return f"{task}\n\n{lines}"
