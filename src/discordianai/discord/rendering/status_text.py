"""What is shown until an answer has text, in Discord's Markdown."""

from discordianai.discord.rendering.characters import seen_on_one_line

LONGEST_QUERY = 100
"""Characters that are shown of a query."""


def searching(query: str) -> str:
    """Says that the web is searched; a model wrote `query`.

    It stands in inline code, where Discord shows neither mentions nor links nor other Markdown.
    """
    shown = seen_on_one_line(query.replace("`", "'"))
    if len(shown) > LONGEST_QUERY:
        shown = f"{shown[: LONGEST_QUERY - 1].rstrip()}…"
    return f"Searching the web for `{shown}`" if shown else "Searching the web"


def thinking(since: float) -> str:
    """For how long already; Discord itself counts on. `since` is in seconds since the epoch."""
    return f"Thinking, started <t:{int(since)}:R>"
