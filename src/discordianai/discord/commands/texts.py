"""Words that several commands use."""

NOTHING_HERE = "I remember nothing of this conversation."


def messages(count: int) -> str:
    """So many messages."""
    return f"{count:,} message{'s' * (count != 1)}"


def quoted(text: str) -> str:
    """Each line as a quotation, in Discord's Markdown."""
    return "\n".join(f"> {line}" for line in text.splitlines())
