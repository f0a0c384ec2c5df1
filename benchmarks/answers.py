"""Whether an answer of the sandbox's providers is on the screen."""

import re

from discordianai.sandbox.providers.scripted_answers import compose

_SOURCES = re.compile(r"One page says so \[.*?\]+(?:\(<?[^)\s]*\))?\.")
_FENCE = re.compile(r"^```\w*$", re.MULTILINE)


def is_whole(prompt: str, shown: str) -> bool:
    """Whether all of the answer to `prompt` is shown, and once."""
    # Both services say the same but for their names and sources, and what was said before.
    wanted = compose("", prompt, [], sources=False).text.partition("You asked")[2]
    return _squeezed(shown).count(_squeezed(wanted)) == 1


def _squeezed(text: str) -> str:
    """Without white space, sources, and the fences that are added where a code block runs on."""
    return "".join(_FENCE.sub("", _SOURCES.sub("", text)).split())
