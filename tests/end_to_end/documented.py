"""The program's commands as the pages show them, made ready to be run beside a bot of the sandbox."""

from pathlib import Path

from tests.docs.pages import arguments, blocks, runs_program, shown, typed

ELSEWHERE = {"--settings": "settings.toml", "--database": "conversations.sqlite3"}
"""What stands in the sandbox's folder for the operator's absolute paths."""


def commands(url: str) -> list[list[str]]:
    """The arguments of each, once; a copy is made before it is needed. The bot is at `url`."""
    found = {tuple(arguments(typed(piece.text)) or ()) for piece in shown(blocks, runs_program)}
    return [harmless(list(words), url) for words in sorted(found)]


def harmless(words: list[str], url: str) -> list[str]:
    """The same without the operator's own paths, without questions, and without a minute's wait."""
    for option, here in ELSEWHERE.items():
        if option in words and Path(words[words.index(option) + 1]).is_absolute():
            words[words.index(option) + 1] = here
    if words[:2] == ["service", "install"] and "--dry-run" not in words:
        words.append("--dry-run")
    if "--name" in words:
        words += ["--settings", "settings.toml"]
    if "purge" in words:
        words.append("--yes")
    if words[0] == "advise" and "--file" not in words:
        words += ["--url", url]
    if "--seconds" in words:
        words[words.index("--seconds") + 1] = "1"
    return words
