"""Citations as OpenAI's hosted search writes them: links in brackets, with annotations that say where."""

import re

from discordianai.sandbox.providers.scripted_answers import ScriptedAnswer
from discordianai.sandbox.providers.scripted_stream import Json

_CITED = re.compile(r"\[(\d+)\]")


def cited(answer: ScriptedAnswer, *, uncited: bool = False) -> tuple[str, list[Json]]:
    """The text with its `[n]` as links, and the annotation of each; with `uncited`, without either."""
    text, annotations, rest = "", [], answer.text
    while found := _CITED.search(rest):
        text, rest = text + rest[: found.start()], rest[found.end() :]
        number = int(found[1])
        if uncited or number > len(answer.sources):
            continue
        source = answer.sources[number - 1]
        url = f"{source.url}?utm_source=openai"
        link = f"([{source.url.split('/')[2]}]({url}))"
        place = {"start_index": len(text), "end_index": len(text) + len(link)}
        annotations.append({"type": "url_citation", **place, "title": source.title, "url": url})
        text += link
    return text + rest, annotations
