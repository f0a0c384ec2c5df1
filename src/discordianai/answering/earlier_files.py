"""The files of what was asked before, as a model sees them in the next question."""

from collections.abc import Sequence
from dataclasses import replace

from discordianai.records import FileKind, FileLink, Provider, Turn

NOT_SHOWN = "[Files that were sent along, and are not shown here any more: {names}]"


def with_files(history: Sequence[Turn], provider: Provider, now: float) -> tuple[Turn, ...]:
    """The turns with the files of the newest one that had any, as far as the provider takes them.

    What has expired at Discord, or is not shown any more, is named, so that the model can say so.
    """
    turns = list(history)
    newest = True
    for place in reversed(range(len(turns))):
        if not turns[place].attachments:
            continue
        turns[place] = _with_own_files(turns[place], provider, now) if newest else naming_files(turns[place])
        newest = False
    return tuple(turns)


def _with_own_files(turn: Turn, provider: Provider, now: float) -> Turn:
    good = [file for file in turn.attachments if not file.expired(now)]
    images = [file for file in good if file.kind is FileKind.IMAGE and provider.images]
    files = [file for file in good if file.kind is FileKind.DOCUMENT and provider.files]
    shown = replace(
        turn,
        images=tuple(file.url for file in images),
        files=tuple(FileLink(file.name, file.url, file.size) for file in files),
        attachments=tuple(file for file in turn.attachments if file not in (*images, *files)),
    )
    return naming_files(shown)


def naming_files(turn: Turn) -> Turn:
    """The turn with its files named alone. Of a text, an excerpt is there, which says that it is one."""
    names = [_on_one_line(file.name) for file in turn.attachments if file.kind is not FileKind.TEXT]
    text = f"{turn.text}\n\n{NOT_SHOWN.format(names=', '.join(names))}" if names else turn.text
    return replace(turn, text=text, attachments=())


def _on_one_line(name: str) -> str:
    """Nothing in it ends the line, or the brackets: it is behind no speaker's mark."""
    return " ".join("".join(c if c.isprintable() and c not in "[]" else " " for c in name).split())
